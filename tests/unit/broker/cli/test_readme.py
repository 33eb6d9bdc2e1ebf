from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import broker.cli
from broker.cli.output import ExitCode
from tests.unit.broker.cli.conftest import House, Run
from tests.unit.broker.doors.parts import FakeAgent

README = Path(broker.cli.__file__).with_name("README.md").read_text("utf-8")


def test_the_readme_names_every_exit_code() -> None:
    assert {int(code) for code in re.findall(r"^\| (\d) \|", README, re.MULTILINE)} == {code.value for code in ExitCode}


@pytest.mark.parametrize("line", README.split("```sh\n")[1].split("```")[0].splitlines(), ids=lambda line: line[8:28])
def test_every_example_of_the_readme_works(
    run: Run, house: House, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    world = house.world
    world.config.agents["ci-runner"] = FakeAgent("data")
    (tmp_path / "push.json").write_text("{}")
    run("do", "git:push", token=world.pusher_token)
    [approval_id] = world.approvals_by_id
    program, *words = [approval_id if word == "ID" else word for word in shlex.split(line)]
    noun = {
        "action": world.reader_token,
        "session": world.ana,
        "do": world.reader_token,
        "approvals": world.ben,
        "audit": world.eve,
    }
    if "git:push" in words:
        words[words.index("300")] = "0"
    agents_own = words[:2] == ["session", "child"]
    result = run(*words, token=world.reader_token if agents_own else noun[words[0]])
    assert program == "ostiary"
    assert result.exit_code in (ExitCode.OK, ExitCode.PENDING), result.stderr
