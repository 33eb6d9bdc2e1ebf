"""``ostiary vault`` against a real vault process and a real ledger."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from broker.cli import app
from broker.cli.vault import _root_key
from broker.settings import Settings
from tests.unit.vault.paper_github import app_key
from tests.unit.vault.paper_kms import KEY
from tests.unit.vault.process import ROOT, VaultProcess, running_vault, short_folder, wait_for_socket
from tests.unit.vault.samples import AWS_SECRET
from vault.__main__ import run as vault_program
from vault.client import VaultClient
from vault.credential import FIELDS
from vault.kms import KmsKey
from vault.model import CredentialKind, CredentialRef

Run = Callable[..., Result]
PASSWORD = "correct horse battery"
BASIC = json.dumps({"username": "robot", "password": PASSWORD})
PUT_GIT = ("put", "git/acme", "--kind", "basic", "--host", "git.example.com")


def caller(folder: Path) -> Run:
    def call(*words: str, stdin: str = "") -> Result:
        arguments = ["--data", str(folder), "vault", *words]
        return CliRunner().invoke(app, arguments, input=stdin, env={"OSTIARY_OUTPUT": "json"})

    return call


@pytest.fixture
def vault(folder: Path) -> Iterator[VaultProcess]:
    with running_vault(folder) as process:
        yield process


@pytest.fixture
def run(vault: VaultProcess) -> Run:
    return caller(vault.folder)


def changes(folder: Path) -> list[dict[str, object]]:
    """Return the data of every `vault.changed` event on the ledger."""
    connection = sqlite3.connect(folder / "ledger.sqlite3")
    rows = connection.execute("SELECT body FROM events WHERE type = 'vault.changed' ORDER BY seq").fetchall()
    connection.close()
    return [json.loads(body)["data"] for (body,) in rows]


def every_byte(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


@pytest.mark.req("V1")
def test_a_credential_is_kept_rotated_and_destroyed_and_each_change_is_on_the_ledger(
    run: Run, vault: VaultProcess
) -> None:
    put = run(*PUT_GIT, stdin=BASIC)
    assert put.exit_code == 0, put.output
    assert json.loads(put.stdout)["version"] == 1
    rotated = run("rotate", "git/acme", stdin=BASIC.replace("horse", "mouse"))
    assert json.loads(rotated.stdout)["version"] == 2
    (listed,) = json.loads(run("list").stdout)
    assert (listed["ref"], listed["identity"], listed["hosts"]) == ("git/acme", "robot", ["git.example.com"])
    assert json.loads(run("status").stdout)["credentials"] == 1
    assert run("rotate-keyring").exit_code == 0
    assert run("destroy", "git/acme", "--yes").exit_code == 0
    assert json.loads(run("list").stdout) == []
    assert [(change["change"], change.get("credential")) for change in changes(vault.folder)] == [
        ("put", "git/acme"),
        ("rotate", "git/acme"),
        ("rotate-keyring", None),
        ("destroy", "git/acme"),
    ]
    assert PASSWORD.encode() not in every_byte(vault.folder)
    assert PASSWORD not in put.output + rotated.output


def test_the_vault_is_sealed_and_unsealed_with_its_key_file(run: Run, vault: VaultProcess) -> None:
    assert run("seal").exit_code == 0
    refused = run("list")
    assert refused.exit_code == 4
    assert "ostiary vault unseal" in refused.stderr
    assert run("unseal").exit_code == 0
    assert run("list").exit_code == 0
    assert [change["change"] for change in changes(vault.folder)] == ["seal", "unseal"]


def test_a_vault_with_a_passphrase_is_initialised_and_unsealed_from_a_private_file(folder: Path) -> None:
    run, passphrase = caller(folder), folder / "passphrase"
    passphrase.write_text("correct horse battery staple\n")
    passphrase.chmod(0o600)
    with running_vault(folder, passphrase=True):
        assert "ostiary vault initialise" in run("list").stderr
        assert run("initialise").exit_code == 2
        assert run("initialise", "--passphrase-file", str(passphrase)).exit_code == 0
        assert run("initialise", "--passphrase-file", str(passphrase)).exit_code == 4
        run("seal")
        assert run("unseal").exit_code == 2
        assert run("unseal", "--passphrase-file", str(passphrase)).exit_code == 0
        passphrase.chmod(0o640)
        refused = run("unseal", "--passphrase-file", str(passphrase))
        assert (refused.exit_code, "read by others" in refused.stderr) == (2, True)
        assert run("unseal", "--passphrase-file", str(folder / "missing")).exit_code == 2


def test_fields_come_from_a_private_file(run: Run, folder: Path) -> None:
    fields = folder / "fields.json"
    fields.write_text(BASIC)
    fields.chmod(0o644)
    assert run(*PUT_GIT, "--from-file", str(fields)).exit_code == 2
    fields.chmod(0o600)
    assert run(*PUT_GIT, "--from-file", str(fields)).exit_code == 0
    assert run("rotate", "git/acme", "--from-file", "-", stdin=BASIC).exit_code == 0


@pytest.mark.req("O2")
@pytest.mark.parametrize(
    "stdin",
    [
        "",
        "planted secret",
        '{"password": "planted secret"',
        '["planted secret"]',
        '{"username": "robot", "password": 12345678}',
        '{"username": "robot", "password": "planted"}',
        '{"username": "robot", "password": "planted secret", "planted": "planted secret"}',
        '{"username": "planted' + "x" * 70_000 + '"}',
    ],
)
def test_malformed_fields_are_refused_and_not_shown(run: Run, vault: VaultProcess, stdin: str) -> None:
    refused = run(*PUT_GIT, stdin=stdin)
    assert refused.exit_code == 2
    assert "planted secret" not in refused.output
    assert changes_or_none(vault.folder) == []


def changes_or_none(folder: Path) -> list[dict[str, object]]:
    return changes(folder) if (folder / "ledger.sqlite3").exists() else []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("put", "Git/Acme", "--kind", "basic", "--host", "x.com"), 2),
        (("put", "git/acme", "--kind", "basic", "--host", "x y"), 2),
        (("put", "git/acme", "--kind", "basic"), 2),
        (("put", "git/acme", "--kind", "pgp", "--host", "x.com"), 2),
        (("rotate", "git/none"), 4),
        (("rotate", "../x"), 2),
        (("destroy", "git/none", "--yes"), 4),
        (("destroy", "git/none"), 2),
    ],
)
def test_a_command_that_does_not_fit_changes_nothing(
    run: Run, vault: VaultProcess, words: tuple[str, ...], code: int
) -> None:
    assert run(*words, stdin=BASIC).exit_code == code
    assert changes_or_none(vault.folder) == []


def test_without_a_vault_the_command_says_how_to_start_one(folder: Path) -> None:
    told = caller(folder)("status")
    assert told.exit_code == 4
    assert "ostiary up" in told.stderr


def test_without_a_ledger_nothing_is_changed(run: Run, vault: VaultProcess) -> None:
    (vault.folder / "ledger.sqlite3").mkdir()
    refused = run(*PUT_GIT, stdin=BASIC)
    assert refused.exit_code == 4
    assert "nothing was changed" in refused.stderr
    assert json.loads(run("list").stdout) == []
    sealed = run("seal")
    assert sealed.exit_code == 4
    assert "not on the ledger" in sealed.stderr
    assert json.loads(run("status").stdout)["state"] == "sealed"


def test_no_command_can_show_a_value(run: Run) -> None:
    run(*PUT_GIT, stdin=BASIC)
    shown = "".join(run(word, "-o", fmt).output for word in ("list", "status") for fmt in ("json", "yaml", "table"))
    assert "robot" in shown
    assert PASSWORD not in shown


def typed_at_a_terminal(folder: Path, words: list[str], lines: list[str]) -> tuple[int, str]:
    """Run a command on a terminal of its own, type a line at each prompt, return its code and all that was shown."""
    command = [sys.executable, "-m", "broker.cli", "--data", str(folder), "vault", *words]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, command)  # noqa: S606 - the child becomes the command
    shown, waiting = b"", [line.encode() + b"\n" for line in lines]
    seen = 0
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the terminal's other end is closed
            break
        shown += piece
        if waiting and shown[seen:].rstrip(b"\r\n").endswith(b": "):
            seen = len(shown)
            os.write(terminal, waiting.pop(0))
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def test_at_a_terminal_secrets_are_asked_for_and_not_echoed(vault: VaultProcess) -> None:
    words = ["put", "aws/prod", "--kind", "aws", "--host", "*.amazonaws.com"]
    code, shown = typed_at_a_terminal(vault.folder, words, ["AKIAIOSFODNN7EXAMPLE", AWS_SECRET, ""])
    assert code == 0, shown
    assert "AKIAIOSFODNN7EXAMPLE" in shown
    assert AWS_SECRET not in shown
    assert all(name in shown for name in FIELDS[CredentialKind.AWS])
    code, shown = typed_at_a_terminal(vault.folder, ["destroy", "aws/prod"], ["n"])
    assert (code, "nothing was destroyed" in shown) == (2, True)
    code, shown = typed_at_a_terminal(vault.folder, ["destroy", "aws/prod"], ["y"])
    assert code == 0, shown


@pytest.mark.req("V1")
def test_private_keys_are_taken_from_a_private_file_or_in_json(run: Run, vault: VaultProcess) -> None:
    key, file = app_key()[0], vault.folder / "app.pem"
    file.write_text(key)
    file.chmod(0o600)
    words = ["put", "github/app", "--kind", "github-app", "--host", "api.github.com"]
    code, shown = typed_at_a_terminal(vault.folder, words, ["12345", str(file)])
    assert code == 0, shown
    assert key.splitlines()[2] not in shown
    again = run("rotate", "github/app", stdin=json.dumps({"app_id": "12345", "private_key": key}))
    assert json.loads(again.stdout)["identity"] == "12345"
    file.chmod(0o644)
    code, shown = typed_at_a_terminal(
        vault.folder, ["put", "git/ssh", "--kind", "ssh", "--host", "h.com:22"], [str(file)]
    )
    assert (code, "read by others" in shown) == (2, True)


def test_at_a_terminal_a_new_passphrase_is_asked_for_twice_and_not_echoed(folder: Path) -> None:
    with running_vault(folder, passphrase=True):
        words = ["a passphrase of mine", "a passphrase of mine"]
        code, shown = typed_at_a_terminal(folder, ["initialise"], words)
        assert (code, "a passphrase of mine" in shown) == (0, False)


async def test_bare_vault_runs_the_process_in_the_foreground() -> None:
    with short_folder() as folder, (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "broker.cli", "--data", str(folder), "vault"]
        process = await asyncio.to_thread(subprocess.Popen, command, cwd=ROOT, stderr=log)
        vault = VaultProcess(folder, process)
        await asyncio.to_thread(wait_for_socket, vault)
        client = VaultClient(vault.socket)
        await client.put(CredentialRef("git/a"), CredentialKind.BEARER, {"token": "abcdefghij"}, ["x.com"])
        await client.close()
        assert await asyncio.to_thread(vault.stop) == 0


@pytest.mark.req("V1")
def test_a_vault_in_the_foreground_takes_its_root_key_from_kms_when_a_key_is_set(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, vault_kms_key=KEY.arn, vault_kms_endpoint="https://kms.test")
    assert _root_key(settings) == KmsKey(KEY.arn, "https://kms.test")
    assert _root_key(Settings(data=tmp_path)) == tmp_path / "vault.key"
    assert _root_key(Settings(data=tmp_path, vault_key_file="")) is None


@pytest.mark.parametrize(
    "words",
    [
        ("--kms-key", "alias/vault"),
        ("--kms-key", KEY.arn, "--kms-endpoint", "http://kms.test"),
        ("--kms-key", KEY.arn, "--key-file", "k"),
    ],
)
def test_a_vault_is_not_started_with_a_kms_key_that_does_not_fit(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["vault", "--socket", "s", "--storage", "f", *words])
    with pytest.raises(SystemExit) as caught:
        vault_program()
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_an_endpoint_that_answers_in_the_clear_is_a_usage_error(folder: Path) -> None:
    environment = {"OSTIARY_VAULT_KMS_KEY": KEY.arn, "OSTIARY_VAULT_KMS_ENDPOINT": "http://kms.test"}
    assert CliRunner().invoke(app, ["--data", str(folder), "vault"], env=environment).exit_code == 2
