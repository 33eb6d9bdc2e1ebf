from __future__ import annotations

import json
import os
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from broker.cli.llm_access import configuration
from connectors.base import Connection
from tests.unit.broker.cli.conftest import House, Run
from tests.unit.broker.doors.parts import FakeProject
from vault.model import CredentialRef

pytestmark = pytest.mark.req("A5")

OWN = {
    "ANTHROPIC_API_KEY": "real",
    "ANTHROPIC_AUTH_TOKEN": "real",
    "CLAUDE_CODE_OAUTH_TOKEN": "real",
    "CLAUDE_CODE_USE_BEDROCK": "1",
    "OPENAI_API_KEY": "real",
    "OPENAI_ORG_ID": "real",
    "OPENAI_BASE_URL": "https://elsewhere",
}
"""What a person may have in the environment."""


@pytest.fixture
def connected(house: House) -> House:
    world = house.world
    for name in ("models", "more"):
        world.config.connections[name] = Connection(name, "llm", CredentialRef("llm/x"), {})
    world.config.projects["data"] = FakeProject(("aws-main", "models"))
    return house


def applied(text: str, **own: str) -> dict[str, str]:
    """Return the environment of a person's shell after it has read ``text``."""
    done = subprocess.run(
        ["/bin/sh", "-euc", text + "\nenv -0"],
        env={**own, "PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
        timeout=30,
    )
    return dict(item.split("=", 1) for item in done.stdout.decode().split("\0") if item)


def test_a_shell_that_reads_it_has_the_sessions_token_and_none_of_the_persons_keys(run: Run, connected: House) -> None:
    result = run("session", "env", "--llm", env=OWN)
    assert result.exit_code == 0, result.stderr
    found = applied(result.stdout, **OWN)
    token = connected.world.reader_token
    assert (found["ANTHROPIC_BASE_URL"], found["ANTHROPIC_AUTH_TOKEN"]) == (connected.url, token)
    assert (found["OPENAI_BASE_URL"], found["OPENAI_API_KEY"]) == (f"{connected.url}/v1", token)
    names = ("DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_NONSTREAMING_FALLBACK", "ENABLE_GATEWAY_MODEL_DISCOVERY")
    assert [found[f"CLAUDE_CODE_{name}"] for name in names] == ["1", "1", "1"]
    assert not {"ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK", "OPENAI_ORG_ID"} & set(found)
    assert "real" not in found.values()
    assert "--codex DIR" in result.stderr
    assert token not in result.stderr


def test_a_connection_that_is_named_has_an_address_of_its_own(run: Run, connected: House) -> None:
    connected.world.config.projects["data"] = FakeProject(("models", "more"))
    result = run("session", "env", "--llm", "--connection", "more", "--shell", "json")
    made: dict[str, Any] = json.loads(result.stdout)
    assert made["set"]["ANTHROPIC_BASE_URL"] == f"{connected.url}/llm/more"
    assert made["set"]["OPENAI_BASE_URL"] == f"{connected.url}/llm/more/v1"
    assert "ANTHROPIC_API_KEY" in made["unset"]
    unnamed = run("session", "env", "--llm")
    assert (unnamed.exit_code, unnamed.stdout) == (2, "")
    assert "models, more" in unnamed.stderr


def test_codex_gets_a_folder_of_its_own_that_holds_no_token(
    run: Run, connected: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("session", "env", "--llm", "--codex", "it's codex")
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    found = applied(result.stdout, **OWN)
    file = Path(found["CODEX_HOME"]) / "config.toml"
    assert file == tmp_path / "it's codex" / "config.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    read = tomllib.loads(file.read_text())
    assert read["model_provider"] == "ostiary"
    assert read["model_providers"]["ostiary"] == {
        "name": "Ostiary",
        "base_url": f"{connected.url}/v1",
        "env_key": "OSTIARY_TOKEN",
        "wire_api": "responses",
    }
    token = connected.world.reader_token
    assert found["OSTIARY_TOKEN"] == token
    assert token not in file.read_text()
    assert "--codex DIR" not in result.stderr
    # Again, and then never over somebody else's.
    assert run(*words).exit_code == 0
    file.write_text('model = "mine"\n')
    assert (run(*words).exit_code, file.read_text()) == (2, 'model = "mine"\n')


def test_an_address_is_written_so_that_it_stays_a_text() -> None:
    odd = 'https://o.example/"\nevil = 1\\'
    read = tomllib.loads(configuration(odd))
    assert read["model_providers"]["ostiary"]["base_url"] == f"{odd}/v1"
    assert "evil" not in read


@pytest.mark.parametrize("shell", ["sh", "fish", "dotenv", "powershell"])
def test_every_shell_can_take_the_changes_beside_those_for_aws(run: Run, connected: House, shell: str) -> None:
    result = run("session", "env", "--aws", "--llm", "--shell", shell)
    assert result.exit_code == 0, result.stderr
    assert "ANTHROPIC_BASE_URL" in result.stdout
    assert "AWS_ENDPOINT_URL" in result.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--aws --codex x", 2),
        ("--codex x", 2),
        ("--aws --llm --connection models", 2),
        ("--llm --shim x", 2),
        ("--llm --connection aws-main", 4),
        ("--llm --connection more", 4),
    ],
)
def test_what_cannot_be_meant_or_is_not_there_ends_the_command(
    run: Run, connected: House, words: str, code: int
) -> None:
    result = run("session", "env", *words.split())
    assert (result.exit_code, result.stdout) == (code, "")


def test_a_project_without_models_is_told_so(run: Run, house: House) -> None:
    assert run("session", "env", "--llm").exit_code == 4
