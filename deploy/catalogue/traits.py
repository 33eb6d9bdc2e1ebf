"""What botocore's model of an operation says about it: members and tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from deploy.catalogue.binding import Member

_TEXTUAL: Final = frozenset({"string", "integer", "long"})


def members_of(shape: Any) -> tuple[Member, ...]:  # noqa: ANN401 - botocore has no types
    """Return the top-level members of a request that can name a thing."""
    if shape is None:
        return ()
    found = []
    for name, member in shape.members.items():
        inner = member.member if member.type_name == "list" else member
        if inner.type_name in _TEXTUAL and (inner is member or inner.type_name == "string"):
            found.append(Member(name, name in shape.required_members))
    return tuple(found)


def token_member(shape: Any) -> str:  # noqa: ANN401 - botocore has no types
    """Return the top-level member botocore fills with an idempotency token, empty for none."""
    members = shape.members.items() if shape is not None else ()
    return next((name for name, member in members if member.metadata.get("idempotencyToken")), "")


def output_names(shape: Any) -> frozenset[str]:  # noqa: ANN401 - botocore has no types
    """Return the names of all members of an answer that hold a value or a group of values."""
    return frozenset(_names(shape, ()))


def _names(shape: Any, above: tuple[str, ...]) -> Iterator[str]:  # noqa: ANN401 - botocore's
    if shape is None or shape.name in above:
        return
    inside = (*above, shape.name)
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if member.type_name in {"string", "blob", "structure", "map"}:
                yield name
            yield from _names(member, inside)
    elif shape.type_name == "list":
        yield from _names(shape.member, inside)
    elif shape.type_name == "map":
        yield from _names(shape.value, inside)
