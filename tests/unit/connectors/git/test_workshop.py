from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from connectors.errors import NotSentError
from connectors.git.process import GitPrograms
from connectors.git.smart_http import HttpReach, HttpRemote
from connectors.git.workshop import MAX_WORDS, Cleaner, Workshop, open_workshop
from connectors.guard import AddressGuard
from tests.fakes import FakeTransport
from tests.parts.git_server import Fault, git_server
from tests.unit.connectors.test_transport_guard import ScriptedDns

URL = "http://127.0.0.1:1/acme/app.git"
NAMED = "https://git.test/acme/app.git"
PAIR = "bot:hunter2hunter2"
BASIC = "Basic " + base64.b64encode(PAIR.encode()).decode()


@asynccontextmanager
async def workshop(
    folder: Path, url: str = URL, *, authorization: str = BASIC, git: str = ""
) -> AsyncIterator[Workshop]:
    reach = HttpReach(AddressGuard(), ScriptedDns(["8.8.8.8"]), None, 60)
    remote = HttpRemote(url, authorization, FakeTransport(), reach)
    async with open_workshop(GitPrograms(git), folder, remote, Cleaner(authorization)) as shop:
        yield shop


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.mark.parametrize("secret", [BASIC, BASIC.partition(" ")[2], PAIR, "hunter2hunter2"])
def test_no_form_of_a_password_stays_in_words(secret: str) -> None:
    words = Cleaner(BASIC)(f"fatal: cannot use {secret} here".encode())
    assert words == "fatal: cannot use [redacted] here"


def test_no_form_of_a_token_stays_in_words() -> None:
    assert Cleaner("Bearer tok-1")(b"Authorization: Bearer tok-1, tok-1") == "Authorization: [redacted], [redacted]"
    assert Cleaner("Bearer /4E=")(b"x /4E= y") == "x [redacted] y"
    assert "tok" not in repr(Cleaner("Bearer tok-1"))


def test_without_a_credential_words_are_cleaned_all_the_same() -> None:
    assert Cleaner("")(b"a\x1b[2Jb") == "a [2Jb"


def test_words_from_outside_are_one_short_printable_line() -> None:
    assert Cleaner("Bearer t0")(b"remote: \x1b[31mno\x07\xff\r\n\n  way  \n") == "remote: [31mno \ufffd; way"
    assert len(Cleaner("Bearer t0")(b"x" * 5000)) == MAX_WORDS


async def test_a_workshop_has_an_empty_repository_without_hooks(tmp_path: Path) -> None:
    async with workshop(tmp_path) as shop:
        assert not (shop.area.repository / "hooks").exists()
        listed = await shop.git("config", "--list", "--show-scope")
        assert b"system" not in listed.stdout
        assert (await shop.git("for-each-ref")).stdout == b""
        assert shop.url == URL
    assert left_in(tmp_path) == []


async def test_no_other_protocol_is_spoken(tmp_path: Path) -> None:
    foreign = ("ext::sh -c 'touch pwned'", "file:///etc", "ssh://127.0.0.1/x", "git://127.0.0.1/x", "/etc")
    async with workshop(tmp_path) as shop:
        for url in foreign:
            done = await shop.git("ls-remote", "--", url)
            assert not done.ok
            assert b"not allowed" in done.stderr
        assert not (shop.area.path / "pwned").exists()


async def test_git_itself_follows_no_redirect(tmp_path: Path) -> None:
    with git_server(tmp_path / "a") as server, git_server(tmp_path / "b") as elsewhere:
        server.fault, server.redirect_to = Fault.REDIRECT, elsewhere.url
        async with workshop(tmp_path / "areas", f"{server.url}/acme/app.git") as shop:
            assert not (await shop.fetch(["refs/heads/main"])).ok
        assert len(server.seen) == 1
        assert elsewhere.seen == []


async def test_a_folder_that_cannot_be_used_means_nothing_was_sent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotSentError, match="no working area"):
        async with workshop(tmp_path / "file"):
            pytest.fail("it must not get here")


@pytest.mark.parametrize(
    ("authorization", "git", "words"),
    [("Basic a\nb", "", "no configuration"), (BASIC, "/bin/false", "no working area")],
)
async def test_a_workshop_that_cannot_be_made_means_nothing_was_sent(
    tmp_path: Path, authorization: str, git: str, words: str
) -> None:
    with pytest.raises(NotSentError, match=words):
        async with workshop(tmp_path, authorization=authorization, git=git):
            pytest.fail("it must not get here")
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("version", ["git version 2.36.9", "git version 1.99.0", "nonsense"])
async def test_a_git_that_cannot_be_pinned_to_an_address_is_refused(tmp_path: Path, version: str) -> None:
    old = tmp_path / "git"
    old.write_text(f"#!/bin/sh\necho {version}\n")
    old.chmod(0o700)
    with pytest.raises(NotSentError, match="too old"):
        async with workshop(tmp_path / "areas", NAMED, git=str(old)):
            pytest.fail("it must not get here")
    async with workshop(tmp_path / "areas", git=str(old)):
        pass


async def test_a_git_of_today_is_pinned_to_the_address_the_guard_permits(tmp_path: Path) -> None:
    async with workshop(tmp_path, NAMED) as shop:
        listed = await shop.git("config", "--get-all", "http.curloptResolve")
        assert listed.stdout == b"git.test:443:8.8.8.8\n"
