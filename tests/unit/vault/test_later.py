"""Answers that wait for an upstream: they come when they can and hold up no others."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import asdict
from pathlib import Path

import pytest
import structlog.testing

from tests.unit.vault.paper_issuer import WANTED, PaperIssuer
from tests.unit.vault.samples import AWS, CHEAP, PASSPHRASE, S3_HOSTS
from vault.client import VaultClient
from vault.errors import LeaseRefusal, LeaseRefusedError
from vault.later import in_thread
from vault.lease import MAX_KNOWN, Known, MintTerms
from vault.model import CredentialInfo, CredentialKind, CredentialRef, SecretValue
from vault.protocol import FrameDecoder, encode_frame
from vault.server import MAX_LATER, VaultServer
from vault.service import Vault
from vault.storage import MemoryStorage

AWS_REF = CredentialRef("aws/prod")
HOST = "127.0.0.1:9000"
MINT = asdict(WANTED)


def waiting_vault(gate: threading.Event, fault: Exception | None = None) -> tuple[Vault, PaperIssuer]:
    """Return a vault whose issuer waits for a gate."""
    issuer = PaperIssuer(gate=gate, fault=fault)
    vault = Vault(MemoryStorage(), cost=CHEAP, issuer=issuer)
    vault.initialise(SecretValue(PASSPHRASE))
    vault.put(AWS_REF, CredentialKind.AWS, AWS, S3_HOSTS)
    return vault, issuer


def mint_frame(number: int, holder: str = "") -> bytes:
    return encode_frame({"i": number, "op": "lease", "ref": AWS_REF, "host": HOST, "mint": MINT, "holder": holder})


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (None, None),
        (LeaseRefusedError("no", LeaseRefusal.ISSUER), "lease-refused"),
        (RuntimeError("planted secret"), "internal"),
    ],
)
async def test_an_answer_that_waits_for_an_upstream_comes_after_those_that_do_not(
    socket: Path, fault: Exception | None, told: str | None
) -> None:
    gate = threading.Event()
    vault, _ = waiting_vault(gate, fault)
    with structlog.testing.capture_logs() as logs:
        async with VaultServer(vault, socket):
            reader, writer = await asyncio.open_unix_connection(socket)
            writer.write(mint_frame(1) + encode_frame({"i": 2, "op": "status"}) + mint_frame(3))
            decoder, answers = FrameDecoder(), list[dict[str, object]]()
            while len(answers) < 3:
                answers += [header for header, _ in decoder.feed(await reader.read(65536))]
                gate.set()
            writer.close()
            await writer.wait_closed()
    assert [answer["i"] for answer in answers] == [2, 1, 3]
    assert [answer.get("e") for answer in answers] == [None, told, told]
    assert "planted" not in str(answers) + str(logs)


async def identity_of(client: VaultClient) -> str:
    async with client.lease(AWS_REF, host=HOST, purpose="x", mint=WANTED) as lease:
        return lease.info.identity


async def test_who_leaves_before_the_answer_disturbs_nobody(socket: Path) -> None:
    gate = threading.Event()
    vault, issuer = waiting_vault(gate)
    async with VaultServer(vault, socket):
        _, writer = await asyncio.open_unix_connection(socket)
        writer.write(mint_frame(1))
        assert await asyncio.to_thread(issuer.begun.acquire, timeout=30)
        client = VaultClient(socket)
        async with client.lease(AWS_REF, host=HOST, purpose="x") as stored:
            assert stored.info.version == 1
        writer.transport.abort()
        waiting = asyncio.create_task(identity_of(client))
        await client.status()
        gate.set()
        assert (await waiting).startswith("ASIA")
        await client.close()
    assert len(issuer.asked) == 1


async def test_a_connection_waits_for_so_many_answers_only(socket: Path) -> None:
    gate = threading.Event()
    vault, _ = waiting_vault(gate)
    async with VaultServer(vault, socket):
        reader, writer = await asyncio.open_unix_connection(socket)
        writer.write(b"".join(map(mint_frame, range(MAX_LATER + 1))))
        ((answer, _),) = FrameDecoder().feed(await reader.read(65536))
        assert (answer["i"], answer["e"]) == (MAX_LATER, "bad-request")
        gate.set()
        writer.close()
        await writer.wait_closed()


async def test_a_minted_credential_that_is_remembered_is_lent_without_asking_for_hosts_it_is_bound_to(
    socket: Path,
) -> None:
    gate = threading.Event()
    gate.set()
    vault, issuer = waiting_vault(gate)
    client = VaultClient(socket)
    async with VaultServer(vault, socket):
        first = await identity_of(client)
        with pytest.raises(LeaseRefusedError) as caught:
            async with client.lease(AWS_REF, host="evil.example", purpose="x", mint=WANTED):
                pass
        assert caught.value.reason is LeaseRefusal.HOST
    # There is no vault any more that could be asked.
    assert await identity_of(client) == first
    await client.close()
    assert len(issuer.asked) == 1


def test_a_client_remembers_so_many_credentials_and_forgets_the_first() -> None:
    known = Known()
    info = CredentialInfo(AWS_REF, CredentialKind.AWS, 1, (), "", 0)
    terms = [MintTerms(AWS_REF, WANTED, f"robot/{number}") for number in range(MAX_KNOWN + 1)]
    for one in terms:
        known.put(one, info)
    assert (known.get(terms[0]), known.get(terms[1])) == (None, info)


async def test_work_that_ends_when_nobody_is_left_is_let_go() -> None:
    gate, ended = threading.Event(), threading.Event()

    def work() -> None:
        assert gate.wait(30)
        ended.set()

    waiting = asyncio.create_task(in_thread(work))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    assert await asyncio.to_thread(ended.wait, 30)


def test_work_that_outlives_its_loop_disturbs_nobody() -> None:
    gate, begun, threads = threading.Event(), threading.Event(), list[threading.Thread]()

    def work() -> None:
        threads.append(threading.current_thread())
        begun.set()
        assert gate.wait(30)

    async def begin() -> None:
        task = asyncio.create_task(in_thread(work))
        assert await asyncio.to_thread(begun.wait, 30)
        task.cancel()

    asyncio.run(begin())
    gate.set()
    threads[0].join(30)
    assert not threads[0].is_alive()
