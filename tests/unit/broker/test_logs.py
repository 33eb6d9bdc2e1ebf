"""What a process logs: one JSON object per line, and never the text of an exception."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from broker.logs import MAX_FRAMES, configure_logs
from tests.parts.process import borrowed_process


@pytest.fixture(autouse=True)
def _own_process() -> Iterator[None]:
    with borrowed_process():
        yield


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def fail(depth: int = 0) -> None:
    if depth:
        fail(depth - 1)
    raise RuntimeError("hunter2")


def test_an_event_is_one_json_line_with_the_process_and_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("api", "info")
    structlog.get_logger("any").info("thing.happened", intent="int_1", text="a\nb\x1b[2J")

    (entry,) = logged(capsys)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "event": "thing.happened", "level": "info", "process": "api", "intent": "int_1", "text": "a\nb\x1b[2J"
    }  # fmt: skip


@pytest.mark.req("V2")
def test_an_exception_is_its_type_and_its_places_and_never_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("api", "info")
    for log in (structlog.get_logger("any"), logging.getLogger("any.library")):
        try:
            fail(30)
        except RuntimeError:
            log.exception("thing.broke")

    entries = logged(capsys)
    assert [entry["exception"] for entry in entries] == ["RuntimeError"] * 2
    assert all(len(entry["at"]) == MAX_FRAMES for entry in entries)
    assert all(entry["at"][-1].endswith(" fail") for entry in entries)
    assert "hunter2" not in json.dumps(entries)


def test_an_exception_may_be_handed_over_and_its_absence_is_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("api", "info")
    structlog.get_logger("any").error("a", exc_info=ValueError("hunter2"))
    structlog.get_logger("any").error("b", exc_info=True)

    first, second = logged(capsys)
    assert (first["exception"], first["at"]) == ("ValueError", [])
    assert "exception" not in second


def test_libraries_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("worker", "debug")
    for name in ("rq.worker", "uvicorn.error", "aiohttp.access", "mine"):
        logging.getLogger(name).info("chatter of %s", name)
        logging.getLogger(name).warning("warning of %s", name)

    assert [entry["event"] for entry in logged(capsys)] == [
        "warning of rq.worker", "warning of uvicorn.error", "warning of aiohttp.access", "chatter of mine",
        "warning of mine",
    ]  # fmt: skip


@pytest.mark.parametrize(("level", "heard"), [("error", 1), ("no such level", 2)])
def test_the_level_is_kept_and_an_unknown_one_is_info(
    level: str, heard: int, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("api", level)
    log = structlog.get_logger("any")
    log.debug("a")
    log.info("b")
    log.error("c")
    assert len(logged(capsys)) == heard
