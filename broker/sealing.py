"""Secrets in a result are sealed into the vault; the agent gets the name they are sealed under, never the value."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson

from broker.ids import IntentId
from broker.model import JsonObject
from broker.ports import Keeper
from connectors.base import CallResult


async def sealed(keeper: Keeper, intent_id: IntentId, result: CallResult) -> JsonObject:
    """Return the parsed part of a result with every secret in it sealed and replaced by ``sealed:<name>#<pointer>``.

    Args:
        keeper: Seals.
        intent_id: Names what is sealed.
        result: From the connector; says where its secrets stand.

    Raises:
        VaultError: nothing was sealed, so nothing may be released.
    """
    if not result.secrets:
        return result.data
    data = deepcopy(result.data)
    places = {_pointer(path): path for path in result.secrets}
    values = {pointer: _text(_at(data, path)) for pointer, path in places.items()}
    name = await keeper.keep(intent_id, values)
    for pointer, path in places.items():
        _at(data, path[:-1])[path[-1]] = f"sealed:{name}#{pointer}"
    return data


def _at(data: Any, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - JSON
    for part in path:
        data = data[part]
    return data


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _pointer(path: tuple[str | int, ...]) -> str:
    """Return a path as JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
