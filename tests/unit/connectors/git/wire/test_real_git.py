"""The stock git client in front of our side of the protocol, and the stock git host behind it."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.git.wire.advertisement_out import MEDIA_TYPE, push_advertisement
from connectors.git.wire.fetch_request import FetchKind, FetchRequest, check_fetch, check_protocol
from connectors.git.wire.push_request import PushRequest, read_push_request
from connectors.git.wire.report import parse_report, render_report
from connectors.git.wire.sideband import KEEP_ALIVE, progress
from connectors.git.wire.upstream_push import render_push
from connectors.git.workshop import Cleaner
from tests.parts.git_wire import joined, pieces
from tests.parts.threaded_http import QuietHandler, threaded

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": os.devnull,
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    **{f"GIT_{who}_{what}": "ada@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}
UPSTREAM = frozenset(
    ("report-status", "side-band-64k", "atomic", "delete-refs", "push-options", "object-format=sha1", "agent=git")
)
HOOK = "#!/bin/sh\necho checked ${GIT_PUSH_OPTION_0:-nothing} >&2\n! grep -q refs/heads/protected\n"


def git(
    *arguments: str | Path, stdin: bytes = b"", protocol: str = "", ok: bool = True
) -> subprocess.CompletedProcess[bytes]:
    environment = {**ENVIRONMENT, "GIT_PROTOCOL": protocol}
    done = subprocess.run(["git", *arguments], input=stdin, capture_output=True, env=environment, check=False)
    assert (done.returncode == 0) is ok, done.stderr.decode()
    return done


class Host:
    """A bare repository behind our side of the protocol, and what was asked of it."""

    def __init__(self, bare: Path) -> None:
        self.bare = bare
        self.pushes: list[PushRequest] = []
        self.fetches: list[FetchRequest] = []
        self.url = ""

    def refs(self) -> dict[str, str]:
        listed = git("-C", self.bare, "for-each-ref", "--format=%(refname) %(objectname)").stdout.decode()
        return dict(line.split() for line in listed.splitlines())

    def push(self, body: bytes) -> bytes:
        request, rest = asyncio.run(_read(body))
        if not request.updates:
            return b""
        self.pushes.append(request)
        head = render_push(request.updates, UPSTREAM, atomic=request.atomic, options=request.options)
        answer = git("receive-pack", "--stateless-rpc", self.bare, stdin=head + rest).stdout
        report = parse_report(answer, Cleaner("Bearer none"))
        beside = KEEP_ALIVE + progress("\n".join(report.words)) if request.sideband else b""
        return beside + render_report(report.unpack, report.results, sideband=request.sideband)


async def _read(body: bytes) -> tuple[PushRequest, bytes]:
    request, rest = await read_push_request(pieces(body, 999))
    return request, await joined(rest)


class Handler(QuietHandler):
    host: Host

    def respond(self) -> None:
        protocol = check_protocol(self.headers.get("Git-Protocol", ""))
        path = urlsplit(self.path)
        service = parse_qs(path.query).get("service", [""])[0] or path.path.rpartition("/")[2]
        body = self.whole_body()
        media_type = f"application/x-{service}-result"
        if self.command == "GET" and service == "git-receive-pack":
            answer, media_type = push_advertisement(self.host.refs()), MEDIA_TYPE
        elif self.command == "GET":
            answer = git("upload-pack", "--http-backend-info-refs", self.host.bare, protocol=protocol).stdout
            answer = (b"" if protocol == "version=2" else b"001e# service=git-upload-pack\n0000") + answer
            media_type = "application/x-git-upload-pack-advertisement"
        elif service == "git-receive-pack":
            answer = self.host.push(body)
        else:
            self.host.fetches.append(check_fetch(body, protocol))
            answer = git("upload-pack", "--stateless-rpc", self.host.bare, stdin=body, protocol=protocol).stdout
        self.reply(200, answer, ("Content-Type", media_type))

    def whole_body(self) -> bytes:
        body = self.body()
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    bare = tmp_path / "app.git"
    git("init", "--quiet", "--bare", "--template=", "--initial-branch=main", bare)
    for option in ("receive.advertisePushOptions", "uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        git("-C", bare, "config", option, "true")
    (bare / "hooks").mkdir()
    (bare / "hooks" / "pre-receive").write_text(HOOK)
    (bare / "hooks" / "pre-receive").chmod(0o755)

    class Bound(Handler):
        host = Host(bare)

    with threaded(Bound) as address:
        Bound.host.url = f"http://{address}/acme/app.git"
        yield Bound.host


@pytest.fixture
def work(tmp_path: Path, host: Host) -> Path:
    folder = tmp_path / "work"
    git("init", "--quiet", "--template=", "--initial-branch=main", folder)
    git("-C", folder, "remote", "add", "origin", host.url)
    for number in range(3):
        git("-C", folder, "commit", "--quiet", "--allow-empty", "--message", f"commit {number}")
    return folder


def test_the_stock_client_pushes_creates_deletes_and_reads_a_refusal(host: Host, work: Path) -> None:
    pushed = git("-C", work, "push", "--porcelain", "--push-option=fast", "origin", "main", "main~1:refs/tags/v1")
    assert b"remote: checked fast" in pushed.stderr
    assert sorted(host.refs()) == ["refs/heads/main", "refs/tags/v1"]
    assert host.pushes[0].options == ("fast",)
    again = git("-C", work, "push", "--porcelain", "origin", "main")
    assert b"[up to date]" in again.stdout
    no = git("-C", work, "push", "--porcelain", "--atomic", "origin", "main:protected", ":refs/tags/v1", ok=False)
    assert no.stdout.count(b"[remote rejected] (pre-receive hook declined)") == 2
    assert host.pushes[1].atomic
    git("-C", work, "push", "--quiet", "origin", ":refs/tags/v1")
    assert sorted(host.refs()) == ["refs/heads/main"]


def test_a_large_push_comes_in_chunks_after_a_probe(host: Host, work: Path) -> None:
    (work / "big").write_bytes(hashlib.shake_128(b"does not compress").digest(200_000))
    git("-C", work, "add", "big")
    git("-C", work, "commit", "--quiet", "--message", "big")
    git("-C", work, "-c", "http.postBuffer=65536", "push", "--quiet", "origin", "main")
    assert list(host.refs()) == ["refs/heads/main"]
    assert len(host.pushes) == 1


@pytest.mark.parametrize("version", [0, 1, 2])
def test_every_request_of_the_stock_client_passes(host: Host, work: Path, tmp_path: Path, version: int) -> None:
    git("-C", host.bare, "fetch", "--quiet", work, "main:main")
    speak = ("-c", f"protocol.version={version}")
    git(
        *speak, "clone", "--quiet", "--depth=1", "--filter=blob:none", "--no-single-branch", host.url, tmp_path / "copy"
    )
    git(*speak, "-C", tmp_path / "copy", "fetch", "--quiet", "--deepen=1")
    git("-C", work, "commit", "--quiet", "--allow-empty", "--message", "new")
    git("-C", host.bare, "fetch", "--quiet", work, "main:main")
    git(*speak, "-C", tmp_path / "copy", "fetch", "--quiet", "--unshallow")
    git(*speak, "ls-remote", host.url)
    assert [found for found in host.fetches if found.kind is FetchKind.FETCH and found.haves]
    assert (FetchRequest(FetchKind.LIST) in host.fetches) is (version == 2)
