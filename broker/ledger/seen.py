"""What an auditor has seen of a ledger, kept where the ledger's owner does not write.

A ledger cut at its end, or rewritten from the start with hashes that fit, is sound by itself; it only contradicts what
somebody outside remembers. The state file is that memory: a size, the root at that size, and the public key.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from broker.errors import BrokerError
from broker.ledger.merkle import HASH_BYTES

_KEY_BYTES: Final = 32


class SeenError(BrokerError):
    """The state file cannot be used; without it nothing can be compared, so nothing is said to be sound."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The last tree head that was verified.

    Args:
        size: Number of events.
        root: Root hash at that size.
        note: The last checkpoint's note, for people; empty when there was none.
        public_key: Key its checkpoints were verified with, empty when they were not.
    """

    size: int
    root: bytes
    note: str = ""
    public_key: bytes = b""


def default_state_path(name: str, environment: Mapping[str, str]) -> Path:
    """Return where to remember the ledger called ``name``: ``$XDG_STATE_HOME/ostiary/seen/<hash>.json``.

    The name is the auditor's own (a database URL, a file), never one the ledger states: a forger would state another.
    """
    base = environment.get("XDG_STATE_HOME", "")
    # The specification says to ignore a relative path.
    home = environment.get("HOME", "")
    # Without a usable HOME, as under a bare service manager, it is the user's by the system's own records.
    own = Path(home) if home.startswith("/") else Path(pwd.getpwuid(os.getuid()).pw_dir)
    root = Path(base) if base.startswith("/") else own / ".local" / "state"
    return root / "ostiary" / "seen" / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"


def load_seen(path: Path) -> Seen | None:
    """Return what was seen, None when nothing was.

    Raises:
        SeenError: the file is there and cannot be read as what this program writes.
    """
    try:
        found = orjson.loads(path.read_bytes())
        seen = Seen(int(found["size"]), bytes.fromhex(found["root"]), found["note"], bytes.fromhex(found["public_key"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SeenError(f"the state file `{path}` cannot be used: {type(error).__name__}") from None
    if len(seen.root) != HASH_BYTES or len(seen.public_key) not in {0, _KEY_BYTES}:
        raise SeenError(f"the state file `{path}` is damaged")
    return seen


def save_seen(path: Path, seen: Seen) -> None:
    """Replace the state file in one step, durable when it returns.

    Raises:
        SeenError: it cannot be written.
    """
    state = {"size": seen.size, "root": seen.root.hex(), "note": seen.note, "public_key": seen.public_key.hex()}
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(orjson.dumps(state, option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise SeenError(f"the state file `{path}` cannot be written: {type(error).__name__}") from error
