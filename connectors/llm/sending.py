"""One request to one upstream, made of a plan and its body and nothing else, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from connectors.base import CallResult, JsonObject, Plan, Transport, UpstreamResponse
from connectors.errors import ConnectorError, NotSentError, OutcomeUnknownError
from connectors.llm.bedrock.signing import signed
from connectors.llm.bedrock.stream import as_frames, as_sse
from connectors.llm.connection import LlmConnection
from connectors.llm.headers import media_type_of, passed, request_id_of
from connectors.llm.keys import key_header
from connectors.llm.metering.follow import follower
from connectors.llm.metering.tally import Follower, Tally
from connectors.llm.metering.whole import tally_of
from connectors.llm.refusals import refusal_in_stream, refusal_of
from connectors.llm.streaming import MAX_SERVED_CHARS, FailedInStreamError, Stream, digest_of
from connectors.llm.words import Dialect, Speaks
from connectors.llm.writing import Desk, Job, job_of
from connectors.streams import read_all
from vault.model import Lease

MAX_ANSWER_BYTES: Final = 32 << 20
"""Of an answer that is no stream."""
_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_FRAMES: Final = "application/vnd.amazon.eventstream"


async def send(plan: Plan, options: LlmConnection, desk: Desk, lease: Lease, transport: Transport) -> CallResult:
    """Send the request of a plan, once, and return the answer, or its beginning when it is a stream.

    Raises:
        NotSentError, UpstreamRefusedError, OutcomeUnknownError, UploadBrokenError: as in connectors.errors;
            ``elsewhere`` is set on those after which another upstream may be asked.
        VaultError: the lease could not serve; nothing was sent.
    """
    job = await job_of(plan, options, desk)
    headers = await _headers(job, desk, lease)
    seconds = options.first_byte_of(job.upstream) if job.stream else options.answer_of(job.upstream)
    # A model may think for minutes between two pieces of its answer.
    pause_seconds = options.answer_of(job.upstream)
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(seconds):
                response = await _opened(job, headers, transport, stack, pause_seconds)
                return await _answer(job, response, stack, desk)
        except TimeoutError:
            failure = OutcomeUnknownError(f"the upstream `{job.upstream.name}` brought nothing in {seconds} seconds")
        raise _elsewhere(failure, job)
    raise AssertionError("unreachable")  # the stack lets every error through


async def _headers(job: Job, desk: Desk, lease: Lease) -> dict[str, str]:
    """Return the headers of the request; what says who pays comes last."""
    if job.upstream.kind is not Speaks.BEDROCK:
        own = {"accept-encoding": "identity", "content-type": _JSON}
        return {**job.plan.call["headers"], **own, **key_header(job.upstream.kind, lease)}
    parts = urlsplit(job.plan.call["url"])
    return await signed(
        lease,
        url_host=parts.netloc.removesuffix(":80") if parts.scheme == "http" else parts.netloc,
        path=parts.path,
        region=job.upstream.region or "",
        body=job.body,
        streaming=job.stream,
        now=datetime.fromtimestamp(desk.now_ns() // 1_000_000_000, UTC),
    )


async def _opened(
    job: Job, headers: dict[str, str], transport: Transport, stack: AsyncExitStack, pause_seconds: float
) -> UpstreamResponse:
    """Return the head of a 200; it stays open in ``stack``."""
    try:
        request = transport.request(
            "POST", job.plan.call["url"], headers=headers, body=job.body, patience_seconds=pause_seconds
        )
        response = await stack.enter_async_context(request)
    except (NotSentError, OutcomeUnknownError) as error:
        raise _elsewhere(error, job) from None
    if response.status != HTTPStatus.OK:
        raise await refusal_of(response, upstream=job.upstream.name, dialect=job.dialect, translated=job.translated)
    return response


async def _answer(job: Job, response: UpstreamResponse, stack: AsyncExitStack, desk: Desk) -> CallResult:
    reader = _follower(job, response)
    if reader is None:
        return await _whole(job, response)
    stream = Stream(response, reader, lambda tally, size: job.measure(tally, response_bytes=size))
    try:
        await stream.hold()
    except FailedInStreamError:
        failure = refusal_in_stream(reader.failure, response.headers, upstream=job.upstream.name, dialect=job.dialect)
        raise failure from None
    except OutcomeUnknownError as error:
        raise _elsewhere(error, job, reader.tally) from None
    result = _result(job, response, events=job.translated)
    return stream.result(result, stack.pop_all(), desk.drains if job.drains else None)


def _follower(job: Job, response: UpstreamResponse) -> Follower | None:
    """Return what reads a streamed answer; None when it is none."""
    kind = media_type_of(response.headers).partition(";")[0].strip().lower()
    if kind == _FRAMES and job.upstream.kind is Speaks.BEDROCK:
        return as_sse() if job.translated else as_frames()
    if kind == _EVENTS and job.dialect is not Dialect.INVOKE and not job.counting:
        return follower(job.dialect, hide_usage=job.hides_usage)
    return None


async def _whole(job: Job, response: UpstreamResponse) -> CallResult:
    """Return an answer that is no stream; cut in the middle it is not asked for elsewhere, as it is paid for."""
    body = await read_all(response.body, MAX_ANSWER_BYTES)
    result = _result(job, response)
    result.body = _once(body)
    result.facts["llm"]["answer"] = digest_of(body)
    tally = tally_of(job.dialect, body)
    if tally.model:
        result.facts["llm"]["served"] = tally.model[:MAX_SERVED_CHARS]
    result.usage = job.measure(tally, response_bytes=len(body))
    return result


def _result(job: Job, response: UpstreamResponse, *, events: bool = False) -> CallResult:
    headers = passed(response.headers)
    if events:
        headers["content-type"] = f"{_EVENTS}; charset=utf-8"
    data: JsonObject = {"status": int(HTTPStatus.OK), "headers": headers}
    return CallResult(
        data,
        media_type=headers.get("content-type", "application/octet-stream"),
        upstream_request_id=request_id_of(response.headers),
        facts=job.facts(),
    )


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    if body:
        yield body


def _elsewhere(error: ConnectorError, job: Job, tally: Tally | None = None) -> ConnectorError:
    """Mark an error after which another upstream may be asked, and say what it came to where that can be told.

    A stream that brought no content has written nothing, at most read. Of an answer that is no stream nobody can tell.
    """
    error.elsewhere = True
    if isinstance(error, OutcomeUnknownError) and (job.stream or job.counting):
        error.usage = job.measure(tally or Tally())
    return error
