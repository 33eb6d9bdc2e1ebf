"""Reads the packaged catalogue: once the index, and a service when it is first asked for.

The file is `MAGIC`, the length of the index, the index, and one block for each service, each compressed by itself. All
of it is JSON:

    index    {"sources": {package: version}, "services": {name: [prefix, offset, size, operations]},
              "others": {prefix: [IAM actions no operation asks for]}}
    service  {"prefix", "templates": [...], "heads": [[...]], "operations": {name: row}}
    row      [access and flags, pairs, token member, role members], what is empty at the end left out
    pair     [template, action, arns, heads, optional], likewise; an empty action is the operation's own name

A row's first letters are those of `AccessClass` and `FLAGS`. Offsets count from the first block. A template and a group
of heads are given by number, heads from 1.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from connectors.aws.catalogue.model import AccessClass, Entry, Pair

MAGIC: Final = b"ostiary-aws-1\n"
"""Begins the file; another format gets another number."""
LENGTH_BYTES: Final = 4
FILE: Final = "catalogue.bin"

FLAGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "i": "idempotent",
        "u": "streaming_input",
        "o": "streaming_output",
        "v": "event_stream",
        "k": "returns_secrets",
        "c": "complete",
        "n": "exact",
        "g": "escalates",
    }
)
"""Letter in a row -> field of `Entry`."""
MAX_DOCUMENTS: Final = 48
"""Services kept in memory, as many as models of botocore; each takes some 80 kB, a large one ten times that."""
MAX_ENTRIES: Final = 4_096
"""Rows kept; over it all are forgotten, and the next look at each makes it again."""
_EMPTY_ROW: Final[list[Any]] = ["", [], "", []]
_EMPTY_PAIR: Final[list[Any]] = [0, "", [], 0, 0]
_SECRET: Final = next(letter for letter, name in FLAGS.items() if name == "returns_secrets")
_ACCESS: Final = {access.value[0]: access for access in AccessClass}


class CatalogueFileError(Exception):
    """The packaged file is damaged, or of another version: a fault of the build."""


def head_of(template: str) -> str:
    """Return how a whole ARN of a template begins, without partition, region and account; empty when any may."""
    parts = template.split(":", 5)
    if len(parts) < 6 or "{" in parts[2]:  # noqa: PLR2004 - segments of an ARN
        return ""
    return f"{parts[2]}:{parts[5].partition('{')[0]}"


class AwsCatalogue:
    """Every operation of AWS and what it asks IAM for.

    Args:
        data: The packaged file.

    Raises:
        CatalogueFileError: it cannot be read.
    """

    def __init__(self, data: bytes) -> None:
        start = len(MAGIC) + LENGTH_BYTES
        if not data.startswith(MAGIC):
            raise CatalogueFileError("not a catalogue of this version")
        self._blocks_at = start + int.from_bytes(data[len(MAGIC) : start], "big")
        index = _unpack(data[start : self._blocks_at])
        self._data = data
        self._index: dict[str, tuple[str, int, int, int]] = index["services"]
        self._others: dict[str, list[str]] = index["others"]
        self._sources: dict[str, str] = index["sources"]
        self._documents: dict[str, Any] = {}
        self._entries: dict[tuple[str, str], Entry] = {}

    @property
    def sources(self) -> Mapping[str, str]:
        """The packages it was built from, with their versions."""
        return MappingProxyType(self._sources)

    def services(self) -> frozenset[str]:
        """Return the services, as botocore's folders are called."""
        return frozenset(self._index)

    def count(self, service: str) -> int:
        """Return how many operations a service has, without reading it; 0 when there is no such service."""
        return self._index[service][3] if service in self._index else 0

    def operations(self, service: str) -> tuple[str, ...]:
        """Return the operations of a service, sorted; none when there is no such service.

        A service that is read for its names only is not kept.
        """
        if service not in self._index:
            return ()
        return tuple(self._glance(service)["operations"])

    def asked(self, service: str) -> dict[str, tuple[tuple[str, ...], bool]]:
        """Return for each operation of a service its IAM actions, each once, and whether it can pass a role on.

        A service that is read for these only is not kept, and no entry is made: this is for going through all of AWS.
        """
        if service not in self._index:
            return {}
        document = self._glance(service)
        prefix = document["prefix"]
        return {
            name: (tuple(dict.fromkeys(_action(pair, prefix, name) for pair in row[1])), len(row) == len(_EMPTY_ROW))
            for name, row in document["operations"].items()
        }

    def secret_operations(self, service: str) -> tuple[str, ...]:
        """Return the operations of a service whose answer holds secrets, sorted; read as by `asked`."""
        rows = self._glance(service)["operations"] if service in self._index else {}
        return tuple(name for name, row in rows.items() if _SECRET in row[0][1:])

    def entry(self, service: str, operation: str) -> Entry | None:
        """Return what is known of an operation, None when there is none.

        Args:
            service: As botocore's folder is called, ``stepfunctions``.
            operation: API name, ``StartExecution``.
        """
        found = self._entries.get((service, operation))
        if found is None and service in self._index:
            document = self._document(service)
            row = document["operations"].get(operation)
            if row is not None:
                if len(self._entries) >= MAX_ENTRIES:
                    self._entries.clear()
                found = self._entries[service, operation] = _entry(service, operation, row, document)
        return found

    def iam_actions(self, service: str) -> frozenset[str]:
        """Return the IAM actions policy can speak of for a service: those its operations ask, and IAM's others."""
        if service not in self._index:
            return frozenset()
        asked = frozenset(action for actions, _ in self.asked(service).values() for action in actions)
        return asked | self.other_actions(service)

    def other_actions(self, service: str) -> frozenset[str]:
        """Return the actions IAM has for a service and none of its operations asks for."""
        prefix = self._index[service][0] if service in self._index else ""
        return frozenset(f"{prefix}:{name}" for name in self._others.get(prefix, ()))

    def iam_prefixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return IAM's prefixes, each with the services it covers, sorted."""
        found: dict[str, tuple[str, ...]] = {}
        for service, (prefix, *_) in sorted(self._index.items()):
            found[prefix] = (*found.get(prefix, ()), service)
        return MappingProxyType(found)

    def _document(self, service: str) -> Any:  # noqa: ANN401 - JSON
        document = self._documents.get(service)
        if document is None:
            document = self._read(service)
            # Planning may happen in two threads: what is dropped twice is gone once.
            while len(self._documents) >= MAX_DOCUMENTS:
                self._documents.pop(next(iter(self._documents)), None)
            self._documents[service] = document
        return document

    def _glance(self, service: str) -> Any:  # noqa: ANN401 - JSON
        return self._documents.get(service) or self._read(service)

    def _read(self, service: str) -> Any:  # noqa: ANN401 - JSON
        _, offset, size, _ = self._index[service]
        start = self._blocks_at + offset
        return _unpack(self._data[start : start + size])


@cache
def load() -> AwsCatalogue:
    """Return the packaged catalogue; the file is opened by the first call only.

    Raises:
        CatalogueFileError: it cannot be read.
    """
    return AwsCatalogue(files(__package__).joinpath(FILE).read_bytes())


def _unpack(block: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(zlib.decompress(block))
    except (zlib.error, ValueError):
        raise CatalogueFileError("the catalogue is damaged") from None


def _entry(service: str, operation: str, row: list[Any], document: Any) -> Entry:  # noqa: ANN401 - JSON
    letters, pairs, token, roles = row + _EMPTY_ROW[len(row) :]
    return Entry(
        service,
        operation,
        tuple(_pair(pair, operation, document) for pair in pairs),
        _ACCESS[letters[0]],
        token_member=token,
        role_members=tuple(roles),
        **{FLAGS[letter]: True for letter in letters[1:]},
    )


def _pair(pair: list[Any], operation: str, document: Any) -> Pair:  # noqa: ANN401 - JSON
    template, _, arns, heads, optional = pair + _EMPTY_PAIR[len(pair) :]
    text = document["templates"][template]
    own = (head_of(text),) if text.startswith("arn:") else ()
    return Pair(
        _action(pair, document["prefix"], operation),
        text,
        tuple(arns),
        tuple(document["heads"][heads - 1]) if heads else own,
        bool(optional),
    )


def _action(pair: list[Any], prefix: str, operation: str) -> str:
    given: str = pair[1] if len(pair) > 1 else ""
    return given or f"{prefix}:{operation}"
