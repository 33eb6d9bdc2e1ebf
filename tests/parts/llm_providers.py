"""Providers of models that are scripts: Anthropic, OpenAI, Azure and Bedrock on one loopback port.

They speak the real wire formats, look at the provider's key as the real ones do, and fail as they are told. The server
has a thread and a loop to itself, so that clients of any kind can use it, those in other processes too.

    with Providers() as providers:
        providers.script(Provider.ANTHROPIC, Step(status=529), Step(fault=Fault.CUT_AMID_CONTENT))
        ...                                            # point a client at `providers.url`
        assert providers.paths == ["/v1/messages", "/v1/messages"]
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from itertools import takewhile
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.parts.llm_dialects import JSON, Dialect, dialect_of, error_of, models_of, owner_of
from tests.parts.llm_http import MAX_HEAD_BYTES, Request, Wire, read_request
from tests.parts.llm_script import Event, Fault, Gate, Provider, Reply, Step
from tests.parts.llm_signatures import is_signed
from tests.parts.llm_wire import damaged, dumps

KEYS: Mapping[Provider, str] = {
    Provider.ANTHROPIC: "sk-ant-sealed-0001",
    Provider.OPENAI: "sk-openai-sealed-0001",
    Provider.AZURE: "azure-sealed-0001",
}
AWS_KEYS = ("AKIASEALED0000000001", "sealed/secret+key/of/bedrock000000000001")
MODELS = {
    Provider.ANTHROPIC: ("claude-haiku-4-5", "claude-opus-4-8", "claude-sonnet-5"),
    Provider.OPENAI: ("gpt-5", "gpt-5-mini"),
}
_CONTENT_BEFORE_A_FAULT = 2
_WAIT_SECONDS = 10
_NO_KEY = {
    Provider.ANTHROPIC: (401, "authentication_error", "invalid x-api-key"),
    Provider.OPENAI: (401, "invalid_api_key", "Incorrect API key provided"),
    Provider.AZURE: (401, "401", "Access denied due to invalid subscription key or wrong API endpoint"),
    Provider.BEDROCK: (403, "UnrecognizedClientException", "The security token included in the request is invalid."),
}
T = TypeVar("T")
Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter, asyncio.Event], None]


class Providers:
    """The four providers of one port, for the length of a block.

    Args:
        keys: What each takes as its key.
        aws_keys: What Bedrock's requests must be signed with; None to take any.

    Attributes:
        requests: What came, in order.
        reply: What a model answers where the script says nothing else.
        command: When it is set, a request that has a tool ``Bash`` and no result of it is answered with a call of it:
            the first turn of an agent's loop.
    """

    def __init__(self, keys: Mapping[Provider, str] = KEYS, aws_keys: tuple[str, str] | None = AWS_KEYS) -> None:
        self.requests: list[Request] = []
        self.reply = Reply()
        self.command = ""
        self._keys = dict(keys)
        self._aws_keys = aws_keys
        self._scripts: dict[Provider, deque[Step]] = {provider: deque() for provider in Provider}
        self._always: dict[Provider, Step] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port they are on."""
        assert self._server is not None
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    @property
    def url(self) -> str:
        """Origin of all four."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        """Paths of what came, in order."""
        return [request.path for request in self.requests]

    def script(self, provider: Provider, *steps: Step) -> None:
        """Answer the next requests of models so, one step each; then as always."""
        self._scripts[provider].extend(steps)

    def always(self, provider: Provider, step: Step) -> None:
        """Answer every request of models so that no script speaks of."""
        self._always[provider] = step

    def gate(self) -> Gate:
        """Return a gate for a step."""
        return Gate(self._loop)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WAIT_SECONDS)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_WAIT_SECONDS)

    async def _start(self) -> asyncio.Server:
        return await self._loop.create_server(lambda: _Connection(self._accept), "127.0.0.1", 0, backlog=1024)

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Event) -> None:
        task = self._loop.create_task(self._serve(reader, writer, gone))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Event) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._serve_one(reader, writer, gone):
                    pass
        except asyncio.CancelledError:
            writer.transport.abort()  # what a client does not read would never be flushed
            raise
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Event) -> bool:
        """Answer the next request; return whether another may come."""
        request = await read_request(reader)
        self.requests.append(request)
        wire = Wire(writer, request)
        try:
            await self._answer(request, wire, gone)
        finally:
            if gone.is_set():
                request.gone.set()
            request.finished.set()
        return wire.alive

    async def _answer(self, request: Request, wire: Wire, gone: asyncio.Event) -> None:
        owner = owner_of(request)
        if not self._admits(owner, request):
            headers, body = error_of(owner, *_NO_KEY[owner])
            await wire.whole(_NO_KEY[owner][0], {**headers, **_ids(owner, len(self.requests))}, body)
            return
        dialect = dialect_of(request)
        if dialect is None:
            await wire.whole(*_aside(request, owner))
            return
        step = self._next(dialect.provider)
        if step.first_byte is None or await _passed(step.first_byte, gone):
            await self._model_answers(dialect, step, wire, gone)

    async def _model_answers(self, dialect: Dialect, step: Step, wire: Wire, gone: asyncio.Event) -> None:
        number = len(self.requests)
        headers = {**_ids(dialect.provider, number), **step.headers}
        if step.status >= HTTPStatus.BAD_REQUEST:
            more, body = error_of(dialect.provider, step.status, *(step.error or ()))
            await wire.whole(step.status, {**headers, **more}, body)
        elif step.fault is Fault.NO_ANSWER:
            wire.cut()
        elif dialect.streams:
            events = dialect.events(self._reply(step, dialect), dialect.model, number)
            await wire.begin({**headers, **dialect.media})
            await _stream(_spoilt(events, step, dialect), step, wire, gone)
        else:
            body = dumps(dialect.whole(self._reply(step, dialect), dialect.model, number))
            await wire.whole(200, {**headers, **JSON}, body, cut=step.fault is not None)

    def _reply(self, step: Step, dialect: Dialect) -> Reply:
        if step.reply is None and self.command and dialect.fresh:
            arguments = {"command": self.command, "description": "as the script says"}
            return replace(self.reply, text="Running it.", tool="Bash", arguments=arguments)
        return step.reply or self.reply

    def _next(self, provider: Provider) -> Step:
        script = self._scripts[provider]
        return script.popleft() if script else self._always.get(provider, Step())

    def _admits(self, owner: Provider, request: Request) -> bool:
        """Tell whether a request has the key, and no other: what an agent holds must not come here."""
        if request.method == "HEAD":
            return True
        if owner is Provider.BEDROCK:
            keys = self._aws_keys
            return keys is None or is_signed(request.path, request.headers, request.body, keys)
        names = ("api-key", "authorization") if owner is Provider.AZURE else ("x-api-key", "authorization")
        shown = [request.headers[name].removeprefix("Bearer ") for name in names if name in request.headers]
        return set(shown) == {self._keys[owner]}


class _Connection(asyncio.StreamReaderProtocol):
    """Streams, and word of it when the client goes."""

    def __init__(self, accept: Accept) -> None:
        self._gone = asyncio.Event()
        reader = asyncio.StreamReader(limit=MAX_HEAD_BYTES)
        super().__init__(reader, lambda found, writer: accept(found, writer, self._gone))

    def eof_received(self) -> bool | None:
        self._gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set()
        super().connection_lost(exc)


async def _passed(gate: Gate, gone: asyncio.Event) -> bool:
    """Wait at a gate; return False when the client goes before it opens."""
    waits = [asyncio.ensure_future(gate.wait()), asyncio.ensure_future(gone.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return waits[0].done()
    finally:
        for wait in waits:
            wait.cancel()


async def _stream(plan: tuple[list[Event], bool], step: Step, wire: Wire, gone: asyncio.Event) -> None:
    events, clean = plan
    for event in events:
        if step.drip is not None and not await _passed(step.drip, gone):
            wire.cut()
            return
        await wire.piece(event.raw)
    if clean:
        await wire.end()
    else:
        wire.cut()


def _spoilt(events: list[Event], step: Step, dialect: Dialect) -> tuple[list[Event], bool]:
    """Return the events that are sent, and whether the HTTP answer ends as it should."""
    before = list(takewhile(lambda event: not event.content, events))
    amid = events[: len(before) + _CONTENT_BEFORE_A_FAULT]
    failure = dialect.failure(*(step.error or ("", "")))
    match step.fault:
        case Fault.ERROR_BEFORE_CONTENT:
            return [*before, failure], True
        case Fault.ERROR_AMID_CONTENT:
            return [*amid, failure], True
        case Fault.CUT_BEFORE_CONTENT:
            return before, False
        case Fault.CUT_AMID_CONTENT:
            return amid, False
        case Fault.TRUNCATED:
            return amid, True
        case Fault.BAD_SUM:
            return [*amid, Event(damaged(events[len(amid)].raw)), *events[len(amid) + 1 :]], True
        case _:
            return events, True


def _aside(request: Request, owner: Provider) -> tuple[int, dict[str, str], bytes]:
    """Answer what asks no model."""
    match request.method, request.path:
        case "HEAD", "/":
            return 200, {}, b""
        case "GET", "/v1/models":
            return 200, dict(JSON), dumps(models_of(owner, MODELS[owner]))
        case "POST", "/v1/messages/count_tokens":
            return 200, dict(JSON), dumps({"input_tokens": len(request.body) // 4 + 1})
        case _:
            return 404, *error_of(owner, 404)


def _ids(provider: Provider, number: int) -> dict[str, str]:
    """Headers that providers send with everything."""
    match provider:
        case Provider.ANTHROPIC:
            return {
                "request-id": f"req_{number:06}",
                "anthropic-organization-id": "org-of-the-operator",
                "anthropic-ratelimit-requests-remaining": "99",
            }
        case Provider.OPENAI:
            return {
                "x-request-id": f"req_{number:06}",
                "openai-organization": "org-of-the-operator",
                "openai-processing-ms": "7",
                "x-ratelimit-remaining-requests": "99",
            }
        case Provider.AZURE:
            return {"apim-request-id": f"req_{number:06}", "x-ratelimit-remaining-requests": "99"}
        case Provider.BEDROCK:
            return {"x-amzn-requestid": f"req-{number:06}"}
