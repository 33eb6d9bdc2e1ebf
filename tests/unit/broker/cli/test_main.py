from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.cli import COMMANDS, app, load

HEAVY = ("fastapi", "sqlalchemy", "urllib3", "botocore", "aiohttp", "yaml", "rq", "cryptography", "broker.settings")


def _python(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=60)


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom broker.cli import main\n"
        "try:\n    main()\n"
        f"finally:\n    sys.stderr.write(repr([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = _python(code, "--help")
    assert done.returncode == 0
    assert done.stderr == "[]"
    for name in COMMANDS:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_loads_and_has_help(name: str) -> None:
    load(name)
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize(
    "words", [["nope"], ["--nope"], ["do"], ["session"], ["session", "nope"], ["approvals", "show"]]
)
def test_a_usage_error_exits_2(words: list[str]) -> None:
    assert CliRunner().invoke(app, words).exit_code == 2


def test_a_mistyped_command_is_answered_with_the_nearest() -> None:
    result = CliRunner().invoke(app, ["aproval"])
    assert "Did you mean 'approvals'" in result.output


def test_the_version_is_printed() -> None:
    done = _python("from broker.cli import main; main()", "--version")
    assert (done.returncode, done.stdout.startswith("ostiary ")) == (0, True)


def test_a_broken_broker_is_told_in_lines_and_exits_4() -> None:
    code = (
        "from broker.cli import COMMANDS, main\nimport broker.cli.durations as place\n"
        "from broker.errors import BrokerError\n"
        "def broken():\n    raise BrokerError('first\\nsecond')\n"
        "place.broken = broken\nCOMMANDS['up'] = ('durations', 'broken', '')\nmain()"
    )
    done = _python(code, "up")
    assert (done.returncode, done.stderr) == (4, "ostiary: first\nostiary: second\n")


def test_an_unexpected_fault_tells_its_type_and_place_but_never_its_text() -> None:
    code = (
        "from broker.cli import COMMANDS, main\nimport broker.cli.durations as place\n"
        "def broken():\n    raise RuntimeError('CANARY')\n"
        "place.broken = broken\nCOMMANDS['up'] = ('durations', 'broken', '')\nmain()"
    )
    done = _python(code, "up")
    assert done.returncode == 4
    assert "unexpected RuntimeError" in done.stderr
    assert "CANARY" not in done.stderr + done.stdout


def test_the_module_runs_as_the_command_does(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "broker.cli", "--data", str(tmp_path), "session", "show", "x"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "no API is running here" in done.stderr
