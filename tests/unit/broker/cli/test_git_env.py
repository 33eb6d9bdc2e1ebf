from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer

from broker.cli import door_access
from broker.cli.client import Api
from broker.cli.door_access import DoorAccess, Reached
from broker.cli.git_access import MARKER, addresses, changes, notes
from broker.cli.shells import Shell, script
from connectors.base import Connection
from tests.unit.broker.cli.conftest import House, Run
from tests.unit.broker.doors.parts import FakeProject

TOKEN = "ost_s_token"
GITHUB = Reached("code", "git", "https://github.com")


@pytest.fixture(scope="module")
def recorder() -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """A host that asks for a password and then has no such repository."""
    asked: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            known = "Authorization" in self.headers
            self.send_response(404 if known else 401)
            if not known:
                self.send_header("WWW-Authenticate", 'Basic realm="ostiary"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A person's home, whose git keeps every password it is given and sends a key of theirs to everybody."""
    helper = tmp_path / "helper"
    helper.write_text(f'#!/bin/sh\ncat >> {tmp_path}/kept\nif test "$1" = get; then echo username=me; fi\n')
    helper.chmod(0o755)
    (tmp_path / ".gitconfig").write_text(f"[credential]\n helper = {helper}\n[http]\n extraHeader = X-Key: real\n")
    return tmp_path


def run_git(home: Path, text: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run git in a shell that has read ``text``."""
    begin = {"HOME": str(home), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", **more}
    call = ["/bin/sh", "-euc", text + '\nexec git "$@"', "sh", *words]
    return subprocess.run(call, env=begin, capture_output=True, text=True, check=False, timeout=30)


def entries(text: dict[str, str]) -> list[tuple[str, str]]:
    count = int(text["GIT_CONFIG_COUNT"])
    return [(text[f"GIT_CONFIG_KEY_{each}"], text[f"GIT_CONFIG_VALUE_{each}"]) for each in range(count)]


ADDRESSES = ["https://github.com/", "git@github.com:", "ssh://git@github.com/"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_git_comes_to_us_with_the_token_and_nothing_of_the_persons(
    recorder: tuple[str, list[tuple[str, dict[str, str]]]], home: Path, address: str
) -> None:
    url, asked = recorder
    asked.clear()
    text = script(changes(DoorAccess(url, TOKEN, (GITHUB,)), "", {}), Shell.SH)
    done = run_git(home, text, "ls-remote", f"{address}acme/app.git")
    assert done.returncode == 128
    paths = {path for path, _ in asked}
    assert paths == {"/git/code/acme/app.git/info/refs?service=git-upload-pack"}, done.stderr
    scheme, _, credentials = asked[-1][1]["authorization"].partition(" ")
    assert (scheme, base64.b64decode(credentials).decode()) == ("Basic", f"ostiary:{TOKEN}")
    assert not any("x-key" in headers for _, headers in asked)
    assert not (home / "kept").exists()


def test_a_rewriting_of_the_persons_to_ssh_fails_rather_than_uses_their_key(home: Path) -> None:
    with (home / ".gitconfig").open("a") as file:
        file.write('[url "git@elsewhere.example:"]\n insteadOf = https://github.com/\n')
    text = script(changes(DoorAccess("http://127.0.0.1:1", TOKEN, (GITHUB,)), "", {}), Shell.SH)
    done = run_git(home, text, "ls-remote", "https://github.com/acme/app.git", GIT_SSH_COMMAND="touch used; false")
    assert "'ssh' not allowed" in done.stderr
    assert not Path("used").exists()


def test_pushes_go_where_fetches_go(home: Path) -> None:
    text = script(changes(DoorAccess("https://o.example", TOKEN, (GITHUB,)), "", {}), Shell.SH)
    run_git(home, "", "init", "-q", str(home / "app"))
    run_git(home, "", "-C", str(home / "app"), "remote", "add", "origin", "git@github.com:acme/app.git")
    for push in ((), ("--push",)):
        done = run_git(home, text, "-C", str(home / "app"), "remote", "get-url", *push, "origin")
        assert done.stdout == "https://o.example/git/code/acme/app.git\n"


def test_what_the_caller_configures_is_kept_and_an_earlier_call_is_replaced(home: Path) -> None:
    access = DoorAccess("https://o.example", TOKEN, (GITHUB,))
    own = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "Ana"}
    once = dict(changes(access, "", own).values)
    assert entries(once)[0] == ("user.name", "Ana")
    done = run_git(home, "", "config", "user.name", **once)
    assert done.stdout == "Ana\n"
    again = changes(access, "", once).values
    assert again == once
    added = int(once["GIT_CONFIG_COUNT"])
    later = {
        **once,
        "GIT_CONFIG_COUNT": str(added + 1),
        f"GIT_CONFIG_KEY_{added}": "a.b",
        f"GIT_CONFIG_VALUE_{added}": "",
    }
    elsewhere = replace(access, url="https://other.example")
    moved = entries(dict(changes(elsewhere, "", later).values))
    assert moved[:2] == [("user.name", "Ana"), ("a.b", "")]
    assert [key for key, _ in moved].count(MARKER) == 1
    assert not any("//o.example" in key for key, _ in moved)


@pytest.mark.parametrize(
    "given",
    [
        {"GIT_CONFIG_COUNT": "x"},
        {"GIT_CONFIG_COUNT": "-1"},
        {"GIT_CONFIG_COUNT": "99999999999"},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b"},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_VALUE_0": "a.b"},
    ],
)
def test_entries_that_git_refuses_are_told(given: dict[str, str]) -> None:
    with pytest.raises(typer.Exit):
        changes(DoorAccess("https://o.example", TOKEN, (GITHUB,)), "", given)


def test_an_earlier_call_that_lost_its_end_is_replaced_as_far_as_it_is_there() -> None:
    given = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": MARKER, "GIT_CONFIG_VALUE_0": "x"}
    access = DoorAccess("https://o.example", TOKEN, (GITHUB,))
    assert changes(access, "", given) == changes(access, "", {"GIT_CONFIG_COUNT": ""})


@pytest.mark.parametrize(("given", "allowed"), [(None, "file:http:https"), ("https:ssh", "https"), ("", "")])
def test_git_may_speak_nothing_it_might_not_speak_before(given: str | None, allowed: str) -> None:
    environment = {} if given is None else {"GIT_ALLOW_PROTOCOL": given}
    made = changes(DoorAccess("https://o.example", TOKEN, (GITHUB,)), "", environment)
    assert made.values["GIT_ALLOW_PROTOCOL"] == allowed


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "https://github.com",
            ["https://github.com/", "https://git@github.com/", "http://github.com/", "git://github.com/",
             "ssh://git@github.com/", "ssh://github.com/", "git@github.com:"],
        ),
        ("https://git.example/scm", ["https://git.example/scm/", "https://git@git.example/scm/"]),
        ("https://git.example:8443", ["https://git.example:8443/", "https://git@git.example:8443/"]),
        ("http://[::1]:3000", ["http://[::1]:3000/", "http://git@[::1]:3000/"]),
    ],
)  # fmt: skip
def test_a_host_is_known_by_every_address_that_surely_means_it(url: str, expected: list[str]) -> None:
    assert addresses(url) == expected


def test_of_two_connections_to_one_host_the_first_is_taken_unless_one_is_named() -> None:
    access = DoorAccess("https://o.example", TOKEN, (GITHUB, Reached("bot", "git", "https://github.com")))
    bases = {key for key, _ in entries(dict(changes(access, "", {}).values)) if key.startswith("url.")}
    assert bases == {f"url.https://o.example/git/code/.{way}" for way in ("insteadOf", "pushInsteadOf")}
    assert any("`bot`" in note for note in notes(access, ""))
    named = {key for key, _ in entries(dict(changes(access, "bot", {}).values)) if key.startswith("url.")}
    assert named == {f"url.https://o.example/git/bot/.{way}" for way in ("insteadOf", "pushInsteadOf")}
    assert not any("`bot`" in note for note in notes(access, "bot"))


@pytest.fixture
def connected(house: House) -> House:
    world = house.world
    credential = world.config.connections["git-main"].credential
    for name, connector in (("code", "git"), ("hub", "github")):
        world.config.connections[name] = Connection(name, connector, credential, {"url": "https://github.com"})
    world.config.projects["data"] = FakeProject(("aws-main", "code", "hub"))
    return house


def test_the_command_leads_all_kinds_of_clients_at_once(run: Run, connected: House) -> None:
    result = run("session", "env", "--aws", "--git", "--github", "--shell", "json")
    assert result.exit_code == 0, result.stderr
    made: dict[str, Any] = json.loads(result.stdout)
    values, token = made["set"], connected.world.reader_token
    assert (f"url.{connected.url}/git/code/.insteadOf", "https://github.com/") in entries(values)
    assert (values["OSTIARY_TOKEN"], values["GH_ENTERPRISE_TOKEN"]) == (token, token)
    assert values["GH_HOST"] == connected.url.removeprefix("http://")
    assert values["GITHUB_API_URL"] == f"{connected.url}/api/v3"
    assert values["AWS_ENDPOINT_URL"] == connected.url
    assert {"GH_TOKEN", "GITHUB_TOKEN", "GIT_SSL_NO_VERIFY", "AWS_PROFILE"} <= set(made["unset"])
    assert token not in result.stderr
    assert "https only" in result.stderr


@pytest.mark.parametrize("shell", ["sh", "fish", "dotenv", "powershell"])
def test_every_shell_can_take_the_changes(run: Run, connected: House, shell: str) -> None:
    result = run("session", "env", "--git", "--connection", "code", "--shell", shell)
    assert result.exit_code == 0, result.stderr
    assert "GIT_TERMINAL_PROMPT" in result.stdout
    # It takes a variable away that is set to nothing, and git refuses an entry without a value.
    assert ("= ''" in result.stdout) is False


def test_clients_of_github_over_tls_need_no_warning(run: Run, connected: House) -> None:
    from broker.cli import github_access

    access = DoorAccess("https://o.example:8443", TOKEN, (Reached("hub", "github", ""),))
    assert not any("https only" in note for note in github_access.notes(access))
    assert github_access.changes(access).values["GH_HOST"] == "o.example:8443"
    with pytest.raises(typer.Exit):
        github_access.changes(replace(access, url="https://o.example/below"))


@pytest.mark.parametrize(
    "words",
    [
        "--git --shim x", "--github --container", "--git --aws --connection code", "--github --connection hub",
        "--git --profile x",
    ],
)  # fmt: skip
def test_what_cannot_be_meant_exits_2(run: Run, connected: House, words: str) -> None:
    result = run("session", "env", *words.split())
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("words", ["--git --connection hub", "--git --connection none"])
def test_a_connection_the_project_has_not_exits_4(run: Run, connected: House, words: str) -> None:
    assert run("session", "env", *words.split()).exit_code == 4


def test_a_project_without_github_and_an_operator_are_told_so(run: Run, house: House) -> None:
    assert run("session", "env", "--github").exit_code == 4
    assert run("session", "env", "--git", token=house.world.ana).exit_code == 3


@pytest.mark.parametrize("answer", [{}, {"connections": 5}, {"connections": [5]}])
def test_an_answer_that_is_none_of_ours_ends_the_command(answer: dict[str, Any]) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(typer.Exit):
            door_access.fetch(Api(url, TOKEN), url, TOKEN)
