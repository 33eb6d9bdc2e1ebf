from __future__ import annotations

import pytest

from vault import errors
from vault.errors import LeaseRefusal, LeaseRefusedError, VaultError, error_from_wire
from vault.protocol import decode_error, encode_error

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, VaultError) and kind is not LeaseRefusedError
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_crosses_the_wire_as_itself(kind: type[VaultError]) -> None:
    again = decode_error(encode_error(kind("told")))
    assert type(again) is kind
    assert str(again) == "told"


@pytest.mark.parametrize("reason", list(LeaseRefusal))
def test_a_refused_lease_keeps_its_reason(reason: LeaseRefusal) -> None:
    again = decode_error(encode_error(LeaseRefusedError("told", reason)))
    assert isinstance(again, LeaseRefusedError)
    assert again.reason is reason


def test_what_is_unknown_is_an_error_all_the_same() -> None:
    assert type(error_from_wire("new-kind", "told")) is VaultError
    assert type(error_from_wire("lease-refused", "told", "new-reason")) is VaultError
    assert decode_error({"i": 1}) is None


def test_codes_are_unique_and_every_class_is_drawn() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS)
    assert errors.__doc__ is not None
    assert all(kind.__name__ in errors.__doc__ for kind in [*KINDS, LeaseRefusedError])
