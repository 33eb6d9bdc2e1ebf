"""A git client that need not be one: requests to the git door byte by byte, and packs that no git would make."""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from connectors.git.wire.packets import Mark
from tests.parts.git_house import ZERO, GitHouse
from tests.parts.git_wire import packets
from tests.parts.git_yard import commit_of, oid_of, packed, tree_of

PUSH: Final = "git-receive-pack"
CAPABILITIES: Final = "report-status side-band-64k agent=git/2.39.5"

Command = tuple[str, str, str]
"""Old object id, new object id, name of a ref."""


@dataclass(frozen=True)
class Answer:
    """What came back.

    Args:
        status: HTTP status; 0 when the connection was cut instead.
        body: Of the answer.
    """

    status: int
    body: bytes

    @property
    def landed(self) -> bool:
        """Whether any ref is reported to have moved."""
        return b"ok refs/" in self.body

    @property
    def refused(self) -> bool:
        """Whether it is a no in words: of HTTP, fatal, or beside each ref."""
        spoken = b"ostiary: " in self.body
        return spoken and (self.status >= 400 or (self.status == 200 and not self.landed))


@dataclass(frozen=True)
class RawClient:
    """Sends what it is told.

    Args:
        house: Where to.
        token: Of a session.
        repo: ``owner/name``.
    """

    house: GitHouse
    token: str
    repo: str

    def send(self, method: str, path: str, body: bytes | Iterable[bytes] = b"", **headers: str) -> Answer:
        """Send a request as it is; a body in pieces goes in chunks. ``_`` in names of headers stands for ``-``."""
        sent = {"Authorization": f"Bearer {self.token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(self.house.url.removeprefix("http://"), timeout=30)
        try:
            connection.request(method, path, body, sent, encode_chunked=not isinstance(body, bytes))
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        except (ConnectionError, http.client.RemoteDisconnected):
            return Answer(0, b"")
        finally:
            connection.close()

    def post(self, body: bytes | Iterable[bytes], **headers: str) -> Answer:
        """Send the body of a push."""
        media = {"Content_Type": f"application/x-{PUSH}-request"}
        return self.send("POST", f"/git/forge/{self.repo}.git/{PUSH}", body, **media, **headers)

    def push(self, *commands: Command, pack: bytes = b"", capabilities: str = CAPABILITIES) -> Answer:
        """Send commands and a pack."""
        return self.post(push_body(*commands, capabilities=capabilities) + pack)


def push_body(*commands: Command, capabilities: str = CAPABILITIES) -> bytes:
    """Return what stands before the pack."""
    lines = [" ".join(command) for command in commands]
    first, others = f"{lines[0]}\0{capabilities}", lines[1:]
    return packets(first.encode("utf-8", "surrogateescape"), *others, Mark.FLUSH)


@dataclass(frozen=True)
class Work:
    """A commit made by hand and the objects it takes, ready to be packed.

    Args:
        tip: Its id.
        objects: Kind and content of each.
    """

    tip: str
    objects: tuple[tuple[str, bytes], ...]

    @property
    def pack(self) -> bytes:
        return packed(*self.objects)

    def create(self, ref: str) -> Command:
        """The command that makes a ref at it."""
        return ZERO, self.tip, ref


def work(parent: str = "", text: bytes = b"by hand\n", name: str = "file") -> Work:
    """Return a commit of one file on a parent."""
    tree = tree_of(("100644", name, oid_of("blob", text)))
    commit = commit_of(oid_of("tree", tree), *([parent] if parent else []))
    return Work(oid_of("commit", commit), (("commit", commit), ("tree", tree), ("blob", text)))


def endless(first: bytes, again: bytes, most_bytes: int) -> Iterator[bytes]:
    """Yield a body that would go on for ever, were there not a bound for tests that fail."""
    yield first
    for _ in range(most_bytes // len(again)):
        yield again
