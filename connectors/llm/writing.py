"""What is sent for a plan: its body, held to the facts it was planned on, and written as its upstream takes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

import orjson

from connectors.base import JsonObject, Plan, UploadStream
from connectors.errors import NotSentError, UploadBrokenError
from connectors.llm.bedrock.translate import Untranslatable, to_bedrock
from connectors.llm.bodies import Whole, collect, members, rebuilt, stream_options
from connectors.llm.connection import LlmConnection, Upstream
from connectors.llm.metering.tally import Tally
from connectors.llm.operations import COUNT
from connectors.llm.pricing import measured
from connectors.llm.refusals import untranslatable
from connectors.llm.streaming import Drains
from connectors.llm.targets import Change
from connectors.llm.words import Dialect
from connectors.usage import Usage


@dataclass(frozen=True, slots=True)
class Desk:
    """What sending needs besides the plan.

    Args:
        now_ns: Wall clock, nanoseconds since the epoch.
        drains: Streams nobody reads on.
        bodies: Bodies that came in piece by piece, for when a second upstream is asked; as long as their streams live.
    """

    now_ns: Callable[[], int]
    drains: Drains
    bodies: MutableMapping[UploadStream, Whole] = field(default_factory=WeakKeyDictionary)


@dataclass(frozen=True, slots=True)
class Job:
    """One request on its way.

    Args:
        plan: What was planned.
        upstream: Who is asked.
        body: What is sent.
        drains: Whether an answer nobody reads on is read to its end.
        dropped: What a translation left out.
    """

    plan: Plan
    upstream: Upstream
    body: bytes
    drains: bool
    dropped: tuple[str, ...] = ()

    @property
    def dialect(self) -> Dialect:
        """What the client speaks."""
        return Dialect(self.plan.call["dialect"])

    @property
    def translated(self) -> bool:
        """Whether the upstream speaks otherwise than the client."""
        return bool(self.plan.call["change"] == Change.TRANSLATED)

    @property
    def stream(self) -> bool:
        """Whether a stream was asked for."""
        return bool(self.plan.call["stream"])

    @property
    def counting(self) -> bool:
        """Whether tokens are counted, which costs nothing."""
        return self.plan.action == COUNT

    @property
    def hides_usage(self) -> bool:
        """Whether the usage in the stream is for us alone."""
        return _asks_for_usage(self.plan)

    def measure(self, tally: Tally, *, response_bytes: int = 0) -> Usage:
        """Return what an answer came to.

        Args:
            tally: What the upstream said about it.
            response_bytes: Its length.
        """
        if self.counting:
            return Usage(request_bytes=len(self.body), response_bytes=response_bytes)
        usage = measured(
            tally,
            model=self.plan.call["model"],
            upstream=self.upstream.name,
            request_bytes=len(self.body),
            regional=self.upstream.regional,
        )
        return replace(usage, response_bytes=response_bytes)

    def facts(self) -> JsonObject:
        """Return what the ledger keeps of the request: names, sizes, digests."""
        call = self.plan.call
        found: JsonObject = {name: call[name] for name in ("upstream", "asked", "model", "sent", "dialect")}
        found["request"] = dict(call["body"])
        if "client" in call:
            found["client"] = dict(call["client"])
        if self.dropped:
            found["dropped"] = list(self.dropped)
        return {"llm": found}


async def job_of(plan: Plan, options: LlmConnection, desk: Desk) -> Job:
    """Return what is sent for a plan.

    Raises:
        NotSentError: the plan is not for this connection, or its body is missing.
        UploadBrokenError: the body is not what was declared, or its facts are others than it was planned on.
        UpstreamRefusedError: it cannot be said in the words of the upstream.
    """
    upstream = options.upstream(plan.call["upstream"])
    if upstream is None or not plan.call["url"].startswith(f"{upstream.base}/"):
        raise NotSentError("the plan is for another upstream than the connection has now")
    raw = await _body_of(plan, desk)
    job = Job(plan, upstream, raw, options.drains(upstream))
    match Change(plan.call["change"]):
        case Change.NOTHING:
            return job
        case Change.MEMBERS:
            return replace(job, body=_with_members(plan, raw))
        case Change.TRANSLATED:
            name = plan.call["model"].partition("/")[2]
            written = to_bedrock(members(raw), plan.call["headers"], model=name)
            if isinstance(written, Untranslatable):
                raise untranslatable(written.why, upstream=upstream.name, dialect=job.dialect)
            return replace(job, body=written.body, dropped=written.dropped)


async def _body_of(plan: Plan, desk: Desk) -> bytes:
    call = plan.call
    if plan.upload is None:
        if hashlib.sha256(plan.payload).hexdigest() != call["payload_sha256"]:
            raise NotSentError("the body is not the one that was planned")
        return plan.payload
    if plan.stream is None:
        raise NotSentError("the plan has a body, and none came with it")
    whole = await _whole_of(Dialect(call["dialect"]), plan.stream, desk)
    if {"bytes": len(whole.raw), "sha256": whole.sha256} != call["body"]:
        raise UploadBrokenError("the body is not the one that was declared")
    if whole.peeked.to_json() != call["peeked"]:
        raise UploadBrokenError("the facts in `peeked` are not those of the body")
    return whole.raw


async def _whole_of(dialect: Dialect, stream: UploadStream, desk: Desk) -> Whole:
    if isinstance(stream, Whole):
        # Read by our own code from these very bytes; not read again, and of no use when it was read as something else.
        if stream.peeked.dialect is not dialect:
            raise UploadBrokenError(f"the body was not read as one of the dialect `{dialect}`")
        return stream
    known = desk.bodies.get(stream)
    if known is None:
        known = desk.bodies[stream] = await collect(dialect, stream)
    return known


def _with_members(plan: Plan, raw: bytes) -> bytes:
    """Return a body with the upstream's own name of the model, and with usage asked for in a stream of chat."""
    top, changes = members(raw), {}
    if plan.call["sent"] != plan.call["asked"]:
        changes["model"] = orjson.dumps(plan.call["sent"])
    if _asks_for_usage(plan):
        changes["stream_options"] = rebuilt(stream_options(top), {"include_usage": b"true"})
    return rebuilt(top, changes)


def _asks_for_usage(plan: Plan) -> bool:
    call = plan.call
    return call["dialect"] == Dialect.CHAT and call["stream"] and not call["peeked"].get("include_usage")
