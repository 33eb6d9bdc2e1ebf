"""One audit from start to end: find the key, load what was seen, verify, and remember."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from broker.errors import StoreUnavailableError
from broker.ledger.note import MalformedNoteError, parse_verifier_key
from broker.ledger.seen import Seen, default_state_path, load_seen, save_seen
from broker.ledger.sources import DatabaseSource, ExportSource, Source
from broker.ledger.verify import Report, verify
from broker.store.database import open_database


def audit_database(url: str, state: Path | None, key_file: Path | None, environment: Mapping[str, str]) -> Report:
    """Verify the database at ``url`` against its checkpoints, its head and what was seen before.

    Args:
        url: Of the ledger's database.
        state: The state file; None takes the place for this URL under the user's state folder.
        key_file: File with the verifier key; one that is not there leaves signatures to the key seen before, if any.
        environment: Names the user's state folder.

    Raises:
        StoreUnavailableError: the database or the key file cannot be read.
        SeenError: the state file cannot be used.
    """
    database = open_database(url)
    try:
        return audit(DatabaseSource(database), state, key_file, environment)
    finally:
        database.close()


def audit_export(path: Path, state: Path | None, key_file: Path | None, environment: Mapping[str, str]) -> Report:
    """Verify an export like `audit_database`; the state file's default place belongs to the file's path."""
    return audit(ExportSource(path), state, key_file, environment)


def audit(source: Source, state: Path | None, key_file: Path | None, environment: Mapping[str, str]) -> Report:
    """Verify ``source`` and, when it is sound, remember how far it had come."""
    path = state or default_state_path(source.name, environment)
    seen = load_seen(path)
    origin, key = _key(key_file)
    pinned = seen.public_key if seen is not None else b""
    # The key that was seen wins: a forger with the data folder in hand would leave a key of theirs there.
    report = verify(source, public_key=pinned or key or None, origin=origin, seen=seen)
    if report.ok:
        save_seen(path, Seen(report.events, bytes.fromhex(report.root), report.note, pinned or key))
    return report


def _key(key_file: Path | None) -> tuple[str, bytes]:
    if key_file is None:
        return "", b""
    try:
        return parse_verifier_key(key_file.read_text(encoding="ascii"))
    except FileNotFoundError:
        return "", b""
    except (OSError, UnicodeDecodeError, MalformedNoteError) as error:
        raise StoreUnavailableError(f"the public key `{key_file}` cannot be used: {type(error).__name__}") from None
