"""The agent that answers `ssh`: one key, signatures by the lease, and no to everything else."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from connectors.git.ssh.agent import MAX_MESSAGE_BYTES, MAX_SIGNATURES, Agent, listening, string
from tests.fakes import FakeLease
from vault.errors import BadRequestError, VaultError
from vault.model import CredentialKind

KEY = string(b"ssh-ed25519") + string(b"k" * 32)
FAILURE = b"\x05"


class SshLease(FakeLease):
    """Says what it was asked to sign."""

    def __init__(self, fault: VaultError | None = None) -> None:
        super().__init__("", "", CredentialKind.SSH)
        self.fault = fault
        self.asked: list[tuple[bytes, int]] = []

    @property
    def ssh_public_key(self) -> bytes:
        return KEY

    async def sign_ssh(self, data: bytes, flags: int) -> bytes:
        if self.fault is not None:
            raise self.fault
        self.asked.append((data, flags))
        return b"signature"


def signing(key: bytes = KEY, data: bytes = b"data", flags: int = 4) -> bytes:
    return b"\x0d" + string(key) + string(data) + flags.to_bytes(4, "big")


async def test_it_lists_its_one_key_and_has_the_lease_sign() -> None:
    lease = SshLease()
    agent = Agent(lease)
    before = agent.was_asked
    assert await agent.answer(b"\x0b") == b"\x0c\0\0\0\x01" + string(KEY) + string(b"ostiary")
    assert (before, agent.was_asked) == (False, True)
    assert await agent.answer(signing()) == b"\x0e" + string(b"signature")
    assert lease.asked == [(b"data", 4)]


@pytest.mark.req("V1", "O2")
@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x0b\0",
        b"\x01",
        b"\x11" + string(b"ssh-ed25519"),
        b"\x12" + string(KEY),
        b"\x13",
        b"\x16" + string(b"password"),
        b"\x1b" + string(b"session-bind@openssh.com"),
        b"\xff",
        signing(key=b"another"),
        signing() + b"\0",
        signing()[:-1],
        b"\x0d\xff\xff\xff\xff",
        b"\x0d" + string(KEY) + b"\0\0\0\x09data",
    ],
)
async def test_everything_else_gets_a_plain_no(message: bytes) -> None:
    lease = SshLease()
    assert await Agent(lease).answer(message) == FAILURE
    assert lease.asked == []


async def test_it_signs_so_often_and_no_more() -> None:
    agent = Agent(SshLease())
    answers = [await agent.answer(signing()) for _ in range(MAX_SIGNATURES + 1)]
    assert [answer == FAILURE for answer in answers] == [False] * MAX_SIGNATURES + [True]


async def test_why_the_vault_did_not_sign_is_kept() -> None:
    fault = BadRequestError("no")
    agent = Agent(SshLease(fault))
    assert await agent.answer(signing()) == FAILURE
    assert agent.fault is fault


async def test_its_socket_is_private_and_gone_afterwards_and_noise_ends_a_connection(short_tmp: Path) -> None:
    path = short_tmp / "agent"
    async with listening(Agent(SshLease()), path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for noise in (b"\0\0\0\0", (MAX_MESSAGE_BYTES + 1).to_bytes(4, "big"), b"\0\0"):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(noise)
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(string(b"\x01") + string(b"\x0b"))
        assert await reader.readexactly(5) == string(FAILURE)
        assert (await reader.readexactly(5))[4:] == b"\x0c"
        writer.close()
        await writer.wait_closed()
    assert not path.exists()
