"""One mirror on disk: a bare repository with what a host had when it was last asked.

It holds the objects behind the branches and tags of upstream, under `refs/upstream/<object id>`, and beside git's own
files a `state.json` with their names. Names from outside never become names of refs or files: those of refs stand in
JSON, and the folder's is made of a checked, folded name and a digest of the exact one, so that no two repositories
share a folder on any file system.

    marker `fetching`    there while a fetch is under way; found without one, the mirror is not trusted and made anew
    marker `suspect`     there when judging a push ran into a fault; the next refresh checks the mirror as a whole
    `state.json`         written last, so a mirror without one was never finished
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.git.advertisement import Advertisement
from connectors.git.names import check_repo
from connectors.git.quarantine.local import make_bare

_KINDS: Final = ("refs/heads/", "refs/tags/")
_USUAL_TRUNKS: Final = ("refs/heads/main", "refs/heads/master")
_UNPLAIN: Final = re.compile(r"[^a-z0-9_-]")
_DIGEST_CHARS: Final = 16
_NAME_CHARS: Final = 60
_STATE: Final = "state.json"
_CHECK_SECONDS: Final = 3600
"""An agent that sends bad packs cannot have a mirror checked more often than this."""


@dataclass(frozen=True, slots=True)
class MirrorState:
    """What the host had.

    Args:
        connection: Name of the connection it was reached by.
        repo: Name of the repository, as checked.
        upstream: Digest of the URL it was fetched from; empty before the first fetch.
        refs: Full names of branches and tags to their object ids.
        head: Full name of the default branch, empty when the host did not say.
    """

    connection: str
    repo: str
    upstream: str
    refs: Mapping[str, str]
    head: str

    @property
    def tips(self) -> frozenset[str]:
        """Every object id a branch or tag has."""
        return frozenset(self.refs.values())

    @property
    def trunk(self) -> str:
        """Where the default branch is; empty when there is none or nobody knows."""
        return next((self.refs[name] for name in (self.head, *_USUAL_TRUNKS) if name in self.refs), "")


def seen_state(mirror: Mirror, seen: Advertisement, upstream: str) -> MirrorState:
    """Return the state a mirror has once it holds all that was seen.

    Args:
        mirror: Which.
        seen: What the host has; other refs than branches and tags are left out.
        upstream: Digest of the URL.
    """
    refs = {name: oid for name, oid in seen.refs.items() if name.startswith(_KINDS)}
    return MirrorState(mirror.connection, mirror.repo, upstream, refs, seen.head)


class Mirror:
    """Where one repository is mirrored; nothing need be there yet.

    Args:
        root: Folder of all mirrors.
        connection: Name of a connection.
        repo: ``owner/name``.

    Raises:
        InvalidParamsError: it is no name of a repository.
    """

    def __init__(self, root: Path, connection: str, repo: str) -> None:
        self.connection = connection
        self.repo = check_repo(repo, case_sensitive=True)
        owner, _, name = self.repo.partition("/")
        digest = hashlib.sha256(json.dumps([connection, repo]).encode()).hexdigest()[:_DIGEST_CHARS]
        folder = root / _plain(connection) / _plain(owner)
        self.path = folder / f"{_plain(name)}-{digest}.git"
        self.in_use = self.path.with_suffix(".use")
        """Lock that readers of the mirror share, held alone by whoever removes it; its time is that of the last use."""
        self.fetching = self.path.with_suffix(".fetch")
        """Lock of whoever fetches."""

    def prepare(self) -> None:
        """Make the folder that locks and mirror are in, and note that the mirror is used."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.in_use.touch(mode=0o600)

    def load(self) -> MirrorState | None:
        """Return the state; None when there is no mirror, or none that can be trusted."""
        if self._marker.exists():
            return None
        try:
            said = json.loads((self.path / _STATE).read_bytes())
            state = MirrorState(**said)
        except (OSError, ValueError, TypeError):
            return None
        return state if (state.connection, state.repo) == (self.connection, self.repo) else None

    @property
    def _marker(self) -> Path:
        return self.path / "fetching"

    @property
    def suspect(self) -> bool:
        """True when something was wrong that may lie in the mirror."""
        return (self.path / "suspect").exists()

    def mark_suspect(self) -> None:
        """Have the next refresh check the mirror, unless that was done not long ago: a check reads all of it."""
        with contextlib.suppress(OSError):
            if time.time() - (self.path / "checked").stat().st_mtime < _CHECK_SECONDS:
                return
        with contextlib.suppress(OSError):  # it may be gone by now
            (self.path / "suspect").touch()

    def clear_suspect(self) -> None:
        """Trust the mirror again."""
        (self.path / "checked").touch()
        (self.path / "suspect").unlink(missing_ok=True)

    def begin(self, scrap: Path) -> None:
        """Note that a fetch is under way, into a repository that is made when missing.

        Args:
            scrap: A folder on the same disk that is swept when this process dies.

        Raises:
            OSError: the disk is full or the folder cannot be written.
        """
        if not self.path.exists():
            fresh = Path(tempfile.mkdtemp(dir=scrap)) / "mirror"
            make_bare(fresh)
            fresh.rename(self.path)
        self._marker.touch()

    def end(self) -> None:
        """Note that a fetch was ended in good order, though it may have brought nothing; it left no half files."""
        for rest in self.path.glob("objects/pack/tmp_*"):
            rest.unlink(missing_ok=True)
        if (self.path / _STATE).exists():  # else there never was a mirror to go back to
            self._marker.unlink(missing_ok=True)

    def save(self, state: MirrorState) -> None:
        """Write the refs for git and the state for us, and take the marker of the fetch away.

        Raises:
            OSError: the disk is full or the folder cannot be written.
        """
        lines = "".join(f"{oid} refs/upstream/{oid}\n" for oid in sorted(state.tips))
        self._write("packed-refs", f"# pack-refs with: sorted \n{lines}")
        said = {name: getattr(state, name) for name in ("connection", "repo", "upstream", "refs", "head")}
        self._write(_STATE, json.dumps(said))
        self._marker.unlink(missing_ok=True)

    def discard(self, scrap: Path) -> None:
        """Remove it; whoever still reads it fails, which is a fault of this machine and told as one."""
        bury(self.path, scrap)

    def _write(self, name: str, text: str) -> None:
        fresh = self.path / f"{name}.new"
        with fresh.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(self.path / name)


def bury(path: Path, scrap: Path) -> None:
    """Remove a mirror at once, by its name, before its files go one by one; nothing when it is gone already.

    Args:
        path: Of the mirror.
        scrap: A folder on the same disk that is swept when this process dies.
    """
    grave = Path(tempfile.mkdtemp(dir=scrap))
    with contextlib.suppress(FileNotFoundError):
        path.rename(grave / "mirror")
    shutil.rmtree(grave, ignore_errors=True)


def _plain(name: str) -> str:
    return _UNPLAIN.sub("_", name.lower())[:_NAME_CHARS] or "_"
