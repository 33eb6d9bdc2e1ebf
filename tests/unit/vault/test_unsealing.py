"""A vault that KMS unseals: by itself after its start, at once when asked, and never against a seal."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog.testing

from tests.unit.vault.paper_kms import KEY, PaperKms, kms_vault
from vault.client import VaultClient
from vault.errors import (
    AlreadyInitialisedError,
    KmsRefusedError,
    KmsUnavailableError,
    RootKeyError,
    SealedError,
    VaultError,
)
from vault.kms import KmsRoot
from vault.model import VaultState
from vault.root import Header, RootSource
from vault.server import VaultServer
from vault.service import Vault
from vault.storage import MemoryStorage
from vault.unsealing import LONGEST_PAUSE_SECONDS, KmsUnsealing

AWAY = KmsUnavailableError("kms cannot be asked to decrypt")


class Pauses:
    """Pauses of no length; ``then`` happens in each."""

    def __init__(self, then: Callable[[int], None]) -> None:
        self.seconds: list[float] = []
        self._then = then
        self.over = asyncio.Event()

    async def __call__(self, seconds: float, event: asyncio.Event) -> None:
        self.seconds.append(seconds)
        self._then(len(self.seconds))
        if event.is_set():
            self.over.set()
        await asyncio.sleep(0)


async def sealed_vault(kms: PaperKms) -> Vault:
    storage, faults = MemoryStorage(), kms.faults
    kms.faults = {}
    await kms_vault(kms, storage).initialise_by_kms()
    kms.faults = faults
    kms.asked.clear()
    vault = kms_vault(kms, storage)
    vault.start()
    return vault


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - it changes in another task or thread
            await asyncio.sleep(0.001)


async def begun(kms: PaperKms) -> None:
    assert await asyncio.to_thread(kms.begun.acquire, timeout=30)


def drained(kms: PaperKms) -> None:
    while kms.begun.acquire(blocking=False):
        pass


@pytest.mark.req("V1")
@pytest.mark.parametrize("fault", [AWAY, KmsRefusedError("kms refused to decrypt: DisabledException")])
async def test_a_vault_unseals_itself_when_kms_is_back_with_longer_and_longer_pauses(fault: Exception) -> None:
    kms = PaperKms(faults={"decrypt": fault})
    vault = await sealed_vault(kms)
    reasons: list[str] = []

    def then(number: int) -> None:
        reasons.append(vault.status().reason)
        if number == 8:
            kms.faults = {}

    pauses = Pauses(then)
    with structlog.testing.capture_logs() as logs:
        async with vault.watching(pauses):
            await until(lambda: vault.state is VaultState.UNSEALED)
            await until(lambda: logs[-1]["event"] == "vault.unsealed")
    assert pauses.seconds == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    assert reasons == [str(fault)] * 8
    assert vault.status().reason == ""
    assert len(kms.asked) == 9


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda kms: setattr(kms, "instead", bytes(32)), ("vault.unseal_failed", "root-key")),
        (lambda kms: kms.faults.update(decrypt=ZeroDivisionError("planted")), ("vault.fault", None)),
    ],
)
async def test_what_no_pause_can_mend_ends_the_tries(
    spoil: Callable[[PaperKms], None], told: tuple[str, str | None]
) -> None:
    kms = PaperKms()
    vault = await sealed_vault(kms)
    spoil(kms)
    pauses = Pauses(lambda _: None)
    with structlog.testing.capture_logs() as logs:
        async with vault.watching(pauses):
            await until(lambda: bool(logs))
    assert [(log["event"], log.get("code")) for log in logs] == [told]
    assert "planted" not in str(logs)
    assert (vault.state, pauses.seconds) == (VaultState.SEALED, [])


async def test_a_vault_that_is_unsealed_by_somebody_is_not_tried_again() -> None:
    kms = PaperKms(faults={"decrypt": AWAY})
    vault = await sealed_vault(kms)
    paused, go_on = asyncio.Event(), asyncio.Event()

    async def pause(_seconds: float, _event: asyncio.Event) -> None:
        paused.set()
        await go_on.wait()

    with structlog.testing.capture_logs() as logs:
        async with vault.watching(pause):
            await paused.wait()
            kms.faults = {}
            await vault.unseal_by_kms()
            go_on.set()
            await until(lambda: len(asyncio.all_tasks()) == 1)
    assert [log["event"] for log in logs] == ["vault.unseal_failed"]
    assert len(kms.asked) == 2


@pytest.mark.req("V1")
async def test_a_seal_ends_the_tries_and_what_kms_answers_after_it_is_dropped() -> None:
    kms = PaperKms(gate=threading.Event())
    assert kms.gate is not None
    kms.gate.set()
    vault = await sealed_vault(kms)
    drained(kms)
    kms.gate.clear()
    with structlog.testing.capture_logs() as logs:
        async with vault.watching(Pauses(lambda _: None)):
            await begun(kms)
            vault.seal()
            kms.gate.set()
            await until(lambda: bool(logs))
    assert [(log["event"], log["code"]) for log in logs] == [("vault.unseal_failed", "sealed")]
    assert (vault.state, vault.status().reason) == (VaultState.SEALED, "")
    await vault.unseal_by_kms()
    vault.seal()
    async with vault.watching(Pauses(lambda _: None)):
        pass
    assert vault.state is VaultState.SEALED


async def test_who_asks_after_a_seal_gets_an_answer_of_their_own() -> None:
    kms = PaperKms(gate=threading.Event())
    assert kms.gate is not None
    kms.gate.set()
    vault = await sealed_vault(kms)
    drained(kms)
    kms.gate.clear()
    before = asyncio.create_task(vault.unseal_by_kms())
    await begun(kms)
    vault.seal()
    after = asyncio.create_task(vault.unseal_by_kms())
    await begun(kms)
    kms.gate.set()
    with pytest.raises(SealedError):
        await before
    await after
    assert vault.state is VaultState.UNSEALED


async def test_many_who_ask_at_once_make_one_call_and_one_who_gives_up_takes_nothing_from_them() -> None:
    kms = PaperKms(gate=threading.Event())
    assert kms.gate is not None
    kms.gate.set()
    vault = await sealed_vault(kms)
    drained(kms)
    kms.gate.clear()
    waiting = [asyncio.create_task(vault.unseal_by_kms()) for _ in range(20)]
    await begun(kms)
    waiting[0].cancel()
    kms.gate.set()
    await asyncio.gather(*waiting[1:])
    assert waiting[0].cancelled()
    assert (vault.state, len(kms.asked)) == (VaultState.UNSEALED, 1)


async def test_two_who_initialise_at_once_make_one_vault() -> None:
    kms = PaperKms(gate=threading.Event())
    assert kms.gate is not None
    vault = kms_vault(kms)
    both = [asyncio.create_task(vault.initialise_by_kms()) for _ in range(2)]
    await begun(kms)
    await begun(kms)
    kms.gate.set()
    found = await asyncio.gather(*both, return_exceptions=True)
    assert [type(each) for each in found if each is not None] == [AlreadyInitialisedError]
    generation = vault.status().generation
    vault.seal()
    await vault.unseal_by_kms()
    assert vault.status().generation == generation


async def test_a_kms_that_hangs_is_given_up() -> None:
    kms = PaperKms(gate=threading.Event())
    assert kms.gate is not None
    header = Header.new(RootSource.KMS, kms_vault(kms)._cost)
    unsealing = KmsUnsealing(KmsRoot(KEY, kms), lambda: header, lambda *_: None, answer_seconds=0.001)
    with pytest.raises(KmsUnavailableError):
        await unsealing.make(header)
    kms.gate.set()


async def test_an_end_of_the_process_does_not_wait_for_kms() -> None:
    kms = PaperKms(gate=threading.Event())
    assert kms.gate is not None
    kms.gate.set()
    vault = await sealed_vault(kms)
    drained(kms)
    kms.gate.clear()
    async with vault.watching():
        await begun(kms)
    assert vault.state is VaultState.SEALED
    kms.gate.set()


@pytest.mark.req("V1")
async def test_over_the_socket_a_sealed_vault_says_why_while_kms_is_asked(socket: Path) -> None:
    kms = PaperKms(faults={"decrypt": AWAY}, gate=threading.Event())
    assert kms.gate is not None
    kms.gate.set()
    storage = MemoryStorage()
    async with VaultServer(kms_vault(kms, storage), socket):
        client = VaultClient(socket)
        with pytest.raises(KmsUnavailableError):
            await client.initialise(None)
        kms.faults = {}
        await client.initialise(None)
        await client.seal()
        kms.faults = {"decrypt": AWAY}
        with pytest.raises(KmsUnavailableError):
            await client.unseal(None)
        drained(kms)
        kms.gate.clear()
        waiting = asyncio.create_task(client.unseal(None))
        await begun(kms)
        status = await client.status()
        assert (status.state, status.reason) == (VaultState.SEALED, str(AWAY))
        kms.faults = {}
        kms.gate.set()
        await waiting
        status = await client.status()
        assert (status.state, status.reason) == (VaultState.UNSEALED, "")
        await client.close()


async def test_a_vault_of_another_source_is_left_to_people() -> None:
    for vault in (Vault(MemoryStorage()), kms_vault(PaperKms())):
        async with vault.watching(Pauses(lambda _: None)):
            assert vault.state is VaultState.UNINITIALISED


async def test_a_header_that_goes_away_is_told_and_ends_the_tries() -> None:
    kms = PaperKms()

    def header() -> Header:
        raise RootKeyError("another key")

    def opened(_root: bytes, _header: Header) -> None:
        raise VaultError("never")

    unsealing = KmsUnsealing(KmsRoot(KEY, kms), header, opened)
    with pytest.raises(RootKeyError):
        unsealing.check()
    with structlog.testing.capture_logs() as logs:
        async with unsealing.watching(Pauses(lambda _: None)):
            await until(lambda: bool(logs))
    assert (unsealing.reason, kms.asked) == ("another key", [])
