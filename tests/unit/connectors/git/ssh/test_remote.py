"""A push over an `ssh` that is a script: hosts that are silent, say too much, or fail after they have said it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from connectors.errors import NotSentError, OutcomeUnknownError
from connectors.git.connection import GitConnection
from connectors.git.remote import PushBody, Remote
from connectors.git.ssh import remote as ssh_remote
from connectors.git.ssh.remote import SshReach, open_ssh_remote
from connectors.guard import AddressGuard
from tests.unit.connectors.git.ssh.test_agent import SshLease

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
OPTIONS = GitConnection.model_validate({"url": "ssh://git@127.0.0.1", "host_keys": [ED25519]})
REPORT = b"000eunpack ok\n0000"


def opened(folder: Path, script: str, seconds: float = 20.0) -> AbstractAsyncContextManager[Remote]:
    program = folder / "ssh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    reach = SshReach(AddressGuard(), seconds=seconds, program=str(program))
    return open_ssh_remote(OPTIONS.repository_url("acme/app"), OPTIONS, SshLease(), reach)


def body(size: int = 10) -> PushBody:
    async def pack() -> AsyncIterator[bytes]:
        yield b"x" * size

    return PushBody(b"head", pack(), size)


@pytest.mark.parametrize("ends", [0, 1])
async def test_a_report_is_handed_back_however_the_host_ends(tmp_path: Path, ends: int) -> None:
    script = f"printf 0000; cat > '{tmp_path}/got'; printf '000eunpack ok\\n0000'; exit {ends}"
    async with opened(tmp_path, script) as remote:
        assert await remote.receive_pack(body()) == REPORT
    assert (tmp_path / "got").read_bytes() == b"head" + b"x" * 10


@pytest.mark.parametrize(
    "answer", ["exit 0", "exit 1", f"head -c {ssh_remote.MAX_REPORT_BYTES + 1} /dev/zero"], ids=["none", "cut", "huge"]
)
async def test_a_report_that_is_none_or_too_large_says_nothing(tmp_path: Path, answer: str) -> None:
    async with opened(tmp_path, f"printf 0000; cat > /dev/null; {answer}") as remote:
        with pytest.raises(OutcomeUnknownError):
            await remote.receive_pack(body())


async def test_a_host_that_says_nothing_at_first_was_sent_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, "sleep 20", 0.05) as remote:
        with pytest.raises(NotSentError):
            await remote.receive_pack(body())


async def test_a_host_that_stops_taking_the_push_leaves_it_unknown(tmp_path: Path) -> None:
    async with opened(tmp_path, "printf 0000; sleep 20", 0.5) as remote:
        with pytest.raises(OutcomeUnknownError):
            await remote.receive_pack(body(8 << 20))


async def test_git_gets_no_file_that_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("planted")
    async with opened(tmp_path, "exit 255") as remote:
        with pytest.raises(NotSentError):
            await remote.fetch_access(tmp_path).__aenter__()
    assert (tmp_path / "config").read_text() == "planted"
