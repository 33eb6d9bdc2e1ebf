"""Reads the packaged catalogue of GitHub's REST operations, once, when it is first asked for.

The file is `MAGIC` and one compressed JSON document: ``{"sources": {…}, "operations": {operation id: row}}``. A row has
the fields of `Entry`, what is empty left out; the schemas are the part of JSON Schema that `connectors.github.values`
checks.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

MAGIC: Final = b"ostiary-github-1\n"
"""Begins the file; another format gets another number."""
FILE: Final = "catalogue.bin"

Schema = Mapping[str, Any]


class CatalogueFileError(Exception):
    """The packaged file is damaged, or of another version: a fault of the build."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One REST operation as GitHub's OpenAPI description has it.

    Args:
        method: HTTP method, upper case.
        path: Template, ``/repos/{owner}/{repo}/pulls/{pull_number}/merge``.
        summary: One line.
        in_path: Schema of each param that stands in the path.
        in_query: Likewise, in the query.
        in_body: Likewise, in the JSON body.
        required: Names of the params that must be given.
        renamed: Params of the body that are sent under another name, as a part of the path is called so.
        whole: The one param of the body is all of it.
        sends: Media type of a body that is no JSON; empty for JSON.
        media: Media types of answers besides JSON.
        redirects: An answer may be elsewhere (status 302).
        deprecated: GitHub says not to use it any more.
    """

    method: str
    path: str
    summary: str
    in_path: Mapping[str, Schema] = field(default_factory=dict)
    in_query: Mapping[str, Schema] = field(default_factory=dict)
    in_body: Mapping[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    sends: str = ""
    media: tuple[str, ...] = ()
    redirects: bool = False
    deprecated: bool = False


class GitHubCatalogue:
    """Every REST operation of GitHub.

    Args:
        data: The packaged file.

    Raises:
        CatalogueFileError: it cannot be read.
    """

    def __init__(self, data: bytes) -> None:
        if not data.startswith(MAGIC):
            raise CatalogueFileError("not a catalogue of this version")
        try:
            document = json.loads(zlib.decompress(data[len(MAGIC) :]))
            self._sources: dict[str, str] = document["sources"]
            self._entries = {name: _entry(row) for name, row in document["operations"].items()}
        except (zlib.error, ValueError, KeyError, TypeError):
            raise CatalogueFileError("the catalogue is damaged") from None

    @property
    def sources(self) -> Mapping[str, str]:
        """What it was built from: the package with its version, and the digest of its archive."""
        return MappingProxyType(self._sources)

    def entries(self) -> Mapping[str, Entry]:
        """Return every operation by its id, ``pulls/merge``, sorted."""
        return MappingProxyType(self._entries)


@cache
def load() -> GitHubCatalogue:
    """Return the packaged catalogue; the file is opened by the first call only.

    Raises:
        CatalogueFileError: it cannot be read.
    """
    return GitHubCatalogue(files(__package__).joinpath(FILE).read_bytes())


def action_of(operation_id: str) -> str:
    """Return the action of an operation id: ``github:pulls.merge`` of ``pulls/merge``."""
    return f"github:{operation_id.replace('/', '.')}"


@cache
def actions() -> Mapping[str, Entry]:
    """Return every operation by its canonical action, sorted."""
    return MappingProxyType({action_of(name): entry for name, entry in load().entries().items()})


def _entry(row: dict[str, Any]) -> Entry:
    fields = dict(row)
    fields |= {name: tuple(row[name]) for name in ("required", "media") if name in row}
    return Entry(**fields)
