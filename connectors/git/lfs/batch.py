"""The batch API of Git LFS: where an object is, or is to go, as its host says.

https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md. What the host hands out are credentials: it is followed
here, and neither kept nor told to anyone. It is not trusted either: what it says is bounded and checked, only https is
followed (but to the host itself, where the connection is on loopback), and our own credential goes to no other host.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.base import Transport
from connectors.errors import OutcomeUnknownError, UpstreamRefusedError
from connectors.git.advertisement import refusal
from connectors.git.lfs.operations import LfsObject, What
from connectors.git.workshop import Cleaner
from connectors.streams import read_all

MEDIA_TYPE: Final = "application/vnd.git-lfs+json"
AGENT: Final = "git-lfs/3 (ostiary)"
JSON: Final = MappingProxyType({"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE, "User-Agent": AGENT})
"""Headers of every request of the LFS API, but the credential."""
MAX_ANSWER_BYTES: Final = 2 << 20
"""For 100 objects; a signed address has 2 kB at the most."""

_OK: Final = 200
_MAX_HEADERS: Final = 32
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_|~-]{1,100}")
_HEADER_VALUE: Final = re.compile(r"[ -~]{0,8000}")
_OURS: Final = frozenset(
    ("connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te",
     "trailer", "transfer-encoding", "upgrade", "accept-encoding")
)  # fmt: skip
"""Headers about the connection, which is ours to make; hosts are known to hand out ``Transfer-Encoding``."""


class _Sent(BaseModel):
    # Hosts add members of their own.
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class _Action(_Sent):
    href: str = Field(max_length=8192)
    header: dict[str, str] | None = None


class _Fault(_Sent):
    code: int = Field(0, ge=0, le=999)
    message: str = ""


class _Found(_Sent):
    oid: str
    authenticated: bool | None = None
    actions: dict[str, _Action] | None = None
    error: _Fault | None = None


class _Answer(_Sent):
    transfer: str | None = None
    objects: list[_Found] = Field(max_length=1000)
    hash_algo: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One request that a host wants for an object.

    Args:
        url: Where to.
        headers: With what; they may carry a credential.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    def with_defaults(self, defaults: Mapping[str, str]) -> dict[str, str]:
        """Return the headers, and those of ``defaults`` that they do not hold in any case of letters."""
        held = {name.lower() for name in self.headers}
        return {**{name: value for name, value in defaults.items() if name.lower() not in held}, **self.headers}


@dataclass(frozen=True, slots=True)
class Offer:
    """What a host says of one object.

    Args:
        item: The object.
        steps: By name: ``download``; or ``upload`` and ``verify``, none when the host has the object already.
        error_code: HTTP status of its refusal, 0 when it refuses nothing.
        error: Its words, cleaned.
    """

    item: LfsObject
    steps: Mapping[str, Step]
    error_code: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """The batch API of one repository.

    Args:
        url: URL of the repository.
        authorization: Value of the ``Authorization`` header.
        transport: The way out.
    """

    url: str
    authorization: str = field(repr=False)
    transport: Transport

    async def ask(self, operation: What, items: Iterable[LfsObject]) -> tuple[Offer, ...]:
        """Return what the host says of each object, in their order.

        Args:
            operation: `What.DOWNLOAD` or `What.UPLOAD`.
            items: The objects.

        Raises:
            UpstreamRefusedError: the host said no, or its answer cannot be used.
            NotSentError, OutcomeUnknownError: as the transport; nothing was changed.
        """
        wanted = tuple(items)
        body = orjson.dumps(
            {
                "operation": operation.value,
                "transfers": ["basic"],
                "objects": [each.model_dump() for each in wanted],
                "hash_algo": "sha256",
            }
        )
        headers = {"Authorization": self.authorization, **JSON}
        url = f"{self.url}/info/lfs/objects/batch"
        async with self.transport.request("POST", url, headers=headers, body=body) as response:
            if response.status != _OK:
                raise refusal(response.status, response.headers)
            answer = _parsed(await _whole(response.body))
        found = {each.oid: each for each in answer.objects}
        return tuple(self._offer(each, found.get(each.oid)) for each in wanted)

    def _offer(self, item: LfsObject, found: _Found | None) -> Offer:
        if found is None:
            raise _bad_answer("an object is missing in it")
        if found.error is not None:
            words = Cleaner(self.authorization)(found.error.message.encode("utf-8", "replace"))
            return Offer(item, {}, found.error.code or 422, words or "no reason given")
        actions = found.actions or {}
        steps = {name: self._step(action, told=bool(found.authenticated)) for name, action in actions.items()}
        return Offer(item, steps)

    def _step(self, action: _Action, *, told: bool) -> Step:
        same = self._is_ours(action.href)
        if not (same or action.href.startswith("https://")):
            raise _bad_answer("it leads to an address without TLS")
        given = action.header or {}
        if len(given) > _MAX_HEADERS or not all(
            _HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value) for name, value in given.items()
        ):
            raise _bad_answer("it asks for headers that are none")
        headers = {name: value for name, value in given.items() if name.lower() not in _OURS}
        has_credential = any(name.lower() == "authorization" for name in headers)
        if same and not told and not has_credential:
            headers["Authorization"] = self.authorization
        return Step(action.href, headers)

    def _is_ours(self, href: str) -> bool:
        """Tell whether an address is on the very host of the connection: scheme, name and port."""
        try:
            one, other = urlsplit(href), urlsplit(self.url)
        except ValueError:
            raise _bad_answer("it leads to what is no address") from None
        return bool(one.netloc) and (one.scheme, one.netloc) == (other.scheme, other.netloc)


async def _whole(body: AsyncGenerator[bytes, None]) -> bytes:
    try:
        return await read_all(body, MAX_ANSWER_BYTES)
    except OutcomeUnknownError as error:
        raise _bad_answer(str(error)) from None


def _parsed(body: bytes) -> _Answer:
    try:
        answer = _Answer.model_validate_json(body)
    except ValidationError:
        raise _bad_answer("it is not one of the batch API") from None
    if answer.transfer not in (None, "", "basic") or answer.hash_algo not in (None, "", "sha256"):
        raise _bad_answer("it wants another way of transfer")
    return answer


def _bad_answer(detail: str) -> UpstreamRefusedError:
    return UpstreamRefusedError(f"the answer of the git host cannot be used: {detail}", code="bad-answer", status=_OK)
