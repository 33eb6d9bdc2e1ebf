"""A request of Anthropic's Messages API as Bedrock's InvokeModel takes it, by a table; or why it cannot be one.

Values stay as the client wrote them, byte for byte, in its order: only whole fields go, and two marks inside
(``output_config`` without what Bedrock does not know, ``scope`` of a ``cache_control``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
import orjson

from connectors.llm.bedrock.capabilities import CAPABILITIES, IN_THE_PATH, SINCE_4_7, Capabilities, Verdict
from connectors.llm.bedrock.models import is_before_4_7

_NESTED: Final = ("tools", "system", "messages")
_NOTHING: Final = frozenset({b"null", b"[]", b"{}"})
_MAX_BETAS: Final = 64
_BETA: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", re.ASCII)
_MAX_SHOWN: Final = 64
_CACHE_CONTROL: Final = re.compile(rb'"cache_control"(?<!\\"cache_control")\s*:\s*(\{[^{}]*"scope"[^{}]*\})')
"""Looks back after the name, not before it: only then is the name looked for as fast as bytes can be."""
_EPHEMERAL: Final = "ephemeral"


@dataclass(frozen=True, slots=True)
class Translated:
    """What is sent.

    Args:
        body: Of the request, JSON.
        dropped: What was left out, sorted: names of fields, and of betas behind ``anthropic-beta:``.
    """

    body: bytes
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Untranslatable:
    """Bedrock cannot answer this.

    Args:
        why: In words for people.
    """

    why: str


class _RefusedError(Exception):
    """Bedrock cannot answer this; the message says why."""


def to_bedrock(
    top: Mapping[str, bytes], headers: Mapping[str, str], capabilities: Capabilities = CAPABILITIES, *, model: str = ""
) -> Translated | Untranslatable:
    """Return the body to invoke a model with.

    Args:
        top: Fields of the body by name, each as JSON, as it was sent; the caller has seen to it that none came twice.
        headers: Of the request, names in lower case; ``anthropic-version`` and ``anthropic-beta`` are looked at.
        capabilities: What the upstream takes.
        model: Which model is invoked, as Anthropic names it, where ``top`` names another.
    """
    try:
        return _translated(top, headers, capabilities, model or _text(top.get("model", b"")))
    except _RefusedError as refusal:
        return Untranslatable(str(refusal))


def _translated(
    top: Mapping[str, bytes], headers: Mapping[str, str], capabilities: Capabilities, model: str
) -> Translated:
    for name in _NESTED:
        _look_for_evidence(top.get(name, b""), capabilities)
    dropped: list[str] = []
    fields = dict(_kept(top, capabilities, dropped))
    betas = _betas(headers.get("anthropic-beta", ""), capabilities, dropped)
    if betas:
        fields["anthropic_beta"] = orjson.dumps(betas)
    fields["anthropic_version"] = orjson.dumps(_version(headers, capabilities, model))
    body = b",".join(orjson.dumps(name) + b":" + value for name, value in fields.items())
    return Translated(b"{" + body + b"}", tuple(sorted(set(dropped))))


def _kept(top: Mapping[str, bytes], capabilities: Capabilities, dropped: list[str]) -> Iterator[tuple[str, bytes]]:
    for name, value in top.items():
        if name in IN_THE_PATH:
            continue
        if name == "output_config":
            kept = _output_config(value, capabilities, dropped)
            if kept:
                yield name, kept
            continue
        verdict = _verdict(name, value, capabilities.fields)
        if verdict is Verdict.DROP:
            dropped.append(_shown(name))
        else:
            yield name, _without_scopes(value, dropped) if name in _NESTED else value


def _verdict(name: str, value: bytes, verdicts: Mapping[str, Verdict]) -> Verdict:
    verdict = verdicts.get(name, Verdict.REFUSE)
    if verdict is not Verdict.REFUSE:
        return verdict
    if value.strip() in _NOTHING:
        return Verdict.DROP
    raise _RefusedError(f"Amazon Bedrock does not take `{_shown(name)}`")


def _output_config(value: bytes, capabilities: Capabilities, dropped: list[str]) -> bytes:
    """Return what is kept of ``output_config``; nothing when that is nothing."""
    try:
        fields = msgspec.json.decode(value, type=dict[str, msgspec.Raw] | None) or {}
    except msgspec.DecodeError:
        raise _RefusedError("expected an object as `output_config`") from None
    kept = []
    for name, raw in fields.items():
        path = f"output_config.{name}"
        if _verdict(path, bytes(raw), {path: capabilities.output_config.get(name, Verdict.REFUSE)}) is Verdict.PASS:
            kept.append(orjson.dumps(name) + b":" + bytes(raw))
        else:
            dropped.append(_shown(path))
    return b"{" + b",".join(kept) + b"}" if kept else b""


def _look_for_evidence(value: bytes, capabilities: Capabilities) -> None:
    for what, evidence in capabilities.evidence.items():
        if evidence.stands_in(value):
            raise _RefusedError(f"Amazon Bedrock does not serve {what}")


def _without_scopes(value: bytes, dropped: list[str]) -> bytes:
    """Return a value whose marks for caching say nothing of who shares the cache; Bedrock knows one kind only."""
    if b'"scope"' not in value:
        return value

    def narrowed(found: re.Match[bytes]) -> bytes:
        try:
            mark = orjson.loads(found[1])
        except orjson.JSONDecodeError:
            return found[0]
        # An argument of a tool may bear the same name; what is no mark of Anthropic's stays.
        if mark.get("type") != _EPHEMERAL or mark.pop("scope", None) is None:
            return found[0]
        dropped.append("cache_control.scope")
        return b'"cache_control":' + orjson.dumps(mark)

    return _CACHE_CONTROL.sub(narrowed, value)


def _betas(header: str, capabilities: Capabilities, dropped: list[str]) -> list[str]:
    """Return the betas that are asked for at Bedrock, in the client's order, each once."""
    asked = [name for part in header.split(",") if (name := part.strip())]
    kept: dict[str, None] = {}
    for place, name in enumerate(asked):
        known = capabilities.betas.get(name) if place < _MAX_BETAS else None
        if known is None:
            dropped.append(f"anthropic-beta: {name if _BETA.fullmatch(name) else '…'}")
        else:
            kept[known] = None
    return list(kept)


def _version(headers: Mapping[str, str], capabilities: Capabilities, model: str) -> str:
    asked = headers.get("anthropic-version", "").strip()
    version = capabilities.versions.get(asked)
    if version is None:
        raise _RefusedError("Amazon Bedrock is not known to have this `anthropic-version`")
    if version in SINCE_4_7 and is_before_4_7(model):
        raise _RefusedError(f"Amazon Bedrock has version {version} of the API for Claude 4.7 and later only")
    return version


def _text(value: bytes) -> str:
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return ""
    return found if isinstance(found, str) else ""


def _shown(name: str) -> str:
    return "".join(char if char.isprintable() and char != "`" else "?" for char in name[:_MAX_SHOWN])
