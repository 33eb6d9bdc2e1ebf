"""Answers that are all head: the members of an output whose body streams are read from the headers, and nothing else.

botocore's parser looks through every member of the shape for each answer. Here that is done once per operation; what a
header means is the same (`tests` compare the two over every operation there is). A value that does not fit its type is
an error there too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from connectors.aws.codec import parse_time
from connectors.aws.model import MAX_MODELS, ApiOperation

Reader = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Head:
    """How the head of an operation's answers is read.

    Args:
        single: Lower-case header to member and reader.
        prefixed: Lower-case prefix to the member that collects what begins with it.
        status: Members that are the status itself.
    """

    single: Mapping[str, tuple[str, Reader]]
    prefixed: tuple[tuple[str, str], ...]
    status: tuple[str, ...]

    def read(self, status: int, headers: Mapping[str, str]) -> dict[str, Any]:
        """Return the members an answer has.

        Args:
            status: HTTP status.
            headers: Lower-case names.

        Raises:
            ValueError: a value does not fit its type.
        """
        found: dict[str, Any] = dict.fromkeys(self.status, status)
        for prefix, member in self.prefixed:
            found[member] = {name[len(prefix) :]: text for name, text in headers.items() if name.startswith(prefix)}
        for name, text in headers.items():
            known = self.single.get(name)
            if known is not None:
                found[known[0]] = known[1](text)
        return found


@lru_cache(maxsize=MAX_MODELS * 4)
def _head_of(service: str, name: str, outputs: Any) -> Head | None:  # noqa: ANN401, ARG001 - the key; botocore's shape
    payload = outputs.serialization.get("payload")
    single: dict[str, tuple[str, Reader]] = {}
    prefixed, status = [], []
    for member, shape in outputs.members.items():
        place = shape.serialization.get("location")
        wire_name = shape.serialization.get("name", member).lower()
        if place == "statusCode":
            status.append(member)
        elif place == "headers":
            prefixed.append((wire_name, member))
        elif place == "header":
            reader = _reader(shape)
            if reader is None:
                return None
            single[wire_name] = (member, reader)
        elif member != payload:
            return None
    return Head(single, tuple(prefixed), tuple(status))


def head_of(api: ApiOperation) -> Head | None:
    """Return how the answers of an operation are read, None when botocore must: it has members elsewhere."""
    outputs = api.model.output_shape
    return None if outputs is None or not api.streams else _head_of(api.service, api.name, outputs)


def _boolean(text: str) -> bool:
    return text.lower() == "true"  # as in JSON; XML knows one spelling, and no service sends another


_READERS: Final[Mapping[str, Reader]] = {
    "string": str,
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "boolean": _boolean,
    "timestamp": parse_time,
}


def _reader(shape: Any) -> Reader | None:  # noqa: ANN401 - botocore's shape
    if shape.serialization.get("jsonvalue"):
        return None
    return _READERS.get(shape.type_name)
