from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import typer

from broker.cli.client import MAX_ANSWER_BYTES, Api, exit_code_of, is_private_road, segment
from broker.cli.output import ExitCode
from tests.unit.broker.cli.conftest import House, Run

TOKEN = "ost_o_canary"


class Script(BaseHTTPRequestHandler):
    """Answers what the test wrote down, and keeps what was asked."""

    answer: ClassVar[bytes] = b""
    asked: ClassVar[list[tuple[str, str, dict[str, str]]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.command, self.path, dict(self.headers)))
        self.wfile.write(self.answer)
        self.close_connection = True

    do_POST = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


@pytest.fixture
def script() -> type[Script]:
    Script.asked.clear()
    return Script


@pytest.fixture
def api(script: type[Script]) -> Iterator[Api]:
    with ThreadingHTTPServer(("127.0.0.1", 0), script) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        found = Api(f"http://127.0.0.1:{server.server_address[1]}", TOKEN)
        yield found
        found.close()
        server.shutdown()
        thread.join()


def _answer(status: str, body: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 " + status.encode(), b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_what_is_asked_carries_token_query_and_wait(api: Api, script: type[Script]) -> None:
    script.answer = _answer("200 OK", b'{"a": 1}')
    assert api.get("/v1/x", {"b": "c d", "empty": "", "none": None, "zero": 0}, wait=5).body == {"a": 1}
    method, path, headers = script.asked[0]
    assert (method, path) == ("GET", "/v1/x?b=c+d&zero=0")
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Prefer"] == "wait=5"


@pytest.mark.parametrize("status", ["301 Moved", "307 Temporary Redirect"])
def test_a_redirect_is_not_followed_with_the_token(
    api: Api, script: type[Script], capsys: pytest.CaptureFixture[str], status: str
) -> None:
    script.answer = _answer(status, b"", b"Location: /elsewhere")
    with pytest.raises(typer.Exit) as ended:
        api.post("/v1/intents", {})
    assert ended.value.exit_code == ExitCode.FAILED
    assert len(script.asked) == 1
    assert status[:3] in capsys.readouterr().err


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense",
        _answer("503 Unavailable", b"<html>"),
        _answer("500 Oh", b"[1]"),
        _answer("200 OK", b"[1]"),
        _answer("200 OK", b""),
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_an_answer_that_is_none_exits_4_and_the_request_is_sent_once(
    api: Api, script: type[Script], capsys: pytest.CaptureFixture[str], answer: bytes
) -> None:
    script.answer = answer
    with pytest.raises(typer.Exit) as ended:
        api.post("/v1/intents", {})
    assert ended.value.exit_code == ExitCode.FAILED
    assert len(script.asked) == 1
    assert TOKEN not in capsys.readouterr().err


def test_an_answer_without_end_is_not_taken(api: Api, script: type[Script]) -> None:
    script.answer = _answer("200 OK", b" " * (MAX_ANSWER_BYTES + 1))
    with pytest.raises(typer.Exit):
        api.get("/")


def test_an_api_that_is_not_there_exits_4(capsys: pytest.CaptureFixture[str]) -> None:
    api = Api("http://127.0.0.1:1", TOKEN)
    with pytest.raises(typer.Exit) as ended:
        api.delete("/v1/sessions/x")
    api.close()
    assert ended.value.exit_code == ExitCode.FAILED
    said = capsys.readouterr().err
    assert "did not answer" in said
    assert TOKEN not in said


def test_a_download_that_is_cut_exits_4(api: Api, script: type[Script]) -> None:
    script.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nabc"
    with pytest.raises(typer.Exit) as ended:
        api.download("/x", io.BytesIO())
    assert ended.value.exit_code == ExitCode.FAILED


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("https://ostiary.example", True),
        ("http://127.0.0.1:8700", True),
        ("http://[::1]:1", True),
        ("http://localhost:1", True),
        ("http://10.0.0.1", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://", False),
    ],
)
def test_only_tls_and_this_machine_are_private_roads(url: str, private: bool) -> None:
    assert is_private_road(url) is private


def test_a_public_road_is_warned_about(run: Run, house: House) -> None:
    assert "unencrypted" not in run("session", "show", "x").stderr
    named = run("--url", "http://nowhere.invalid", "session", "show", "x")
    assert "unencrypted" in named.stderr


@pytest.mark.parametrize(("given", "sent"), [("a", "a"), ("../x", "..%2Fx"), ("a?b#c", "a%3Fb%23c"), ("", "%20")])
def test_an_id_is_one_segment_whatever_it_holds(given: str, sent: str) -> None:
    assert segment(given) == sent


@pytest.mark.parametrize("problem", [{}, {"type": 5}, {"type": "about:blank"}, {"type": "urn:ostiary:problem:new"}])
def test_a_problem_nobody_knows_is_a_failure(problem: dict[str, object]) -> None:
    assert exit_code_of(problem) is ExitCode.FAILED


def test_without_a_token_nothing_is_sent(house: House, run: Run, tmp_path: Path) -> None:
    result = run("do", "s3:HeadObject", env={"OSTIARY_TOKEN": ""})
    assert result.exit_code == 2
    assert house.world.asked == 0
