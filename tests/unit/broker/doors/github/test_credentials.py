from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.doors.github.credentials import unverified_token

pytestmark = pytest.mark.req("A4")


def token_of(value: bytes) -> str:
    return unverified_token({"headers": [(b"authorization", value)]})


@pytest.mark.parametrize(
    "value",
    [
        b"token T0k",
        b"Bearer T0k",
        b"bearer  T0k ",
        b"TOKEN T0k",
        b"Basic " + b64encode(b"x-access-token:T0k"),
        b"basic " + b64encode(b":T0k"),
    ],
)
def test_a_token_is_found_in_every_form_clients_send(value: bytes) -> None:
    assert token_of(value) == "T0k"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"token",
        b"token " + b"x" * 513,
        b"Digest T0k",
        b"Basic T0k!",
        b"Basic " + b64encode(b"no-colon"),
        b"Basic " + b64encode(b"\xff:\xff"),
        b"Basic " + b64encode(b"u:" + b"x" * 3000),
        b"token \xe9",
    ],
)
def test_what_is_no_token_is_none(value: bytes) -> None:
    assert token_of(value) == ""


def test_without_authorization_there_is_no_token() -> None:
    assert unverified_token({"headers": []}) == ""


@given(st.binary(max_size=100))
def test_any_header_is_a_token_or_none(value: bytes) -> None:
    for scheme in (b"", b"token ", b"Basic "):
        assert token_of(scheme + value).isascii()
