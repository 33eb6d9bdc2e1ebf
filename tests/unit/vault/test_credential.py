from __future__ import annotations

import traceback

import pytest

from tests.unit.vault.samples import AWS, BASIC, BEARER, NOW_NS, TEMPORARY
from vault.credential import MAX_SECRET_BYTES, Credential, check_fields, check_ref, decode_credential
from vault.errors import BadRequestError, IntegrityError
from vault.model import CredentialKind, CredentialRef
from vault.seal import RecordId

KINDS = [
    (CredentialKind.AWS, AWS),
    (CredentialKind.AWS, TEMPORARY),
    (CredentialKind.BASIC, BASIC),
    (CredentialKind.BEARER, BEARER),
]


def make(kind: CredentialKind, fields: dict[str, bytes]) -> Credential:
    return Credential(CredentialRef("a/b"), kind, 1, ("x.com", "*.y.com"), NOW_NS, check_fields(kind, fields))


@pytest.mark.parametrize(("kind", "fields"), KINDS)
def test_a_credential_reads_back_from_its_record(kind: CredentialKind, fields: dict[str, bytes]) -> None:
    credential = make(kind, fields)
    again = decode_credential(credential.record, credential.encode())
    assert again.info() == credential.info()
    assert {name: value.reveal() for name, value in again.fields.items()} == fields


def test_what_may_be_shown_holds_the_identity_and_no_secret() -> None:
    assert make(CredentialKind.AWS, TEMPORARY).info().identity == "AKIAIOSFODNN7EXAMPLE"
    assert make(CredentialKind.BASIC, BASIC).info().identity == "robot"
    assert make(CredentialKind.BEARER, BEARER).info().identity == ""
    for kind, fields in KINDS:
        credential = make(kind, fields)
        for secret in credential.secrets():
            assert secret.decode() not in repr(credential) + repr(credential.info())


@pytest.mark.parametrize(("kind", "fields"), KINDS)
def test_everything_but_the_identity_is_secret(kind: CredentialKind, fields: dict[str, bytes]) -> None:
    credential = make(kind, fields)
    assert sorted(credential.secrets()) == sorted(set(fields.values()) - {credential.identity.encode()})


@pytest.mark.parametrize("ref", ["aws/prod", "git/acme-1", "a/b", "x1._-/0._-"])
def test_a_well_formed_name_is_taken(ref: str) -> None:
    assert check_ref(ref) == ref


@pytest.mark.parametrize(
    "ref",
    ["", "aws", "/", "a/", "/b", "a/b/c", "A/b", "a/B", "../x", "a/../b", "a/.b", "a b/c", "a/b\n", "\u0430/b", "a/b\0",
     "a/" + "b" * 127],
)  # fmt: skip
def test_a_malformed_name_is_refused_in_printable_words(ref: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        check_ref(ref)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


@pytest.mark.req("O2")
@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (CredentialKind.AWS, {}),
        (CredentialKind.AWS, {"access_key_id": b"AKIAEXAMPLE"}),
        (CredentialKind.AWS, {**AWS, "secret_access_key": b"planted with space"}),
        (CredentialKind.AWS, {**AWS, "secret_access_key": b"planted\x7f\x80\xff"}),
        (CredentialKind.AWS, {**AWS, "access_key_id": b"planted/slash"}),
        (CredentialKind.AWS, {**AWS, "session_token": b"planted"}),
        (CredentialKind.BASIC, {**BASIC, "username": b"planted:colon"}),
        (CredentialKind.BASIC, {**BASIC, "username": "planted\u202emark".encode()}),
        (CredentialKind.BASIC, {**BASIC, "password": b"planted\r\nX-Evil: 1"}),
        (CredentialKind.BASIC, {**BASIC, "password": b"planted"}),
        (CredentialKind.BASIC, {**BASIC, "password": b"planted\xff\xfe\xfd"}),
        (CredentialKind.BEARER, {"token": b"planted " + b"x" * 20}),
        (CredentialKind.BEARER, {"token": b"planted-" + b"x" * MAX_SECRET_BYTES}),
        (CredentialKind.BEARER, {**BEARER, "planted\nname": b"12345678"}),
        (CredentialKind.BEARER, {**BEARER, "@hosts": b"evil.com"}),
    ],
)
def test_missing_unknown_and_malformed_fields_are_refused_without_their_values(
    kind: CredentialKind, fields: dict[str, bytes]
) -> None:
    with pytest.raises(BadRequestError) as caught:
        check_fields(kind, fields)
    shown = "".join(traceback.format_exception(caught.value, chain=True))
    assert all(value.decode("utf-8", "replace") not in shown for value in fields.values())
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("plain", [b"", b"\0\1", make(CredentialKind.BASIC, BASIC).encode()[:-3]])
def test_a_record_of_an_unknown_form_is_an_integrity_error(plain: bytes) -> None:
    with pytest.raises(IntegrityError):
        decode_credential(RecordId("a/b", "basic", 1), plain)


def test_a_record_of_an_unknown_kind_is_an_integrity_error() -> None:
    with pytest.raises(IntegrityError):
        decode_credential(RecordId("a/b", "pgp", 1), make(CredentialKind.BASIC, BASIC).encode())
