"""What can be asked over the socket: a table of operations, each turning a frame into a call of the vault and back.

Arguments are checked for type here and for meaning in the vault. Secrets are in the raw part both ways. What has to
wait for an upstream gives its answer later; everything else is answered at once, in the order asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, fields
from functools import partial
from typing import Any, Final

from vault.errors import BadRequestError
from vault.fields import unpack
from vault.lending import Lent
from vault.model import (
    CredentialInfo,
    CredentialKind,
    GitHubTokenRequest,
    Mint,
    MintRequest,
    Revoked,
    SecretValue,
    SigningRequest,
    TokenScheme,
)
from vault.protocol import Frame, JsonObject, encode_info
from vault.rotation.model import Milestone
from vault.rotation.status import decode_terms, encode_status
from vault.service import Vault
from vault.sigv4 import Signature

MAX_TEXT_CHARS: Final = 1024
"""Of a name, host or origin."""

PAGE: Final = 32
"""Credentials in one answer; each may be bound to 64 hosts of 255 characters."""

Later = Callable[[], Coroutine[Any, Any, Frame]]
"""Waits for an answer; it raises what `perform` raises."""

Operation = Callable[[Vault, JsonObject, bytes], Frame | Later]


def perform(vault: Vault, header: JsonObject, raw: bytes) -> Frame | Later:
    """Do what a request asks; return header fields and raw part of the answer, or what waits for it.

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
        "reason": status.reason,
    }, b""


def _initialise(vault: Vault, header: JsonObject, raw: bytes) -> Frame | Later:
    passphrase = _passphrase(header, raw)
    if passphrase is None and vault.asks_kms:
        return partial(_done_later, vault.initialise_by_kms)
    vault.initialise(passphrase)
    return {}, b""


def _unseal(vault: Vault, header: JsonObject, raw: bytes) -> Frame | Later:
    passphrase = _passphrase(header, raw)
    if passphrase is None and vault.asks_kms:
        return partial(_done_later, vault.unseal_by_kms)
    vault.unseal(passphrase)
    return {}, b""


async def _done_later(work: Callable[[], Coroutine[Any, Any, None]]) -> Frame:
    await work()
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


def _keep(vault: Vault, header: JsonObject, raw: bytes) -> Frame:
    return {"info": encode_info(vault.keep(_text(header, "name"), unpack(raw)))}, b""


def _derive(vault: Vault, header: JsonObject, _raw: bytes) -> Frame:
    return {}, vault.derive(_text(header, "label"), _text(header, "subject")).reveal()


def _enclose(vault: Vault, header: JsonObject, raw: bytes) -> Frame:
    return {}, vault.contents.enclose(_text(header, "name"), _text(header, "part"), _count(header, "index"), raw)


def _disclose(vault: Vault, header: JsonObject, raw: bytes) -> Frame:
    return {}, vault.contents.disclose(_text(header, "name"), _text(header, "part"), _count(header, "index"), raw)


def _lease(vault: Vault, header: JsonObject, _raw: bytes) -> Frame | Later:
    ref, host = _text(header, "ref"), _text(header, "host")
    if "mint" not in header:
        return _lent(vault.lending.lease(ref, host))
    lent = vault.lending.lease_minted(ref, host, _mint_request(header["mint"]), _text(header, "holder"))
    return _lent(lent) if isinstance(lent, Lent) else partial(_lent_later, lent)


def _lent(lent: Lent) -> Frame:
    header = lent.header.reveal() if lent.header is not None else b""
    fields = {"info": encode_info(lent.info), "header": lent.header is not None, "public": bool(lent.public_key)}
    return fields, header or lent.public_key


async def _lent_later(mint: Callable[[], Coroutine[Any, Any, Lent]]) -> Frame:
    return _lent(await mint())


def _revoke(vault: Vault, header: JsonObject, _raw: bytes) -> Later:
    session = _text(header, "session")
    if not session:
        raise BadRequestError("`session` names the one that ended")
    # Begun here and not when the answer is waited for: it goes on when the client goes away.
    task = asyncio.get_running_loop().create_task(vault.lending.revoke(session))
    return partial(_revoked, task)


async def _revoked(task: asyncio.Task[Revoked]) -> Frame:
    return asdict(await asyncio.shield(task)), b""


def _sign_ssh(vault: Vault, header: JsonObject, raw: bytes) -> Frame:
    ref, host = _text(header, "ref"), _text(header, "host")
    return {}, vault.lending.sign_ssh(ref, _count(header, "v"), host, raw, _count(header, "flags"))


def _sign(vault: Vault, header: JsonObject, _raw: bytes) -> Frame:
    ref, request = _text(header, "ref"), _signing_request(header.get("req"))
    answer: Signature | CredentialInfo | None
    if "minted" in header:
        answer = vault.lending.sign_minted(ref, _text(header, "minted"), request)
    else:
        answer = vault.lending.sign_aws(ref, _count(header, "v"), request)
    if answer is None:
        return {"stale": None}, b""
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


def _rotation_begin(vault: Vault, header: JsonObject, _raw: bytes) -> Frame:
    vault.rotations.begin(_text(header, "ref"), decode_terms(header.get("terms")))
    return {}, b""


def _rotation_abort(vault: Vault, header: JsonObject, _raw: bytes) -> Frame:
    vault.rotations.abort(_text(header, "ref"))
    return {}, b""


def _rotation_tell(vault: Vault, header: JsonObject, _raw: bytes) -> Frame:
    milestone = _text(header, "milestone")
    if milestone not in {known.value for known in Milestone}:
        raise BadRequestError(f"`milestone` must be one of {', '.join(Milestone)}")
    vault.rotations.tell(_text(header, "ref"), Milestone(milestone))
    return {}, b""


def _rotation(vault: Vault, header: JsonObject, _raw: bytes) -> Frame:
    return {"rotation": encode_status(vault.rotations.status(_text(header, "ref")))}, b""


def _rotations(vault: Vault, header: JsonObject, _raw: bytes) -> Frame:
    start = _count(header, "start")
    return {"rotations": [encode_status(status) for status in vault.rotations.list()[start : start + PAGE]]}, b""


OPERATIONS: Final[Mapping[str, Operation]] = {
    "status": _status,
    "initialise": _initialise,
    "unseal": _unseal,
    "seal": _seal,
    "put": _put,
    "rotate": _rotate,
    "destroy": _destroy,
    "rotate-keyring": _rotate_keyring,
    "rotation-begin": _rotation_begin,
    "rotation-abort": _rotation_abort,
    "rotation-tell": _rotation_tell,
    "rotation": _rotation,
    "rotations": _rotations,
    "list": _list,
    "keep": _keep,
    "derive": _derive,
    "enclose": _enclose,
    "disclose": _disclose,
    "lease": _lease,
    "revoke": _revoke,
    "sign": _sign,
    "sign-ssh": _sign_ssh,
    "scan": _scan,
    "sign-note": _sign_note,
    "public-key": _public_key,
}
"""Every operation; there is none that answers with a stored value but a lease's header and a session token, and none
that answers with a key others are derived from."""


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


def _mint_request(data: object) -> Mint:
    names = set(data) if isinstance(data, dict) else set()
    if isinstance(data, dict) and names == _names_of(MintRequest):
        duration_seconds = _count(data, "duration_seconds")
        texts = {name: data[name] for name in names - {"duration_seconds"}}
        if not all(isinstance(value, str) for value in texts.values()):
            raise BadRequestError("all of `mint` but the duration are texts")
        return MintRequest(duration_seconds=duration_seconds, **texts)
    if isinstance(data, dict) and names == _names_of(GitHubTokenRequest):
        return _token_request(data)
    raise BadRequestError("`mint` must be an object of the fields of one of the requests")


def _token_request(data: JsonObject) -> GitHubTokenRequest:
    scheme = _text(data, "scheme")
    repositories, permissions = data["repositories"], data["permissions"]
    if scheme not in {known.value for known in TokenScheme}:
        raise BadRequestError(f"`scheme` must be one of {', '.join(TokenScheme)}")
    if not isinstance(repositories, list) or not all(isinstance(name, str) for name in repositories):
        raise BadRequestError("`repositories` must be a list of texts")
    if not isinstance(permissions, list) or not all(_is_pair(pair) for pair in permissions):
        raise BadRequestError("`permissions` must be a list of pairs of texts")
    if not isinstance(data["everywhere"], bool):
        raise BadRequestError("`everywhere` must be true or false")
    return GitHubTokenRequest(
        owner=_text(data, "owner"),
        repositories=tuple(repositories),
        permissions=tuple((name, access) for name, access in permissions),
        endpoint=_text(data, "endpoint"),
        scheme=TokenScheme(scheme),
        everywhere=data["everywhere"],
    )


def _is_pair(data: object) -> bool:
    return isinstance(data, list) and len(data) == 2 and all(isinstance(each, str) for each in data)  # noqa: PLR2004


def _names_of(request: type[Mint]) -> set[str]:
    return {field.name for field in fields(request)}


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
