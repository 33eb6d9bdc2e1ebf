"""botocore's data files, read small: the process keeps models of many services at a time.

Three things make a model a third of what botocore's own loader makes of it: the documentation of shapes, most of a
file, is cut out before it is parsed; objects are plain dicts, which keep their order as well; and equal references to
a shape, of which EC2 alone has twenty thousand, are one object, since nobody changes a model.
"""

from __future__ import annotations

import ctypes
import gzip
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from botocore.loaders import JSONFileLoader, Loader

_OPENERS: Final[Mapping[str, Callable[[Path], bytes]]] = MappingProxyType(
    {".json": Path.read_bytes, ".json.gz": lambda path: gzip.decompress(path.read_bytes())}
)
_SHAPES: Final = b'"shapes":{'
"""Begins the shapes of a model; inside of a text the quotes would have backslashes."""
_DOCUMENTATION: Final = re.compile(rb'"documentation":"(?:[^"\\]++|\\.)*+"')


class SmallFiles(JSONFileLoader):  # type: ignore[misc]  # botocore has no types
    """Reads one file; botocore's `Loader` finds it."""

    def load_file(self, file_path: str) -> Any:  # noqa: ANN401 - JSON
        """Return what a file holds, None when there is none.

        Args:
            file_path: Without its extension.
        """
        for extension, read in _OPENERS.items():
            path = Path(file_path + extension)
            if path.is_file():
                return json.loads(_without_documentation(read(path)))
        return None


def new_loader() -> Loader:
    """Return a loader of the package's own data, which looks at nothing of the machine and remembers what it reads."""
    return Loader(
        extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False, file_loader=SmallFiles()
    )


def share_references(model: dict[str, Any]) -> None:
    """Make equal references to shapes one object."""
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}

    def shared(reference: dict[str, Any]) -> dict[str, Any]:
        try:
            return seen.setdefault(tuple(reference.items()), reference)
        except TypeError:  # an XML namespace is an object of its own
            return reference

    for shape in model["shapes"].values():
        for part in shape.keys() & {"member", "key", "value"}:
            shape[part] = shared(shape[part])
        members = shape.get("members", {})
        for name in members:
            members[name] = shared(members[name])
    for each in model["operations"].values():
        each["errors"] = [shared(error) for error in each.get("errors", ())]


def give_back_memory() -> None:
    """Return to the system what reading models left over: of EC2 as much as the model itself. Only glibc can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _without_documentation(data: bytes) -> bytes:
    """Return a model without what its shapes say; operations keep their first sentence a little longer."""
    shapes = data.find(_SHAPES)
    if shapes < 0:
        return data
    return data[:shapes] + _DOCUMENTATION.sub(b'"documentation":""', data[shapes:])
