"""A yard beside a repository upstream on the same disk, an agent's clone of it, and packs made by hand."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import zlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from connectors.base import Body
from connectors.errors import NotSentError, UpstreamRefusedError
from connectors.git.advertisement import Advertisement, Service
from connectors.git.config import local_config
from connectors.git.process import GitPrograms, ProcessLimits
from connectors.git.quarantine.held import Held
from connectors.git.quarantine.limits import YardLimits
from connectors.git.quarantine.yard import Yard
from connectors.git.remote import FetchAccess, PushBody
from connectors.git.wire.push_request import NULL_OID, RefUpdate

CONNECTION = "forge"
REPO = "acme/app"
ABSENT = NULL_OID
SECRET = b"correct-horse-battery"
"""What the vault knows."""

_TYPES = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}


class Repository:
    """A repository that real git works on."""

    def __init__(self, path: Path, *, bare: bool = False) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--template=", "--initial-branch=main", *(["--bare"] if bare else []))

    def git(self, *arguments: str, stdin: bytes = b"", **environment: str) -> str:
        return self.raw(*arguments, stdin=stdin, **environment).decode().strip()

    def raw(self, *arguments: str, stdin: bytes = b"", **environment: str) -> bytes:
        people = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _BOB.items()}
        base = {"PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **people, **environment}
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", *arguments],
            check=True, capture_output=True, cwd=self.path, env=base, input=stdin,
        )  # fmt: skip
        return done.stdout

    def commit(self, message: str = "work", **files: str | bytes | None) -> str:
        """Commit files, named with `__` for a slash; None removes one."""
        for name, content in files.items():
            self.write(name.replace("__", "/"), content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--allow-empty-message", "--message", message)
        return self.git("rev-parse", "HEAD")

    def write(self, name: str | bytes, content: str | bytes | None) -> None:
        path = os.path.join(os.fsencode(self.path), os.fsencode(name))  # noqa: PTH118 - names that are no text
        if content is None:
            os.unlink(path)  # noqa: PTH108 - likewise
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - likewise
        with open(path, "wb") as file:  # noqa: PTH123 - likewise
            file.write(content.encode() if isinstance(content, str) else content)

    def pack(self, *revisions: str, thin: bool = True) -> bytes:
        """What a client sends for some revisions, ``^old`` included."""
        lines = "".join(f"{revision}\n" for revision in revisions).encode()
        flags = ("--thin", "--delta-base-offset") if thin else ()
        return self.raw("pack-objects", "--quiet", "--revs", "--stdout", *flags, stdin=lines)

    def store(self, kind: str, data: bytes) -> str:
        """Keep an object that git would not make."""
        return self.git("hash-object", "-t", kind, "-w", "--stdin", "--literally", stdin=data)


_BOB = {"NAME": "Bob", "EMAIL": "bob@example.com", "DATE": "2026-01-02T03:04:05+0100"}


@dataclass
class LocalRemote:
    """Implements `connectors.git.remote.Remote` for a repository on this disk; counts what is asked of it."""

    repository: Repository
    url: str = ""
    fetches: int = 0

    async def refs(self, service: Service) -> Advertisement:
        listed = self.repository.git("for-each-ref", "--format=%(refname) %(objectname)")
        refs = dict(line.split(" ") for line in listed.splitlines())
        return Advertisement(refs, "refs/heads/main", frozenset(), "")

    async def advertise(self, protocol: str) -> Body:
        raise NotSentError("this repository is listed and fetched, nothing else")

    async def upload_pack(self, request: bytes, protocol: str) -> Body:
        raise NotSentError("this repository is listed and fetched, nothing else")

    async def receive_pack(self, body: PushBody) -> bytes:
        raise NotSentError("this repository is listed and fetched, nothing else")

    @asynccontextmanager
    async def fetch_access(self, home: Path) -> AsyncIterator[FetchAccess]:
        self.fetches += 1
        config = replace(local_config(home / "remote-config"), protocol="file")
        yield FetchAccess(self.url or str(self.repository.path), config, {})


@dataclass
class PaperMasker:
    """Masks one value."""

    asked: list[int] = field(default_factory=list)

    async def scrub(self, data: bytes) -> tuple[bytes, int]:
        self.asked.append(len(data))
        return data.replace(SECRET, b"*" * len(SECRET)), data.count(SECRET)


class Field:
    """Upstream, agent and yard."""

    def __init__(
        self, folder: Path, limits: YardLimits | None = None, processes: ProcessLimits | None = None, git: str = ""
    ) -> None:
        self.root = folder / "yard"
        self.upstream = Repository(folder / "upstream.git", bare=True)
        self.agent = Repository(folder / "agent")
        self.remote = LocalRemote(self.upstream)
        self.masker = PaperMasker()
        self.processes = processes or ProcessLimits(timeout_seconds=30.0)
        self.limits = limits or YardLimits()
        self.yard = Yard(self.root, GitPrograms(git, self.processes), self.limits)

    def publish(self, *refspecs: str) -> None:
        """Put something upstream past everything."""
        self.agent.git("push", "--quiet", "--force", str(self.upstream.path), *refspecs)

    async def refresh(self) -> None:
        await self.yard.refresh(CONNECTION, REPO, self.remote, await self.remote.refs(Service.FETCH))

    def hold(
        self, updates: dict[str, tuple[str, str]], pack: bytes | None, *options: str
    ) -> AbstractAsyncContextManager[Held]:
        moves = tuple(RefUpdate(ref, old, new) for ref, (old, new) in updates.items())
        pieces = None if pack is None else in_pieces(pack)
        return self.yard.quarantine(CONNECTION, REPO, moves, pieces, masker=self.masker, options=options)

    async def held(self, updates: dict[str, tuple[str, str]], pack: bytes | None, *options: str) -> Held:
        async with self.hold(updates, pack, *options) as held:
            return held

    async def refusal(self, updates: dict[str, tuple[str, str]], pack: bytes | None) -> str:
        try:
            await self.held(updates, pack)
        except UpstreamRefusedError as error:
            return error.code
        return ""

    def main(self) -> str:
        """Where the default branch is upstream."""
        return self.upstream.git("rev-parse", "main")

    def orphan(self) -> str:
        """A commit on branch `other` that builds on nothing."""
        self.agent.git("checkout", "--quiet", "--orphan", "other")
        return self.agent.commit("other", other="1\n")

    def left_behind(self) -> list[Path]:
        """What is neither a mirror nor a lock."""
        return [path for path in self.root.glob("*") if path.name != "mirrors"]

    def mirrors(self) -> list[Path]:
        return sorted(self.root.glob("mirrors/*/*/*.git"))


async def started(folder: Path, limits: YardLimits | None = None) -> Field:
    """A field whose upstream has one commit, mirrored."""
    made = Field(folder, limits)
    made.agent.commit("first", **{"README": "hello\n", ".github__workflows__ci.yml": "on: push\n"})
    made.publish("main")
    await made.refresh()
    return made


async def in_pieces(data: bytes, size: int = 1 << 16) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def packed(*objects: tuple[str, bytes], count: int | None = None) -> bytes:
    """A pack of whole objects, made by hand."""
    head = struct.pack(">4sII", b"PACK", 2, len(objects) if count is None else count)
    body = head + b"".join(entry(_TYPES[kind], data) for kind, data in objects)
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


def entry(number: int, data: bytes, base: bytes = b"") -> bytes:
    """One object of a pack: type 1 to 4, or 7 for a delta on a base named by its id."""
    size, first = len(data), b""
    byte, size = (number << 4) | (size & 15), size >> 4
    while size:
        first += bytes([byte | 0x80])
        byte, size = size & 0x7F, size >> 7
    return first + bytes([byte]) + base + zlib.compress(data, 9)


def oid_of(kind: str, data: bytes) -> str:
    """The id an object has."""
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()


def tree_of(*entries: tuple[str, str, str]) -> bytes:
    """A tree of (mode, name, id), in the order given."""
    return b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(oid) for mode, name, oid in entries)


def commit_of(tree: str, *parents: str, author: str = "Eve <eve@example.com> 1700000000 +0000") -> bytes:
    """A commit, with whatever author line."""
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {author}"]
    return "\n".join([*lines, "committer Eve <eve@example.com> 1700000000 +0000", "", "by hand\n"]).encode()
