"""JSON bodies to params, strictly: one reading only, of a text that has one meaning."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, NoReturn

from connectors.aws.wire_in.refusal import Reason, RefusedError, malformed, shown, unknown_input
from connectors.aws.wire_in.scalars import Scalar, checked_text, finite, from_json
from connectors.aws.wire_in.shapes import MAX_DEPTH, Kind, Naming, Node

ScalarReader = Callable[[Node, object], Scalar]
"""Reads a scalar of a decoded document; JSON and CBOR differ in nothing else."""


def load_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return a JSON document.

    Raises:
        RefusedError: it is not UTF-8 or not JSON, a name is there twice, or it is nested too deep.
    """
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise malformed("the body is not UTF-8") from None
    except RecursionError:
        raise too_deep() from None
    except ValueError:
        # Not JSON, or an integer of thousands of digits.
        raise malformed("the body is not JSON") from None


def read_structure(node: Node, document: object, scalar: ScalarReader = from_json, depth: int = 0) -> dict[str, Any]:
    """Return the members of a structure.

    Args:
        node: Of a structure.
        document: A decoded object.
        scalar: Reads its scalars.
        depth: How deep it is nested.

    Raises:
        RefusedError: it is no object, or it has a member the model does not know or that does not fit.
    """
    if not isinstance(document, dict):
        raise malformed("expected an object")
    names = node.named(Naming.JSON)
    params = {}
    for name, value in document.items():
        known = names.get(name)
        if known is None:
            raise unknown_input("member", str(name))
        if value is not None:  # AWS takes null for a member that is not given
            member, child = known
            params[member] = read(child, value, scalar, depth + 1)
    return params


def read(node: Node, value: object, scalar: ScalarReader = from_json, depth: int = 0) -> Any:  # noqa: ANN401 - any JSON
    """Return one value of a decoded document.

    Raises:
        RefusedError: it does not fit the model or is nested too deep.
    """
    if depth > MAX_DEPTH:
        raise too_deep()
    match node.kind:
        case Kind.STRUCTURE:
            return read_structure(node, value, scalar, depth)
        case Kind.LIST:
            if not isinstance(value, list):
                raise malformed("expected a list")
            item = node.item
            return [read(item, each, scalar, depth + 1) for each in value]
        case Kind.MAP:
            if not isinstance(value, dict):
                raise malformed("expected a map")
            values = node.members["value"]
            return {_key(name): read(values, each, scalar, depth + 1) for name, each in value.items()}
        case Kind.DOCUMENT:
            return read_document(value, depth)
        case _:
            return scalar(node, value)


def read_document(value: object, depth: int = 0) -> Any:  # noqa: ANN401 - any JSON
    """Return a value without a shape, when it is JSON.

    Raises:
        RefusedError: it is not, or it is nested too deep.
    """
    if depth > MAX_DEPTH:
        raise too_deep()
    match value:
        case None | bool() | int():
            return value
        case str():
            return checked_text(value)
        case float():
            return finite(value)
        case list():
            return [read_document(each, depth + 1) for each in value]
        case dict():
            return {_key(name): read_document(each, depth + 1) for name, each in value.items()}
        case _:
            raise malformed("a document holds what is not JSON")


def too_deep() -> RefusedError:
    """Return the error for a value nested too deep."""
    return RefusedError(Reason.TOO_LARGE, f"a value is nested deeper than {MAX_DEPTH} levels")


def _key(name: object) -> str:
    if not isinstance(name, str):
        raise malformed("a name is not a string")
    return checked_text(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise RefusedError(Reason.DECOY, f"member `{shown(twice)}` is there twice")
    return made


def _no_constant(_word: str) -> NoReturn:
    raise malformed("NaN and Infinity are not JSON")


EMPTY_OBJECT: Final = b"{}"
"""What clients send for an operation without params."""
