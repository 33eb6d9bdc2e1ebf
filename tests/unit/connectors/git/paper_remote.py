"""A git host in memory: refs that move by git's own rules, faults on demand, and what was asked of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from connectors.base import Body
from connectors.git.advertisement import Advertisement, Service
from connectors.git.remote import FetchAccess, PushBody
from connectors.git.wire.packets import Mark, render
from connectors.git.wire.push_request import NULL_OID, PushRequest, read_push_request
from connectors.git.wire.report import render_report

CAPABILITIES = frozenset(("report-status", "side-band-64k", "atomic", "delete-refs", "push-options"))


@dataclass
class PaperRemote:
    """Implements `connectors.git.remote.Remote`.

    Args:
        held: Refs it has; pushes move them.
        capabilities: What it says it can do.
        refuses: Ref to why a hook says no to it.
        hook_words: What a hook says besides.
        unpack: Why it takes no pack.
        on_refs: Called before each listing; may move refs, or raise.
        on_push: Called when a push has come in whole, before anything moves; may move refs, or raise.
        after_push: Called when refs have moved, before the report; may raise.
        report: What it answers in place of its report; None for its report.
    """

    held: dict[str, str] = field(default_factory=dict)
    head: str = "refs/heads/main"
    capabilities: frozenset[str] = CAPABILITIES
    refuses: dict[str, str] = field(default_factory=dict)
    hook_words: bytes = b""
    unpack: str = ""
    on_refs: Callable[[], object] = lambda: None
    on_push: Callable[[], object] = lambda: None
    after_push: Callable[[], object] = lambda: None
    report: bytes | None = None
    asked: list[str] = field(default_factory=list)
    pushes: list[tuple[PushRequest, bytes]] = field(default_factory=list)

    async def refs(self, service: Service) -> Advertisement:
        self.asked.append(service)
        self.on_refs()
        return Advertisement(dict(self.held), self.head, self.capabilities, f"request-{len(self.asked)}")

    async def advertise(self, protocol: str) -> Body:
        self.asked.append(f"advertise {protocol}")
        return _whole(b"ADVERTISEMENT")

    async def upload_pack(self, request: bytes, protocol: str) -> Body:
        self.asked.append(f"upload-pack {protocol} {request!r}")
        return _whole(b"FETCHED")

    async def receive_pack(self, body: PushBody) -> bytes:
        request, rest = await read_push_request(_sent(body))
        pack = b"".join([piece async for piece in rest])
        assert len(pack) == body.pack_bytes
        self.asked.append("receive-pack")
        self.pushes.append((request, pack))
        self.on_push()
        results = {} if self.unpack else self._moved(request)
        self.after_push()
        if self.report is not None:
            return self.report
        said = render(b"\2" + self.hook_words) if self.hook_words else b""
        return said + render_report(self.unpack, results, sideband=bool(said))

    def fetch_access(self, home: Path) -> AbstractAsyncContextManager[FetchAccess]:
        raise NotImplementedError

    def _moved(self, request: PushRequest) -> dict[str, str]:
        results = dict(self.refuses)
        for each in request.updates:
            if self.held.get(each.ref, NULL_OID) != each.old:
                results[each.ref] = "failed to update ref"
        results = {each.ref: results.get(each.ref, "") for each in request.updates}
        if any(results.values()):
            return {ref: why or "atomic push failed" for ref, why in results.items()}
        self.held |= {each.ref: each.new for each in request.updates}
        self.held = {ref: oid for ref, oid in self.held.items() if oid != NULL_OID}
        return results


async def _sent(body: PushBody) -> AsyncIterator[bytes]:
    yield body.head
    if body.pack is not None:
        async for piece in body.pack:
            yield piece


async def _whole(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data


def bare_report(*lines: str) -> bytes:
    """Return a report of these lines, not multiplexed."""
    return b"".join(render(line.encode()) for line in lines) + Mark.FLUSH.value
