"""What can be asked over the socket: a table of operations, each turning a frame into a call of the vault and back.

Arguments are checked for type here and for meaning in the vault. Secrets are in the raw part both ways.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from vault.errors import BadRequestError
from vault.fields import unpack
from vault.model import CredentialInfo, CredentialKind, SecretValue, SigningRequest
from vault.protocol import Frame, JsonObject, encode_info
from vault.service import Vault

MAX_TEXT_CHARS: Final = 1024
"""Of a name, host or origin."""

PAGE: Final = 32
"""Credentials in one answer; each may be bound to 64 hosts of 255 characters."""

Operation = Callable[[Vault, JsonObject, bytes], Frame]


def perform(vault: Vault, header: JsonObject, raw: bytes) -> Frame:
    """Do what a request asks; return header fields and raw part of the answer.

    Raises:
        VaultError: as the operation's method in `vault.service.Vault`.
        BadRequestError: an unknown operation or an argument of another type.
    """
    operation = OPERATIONS.get(header.get("op", "")) if isinstance(header.get("op"), str) else None
    if operation is None:
        raise BadRequestError("the vault does not know that operation")
    return operation(vault, header, raw)


def _status(vault: Vault, _header: JsonObject, _raw: bytes) -> Frame:
    status = vault.status()
    return {
        "state": status.state.value,
        "credentials": status.credentials,
        "keyring_version": status.keyring_version,
        "generation": status.generation,
    }, b""


def _initialise(vault: Vault, header: JsonObject, raw: bytes) -> Frame:
    vault.initialise(_passphrase(header, raw))
    return {}, b""


def _unseal(vault: Vault, header: JsonObject, raw: bytes) -> Frame:
    vault.unseal(_passphrase(header, raw))
    return {}, b""


def _seal(vault: Vault, _header: JsonObject, _raw: bytes) -> Frame:
    vault.seal()
    return {}, b""


def _put(vault: Vault, header: JsonObject, raw: bytes) -> Frame:
    hosts = header.get("hosts")
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise BadRequestError("`hosts` must be a list of texts")
    kind = _text(header, "kind")
    if kind not in {known.value for known in CredentialKind}:
        raise BadRequestError(f"`kind` must be one of {', '.join(CredentialKind)}")
    return {"info": encode_info(vault.put(_text(header, "ref"), CredentialKind(kind), unpack(raw), hosts))}, b""


def _rotate(vault: Vault, header: JsonObject, raw: bytes) -> Frame:
    return {"info": encode_info(vault.rotate(_text(header, "ref"), unpack(raw)))}, b""


def _destroy(vault: Vault, header: JsonObject, _raw: bytes) -> Frame:
    vault.destroy(_text(header, "ref"))
    return {}, b""


def _rotate_keyring(vault: Vault, _header: JsonObject, _raw: bytes) -> Frame:
    return {"keyring_version": vault.rotate_keyring()}, b""


def _list(vault: Vault, header: JsonObject, _raw: bytes) -> Frame:
    start = _count(header, "start")
    return {"infos": [encode_info(info) for info in vault.list()[start : start + PAGE]]}, b""


def _lease(vault: Vault, header: JsonObject, _raw: bytes) -> Frame:
    info, value = vault.lease(_text(header, "ref"), _text(header, "host"))
    return {"info": encode_info(info), "header": value is not None}, value.reveal() if value else b""


def _sign(vault: Vault, header: JsonObject, _raw: bytes) -> Frame:
    answer = vault.sign_aws(_text(header, "ref"), _count(header, "v"), _signing_request(header.get("req")))
    if isinstance(answer, CredentialInfo):
        return {"stale": encode_info(answer)}, b""
    token = answer.security_token
    return {"a": answer.authorization, "token": token is not None}, token.reveal() if token else b""


def _scan(vault: Vault, header: JsonObject, raw: bytes) -> Frame:
    found = vault.scan(raw, _count(header, "fresh"))
    return {"spans": found.spans, "hits": found.hits, "keep": found.keep}, b""


def _sign_note(vault: Vault, header: JsonObject, raw: bytes) -> Frame:
    return {}, vault.sign_note(_count(header, "size"), raw, _text(header, "origin"))


def _public_key(vault: Vault, _header: JsonObject, _raw: bytes) -> Frame:
    return {}, vault.public_key()


OPERATIONS: Final[Mapping[str, Operation]] = {
    "status": _status,
    "initialise": _initialise,
    "unseal": _unseal,
    "seal": _seal,
    "put": _put,
    "rotate": _rotate,
    "destroy": _destroy,
    "rotate-keyring": _rotate_keyring,
    "list": _list,
    "lease": _lease,
    "sign": _sign,
    "scan": _scan,
    "sign-note": _sign_note,
    "public-key": _public_key,
}
"""Every operation; there is none that answers with a stored value but a lease's header and a session token."""


def _text(header: JsonObject, name: str) -> str:
    value = header.get(name)
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS:
        raise BadRequestError(f"`{name}` must be a text of at most {MAX_TEXT_CHARS} characters")
    return value


def _count(header: JsonObject, name: str) -> int:
    value = header.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadRequestError(f"`{name}` must be a whole number from 0")
    return value


def _passphrase(header: JsonObject, raw: bytes) -> SecretValue | None:
    return SecretValue(raw) if header.get("passphrase") is True else None


def _signing_request(data: object) -> SigningRequest:
    if not isinstance(data, dict):
        raise BadRequestError("`req` must be an object")
    headers = data.get("headers")
    names = ("method", "path", "query", "payload_sha256", "region", "service")
    texts = {name: data.get(name) for name in names}
    if not all(isinstance(value, str) for value in texts.values()) or not isinstance(headers, dict):
        raise BadRequestError("a signing request has texts and an object of headers")
    if not all(isinstance(value, str) for value in headers.values()):
        raise BadRequestError("header values must be texts")
    return SigningRequest(headers=headers, **{name: str(value) for name, value in texts.items()})
