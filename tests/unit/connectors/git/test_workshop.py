from __future__ import annotations

import base64
from pathlib import Path

import pytest

from connectors.errors import NotSentError
from connectors.git.config import Upstream
from connectors.git.process import GitPrograms
from connectors.git.workshop import MAX_WORDS, Cleaner, open_workshop
from tests.parts.git_server import Fault, git_server

URL = "https://git.test/acme/app.git"
PAIR = "bot:hunter2hunter2"
BASIC = "Basic " + base64.b64encode(PAIR.encode()).decode()


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


def test_words_from_outside_are_one_short_printable_line() -> None:
    assert Cleaner("Bearer t0")(b"remote: \x1b[31mno\x07\xff\r\n\n  way  \n") == "remote: [31mno \ufffd; way"
    assert len(Cleaner("Bearer t0")(b"x" * 5000)) == MAX_WORDS


async def test_a_workshop_has_an_empty_repository_without_hooks(tmp_path: Path) -> None:
    async with open_workshop(GitPrograms(), tmp_path, Upstream(URL, ""), BASIC) as shop:
        assert not (shop.area.repository / "hooks").exists()
        listed = await shop.git("config", "--list", "--show-scope")
        assert b"system" not in listed.stdout
        assert (await shop.git("for-each-ref")).stdout == b""
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    "url", ["ext::sh -c 'touch pwned'", "file:///etc", "ssh://127.0.0.1/x", "git://127.0.0.1/x", "/etc"]
)
async def test_no_other_protocol_is_spoken(tmp_path: Path, url: str) -> None:
    async with open_workshop(GitPrograms(), tmp_path, Upstream(URL, ""), BASIC) as shop:
        done = await shop.git("ls-remote", "--", url)
        assert not done.ok
        assert b"not allowed" in done.stderr
        assert not (shop.area.path / "pwned").exists()


async def test_git_itself_follows_no_redirect(tmp_path: Path) -> None:
    with git_server(tmp_path / "a") as server, git_server(tmp_path / "b") as elsewhere:
        server.fault, server.redirect_to = Fault.REDIRECT, elsewhere.url
        upstream = Upstream(f"{server.url}/acme/app.git", "")
        async with open_workshop(GitPrograms(), tmp_path / "areas", upstream, BASIC) as shop:
            assert not (await shop.fetch(["refs/heads/main"])).ok
        assert len(server.seen) == 1
        assert elsewhere.seen == []


async def test_a_folder_that_cannot_be_used_means_nothing_was_sent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotSentError, match="no working area"):
        async with open_workshop(GitPrograms(), tmp_path / "file", Upstream(URL, ""), BASIC):
            pytest.fail("it must not get here")


async def test_a_credential_that_is_no_header_means_nothing_was_sent(tmp_path: Path) -> None:
    with pytest.raises(NotSentError, match="no working area"):
        async with open_workshop(GitPrograms(), tmp_path, Upstream(URL, ""), "Basic a\nb"):
            pytest.fail("it must not get here")
    assert left_in(tmp_path) == []


async def test_a_git_that_makes_no_repository_means_nothing_was_sent(tmp_path: Path) -> None:
    with pytest.raises(NotSentError, match="no working area"):
        async with open_workshop(GitPrograms("/bin/false"), tmp_path, Upstream(URL, ""), BASIC):
            pytest.fail("it must not get here")
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("version", ["git version 2.36.9", "git version 1.99.0", "nonsense"])
async def test_a_git_that_cannot_be_pinned_to_an_address_is_refused(tmp_path: Path, version: str) -> None:
    old = tmp_path / "git"
    old.write_text(f"#!/bin/sh\necho {version}\n")
    old.chmod(0o700)
    with pytest.raises(NotSentError, match="too old"):
        async with open_workshop(
            GitPrograms(str(old)), tmp_path / "areas", Upstream(URL, "git.test:443:8.8.8.8"), BASIC
        ):
            pytest.fail("it must not get here")
    async with open_workshop(GitPrograms(str(old)), tmp_path / "areas", Upstream(URL, ""), BASIC):
        pass
