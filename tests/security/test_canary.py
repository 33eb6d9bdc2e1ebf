"""Invariant 1: no secret leaves. Real upstreams, every kind of answer, then a search for the secrets everywhere."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.parts.git_server import GitServer, git_server
from tests.parts.http_api import call
from tests.parts.moto import Moto, moto_server
from tests.parts.up import Up, data_folder
from vault.variants import variants

CONFIG = """\
version: 1
projects: {{all: {{connections: [lake, code, dead]}}}}
agents: {{canary: {{project: all}}}}
operators:
  admin: {{roles: [admin]}}
  alice: {{roles: [approver]}}
connections:
  lake: {{connector: aws, credential: aws/lake, account: "{account}", regions: [{region}], endpoint: "{endpoint}"}}
  dead: {{connector: aws, credential: aws/lake, account: "{account}", regions: [{region}], endpoint: "http://127.0.0.1:9"}}
  code: {{connector: git, credential: git/code, url: "{git}"}}
"""
POLICY = """\
  - s3:* on lake/*
  - s3:ListBucket on lake
  - s3:GetObject on elsewhere/*
  - git:read on repos/*
  - git:push on repos/*/branches/feature/*
  - allow: git:push on repos/*/branches/main
    requires_approval: true
  - deny s3:PutObject on lake/forbidden
"""


@dataclass
class Scene:
    up: Up
    moto: Moto
    git: GitServer
    token: str
    answers: list[str] = field(default_factory=list)

    @property
    def secrets(self) -> dict[str, str]:
        return {"aws": self.moto.secret_key, "git": self.git.rw_token}

    def ask(self, action: str, connection: str = "lake", **params: Any) -> tuple[int, Any]:
        body = {"action": action, "params": params, "connection": connection}
        status, answer = call(self.up.ready["url"], "POST", "/v1/intents", self.token, body)
        self.answers.append(json.dumps(answer))
        return status, answer


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with data_folder() as up, moto_server({"lake": {"a.txt": b"plain"}}) as moto, git_server(up.folder / "g") as git:
        git.create_repo("acme/app")
        git.seed_repo("acme/app")
        filled = CONFIG.format(account=moto.account, region=moto.region, endpoint=moto.endpoint, git=git.url)
        up.configure(filled, canary=POLICY)
        up.start()
        host = moto.endpoint.removeprefix("http://")
        up.seal("aws/lake", "aws", host, access_key_id=moto.access_key, secret_access_key=moto.secret_key)
        up.seal(
            "git/code", "basic", git.url.removeprefix("http://").partition("/")[0], username="u", password=git.rw_token
        )
        token = up.answer("session", "start", "--agent", "canary")["token"]
        yield Scene(up, moto, git, token)
        up.end()


def bundle_of(scene: Scene, branch: str, content: str) -> str:
    """A base64 bundle that puts one commit on top of upstream's main."""
    work = scene.up.folder / f"work-{branch.replace('/', '-')}"
    environment = {
        "PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(scene.up.folder), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
    }  # fmt: skip

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], env=environment, cwd=scene.up.folder, check=True, capture_output=True)

    git("clone", "-q", str(scene.git.path("acme/app")), str(work))
    git("-C", str(work), "checkout", "-q", "-b", "work")
    (work / "f.txt").write_text(content)
    git("-C", str(work), "add", "-A")
    git("-C", str(work), "commit", "-q", "-m", "c")
    git("-C", str(work), "update-ref", f"refs/heads/{branch}", "HEAD")
    bundle = work / "x.bundle"
    git("-C", str(work), "bundle", "create", str(bundle), f"origin/main..{branch}")
    return base64.b64encode(bundle.read_bytes()).decode()


def every_encoding(secret: str) -> list[bytes]:
    found = {each for each in variants(secret.encode()) if len(each) >= 8}
    assert len(found) > 8
    return sorted(found)


# First of all, as the next test lets the upstream send the key back through the api.
@pytest.mark.req("V1")
def test_the_aws_key_is_never_in_the_memory_of_api_or_worker(scene: Scene) -> None:
    scene.ask("s3:GetObject", Bucket="lake", Key="a.txt")
    secret, known = scene.moto.secret_key.encode(), scene.moto.access_key.encode()
    assert in_memory(scene.up.pid_of("api"), known), "the search finds what is there"
    for name in ("api", "worker"):
        assert not in_memory(scene.up.pid_of(name), secret), name


@pytest.mark.req("V2")
def test_a_result_that_holds_a_secret_comes_back_masked_in_every_encoding(scene: Scene) -> None:
    secret = scene.moto.secret_key
    disguises = {
        "raw": secret, "url": urllib.parse.quote(secret, safe=""), "hex": secret.encode().hex(),
        "base64": base64.b64encode(f"user:{secret}".encode()).decode(), "json": json.dumps({"k": secret}),
        "reversed": secret[::-1], "large": "x" * 300_000 + secret + "y" * 70_000,
    }  # fmt: skip
    for name, text in disguises.items():
        scene.moto.client().put_object(Bucket="lake", Key=name, Body=text.encode())
        status, answer = scene.ask("s3:GetObject", Bucket="lake", Key=name)
        assert status == 200
        if answer["output"]:
            _, body = call(scene.up.ready["url"], "GET", answer["output"]["href"], scene.token)
        else:
            body = base64.b64decode(answer["result"]["body"]["data"])
        assert len(body) == len(text)
        assert b"*" * 20 in body
        assert not [each for each in every_encoding(secret) if each in body]


@pytest.mark.req("A1")
@pytest.mark.req("O2")
def test_no_answer_of_any_kind_holds_a_secret(scene: Scene) -> None:
    expected = {
        "read": scene.ask("s3:GetObject", Bucket="lake", Key="a.txt"),
        "head": scene.ask("s3:HeadObject", Bucket="lake", Key="a.txt"),
        "write": scene.ask("s3:PutObject", Bucket="lake", Key="b", Body=base64.b64encode(b"b").decode()),
        "copy": scene.ask("s3:CopyObject", Bucket="lake", Key="c", CopySource={"Bucket": "lake", "Key": "b"}),
        "list": scene.ask("s3:ListObjectsV2", Bucket="lake"),
        "destroy": scene.ask("s3:DeleteObject", Bucket="lake", Key="b"),
        "clone": scene.ask("git:read", "code", repo="acme/app", what="bundle"),
        "push": scene.ask("git:push", "code", repo="acme/app", bundle=bundle_of(scene, "feature/a", "1")),
    }
    assert {name: status for name, (status, _) in expected.items()} == dict.fromkeys(expected, 200)
    refused = {
        403: scene.ask("s3:PutObject", Bucket="lake", Key="forbidden", Body=""),
        202: scene.ask("git:push", "code", repo="acme/app", bundle=bundle_of(scene, "main", "2")),
        422: scene.ask("s3:GetObject", Bucket="Lake*", Key="\u0000"),
    }
    assert {want: status for want, (status, _) in refused.items()} == {want: want for want in refused}
    for action, connection, params in (
        ("s3:GetObject", "lake", {"Bucket": "lake", "Key": "missing"}),
        ("s3:GetObject", "lake", {"Bucket": "elsewhere", "Key": "a"}),
        ("s3:GetObject", "dead", {"Bucket": "lake", "Key": "a.txt"}),
        ("git:read", "code", {"repo": "acme/none", "what": "refs"}),
    ):
        status, answer = scene.ask(action, connection, **params)
        assert 400 <= status < 600, answer
        assert answer["type"].startswith(("urn:ostiary:problem:upstream-", "urn:ostiary:problem:credential-refused"))
    everything = "\n".join(scene.answers)
    for name, secret in scene.secrets.items():
        assert not [each for each in every_encoding(secret) if each.decode("latin1") in everything], name


@pytest.mark.req("V1")
def test_no_file_and_no_queue_and_no_log_holds_a_secret(scene: Scene) -> None:
    scene.ask("s3:GetObject", Bucket="lake", Key="a.txt")
    files = [
        each
        for each in scene.up.folder.rglob("*")
        if each.is_file() and "g" not in each.relative_to(scene.up.folder).parts
    ]
    assert any(each.name == "ledger.sqlite3" for each in files)
    assert any(each.suffix == ".log" for each in files)
    for path in files:
        data = path.read_bytes()
        for name, secret in {**scene.secrets, "session token": scene.token}.items():
            held = [each for each in every_encoding(secret) if each in data]
            assert not held, f"{name} in {path.name}"


def in_memory(pid: int, needle: bytes) -> bool:
    """Search a process's writable memory as a debugger would."""
    try:
        memory = Path(f"/proc/{pid}/mem").open("rb", buffering=0)  # noqa: SIM115 - closed below
    except PermissionError:
        pytest.skip("this user may not read its own processes' memory")
    with memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(each, 16) for each in span.split("-"))
            try:
                memory.seek(start)
                if needle in memory.read(end - start):
                    return True
            except (OSError, OverflowError, ValueError):
                continue
    return False
