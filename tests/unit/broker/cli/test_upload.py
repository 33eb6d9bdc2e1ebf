from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from broker.cli import app
from broker.cli.upload import LARGE_BYTES, form_of, opened
from broker.ids import make_token
from tests.unit.broker.cli.conftest import House, Run

BODY = bytes(range(256)) * 4096
DECLARED = {"upload": {"bytes": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest()}}


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    path = tmp_path / "a=b"
    path.write_bytes(BODY)
    return path


def test_a_file_is_sent_beside_the_intent_and_declared_in_it(run: Run, house: House, blob: Path) -> None:
    words = ("do", "s3:PutObject", "Bucket=lake", "Key=k", "--upload", f"Body={blob}", "--idempotency-key", "k1")
    result = run(*words, "-o", "json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["state"] == "succeeded"
    assert house.world.uploads == [BODY]
    [draft] = house.world.drafts
    assert draft.params == {"Bucket": "lake", "Key": "k", "Body": DECLARED}
    assert draft.idempotency_key == "k1"
    assert json.loads(run(*words, "-o", "json").stdout)["replayed"]


def test_what_comes_in_can_be_sent(house: House) -> None:
    words = ["--data", str(house.data), "--url", house.url, "do", "s3:PutObject", "--upload", "Body=-"]
    result = CliRunner().invoke(app, words, input=BODY, env={"OSTIARY_TOKEN": house.world.reader_token})
    assert result.exit_code == 0, result.stderr
    assert house.world.uploads == [BODY]


def test_what_comes_through_a_pipe_is_measured_too() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"abc" * 999)
    os.close(writing)
    with opened(f"Body=/dev/fd/{reading}") as upload:
        assert upload.size_bytes == 2997
        assert b"".join(form_of({}, upload).pieces).count(b"abc" * 999) == 1
    os.close(reading)


def test_a_dry_run_sends_no_body(blob: Path) -> None:
    sent: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        words = ["--url", f"http://127.0.0.1:{server.server_port}", "do", "s3:PutObject", "--dry-run"]
        environment = {"OSTIARY_TOKEN": make_token("s", b"x" * 40)}
        result = CliRunner().invoke(app, [*words, "--upload", f"Body={blob}"], env=environment)
        thread.join()
    assert result.exit_code == 0, result.stderr
    [intent] = map(json.loads, sent)
    assert (intent["params"], intent["dry_run"]) == ({"Body": DECLARED}, True)


def test_a_denied_upload_says_why_before_it_was_sent(run: Run, house: House, tmp_path: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(64 << 20)
    result = run("do", "s3:DeleteObject", "--upload", f"Body={big}")
    assert (result.exit_code, "rule: default deny" in result.stderr) == (3, True)
    assert house.world.uploads == []


def test_pages_and_waits_are_params(run: Run, house: House) -> None:
    result = run("do", "s3:ListObjectsV2", "Bucket=b", "--paginate", "--wait-for", "bucket_exists")
    assert result.exit_code == 0
    assert house.world.drafts[0].params == {"Bucket": "b", "Paginate": True, "WaitFor": "bucket_exists"}


def test_what_cannot_be_sent_exits_2_and_asks_for_nothing(run: Run, house: House, blob: Path, tmp_path: Path) -> None:
    for words in (
        ["--upload", "Body"],
        ["--upload", f"={blob}"],
        ["--upload", "Body="],
        ["--upload", "Body=/nonexistent/file"],
        ["--upload", f"Body={tmp_path}"],
        ["--upload", f"Body={blob}", "Body=x"],
        ["--paginate", "Paginate:=true"],
    ):
        assert run("do", "s3:PutObject", *words).exit_code == 2, words
    assert house.world.drafts == []


def test_a_file_that_changes_while_it_is_sent_is_never_sent_as_the_declared_one(blob: Path) -> None:
    with opened(f"Body={blob}") as upload:
        os.truncate(blob, len(BODY) - 1)
        with pytest.raises(typer.Exit) as ended:
            list(form_of({}, upload).pieces)
    assert ended.value.exit_code == 4


@pytest.mark.parametrize(("size", "shown"), [(LARGE_BYTES, True), (LARGE_BYTES - 1, False)])
def test_a_large_upload_shows_a_person_how_far_it_is(
    size: int, shown: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(size)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with opened(f"Body={path}") as upload:
        form = form_of({}, upload)
        assert sum(map(len, form.pieces)) == int(form.headers["Content-Length"])
    assert ("MiB" in terminal.getvalue()) is shown
