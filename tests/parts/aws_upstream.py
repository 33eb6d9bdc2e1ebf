"""An AWS that misbehaves: it counts what comes, lets some answers fall, and lets others drip."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

DRIP_BYTES: Final = 1 << 30
"""What a body that drips promises, and never holds."""
_PIECE: Final = bytes(256 << 10)
_PAUSE_SECONDS: Final = 0.02
_KEY_HEADERS: Final = ("authorization", "x-amz-security-token")


class Upstream:
    """What happened upstream, by path; a path that has ``mute`` in it is never answered, of one with ``drip`` the body
    never ends.

    Attributes:
        requests: Requests by method and path, without the query.
        bodies: Bytes of the last body by path.
        dripping: Set while a body drips.
        keys: Values of all headers that authenticate.
    """

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        self.bodies: dict[str, int] = {}
        self.dripping = threading.Event()
        self.cut = threading.Event()
        self.keys: set[str] = set()
        self.url = ""
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def seen(self, method: str, path: str) -> int:
        """Return how often something was asked."""
        with self._lock:
            return self.requests[method, path]

    def note(self, method: str, path: str, size: int, keys: set[str]) -> None:
        """Remember one request."""
        with self._lock:
            self.requests[method, path] += 1
            self.bodies[path] = size
            self.keys |= keys

    def wait_a_little(self) -> bool:
        """Wait between two drops; return whether the end has come."""
        return self._ended.wait(_PAUSE_SECONDS)

    def release(self) -> None:
        """End all that drips."""
        self._ended.set()


@contextmanager
def misbehaving_upstream() -> Iterator[Upstream]:
    """Serve on a free loopback port."""
    upstream = Upstream()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"upstream": upstream}))
    server.daemon_threads = True
    upstream.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        upstream.release()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: Upstream

    def do_PUT(self) -> None:
        self._take()

    def do_POST(self) -> None:
        self._take()

    def do_GET(self) -> None:
        self._take()

    def _take(self) -> None:
        path = self.path.partition("?")[0]
        left, size = int(self.headers.get("Content-Length", 0)), 0
        while left and (piece := self.rfile.read(min(left, 1 << 20))):
            left, size = left - len(piece), size + len(piece)
        keys = {value for name, value in self.headers.items() if name.lower() in _KEY_HEADERS}
        self.upstream.note(self.command, path, size, keys)
        # DynamoDB's requests have one path; one of its operations is never answered.
        if "mute" in path or self.headers.get("X-Amz-Target", "").endswith(".UpdateItem"):
            self.close_connection = True
        elif "drip" in path:
            self._drip()
        else:
            self._say(b"{}" if "X-Amz-Target" in self.headers else b"what stands here")

    def _say(self, body: bytes) -> None:
        body = b"" if self.command == "PUT" else body
        with suppress(ConnectionError):  # who waited for it may have gone
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"e"')
            self.end_headers()
            self.wfile.write(body)

    def _drip(self) -> None:
        self.close_connection = True
        try:
            self.send_response(200)
            self.send_header("Content-Length", str(DRIP_BYTES))
            self.end_headers()
            while not self.upstream.wait_a_little():
                self.wfile.write(_PIECE)
                self.upstream.dripping.set()
        except ConnectionError:
            self.upstream.cut.set()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass
