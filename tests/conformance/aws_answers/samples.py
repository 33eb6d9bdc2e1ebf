"""Results of any operation of botocore, synthesised from its output shape, as `connectors.aws.answer` makes them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

from tests.conformance.aws_roundtrip.samples import NASTY, Variant

MAX_DEPTH = 6
NASTIER = (
    *NASTY,
    "a\rb",
    "a\r\nb\n",
    "\tx ",
    "]]>",
    "<!--",
    "&amp;",
    "\u2028",
    "\x85",
    "'",
    "0",
    "null",
    "sealed:x#/y",
)
HEADER_TEXTS = ("a b+c", "é漢", "\"q',<&>", "x/../y", "%25", 'W/"1"')
BODY = b"body\x00\xff"
NUMBERS: dict[str, tuple[Any, ...]] = {
    "integer": (7, 0, -1, 2**31 - 1),
    "long": (8_589_934_592, -(2**63), 2**63 - 1),
    "float": (1.5, -0.25, 1e16),
    "double": (-2.25, 1.7976931348623157e308, 5e-324, 0.1),
}
TIMES = ("2024-03-05T06:07:08Z", "1970-01-01T00:00:00Z", "2038-01-19T03:14:08.123456Z", "9999-12-31T23:59:59Z")


class OutputSampler:
    """Makes results; the same ones in every run.

    Args:
        variant: `Variant.REQUIRED` makes those without any member that may be missing.
    """

    def __init__(self, variant: Variant) -> None:
        self._variant = variant
        nasty = variant is Variant.NASTY
        self._texts: Iterator[str] = cycle(NASTIER if nasty else ("v1", "v2x"))
        self._header_texts: Iterator[str] = cycle(HEADER_TEXTS if nasty else ("v1", "v2x"))
        self._numbers = {kind: cycle(many if nasty else many[:1]) for kind, many in NUMBERS.items()}
        self._times: Iterator[str] = cycle(TIMES if nasty else TIMES[:1])
        self._booleans: Iterator[bool] = cycle((True, False))

    def result(self, operation: Any) -> dict[str, Any]:
        """Return a result, without a body that streams and without events."""
        shape = operation.output_shape
        if shape is None:
            return {}
        payload = shape.serialization.get("payload")
        left_out = payload if payload and operation.has_streaming_output else ""
        made: dict[str, Any] = self._structure(shape, (), left_out)
        return made

    def _structure(self, shape: Any, seen: tuple[str, ...], left_out: str = "") -> Any:
        if shape.is_document_type:
            return {"k": ["v", 1, True, None]}
        members = [(name, each) for name, each in shape.members.items() if name != left_out and not _is_stream(each)]
        inner = (*seen, shape.name)
        made = {name: self._member(each, inner) for name, each in members if self._is_wanted(shape, name, each, inner)}
        return dict(list(made.items())[:1]) if shape.is_tagged_union else made

    def _is_wanted(self, shape: Any, name: str, member: Any, seen: tuple[str, ...]) -> bool:
        if not _is_finite(member, seen):
            return False
        # An answer has a status, and a body its length.
        framing = member.serialization.get("location") == "statusCode" or _is_length(member)
        kept = name in shape.required_members or shape.is_tagged_union or framing
        return kept or (self._variant is not Variant.REQUIRED and len(seen) < MAX_DEPTH)

    def _member(self, shape: Any, seen: tuple[str, ...]) -> Any:
        match shape.serialization.get("location"):
            case "statusCode":
                return 202
            case "headers":
                return {"one": next(self._header_texts), "two": next(self._header_texts)}
            case "header":
                return self._header(shape)
            case _:
                return self._value(shape, seen)

    def _header(self, shape: Any) -> Any:
        if _is_length(shape):
            return len(BODY)
        if shape.serialization.get("jsonvalue"):
            return {"k": ["é", 1, True, None]}
        if shape.type_name == "timestamp":
            return TIMES[0]  # seconds are all that a date in a header has
        if shape.type_name == "string" and not shape.enum:
            return next(self._header_texts)
        return self._value(shape, ())

    def _value(self, shape: Any, seen: tuple[str, ...]) -> Any:
        match shape.type_name:
            case "structure":
                return self._structure(shape, seen)
            case "list":
                size = 1 if self._variant is Variant.REQUIRED else 2
                return [self._value(shape.member, (*seen, shape.name)) for _ in range(size)]
            case "map":
                return {self._value(shape.key, seen): self._value(shape.value, (*seen, shape.name)) for _ in range(2)}
            case "string" | "character":
                return shape.enum[0] if shape.type_name == "string" and shape.enum else next(self._texts)
            case "blob":
                return "YmxvYgD/ZGF0YQ=="
            case "timestamp":
                return next(self._times)
            case "boolean":
                return next(self._booleans)
            case number:
                return next(self._numbers[number])


def _is_finite(shape: Any, seen: tuple[str, ...]) -> bool:
    """Tell whether a member ends before it comes to a shape again that it is in."""
    while shape.type_name in {"list", "map"}:
        if shape.name in seen:
            return False
        shape = shape.member if shape.type_name == "list" else shape.value
    return shape.name not in seen or shape.type_name != "structure"


def _is_stream(shape: Any) -> bool:
    return bool(shape.serialization.get("eventstream"))


def _is_length(shape: Any) -> bool:
    return bool(shape.serialization.get("name") == "Content-Length")
