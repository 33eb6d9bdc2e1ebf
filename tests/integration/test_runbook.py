"""deploy/README.md is true: its commands run in its order; its settings, states and metrics are the real ones."""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from broker.cli import app, load
from broker.config.loader import load_configuration
from broker.settings import Settings
from connectors.registry import build_connectors
from deploy import commands as bootstrap
from tests.architecture.tree import files
from tests.parts.github import new_app_key
from tests.parts.page import Terminal, blocks, section
from tests.parts.ssh_git import private_key
from tests.parts.up import ROOT, Up, data_folder, eventually

PAGE = (ROOT / "deploy" / "README.md").read_text("utf-8")
SECURITY = (ROOT / ".github" / "SECURITY.md").read_text("utf-8")
AWS_KEY = json.dumps({"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfi"})
READ = "do s3:GetObject Bucket=data-lake Key=raw/x.csv"
SIZES = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


@pytest.fixture
def house() -> Iterator[Up]:
    with data_folder(OSTIARY_CHECKPOINT_SECONDS="0.2") as made:
        yield made


def shell_of(house: Up) -> Terminal:
    """The shell of the user it runs as, on a machine where the page's folders are elsewhere."""
    backup = house.folder / "backup"
    backup.mkdir(mode=0o700)
    (backup / "apart").mkdir()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(house.folder)}
    own = {"/opt/ostiary/.venv": sys.prefix, "/var/lib/ostiary": str(house.data), "/backup": str(backup)}
    return Terminal(house.folder, environment, own)


def ready(house: Up) -> dict[str, Any]:
    """What `/readyz` says, whatever its status."""
    opener = urllib.request.build_opener(_EveryStatus)
    with opener.open(house.ready["url"] + "/readyz", timeout=5) as answer:
        found: dict[str, Any] = json.load(answer)
    return found | {"status": answer.status}


class _EveryStatus(urllib.request.HTTPErrorProcessor):
    def http_response(self, request: object, response: Any) -> Any:
        return response


def fields_for(line: str, folder: Path) -> str:
    """What is typed when a command asks for a credential; nothing for any other."""
    if not re.search(r"vault (put|rotate) ", line):
        return ""
    if "--kind github-app" in line:
        return json.dumps({"app_id": "4242", "private_key": new_app_key()})
    return json.dumps({"private_key": private_key(folder, "ed25519")}) if "--kind ssh" in line else AWS_KEY


class Operator:
    """Types the page's lines; what systemd would do is done to the house."""

    def __init__(self, house: Up) -> None:
        self.house = house
        self.shell = shell_of(house)
        self.said: dict[str, str] = {}
        self.before: dict[str, Callable[[], object]] = {
            "systemctl start ostiary": house.start,
            "systemctl stop ostiary": house.end,
        }

    def type(self, line: str) -> None:
        if line in self.before:
            self.before[line]()
            eventually(lambda: ready(self.house)["ready"] if "start" in line else True)
            return
        self.said[line] = self.shell.type(line, fields_for(line, self.house.folder))


@pytest.mark.req("O1", "V1", "S2", "E1", "E2", "E3")
def test_every_command_of_the_runbook_works_in_its_order(house: Up) -> None:
    house.start()
    house.seal("aws/old", "aws", "s3.amazonaws.com", **json.loads(AWS_KEY))
    operator = Operator(house)
    for block in blocks(PAGE):
        if block.kind != "sh":
            continue
        if "restore: stop" in block.before:
            # Something happens after the backup, and the verifier sees it.
            operator.type("ostiary session start --agent ci-runner")
            operator.type("ostiary audit verify")
        if "ostiary audit export /backup/ledger.ndjson" in block.text:
            eventually((house.data / "ledger.pub").exists)
        for line in block.lines:
            operator.type(line)

    said = operator.said
    assert "aws/prod" in said["ostiary vault list"]
    assert re.search(r"^aws/prod .* 2 ", said["ostiary vault list"], re.MULTILINE)
    assert "the configuration is in force" in said["ostiary reload"]
    exported = next(text for line, text in said.items() if "--export" in line)
    assert re.search(r"^signatures +true$", exported, re.MULTILINE)
    restored = next(text for line, text in said.items() if "exit 4: what was seen" in line)
    assert "is not contained: the ledger was cut" in restored
    assert "session.killed" in said["ostiary session replay ses_…"]
    assert house.process.wait() == 0
    assert house.left() == []


@pytest.mark.req("V1")
def test_while_sealed_intents_end_in_vault_unavailable_and_nothing_is_ready(house: Up) -> None:
    house.start()
    house.seal("aws/example", "aws", "*.amazonaws.com", **json.loads(AWS_KEY))
    token = house.answer("session", "start", "--agent", "ci-runner")["token"]
    assert house.cli("vault", "seal").returncode == 0
    refused = house.cli(*READ.split(), OSTIARY_TOKEN=token)
    assert (refused.returncode, "the vault cannot serve" in refused.stderr) == (4, True)
    found = ready(house)
    assert (found["status"], found["checks"]["vault"]) == (503, "sealed")
    [failed] = house.answer("audit", "search", "--type", "intent.failed")["events"]
    assert failed["event"]["data"]["problem"]["kind"] == "vault-unavailable"
    assert house.cli("vault", "unseal").returncode == 0
    assert ready(house)["status"] == 200


@pytest.mark.req("P1", "S1")
def test_a_faulty_folder_keeps_the_old_policy_and_an_agent_taken_out_is_refused(house: Up) -> None:
    house.start()
    token = house.answer("session", "start", "--agent", "ci-runner")["token"]
    policy = house.data / "config" / "policies" / "ci-runner.yaml"
    good = policy.read_text()
    policy.write_text(good.replace("s3:GetObject on data-lake/raw/*", "s3:GetObjet on"))
    for _ in range(2):
        refused = house.cli("reload")
        assert (refused.returncode, "the old one stays in force" in refused.stderr) == (2, True)
        assert "policies/ci-runner.yaml:" in refused.stderr
    assert house.cli(*READ.split(), "--dry-run", OSTIARY_TOKEN=token).returncode == 0
    assert len(house.answer("audit", "search", "--type", "policy.refused")["events"]) == 2

    policy.unlink()
    main = house.data / "config" / "ostiary.yaml"
    main.write_text(main.read_text().replace("  ci-runner:\n    project: example\n    owner: admin\n", "  {}\n"))
    assert house.cli("reload").returncode == 0
    gone = house.cli(*READ.split(), OSTIARY_TOKEN=token)
    assert gone.returncode in (2, 3), gone.stderr
    assert house.cli("session", "start", "--agent", "ci-runner").returncode == 4


@pytest.mark.req("E1")
def test_with_too_little_free_disk_new_intents_are_refused_and_it_says_so() -> None:
    with data_folder(OSTIARY_MIN_FREE_BYTES=str(1 << 62)) as house:
        house.start()
        token = house.answer("session", "start", "--agent", "ci-runner")["token"]
        refused = house.cli(*READ.split(), OSTIARY_TOKEN=token)
        assert (refused.returncode, "the ledger cannot record" in refused.stderr) == (4, True)
        found = ready(house)
        assert (found["status"], found["ready"]) == (503, False)
        assert found["checks"]["ledger"] is not True


def test_the_metrics_and_checks_the_page_watches_are_shown(house: Up) -> None:
    house.start()
    token = house.answer("session", "start", "--agent", "ci-runner")["token"]
    assert house.cli("do", "s3:DeleteObject", "Bucket=bkt", "Key=k", OSTIARY_TOKEN=token).returncode == 3
    with urllib.request.urlopen(house.ready["url"] + "/metrics", timeout=5) as answer:  # noqa: S310 - loopback
        shown = answer.read().decode()
    watched = set(re.findall(r"`(ostiary_[a-z_]+)", section(PAGE, "What to monitor")))
    assert len(watched) >= 4
    assert (
        sorted(
            name
            for name in watched
            if not re.search(rf"^# HELP {name.removesuffix('_total')}(_total)? ", shown, re.MULTILINE)
        )
        == []
    )
    assert 'ostiary_intents_total{state="denied"} 1.0' in shown
    assert set(ready(house)["checks"]) == {"ledger", "vault", "store", "queue"}


@pytest.mark.req("A3", "A4", "V1")
def test_the_connections_the_page_shows_are_valid(tmp_path: Path) -> None:
    shown = [block.text for block in blocks(section(PAGE, "Git hosts and GitHub")) if block.kind == "yaml"]
    assert len(shown) == 2
    for text in shown:
        (tmp_path / "ostiary.yaml").write_text(f"version: 1\n{text}")
        found = load_configuration(tmp_path, build_connectors())
        assert {"code": "git", "hub": "github"}.items() >= {
            name: each.connector for name, each in found.connections.items()
        }.items()


def test_the_settings_have_the_defaults_the_page_gives() -> None:
    rows = re.findall(r"^\| `OSTIARY_(\w+)` \| ([^|]+) \|", section(PAGE, "Settings"), re.MULTILINE)
    assert {name.lower() for name, _ in rows} == set(Settings.model_fields)
    for name, said in rows:
        value = Settings.model_fields[name.lower()].default
        number = re.fullmatch(r"`?([\d.]+)`? ?([KMG]iB)?", said)
        if number and not isinstance(value, str):
            assert float(number[1]) * SIZES[number[2] or ""] == value, name
        elif isinstance(value, bool):
            assert said == str(value).lower(), name
        elif value:
            assert said.strip("`") == str(value), name


def test_every_command_on_our_pages_exists_with_its_options() -> None:
    wrong = []
    for page in (path for path in files() if path.suffix == ".md"):
        text = page.read_text("utf-8")
        found = re.findall(r"`(?:OSTIARY_TOKEN=\S+ )?ostiary ([^`]+)`", text)
        for block in blocks(text):
            found += re.findall(r"^(?:[$#] )?(?:OSTIARY_TOKEN=\S+ )?ostiary (.+)$", block.text, re.MULTILINE)
        wrong += [f"{page.name}: ostiary {each}" for each in found if not known(each)]
    assert wrong == []


def known(line: str) -> bool:
    """Tell whether a command line names commands and options that are there."""
    words = re.sub(r"\s(#|  ).*$", "", line).replace("[", " ").replace("]", " ").split()
    if words[0] == "NOUN":
        return True
    command: Any = typer.main.get_command(app)
    root, options = command, {name for each in command.params for name in each.opts}
    for word in words:
        if word.startswith("-") and word not in options:
            return False
        children = getattr(command, "commands", {})
        if word in children:
            command = load(word) if command is root else children[word]
            options |= {name for each in command.params for name in each.opts}
    return command is not root and (not getattr(command, "commands", None) or command.invoke_without_command)


def test_the_bootstraps_commands_are_the_ones_on_the_page() -> None:
    named = set(re.findall(r"python3 deploy/bootstrap\.py ([\w-]+)", PAGE))
    assert named == bootstrap._NAMES


def test_the_unit_starts_what_the_page_installs() -> None:
    unit = (ROOT / "deploy" / "ostiary.service").read_text()
    install = section(PAGE, "Install")
    assert "ExecStart=/opt/ostiary/.venv/bin/ostiary up\n" in unit
    assert "Environment=OSTIARY_DATA=/var/lib/ostiary\n" in unit
    for name in ("/opt/ostiary", "useradd", "deploy/ostiary.service", "/etc/ostiary/environment"):
        assert name in install
    assert "EnvironmentFile=-/etc/ostiary/environment\n" in unit


def test_every_defence_of_the_threat_model_names_tests_that_are_there() -> None:
    rows = [line for line in section(SECURITY, "Who may be hostile, and what stops them").splitlines() if "|" in line]
    for row in rows[2:]:
        shown = re.findall(r"\]\(\.\./(tests/[\w/.]+)\)", row)
        assert shown, row
        assert [name for name in shown if not Path(ROOT / name).is_file()] == [], row
