"""Params for any operation of botocore, synthesised from its input shape."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from itertools import cycle
from typing import Any

MAX_DEPTH = 5
NASTY = (
    "a b+c", "x/../y//z", "é%2F漢", "\"q',<&>", "~*()!$;:@=,", "arn:aws:s3:::b/k", "%25%2e", "line1\tline2",
    "trailing/", " lead", "😀", "a&b=c#d?e",
)  # fmt: skip


class Variant(StrEnum):
    """Which params are made."""

    FULL = "full"
    REQUIRED = "required"
    NASTY = "nasty"


class Sampler:
    """Makes values; the same ones in every run."""

    def __init__(self, variant: Variant) -> None:
        self._variant = variant
        self._nasty: Iterator[str] = cycle(NASTY)
        self._count = 0

    def params(self, operation: Any) -> dict[str, Any]:
        shape = operation.input_shape
        made: dict[str, Any] = {} if shape is None else self._structure(shape, (), header=False)
        return made

    def _structure(self, shape: Any, seen: tuple[str, ...], *, header: bool) -> Any:
        if shape.is_document_type:
            return {"k": ["v", 1, True, None]}
        made = {}
        members = list(shape.members.items())
        for name, member in members[:1] if shape.is_tagged_union else members:
            wanted = name in shape.required_members or (self._variant is not Variant.REQUIRED and len(seen) < MAX_DEPTH)
            # The length is that of the body: whoever sends one that is not, sends no HTTP.
            framing = member.serialization.get("name") == "Content-Length"
            if wanted and not framing and not member.serialization.get("eventstream"):
                in_header = header or member.serialization.get("location") in {"header", "headers"}
                made[name] = self._value(member, (*seen, shape.name), header=in_header)
        return made

    def _value(self, shape: Any, seen: tuple[str, ...], *, header: bool) -> Any:
        match shape.type_name:
            case "structure":
                return {} if shape.name in seen else self._structure(shape, seen, header=header)
            case "list":
                if shape.member.name in seen:
                    return []
                size = 1 if self._variant is Variant.REQUIRED else max(2, min(shape.metadata.get("min", 1), 3))
                return [self._value(shape.member, (*seen, shape.name), header=header) for _ in range(size)]
            case "map":
                if shape.value.name in seen:
                    return {}
                key = self._value(shape.key, seen, header=header)
                return {key: self._value(shape.value, (*seen, shape.name), header=header)}
            case "string":
                return self._string(shape, header=header)
            case other:
                return _SCALARS[other]

    def _string(self, shape: Any, *, header: bool) -> str:
        if shape.enum:
            return str(shape.enum[0])
        self._count += 1
        if self._variant is Variant.NASTY and not header and not shape.serialization.get("hostLabel"):
            return next(self._nasty)
        least: int = max(shape.metadata.get("min", 1), 1)
        text = f"v{self._count % 1000}"
        most: int = shape.metadata.get("max", 99) or 99
        return (text + "x" * least)[: max(least, min(len(text), most))]


_SCALARS: dict[str, Any] = {
    "integer": 7,
    "long": 8_589_934_592,
    "float": 1.5,
    "double": -2.25,
    "boolean": True,
    "blob": b"blob\x00\xffdata",
    "timestamp": datetime(2024, 3, 5, 6, 7, 8, tzinfo=UTC),
    "character": "c",
}
