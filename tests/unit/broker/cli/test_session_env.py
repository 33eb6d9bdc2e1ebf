from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import typer

from broker.access_keys import session_of
from broker.cli import aws_shim
from broker.cli.aws_access import Access, profile_text, with_container
from broker.clock import NS_PER_SECOND
from tests.unit.broker.cli.conftest import House, Run
from tests.unit.broker.doors.parts import FakeProject

OWN = {
    "AWS_PROFILE": "prod",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "real",
    "AWS_ENDPOINT_URL_S3": "https://elsewhere",
    "AWS_BEARER_TOKEN_BEDROCK": "real",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/real",
    "AWS_ROLE_ARN": "arn:aws:iam::1:role/real",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
}
"""What a person may have in the environment."""


@pytest.fixture
def token(house: House) -> str:
    """A session that is alive by the clock of the clients, too."""
    house.world.clock.at_ns = int(datetime.now(UTC).timestamp()) * NS_PER_SECOND
    return house.world.session("reader")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A person's home with keys in every place an SDK looks at."""
    folder = tmp_path / "home"
    (folder / ".aws").mkdir(parents=True)
    keys = "aws_access_key_id = AKIAREAL\naws_secret_access_key = real\n"
    (folder / ".aws" / "credentials").write_text(f"[default]\n{keys}[prod]\n{keys}")
    (folder / ".aws" / "config").write_text(f"[default]\nregion = us-west-2\n{keys}")
    (folder / ".boto").write_text(f"[Credentials]\n{keys}")
    return folder


def applied(text: str, home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a person's shell after it has read ``text``."""
    begin = {**OWN, **more, "HOME": str(home), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["/bin/sh", "-euc", text + "\nenv -0"], env=begin, capture_output=True, check=True, timeout=30
    )
    return dict(item.split("=", 1) for item in done.stdout.decode().split("\0") if item)


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a session of botocore as a program of that environment would."""

    def make(environment: dict[str, str]) -> botocore.session.Session:
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return botocore.session.Session()

    return make


def test_a_shell_that_reads_it_has_the_sessions_key_and_none_of_the_persons(
    run: Run, house: House, token: str, home: Path, sdk: Any
) -> None:
    result = run("session", "env", "--aws", token=token, env=OWN)
    assert result.exit_code == 0, result.stderr
    environment = applied(result.stdout, home)
    assert not OWN.keys() - {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} & environment.keys()
    assert "real" not in " ".join(environment.values()).lower().replace(str(home).lower(), "")
    session = sdk(environment)
    found = session.get_credentials()
    assert session_of(found.access_key) == house.world.session_of(token).id
    assert found.token is None
    assert session.get_config_variable("region") == "eu-central-1"
    client = session.create_client("s3")
    assert client.meta.endpoint_url == house.url


def test_without_the_sessions_key_no_other_is_found(run: Run, token: str, home: Path, sdk: Any) -> None:
    environment = applied(run("session", "env", "--aws", token=token).stdout, home)
    assert "AWS_ENDPOINT_URL_S3" in environment
    del environment["AWS_ACCESS_KEY_ID"], environment["AWS_BEARER_TOKEN_BEDROCK"]
    assert sdk(environment).get_credentials() is None


def test_the_key_can_be_left_to_be_fetched_with_the_token(
    run: Run, house: House, token: str, home: Path, sdk: Any
) -> None:
    result = run("session", "env", "--aws", "--container", "--connection", "aws-main", token=token, env=OWN)
    assert result.exit_code == 0, result.stderr
    secret = sdk(applied(result.stdout, home)).get_credentials().get_frozen_credentials()
    assert session_of(secret.access_key) == house.world.session_of(token).id
    assert secret.secret_key not in result.stdout


def test_a_profile_asks_us_for_the_key(
    run: Run, house: House, token: str, home: Path, sdk: Any, tmp_path: Path
) -> None:
    profile, token_file = tmp_path / "it's a profile", tmp_path / "a token"
    token_file.write_text(token)
    words = ("--token-file", str(token_file), "session", "env", "--aws", "--profile", str(profile))
    result = run(*words, "--connection", "aws-main", env=OWN)
    assert result.exit_code == 0, result.stderr
    assert "presign" not in result.stderr
    assert stat.S_IMODE(profile.stat().st_mode) == 0o600
    session = sdk(applied(result.stdout, home))
    found = session.get_credentials().get_frozen_credentials()
    assert session_of(found.access_key) == house.world.session_of(token).id
    assert found.secret_key not in profile.read_text() + result.stdout
    assert session.get_scoped_config()["s3"]["signature_version"] == "s3v4"
    assert run(*words).exit_code == 0


def test_the_credential_process_prints_what_clients_read(run: Run, house: House) -> None:
    shown = json.loads(run("session", "aws-credentials").stdout)
    assert (shown.pop("Version"), set(shown)) == (1, {"AccessKeyId", "SecretAccessKey", "Expiration"})


def test_what_clients_do_not_do_as_told_is_said_beside_the_output(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words, said in (
        ("", ("sqs", "presign", "wildcard")),
        ("--shell dotenv", ("AWS_PROFILE",)),
        ("--shell dotenv --shim bin", ("first on PATH",)),
        ("--shell json", ("sqs",)),
        ("--shell fish", ("sqs",)),
        ("--shell powershell", ("sqs",)),
    ):
        result = run("session", "env", "--aws", *words.split())
        assert result.exit_code == 0
        assert all(word in result.stderr for word in said), words
        assert "note" not in result.stdout
        assert "AWS_ENDPOINT_URL" in result.stdout


def test_what_cannot_be_meant_exits_2(run: Run) -> None:
    for words in ("", "--aws --container --profile x", "--aws --shim a:b", "--aws --shell csh"):
        result = run("session", "env", *words.split())
        assert (result.exit_code, result.stdout) == (2, ""), words


def test_who_has_no_key_is_told_so(run: Run, house: House) -> None:
    assert run("session", "env", "--aws", token=house.world.pusher_token).exit_code == 4
    assert run("session", "env", "--aws", token=house.world.ana).exit_code == 3
    house.world.config.projects["data"] = FakeProject(())
    assert run("session", "aws-credentials").exit_code == 4


def test_an_api_below_a_path_is_no_endpoint(run: Run, house: House) -> None:
    house.url += "/ostiary"
    assert run("session", "env", "--aws").exit_code == 2


DOCUMENT = {"Region": "eu-central-1", "AccessKeyId": "x", "SecretAccessKey": "y"}


def test_a_token_is_not_sent_for_credentials_over_a_road_others_can_read() -> None:
    with pytest.raises(typer.Exit):
        with_container(Access("http://broker.example", "", DOCUMENT), "t", ())
    made = with_container(Access("https://broker.example", "", DOCUMENT), "t", ())
    assert made.values["AWS_CONTAINER_AUTHORIZATION_TOKEN"] == "Bearer t"


@pytest.mark.parametrize("name", ["a\nb", "a # b", "a;b"])
def test_a_profile_never_holds_what_ends_a_line_or_a_value_of_it(name: str) -> None:
    access = Access("https://broker.example", name, DOCUMENT)
    with pytest.raises(typer.Exit):
        profile_text(access, None)
    assert "credential_process" in profile_text(Access("https://b", "", DOCUMENT), None)


@pytest.mark.parametrize("option", ["--profile", "--shim"])
def test_a_file_of_somebody_else_is_never_written_over(run: Run, tmp_path: Path, option: str) -> None:
    foreign = tmp_path / "aws"
    foreign.write_text("mine")
    result = run("session", "env", "--aws", option, str(foreign if option == "--profile" else tmp_path))
    assert (result.exit_code, foreign.read_text()) == (2, "mine")
    unwritable = run("session", "env", "--aws", option, "/dev/null/x/y")
    assert unwritable.exit_code == 4


def fake_aws(folder: Path) -> Path:
    folder.mkdir()
    program = folder / "aws"
    program.write_text(f"#!/bin/sh\nprintf '%s\\0' {shlex.quote(folder.name)} \"$@\"\n")
    program.chmod(0o755)
    return folder


@pytest.fixture
def shimmed(tmp_path: Path) -> Path:
    return Path(aws_shim.install(tmp_path / "sh im's"))


def call(program: Path, *words: str, path: list[Path], url: str = "http://h:1") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.pathsep.join([*map(str, path), "/usr/bin", "/bin"]), "AWS_ENDPOINT_URL": url}
    return subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=False, timeout=30)


def test_the_shim_names_the_endpoint_to_the_next_aws_and_hands_on_every_word_as_it_is(
    shimmed: Path, tmp_path: Path
) -> None:
    before, after = fake_aws(tmp_path / "before"), fake_aws(tmp_path / "after")
    words = ["s3", "ls", "a b", "", "$(id)", "--endpoint-url", "http://mine", "*"]
    done = call(shimmed / "aws", *words, path=[before, shimmed, tmp_path / "none", after])
    assert done.stdout.split("\0") == ["after", "--endpoint-url", "http://h:1", *words, ""]
    elsewhere = call(shimmed / "aws", path=[before, after])
    assert elsewhere.stdout.split("\0") == ["before", "--endpoint-url", "http://h:1", ""]


def test_two_shims_come_to_the_real_aws(shimmed: Path, tmp_path: Path) -> None:
    other, real = Path(aws_shim.install(tmp_path / "other")), fake_aws(tmp_path / "real")
    done = call(shimmed / "aws", "x", path=[shimmed, other, real, shimmed])
    assert done.returncode == 127
    done = call(shimmed / "aws", "x", path=[shimmed, other, shimmed, real])
    assert done.stdout.split("\0")[0] == "real"
    assert done.stdout.split("\0")[-2] == "x"


def test_the_shim_does_nothing_without_an_endpoint_or_another_aws(shimmed: Path, tmp_path: Path) -> None:
    assert call(shimmed / "aws", path=[shimmed]).returncode == 127
    assert call(shimmed / "aws", path=[shimmed, fake_aws(tmp_path / "real")], url="").returncode == 2


@pytest.fixture
def recorder() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.headers["X-Amz-Target"])
            self.send_response(400)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def test_the_real_command_line_reaches_us_even_for_sqs(shimmed: Path, recorder: tuple[str, list[str]]) -> None:
    url, asked = recorder
    environment = {
        "PATH": os.pathsep.join([str(shimmed), str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_MAX_ATTEMPTS": "1",
    }
    subprocess.run(
        [shimmed / "aws", "sqs", "list-queues"], env=environment, capture_output=True, check=False, timeout=60
    )
    assert asked == ["AmazonSQS.ListQueues"]
