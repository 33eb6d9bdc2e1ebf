"""Values by path: ``Targets[].RoleArn`` is one for each item of a list, ``Settings{}`` each value of a map."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

_STEP: Final = re.compile(r"[^.\[\]{}]+|\[\]|\{\}")


def values_at(params: Mapping[str, Any], path: str) -> Iterator[Any]:
    """Yield every value a path leads to; none where the params stop before its end, or are of another shape.

    Args:
        params: Of an operation.
        path: Names with dots between them; ``[]`` and ``{}`` go into a list and a map.
    """
    yield from _follow(params, _steps(path))


@cache
def _steps(path: str) -> tuple[str, ...]:
    return tuple(_STEP.findall(path))


def _follow(value: Any, steps: tuple[str, ...]) -> Iterator[Any]:  # noqa: ANN401 - JSON
    if value is None:
        return
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if step == "[]" and isinstance(value, list | tuple):
        for item in value:
            yield from _follow(item, rest)
    elif step == "{}" and isinstance(value, Mapping):
        for item in value.values():
            yield from _follow(item, rest)
    elif isinstance(value, Mapping):
        yield from _follow(value.get(step), rest)
