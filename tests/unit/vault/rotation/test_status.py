"""Rotations over the socket and in sealed records: what goes in comes out, and what does not fit is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from tests.unit.vault.rotation.iam import ENDPOINTS, REF, TERMS
from vault.client import VaultClient
from vault.errors import BadRequestError, IntegrityError, LeaseRefusedError, RotationRefusedError
from vault.fields import pack, unpack
from vault.model import CredentialKind, CredentialRef, SecretValue
from vault.protocol import JsonObject
from vault.rotation.model import Milestone, Rotation, Step, decode_rotation
from vault.rotation.status import RotationStatus, decode_status, decode_terms, encode_status, encode_terms
from vault.service import Vault

ROTATION = Rotation(REF, Step.CREATED, TERMS, "1", "arn", "robot", "AKIAOLD", 7, "AKIANEW", SecretValue(b"x" * 20))
Change = Callable[[JsonObject], Any]


@pytest.mark.parametrize("step", list(Step))
def test_a_record_is_read_as_it_was_written(step: Step) -> None:
    written = replace(ROTATION, step=step, new_secret=ROTATION.new_secret if step is Step.CREATED else None)
    read = decode_rotation(written.encode())
    assert replace(read, new_secret=None) == replace(written, new_secret=None)
    assert read.secrets() == written.secrets()


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"\x00",
        pack({"state": b"[]"}),
        pack({"state": b"{"}),
        pack({"state": b"{}"}),
        pack({"state": unpack(ROTATION.encode())["state"].replace(b'"format": 1', b'"format": 2')}),
        pack({"state": unpack(ROTATION.encode())["state"].replace(b'"created"', b'"dreamt"')}),
        pack({"state": unpack(ROTATION.encode())["state"].replace(b'"reason"', b'"season"')}),
    ],
)
def test_a_record_of_another_form_opens_nothing(plain: bytes) -> None:
    with pytest.raises(IntegrityError):
        decode_rotation(plain)


@pytest.mark.parametrize("rotation", [None, ROTATION, replace(ROTATION, step=Step.SWITCHED, stopped=True)])
def test_a_status_crosses_the_socket_as_itself_and_without_a_secret(rotation: Rotation | None) -> None:
    problem = RotationRefusedError("told")
    status = RotationStatus.of(REF, rotation, running=True, problem=problem)
    assert decode_status(encode_status(status)) == status
    assert type(status.error) is RotationRefusedError
    assert "xxxx" not in repr(encode_status(status))
    assert RotationStatus.of(REF, rotation, running=False, problem=None).error is None


def test_a_secret_that_is_not_there_is_no_new_key() -> None:
    with pytest.raises(RotationRefusedError):
        replace(ROTATION, new_secret=None).new_fields()


def test_terms_cross_the_socket_as_themselves() -> None:
    assert decode_terms(encode_terms(TERMS)) == TERMS


CHANGES: list[Change] = [
    lambda _: None,
    lambda _: [],
    lambda terms: {**terms, "more": 1},
    lambda terms: {name: value for name, value in terms.items() if name != "ignore_use"},
    lambda terms: {**terms, "ignore_use": 1},
    lambda terms: {**terms, "grace_seconds": "1"},
    lambda terms: {**terms, "watch_seconds": True},
    lambda terms: {**terms, "settle_seconds": 1.5},
    lambda terms: {**terms, "endpoints": []},
    lambda terms: {**terms, "endpoints": {**asdict(ENDPOINTS), "iam": 1}},
    lambda terms: {**terms, "endpoints": {**asdict(ENDPOINTS), "iam": "x" * 256}},
    lambda terms: {**terms, "endpoints": {**asdict(ENDPOINTS), "more": "x"}},
]


@pytest.mark.parametrize("change", CHANGES)
def test_terms_of_another_form_are_refused(change: Change) -> None:
    with pytest.raises(BadRequestError):
        decode_terms(change(encode_terms(TERMS)))


async def test_the_socket_refuses_what_does_not_fit_and_lists_what_is_there(client: VaultClient, served: Vault) -> None:
    fields = {"access_key_id": "AKIAOLD", "secret_access_key": "x" * 20}
    for number in range(40):
        ref = CredentialRef(f"aws/k{number:02}")
        await client.put(ref, CredentialKind.AWS, fields, ["iam.amazonaws.com"])
        with served._changing() as registry:
            registry.write_rotation(replace(ROTATION, ref=ref))
    assert [status.ref for status in await client.rotations.list()] == [f"aws/k{number:02}" for number in range(40)]
    with pytest.raises(LeaseRefusedError):
        await client.rotations.begin(CredentialRef("aws/k00"), TERMS)
    with pytest.raises(BadRequestError):
        await client._ask({"op": "rotation-tell", "ref": "aws/k00", "milestone": "dreamt"})
    with pytest.raises(RotationRefusedError):
        await client.rotations.abort(CredentialRef("aws/none"))
    await client.rotations.tell(CredentialRef("aws/k00"), Milestone.BEGUN)
    status = await client.rotations.status(CredentialRef("aws/k00"))
    assert (status.step, status.told, status.running) == (Step.CREATED, "begun", False)
