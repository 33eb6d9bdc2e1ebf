"""The resources an operation touches, written as templates a person can read: ``arn:aws:s3:::{Bucket}/{Key}``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors.aws.catalogue.model import UNBOUND, Entry
from connectors.aws.catalogue.overrides import OVERRIDES
from connectors.aws.catalogue.place import UNKNOWN, Place
from connectors.aws.catalogue.resolve import resolve
from connectors.base import JsonObject
from connectors.errors import InvalidParamsError

_ANYWHERE: Final = Place("aws", "{region}", "{account}")


def resource_names(entry: Entry, example: JsonObject) -> tuple[str, ...]:
    """Return the templates, each once.

    Args:
        entry: The operation's row of the catalogue.
        example: Params that plan; for an operation with a hand-written row, its values become the variables.
    """
    templates = [pair.template.replace("{partition}", "aws").replace("{param:", "{") for pair in entry.pairs]
    if f"{entry.service}:{entry.operation}" in OVERRIDES:
        try:
            found = [need.resource for need in resolve(entry, example, _ANYWHERE)]
        except InvalidParamsError:
            found = templates  # the row refuses the operation as a whole
        words = sorted(_texts(example, ""), key=lambda pair: -len(pair[0]))
        templates = [_named(resource, words) for resource in found]
    return tuple(dict.fromkeys(templates))


def _named(resource: str, words: list[tuple[str, str]]) -> str:
    """Replace values by the names of their params, the longest first."""
    for value, name in words:
        if value in resource:
            resource = resource.replace(value, f"{{{name}}}")
    return resource.replace(UNKNOWN, UNBOUND)


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """Yield the texts of an example with the paths they stand at."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _texts(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, path)
    elif isinstance(value, str) and value:
        yield value, path
