"""What a request of a model says, read from its bytes without making objects of all of it, and with proof.

`peek` finds the few facts that price, route and meter a call. The bytes go upstream as they are, to a parser that is
not ours, so it is proved first that there is one way to read their top level: no name comes twice, none is written with
escapes, the text is UTF-8. The proof is a walk: the names and raw values that the parser found, put one after another,
must be all of the bytes but for white space (RFC 8259 section 2). An object that breaks this is refused.

Below the top level nothing is proved; no fact that is held to a limit stands there but `stream_options` and the models
that tools name, whose own names are proved in the same way, and the number of web searches, which is an estimate.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Final

import msgspec

from connectors.base import JsonObject, UploadStream
from connectors.errors import InvalidParamsError, UploadBrokenError
from connectors.llm.tools import MAX_SEARCHES, SEARCHES, asking, searches_of
from connectors.llm.words import MAX_BODY_BYTES, Dialect

_MAX_CHOICES: Final = 128
"""Of ``n``: API reference of chat completions."""
_MAX_MEMBERS: Final = 256
_UTF8_BYTES: Final = 1 << 20

_space: Final = re.compile(rb"[ \t\n\r]*").match
_SPACES: Final = frozenset(b" \t\n\r")
_COUNT: Final = re.compile(rb"0|[1-9][0-9]{0,8}")
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{0,64}", re.ASCII)
_HELPERS: Final = re.compile(r"[!-~]{1,128}( [!-~]{1,128}){0,15}|", re.ASCII)
_OTHERS: Final = ("fallback", "fallbacks", "fallback_model", "fallback_models", "models")
"""Members with which a request names models that the provider may ask in place of its ``model``."""
_READ: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)

Members = Mapping[str, bytes]
"""The top level of an object: each name with the bytes of its value, in the order they came."""


@dataclass(frozen=True, slots=True)
class Peeked:
    """The facts of one body.

    Args:
        dialect: How it was read.
        model: As it is written there; empty for INVOKE, where it stands in the path.
        stream: Whether the answer is to come as a stream; for INVOKE the path says so.
        helpers: Models that tools of the provider ask besides, each once, in order, with blanks between.
        max_output_tokens: Most tokens the answer may have, of all choices together; 0 when it does not say.
        include_usage: Of chat: the client wants the usage in the stream.
        searches: Most web searches its server tools may make, as far as that can be told.
        fast: It asks for ``speed: fast``.
        geo: ``inference_geo``; empty for none.
        service_tier: As it is written; empty for none.
    """

    dialect: Dialect
    model: str = ""
    stream: bool = False
    max_output_tokens: int = 0
    include_usage: bool = False
    searches: int = 0
    fast: bool = False
    geo: str = ""
    service_tier: str = ""
    helpers: str = ""

    def to_json(self) -> JsonObject:
        """Return the facts that are not the default, for the params of an intent."""
        return {name: value for name in _FACTS if (value := getattr(self, name))}

    @classmethod
    def from_json(cls, dialect: Dialect, said: Any) -> Peeked:  # noqa: ANN401 - JSON as received
        """Return facts as they stand in params; whether they are true is for `Whole` to say.

        Raises:
            InvalidParamsError: they are not facts.
        """
        if type(said) is not dict or not said.keys() <= _FACTS.keys():
            raise InvalidParamsError("`peeked` must hold facts of the body and nothing else")
        for name, value in said.items():
            if type(value) is not _FACTS[name] or not _is_bounded(name, value):
                raise InvalidParamsError(f"`{name}` in `peeked` is not of its type or size")
        return cls(dialect, **said)


_FACTS: Final[Mapping[str, type]] = MappingProxyType(
    {each.name: type(each.default) for each in fields(Peeked) if each.name != "dialect"}
)


class Whole:
    """A body that is all there: an `connectors.base.UploadStream` that can be read any number of times.

    It carries the facts our own code read from these very bytes, so whoever sends them need not read them again.

    Args:
        raw: The bytes; they are looked at here, so nobody can hand facts along that are not theirs.
        dialect: How they are read.

    Raises:
        InvalidParamsError: they are no such body.
    """

    __slots__ = ("_sha256", "peeked", "raw")

    trailers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, dialect: Dialect, raw: bytes) -> None:
        self.raw = raw
        self.peeked = peek(dialect, raw)
        self._sha256 = ""

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes."""
        if not self._sha256:
            self._sha256 = hashlib.sha256(self.raw).hexdigest()
        return self._sha256

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body in one piece."""
        yield self.raw

    def params(self, headers: Mapping[str, str], *, model: str = "", stream: bool = False) -> JsonObject:
        """Return the params of an intent for this body.

        Args:
            headers: Of the request, names in lower case, one value each.
            model: INVOKE only: from the path, decoded once.
            stream: INVOKE only: whether the path asks for a stream.
        """
        dialect = self.peeked.dialect
        asked: JsonObject = {"model": model, "stream": stream} if dialect is Dialect.INVOKE else {}
        upload = {"bytes": len(self.raw), "sha256": self.sha256}
        said = {"body": {"upload": upload}, "peeked": self.peeked.to_json()}
        return {"dialect": dialect.value, "headers": dict(headers), **asked, **said}


async def collect(dialect: Dialect, stream: UploadStream) -> Whole:
    """Return a body that comes in, whole.

    Args:
        dialect: How it is read.
        stream: Where it comes from.

    Raises:
        UploadBrokenError: it is not what was declared, is too large, or is no such body.
    """
    held = bytearray()
    async for piece in stream:
        held += piece
        if len(held) > MAX_BODY_BYTES:
            raise UploadBrokenError(f"the body has more than {MAX_BODY_BYTES} bytes")
    try:
        return Whole(dialect, bytes(held))
    except InvalidParamsError as error:
        raise UploadBrokenError(str(error)) from None


def peek(dialect: Dialect, raw: bytes) -> Peeked:
    """Return the facts of a body.

    Args:
        dialect: How to read it.
        raw: All of it, at most `MAX_BODY_BYTES`.

    Raises:
        InvalidParamsError: it is no JSON object with one reading, a fact is of a wrong type, or it asks for what cannot
            be metered.
    """
    top = members(raw)
    if dialect is not Dialect.INVOKE and "model" not in top:
        raise InvalidParamsError("the body has no `model`")
    for name in _OTHERS:
        if top.get(name, b"null") != b"null":
            raise InvalidParamsError(
                f"`{name}` is not served: the provider would choose among models",
                fix="leave it out; which model is asked when one is away is for the operator to say",
            )
    return _PEEKS[dialect](top)


def members(raw: bytes) -> dict[str, bytes]:
    """Return the top level of an object of which there is exactly one reading.

    Raises:
        InvalidParamsError: it is no JSON object, is nested too deep or too large, a name comes twice or with escapes.
    """
    if len(raw) > MAX_BODY_BYTES:
        raise InvalidParamsError(f"the body has more than {MAX_BODY_BYTES} bytes")
    if not raw.isascii():
        _check_utf8(raw)
    try:
        found = {name: bytes(value) for name, value in _READ.decode(raw).items()}
    except RecursionError:
        raise InvalidParamsError("the body is nested too deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidParamsError("the body is not a JSON object") from None
    if len(found) > _MAX_MEMBERS:
        raise InvalidParamsError(f"the body has more than {_MAX_MEMBERS} members")
    if not _is_all_of(found, raw):
        raise InvalidParamsError(
            "a name at the top level of the body comes twice, or is written with escapes",
            fix="write every name once and plainly",
        )
    return found


def rebuilt(top: Members, changes: Mapping[str, bytes]) -> bytes:
    """Return an object with some members changed or added, all others byte for byte.

    Args:
        top: As `members` found it, so that every name is written plainly.
        changes: Name to JSON; those that are not in ``top`` come last.
    """
    return b"{%b}" % b",".join(b'"%b":%b' % (name.encode(), value) for name, value in {**top, **changes}.items())


def _is_all_of(found: Members, raw: bytes) -> bool:
    """Tell whether names and values, one after another, are all of the bytes; see the module."""
    if not found:
        return b'"' not in raw
    parts = [b"{"]
    for name, value in found.items():
        parts += (b'"%b"' % name.encode(), b":", value, b",")
    parts[-1] = b"}"
    at = 0
    for part in parts:
        if raw[at] in _SPACES:
            at = _past_space(raw, at)
        if not raw.startswith(part, at):
            return False
        at += len(part)
        if at == len(raw):
            return part is parts[-1]
    return _past_space(raw, at) == len(raw)


def _past_space(raw: bytes, at: int) -> int:
    found = _space(raw, at)
    return found.end() if found else at


def _check_utf8(raw: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(raw)
    try:
        for at in range(0, len(raw), _UTF8_BYTES):
            decoder.decode(view[at : at + _UTF8_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise InvalidParamsError("the body is not UTF-8") from None


def _peek_messages(top: Members) -> Peeked:
    return Peeked(
        Dialect.MESSAGES,
        model=_text(top, "model"),
        stream=_flag(top, "stream"),
        max_output_tokens=_count(top, "max_tokens"),
        searches=_searches(top),
        fast=_word(top, "speed") == "fast",
        geo=_word(top, "inference_geo"),
        service_tier=_word(top, "service_tier"),
        helpers=_helpers(top),
    )


def _peek_chat(top: Members) -> Peeked:
    tokens = max(_count(top, "max_tokens"), _count(top, "max_completion_tokens"))
    choices = _count(top, "n")
    if choices > _MAX_CHOICES:
        raise InvalidParamsError(f"`n` must be a whole number from 1 to {_MAX_CHOICES}")
    searches = SEARCHES if top.get("web_search_options", b"null") != b"null" else 0
    return Peeked(
        Dialect.CHAT,
        model=_text(top, "model"),
        stream=_flag(top, "stream"),
        max_output_tokens=tokens * max(choices, 1),
        include_usage=_flag(stream_options(top), "include_usage"),
        searches=searches + _searches(top),
        service_tier=_word(top, "service_tier"),
        helpers=_helpers(top),
    )


def _peek_responses(top: Members) -> Peeked:
    if _flag(top, "background"):
        raise InvalidParamsError("`background` is not served: what it costs could not be metered", fix="leave it out")
    return Peeked(
        Dialect.RESPONSES,
        model=_text(top, "model"),
        stream=_flag(top, "stream"),
        max_output_tokens=_count(top, "max_output_tokens"),
        searches=_searches(top),
        service_tier=_word(top, "service_tier"),
        helpers=_helpers(top),
    )


def _peek_invoke(top: Members) -> Peeked:
    return Peeked(
        Dialect.INVOKE,
        max_output_tokens=_count(top, "max_tokens"),
        searches=_searches(top),
        helpers=_helpers(top),
    )


_PEEKS: Final[Mapping[Dialect, Callable[[Members], Peeked]]] = MappingProxyType(
    {
        Dialect.MESSAGES: _peek_messages,
        Dialect.CHAT: _peek_chat,
        Dialect.RESPONSES: _peek_responses,
        Dialect.INVOKE: _peek_invoke,
    }
)


def stream_options(top: Members) -> dict[str, bytes]:
    """Return the members of ``stream_options`` of a chat body; empty when there are none.

    Raises:
        InvalidParamsError: it is no object with one reading.
    """
    raw = top.get("stream_options", b"null")
    return {} if raw == b"null" else members(raw)


def _text(top: Members, name: str) -> str:
    try:
        return _TEXT.decode(top[name])
    except msgspec.DecodeError:
        raise InvalidParamsError(f"`{name}` must be a string") from None


def _word(top: Members, name: str) -> str:
    text = "" if top.get(name, b"null") == b"null" else _text(top, name)
    if _WORD.fullmatch(text) is None:
        raise InvalidParamsError(f"`{name}` must be one word")
    return text


def _flag(top: Members, name: str) -> bool:
    raw = top.get(name, b"null")
    if raw not in {b"true", b"false", b"null"}:
        raise InvalidParamsError(f"`{name}` must be true or false")
    return raw == b"true"


def _count(top: Members, name: str) -> int:
    raw = top.get(name, b"null")
    if raw == b"null":
        return 0
    if _COUNT.fullmatch(raw) is None:
        raise InvalidParamsError(f"`{name}` must be a whole number from 0 to 999999999, in digits")
    return int(raw)


def _searches(top: Members) -> int:
    return searches_of(top.get("tools", b"null"))


def _helpers(top: Members) -> str:
    named = {_text(members(entry), "model") for entry in asking(top.get("tools", b"null"))}
    found = " ".join(sorted(named))
    # One that is empty or has a blank in it would be read as none, or as two.
    if _HELPERS.fullmatch(found) is None or len(found.split(" ")) != max(len(named), 1) or "" in named:
        raise InvalidParamsError("a `model` in `tools` is not the name of a model, or there are too many")
    return found


def _is_bounded(name: str, value: Any) -> bool:  # noqa: ANN401 - JSON as received
    match value:
        case bool():
            return True
        case int():
            return 0 <= value <= (MAX_SEARCHES if name == "searches" else 10**9 * _MAX_CHOICES)
        case _ if name == "helpers":
            return _HELPERS.fullmatch(value) is not None
        case _:
            return name == "model" or _WORD.fullmatch(value) is not None
