"""The manifest: which rows, with which bytes, make up the vault.

Authenticated encryption shows that a row was written by the vault; only the manifest shows that it is the *current*
one. It lists every record with the SHA-256 of its sealed bytes, and that of the keyring, and is sealed under the root
key. A row that was swapped, rolled back, removed or planted contradicts it. What it cannot show is that the whole
storage was put back to an older state at once: then the manifest is old too. ``generation`` counts the changes and is
part of the vault's status, so that it can be compared with what the ledger remembers.

Stored as JSON before it is sealed: a key may be added with a default, never changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from vault.errors import IntegrityError
from vault.seal import RecordId

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Signed:
    """The last checkpoint signed for an origin: tree size and root hash."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """The vault's table of contents.

    Args:
        generation: Counts the changes, from 1.
        keyring: Hex SHA-256 of the sealed keyring.
        records: Every record and the hex SHA-256 of its sealed bytes.
        signed: Last signed checkpoint by origin.
    """

    generation: int
    keyring: str
    records: Mapping[RecordId, str] = field(default_factory=dict)
    signed: Mapping[str, Signed] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the bytes to seal."""
        data = {
            "format": _FORMAT,
            "generation": self.generation,
            "keyring": self.keyring,
            "records": [[record.ref, record.kind, record.version, sha256] for record, sha256 in self.records.items()],
            "signed": {origin: [last.size, last.root.hex()] for origin, last in self.signed.items()},
        }
        return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Parse opened bytes.

        Raises:
            IntegrityError: they are of another format.
        """
        raw = json.loads(data)
        if raw["format"] != _FORMAT:
            raise IntegrityError("the manifest has an unknown format")
        return cls(
            generation=raw["generation"],
            keyring=raw["keyring"],
            records={RecordId(ref, kind, version): sha256 for ref, kind, version, sha256 in raw["records"]},
            signed={origin: Signed(size, bytes.fromhex(root)) for origin, (size, root) in raw["signed"].items()},
        )

    def next(
        self,
        *,
        records: Mapping[RecordId, str] | None = None,
        signed: Mapping[str, Signed] | None = None,
        keyring: str | None = None,
    ) -> Manifest:
        """Return the manifest after one change; what is not given stays."""
        return replace(
            self,
            generation=self.generation + 1,
            records=self.records if records is None else records,
            signed=self.signed if signed is None else signed,
            keyring=self.keyring if keyring is None else keyring,
        )


def row_name(record: RecordId) -> str:
    """Return the name of a record's row; references hold no second slash, so names do not collide."""
    return f"record/{record.ref}/{record.version}"


def sha256(data: bytes) -> str:
    """Return the hex digest the manifest keeps of a row."""
    return hashlib.sha256(data).hexdigest()
