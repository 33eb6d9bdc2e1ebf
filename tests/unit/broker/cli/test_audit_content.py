"""``ostiary audit content``."""

from __future__ import annotations

import json

import pytest

from broker.cli.output import ExitCode
from broker.config.content import Store
from broker.contents.capture import ContentPart
from broker.contents.service import Kept, KeptPart
from broker.ids import IntentId
from tests.unit.broker.cli.conftest import House, Run

EVIL = "ä\x1b[2J\u202egone"


@pytest.fixture
def intent_id(house: House) -> str:
    found = IntentId(house.world.new_id("int"))
    parts = {
        ContentPart.PROMPT: KeptPart(EVIL.encode(), 20, cut=False, masked=0),
        ContentPart.ANSWER: KeptPart(b"\xff\x00", 2, cut=True, masked=3),
    }
    house.world.contents.kept[found] = Kept(found, Store.FULL, 0, 10**9, parts)
    return found


def test_both_parts_are_shown_and_nothing_in_them_moves_a_cursor(run: Run, house: House, intent_id: str) -> None:
    result = run("audit", "content", intent_id, token=house.world.ana)
    assert result.exit_code == ExitCode.OK
    assert ("prompt" in result.stdout, "answer" in result.stdout) == (True, True)
    assert ("\x1b" in result.stdout, "\u202e" in result.stdout) == (False, False)
    assert "until 1970-01-01T00:00:01.000Z" in result.stderr


def test_json_has_all_of_it(run: Run, house: House, intent_id: str) -> None:
    result = run("audit", "content", intent_id, "-o", "json", token=house.world.ana)
    found = json.loads(result.stdout)
    assert (found["prompt"]["data"], found["answer"]["masked"]) == (EVIL, 3)


def test_one_part_alone_can_be_written_as_it_is(run: Run, house: House, intent_id: str) -> None:
    result = run("audit", "content", intent_id, "--part", "prompt", "--raw", token=house.world.ana)
    assert result.stdout_bytes == EVIL.encode()
    result = run("audit", "content", intent_id, "--part", "answer", "--raw", token=house.world.ana)
    assert result.stdout_bytes == b"\xff\x00"
    result = run("audit", "content", intent_id, "--part", "answer", token=house.world.ana)
    assert "prompt" not in result.stdout
    assert [wanted for _, _, wanted in house.world.contents.reads] == [
        (ContentPart.PROMPT,), (ContentPart.ANSWER,), (ContentPart.ANSWER,),
    ]  # fmt: skip


def test_raw_bytes_of_both_parts_are_refused_before_anything_is_read(run: Run, house: House, intent_id: str) -> None:
    assert run("audit", "content", intent_id, "--raw", token=house.world.ana).exit_code == ExitCode.USAGE
    assert house.world.contents.reads == []


def test_who_may_not_read_is_told_so(run: Run, house: House, intent_id: str) -> None:
    assert run("audit", "content", intent_id, token=house.world.eve).exit_code == ExitCode.DENIED
    assert run("audit", "content", "int_nothing", token=house.world.ana).exit_code == ExitCode.FAILED
