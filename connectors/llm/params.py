"""The params of an intent, checked: the same for a door that has the bytes and for an intent with the body in JSON."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from connectors.base import JsonObject, Upload
from connectors.errors import InvalidParamsError
from connectors.llm.bodies import Peeked, peek
from connectors.llm.headers import client_ids, forwarded
from connectors.llm.models import shown
from connectors.llm.operations import COUNT
from connectors.llm.words import MAX_BODY_BYTES, Dialect

_NAMES: Final = frozenset({"dialect", "model", "stream", "headers", "body", "peeked"})
_OF_THE_PATH: Final = ("model", "stream")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a client, checked.

    Args:
        dialect: What it speaks.
        counting: Only its tokens are to be counted.
        model: As the client wrote it.
        stream: Whether the answer is to come as a stream.
        headers: Those that go on.
        client: Who asks, as the client says it.
        peeked: The facts of the body; of one that comes in apart they are claims until it is there.
        size_bytes: Of the body.
        sha256: Hex digest of the body.
        payload: The body; None when it comes in apart.
    """

    dialect: Dialect
    counting: bool
    model: str
    stream: bool
    headers: Mapping[str, str]
    client: JsonObject
    peeked: Peeked
    size_bytes: int
    sha256: str
    payload: bytes | None

    @property
    def upload(self) -> Upload | None:
        """The body as it was declared; None when it is in the params."""
        return Upload(self.size_bytes, self.sha256) if self.payload is None else None


def check_params(action: str, params: JsonObject) -> Asked:
    """Return what is asked.

    Args:
        action: One of the table.
        params: As received.

    Raises:
        InvalidParamsError: they do not fit the action.
    """
    for name in params:
        if name not in _NAMES:
            raise InvalidParamsError(f"`{shown(name)}` is not a param of `{action}`")
    dialect = _dialect(action, params)
    given: Any = params.get("headers", {})
    headers = forwarded(given, dialect)
    body = params.get("body")
    if type(body) is not dict:
        raise InvalidParamsError("`body` must be an object")
    if body.keys() == {"upload"}:
        size, sha256 = _declared(body["upload"])
        payload, peeked = None, Peeked.from_json(dialect, params.get("peeked"))
    else:
        if "peeked" in params:
            raise InvalidParamsError("`peeked` goes with a body that comes in apart")
        payload = _serialised(body)
        size, sha256, peeked = len(payload), hashlib.sha256(payload).hexdigest(), peek(dialect, payload)
    model, stream = _path(dialect, params) if dialect is Dialect.INVOKE else (peeked.model, peeked.stream)
    counting = action == COUNT
    return Asked(
        dialect=dialect,
        counting=counting,
        model=model,
        stream=stream and not counting,
        headers=headers,
        client=client_ids(given),
        peeked=peeked,
        size_bytes=size,
        sha256=sha256,
        payload=payload,
    )


def _dialect(action: str, params: JsonObject) -> Dialect:
    said = params.get("dialect")
    known = [each.value for each in Dialect]
    if type(said) is not str or said not in known:
        raise InvalidParamsError(f"`dialect` must be one of {', '.join(known)}")
    dialect = Dialect(said)
    if action == COUNT and dialect is not Dialect.MESSAGES:
        raise InvalidParamsError("tokens are counted in the `dialect` `messages` only")
    for name in _OF_THE_PATH:
        if dialect is not Dialect.INVOKE and name in params:
            raise InvalidParamsError(f"`{name}` is a param of the dialect `invoke` only", fix="write it in the body")
    return dialect


def _path(dialect: Dialect, params: JsonObject) -> tuple[str, bool]:
    model, stream = params.get("model"), params.get("stream", False)
    if type(model) is not str or type(stream) is not bool:
        raise InvalidParamsError(f"the dialect `{dialect}` needs `model`, a string, and takes `stream`, true or false")
    return model, stream


def _declared(said: Any) -> tuple[int, str]:  # noqa: ANN401 - JSON as received
    if type(said) is not dict or said.keys() != {"bytes", "sha256"}:
        raise InvalidParamsError('a `body` that comes in apart is declared as {"upload": {"bytes": 5, "sha256": "…"}}')
    size, sha256 = said["bytes"], said["sha256"]
    if type(size) is not int or not 0 < size <= MAX_BODY_BYTES:
        raise InvalidParamsError(f"`bytes` of `body` must be a whole number from 1 to {MAX_BODY_BYTES}")
    if type(sha256) is not str or _DIGEST.fullmatch(sha256) is None:
        raise InvalidParamsError("`sha256` of `body` must be a digest in lower-case hex")
    return size, sha256


def _serialised(body: JsonObject) -> bytes:
    """Return a body of an intent as bytes, the same ones whenever the intent is planned: names are in order."""
    try:
        return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError, RecursionError):
        raise InvalidParamsError("`body` cannot be written as JSON") from None
