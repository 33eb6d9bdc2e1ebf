"""The API process: one uvicorn server around one broker.

It listens first and says so in a note (`broker.supervisor.notes`), so that the supervisor and the command line know the
URL even when the port was left to the kernel. SIGTERM ends it gracefully within `GRACE_SECONDS`; SIGHUP reloads the
configuration, and a faulty one leaves the running one in place.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

import structlog
import uvicorn
import uvloop

from broker.corked import CorkedProtocol
from broker.errors import BrokerError
from broker.logs import configure_logs
from broker.settings import Settings
from broker.supervisor.folders import running_supervisor
from broker.supervisor.notes import API_NOTE, note

GRACE_SECONDS: Final = 2
"""How long open requests may go on after SIGTERM; with the rest of the shutdown it stays below three."""
KEEP_ALIVE_SECONDS: Final = 75
"""Idle connections live longer than a usual load balancer's 60 s, so that it is never us who closes under a request."""
SWITCH_SECONDS: Final = 0.0005
"""The ledger's writer thread gets the interpreter this soon; Python's own 5 ms is longer than most intents take."""
BACKLOG: Final = 2048
"""Connections the kernel holds until they are accepted."""
MAX_HEADER_BYTES: Final = 64 << 10
"""Of one request's head, where the parser in use knows such a limit."""

_log = structlog.get_logger(__name__)


class ListenError(BrokerError):
    """The address cannot be listened on: taken, not ours, or not an address."""


class Reloadable(Protocol):
    """What this process needs of a broker."""

    async def reload(self) -> Sequence[object]:
        """Take up the configuration folder again; return the findings that stood against it, if any."""


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to us: uvicorn would raise them again and cut our own shutdown short."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install nothing."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell whoever waits for it."""
        await super().startup(sockets)
        self.listening.set()

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()


def main(settings: Settings, *, alone: bool = False) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: How it runs.
        alone: Not a child of the supervisor. Beside one, the note stays that of the supervisor's own API, which is
            there longer.

    Raises:
        ListenError: the address cannot be listened on.
    """
    configure_logs("api", settings.log_level)
    sys.setswitchinterval(SWITCH_SECONDS)
    noted = not alone or running_supervisor(settings.run_dir) is None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, noted=noted))


async def _serve(settings: Settings, *, noted: bool) -> None:
    from broker.doors.app import create_app
    from broker.wiring import open_broker

    # Listening before the broker opens: a taken port is told at once, and early callers wait instead of failing.
    with listen(settings.host, settings.port) as listener:
        async with open_broker(settings, background=True) as broker:
            # What is there now stays: the collector need not walk it again each time, which takes a tenth of a second.
            gc.collect()
            gc.freeze()
            await run(create_app(broker), broker, listener, settings, noted=noted)


async def run(
    app: Any,  # noqa: ANN401 - an ASGI app
    broker: Reloadable,
    listener: socket.socket,
    settings: Settings,
    *,
    noted: bool = True,
) -> None:
    """Serve one app on a listening socket until a signal ends it.

    Args:
        app: ASGI application.
        broker: Reloaded by SIGHUP.
        listener: Closed when this returns.
        settings: Names the run directory of the note.
        noted: Leave a note with the URL there.
    """
    server = Server(_config(app))
    url = url_of(listener)
    with _signals(server, broker):
        serving = asyncio.ensure_future(server.serve([listener]))
        listening = asyncio.ensure_future(server.listening.wait())
        await asyncio.wait((serving, listening), return_when=asyncio.FIRST_COMPLETED)
        if not listening.done():
            listening.cancel()
            await serving
            return
        with note(settings.run_dir / API_NOTE, {"url": url}) if noted else contextlib.nullcontext():
            _log.info("api.listening", url=url)
            await serving


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address; port 0 takes a free one.

    Raises:
        ListenError: the address is taken, not ours, or no address.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ListenError(f"cannot listen on `{host}`: {_why(error)}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenError(f"cannot listen on `{host}` port `{port}`: {_why(error)}") from None
    listener.setblocking(False)  # noqa: FBT003 - the socket module's signature
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the URL a client on this machine reaches a listening socket by."""
    host, port = listener.getsockname()[:2]
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound
    return f"http://[{local}]:{port}" if ":" in local else f"http://{local}:{port}"


def _config(app: Any) -> uvicorn.Config:  # noqa: ANN401 - an ASGI app
    return uvicorn.Config(
        app,
        http=CorkedProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        backlog=BACKLOG,
    )


@contextlib.contextmanager
def _signals(server: Server, broker: Reloadable) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def stop() -> None:
        # A second signal does not wait for open requests any more.
        server.force_exit = server.should_exit
        server.should_exit = True

    def reload() -> None:
        task = loop.create_task(_reload(broker))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    handlers: dict[signal.Signals, Callable[[], None]] = {
        signal.SIGTERM: stop,
        signal.SIGINT: stop,
        signal.SIGHUP: reload,
    }
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


async def _reload(broker: Reloadable) -> None:
    try:
        findings = await broker.reload()
    except Exception:  # noqa: BLE001 - the running configuration stays; the log says so
        _log.exception("config.reload_broken")
        return
    if findings:
        _log.error("config.rejected", findings=[str(finding) for finding in findings])
    else:
        _log.info("config.reloaded")


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
