"""A real Git LFS host on loopback: the batch API, a store behind addresses of its own, and the verify callback.

It hands out addresses with a credential in their headers, as hosts do, takes nothing without it, remembers what it was
asked, and can be told to misbehave. Used by the tests; it depends on nothing but Python.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.parts.threaded_http import QuietHandler, threaded


@dataclass
class LfsServer:
    """The host.

    Args:
        token: Bearer token that the batch API wants.
        ticket: What it hands out for its store, and wants there.
        stored: Objects by name.
        verified: Names that were verified.
        seen: Method and path of every request.
        lie: Sent in place of an object, when set.
        store_status: Status of every request to the store, 0 for what is due.
        verify_status: Status of every verification.
        wants_ticket: False to take the token of the batch API at the store, and hand out no headers.
    """

    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    ticket: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    stored: dict[str, bytes] = field(default_factory=dict)
    verified: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    lie: bytes | None = None
    store_status: int = 0
    verify_status: int = 200
    wants_ticket: bool = True
    url: str = ""

    @property
    def authorization(self) -> str:
        """What opens the batch API."""
        return f"Bearer {self.token}"

    def put(self, data: bytes) -> str:
        """Store an object from the inside; return its name."""
        oid = hashlib.sha256(data).hexdigest()
        self.stored[oid] = data
        return oid

    def batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer the batch API."""
        objects = [self._offer(asked["operation"], each) for each in asked["objects"]]
        return {"transfer": "basic", "objects": objects, "hash_algo": "sha256"}

    def _offer(self, operation: str, item: dict[str, Any]) -> dict[str, Any]:
        href = f"{self.url}/store/{item['oid']}"
        step = {"href": href, "expires_in": 600}
        if self.wants_ticket:
            step["header"] = {"Authorization": f"Ticket {self.ticket}", "Transfer-Encoding": "chunked"}
        if operation == "upload" and item["oid"] in self.stored:
            return item
        if operation == "upload":
            return {**item, "actions": {"upload": step, "verify": {**step, "href": f"{self.url}/verify"}}}
        if item["oid"] not in self.stored:
            return {**item, "error": {"code": 404, "message": "Object does not exist"}}
        return {**item, "actions": {"download": step}}


class _Handler(QuietHandler):
    host: LfsServer

    def do_PUT(self) -> None:  # noqa: N802 - a name of the standard library's
        self.respond()

    def respond(self) -> None:
        self.host.seen.append(f"{self.command} {self.path}")
        body = self.body()
        if len(body) < int(self.headers.get("Content-Length", "0")):
            self.close_connection = True  # the client left in the middle
        elif self.path.endswith(".git/info/lfs/objects/batch"):
            self._batch(body)
        else:
            self._store(body)

    def _batch(self, body: bytes) -> None:
        if self.headers.get("Authorization") != self.host.authorization:
            self.reply(401, b"{}")
            return
        answer = json.dumps(self.host.batch(json.loads(body))).encode()
        self.reply(200, answer, ("Content-Type", "application/vnd.git-lfs+json"))

    def _store(self, body: bytes) -> None:
        expected = f"Ticket {self.host.ticket}" if self.host.wants_ticket else self.host.authorization
        oid = self.path.rpartition("/")[2]
        if self.headers.get_all("Authorization") != [expected]:
            self.reply(403, b"")
        elif self.path == "/verify":
            said = json.loads(body)
            self.host.verified.append(said["oid"])
            whole = len(self.host.stored.get(said["oid"], b"")) == said["size"]
            self.reply(self.host.verify_status if whole else 404, b"")
        elif self.host.store_status:
            self.reply(self.host.store_status, b"")
        elif self.command == "PUT":
            self.host.stored[oid] = body
            self.reply(200, b"")
        else:
            self.reply(200, self.host.lie if self.host.lie is not None else self.host.stored[oid])


@contextmanager
def lfs_server() -> Iterator[LfsServer]:
    """Serve on a loopback port until the block ends."""

    class Bound(_Handler):
        host = LfsServer()

    with threaded(Bound) as address:
        Bound.host.url = f"http://{address}"
        yield Bound.host
