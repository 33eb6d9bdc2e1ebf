"""The composition root on its real parts: a vault in this loop, SQLite, and a queue that is not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from broker.config.starter import write_starter
from broker.errors import ConfigError, LedgerUnavailableError
from broker.ledger.audit import audit_database
from broker.model import IntentDraft, IntentState, Session
from broker.outcome import Problem
from broker.service import Broker
from broker.settings import Settings
from broker.store.base import EventFilter
from broker.store.database import open_database
from broker.wiring import open_broker
from tests.parts.counting_s3 import counting_s3
from tests.parts.valkey import private_valkey
from tests.unit.vault.paper_kms import PaperKms, kms_vault
from vault.client import VaultClient
from vault.errors import KmsUnavailableError
from vault.model import CredentialKind, CredentialRef, SecretValue
from vault.server import VaultServer
from vault.service import Vault
from vault.storage import MemoryStorage

FAST: dict[str, Any] = {
    "instance_ttl_seconds": 0.03, "kill_poll_seconds": 0.01, "reconcile_seconds": 0.01, "checkpoint_seconds": 0.01,
    "min_free_bytes": 0,
}  # fmt: skip


def settings_in(folder: Path, **others: Any) -> Settings:
    settings = Settings(data=folder, **{**FAST, **others})
    if not settings.config_dir.exists():
        write_starter(settings.config_dir)
    return settings


@asynccontextmanager
async def running_vault(settings: Settings, *, unsealed: bool = True) -> AsyncIterator[Vault]:
    settings.run_dir.mkdir(mode=0o700, exist_ok=True)
    vault = Vault(MemoryStorage(), root_key=settings.key_file)
    if unsealed:
        vault.initialise(None)
    async with VaultServer(vault, settings.vault_socket):
        yield vault


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - it changes in another task or process
            await asyncio.sleep(0.005)


async def started(broker: Broker) -> tuple[Session, str]:
    (operator, *_) = broker.configuration().operators.values()
    (agent, *_) = broker.configuration().agents
    found = await broker.sessions.start(operator, agent=agent, ttl_seconds=60, labels={})
    assert not isinstance(found, Problem)
    return found


async def test_with_all_its_parts_it_is_ready_and_signs_what_it_records(short_tmp: Path) -> None:
    settings = settings_in(short_tmp)
    with private_valkey() as valkey:
        settings = settings_in(short_tmp, redis_url=valkey.url)
        async with running_vault(settings), open_broker(settings, background=True) as broker:
            assert await broker.readiness() == {"ledger": True, "vault": True, "store": True, "queue": True}
            await started(broker)
            key = settings.data / "ledger.pub"
            await until(key.exists)
    report = await asyncio.to_thread(audit_database, settings.database, short_tmp / "seen.json", key, {})
    assert report.ok
    assert report.checkpoints >= 1
    assert report.events == 2, "the configuration and the session"


async def test_without_vault_and_queue_it_opens_and_says_what_is_away(short_tmp: Path) -> None:
    async with open_broker(settings_in(short_tmp)) as broker:
        checks = await broker.readiness()
    assert (checks["ledger"], checks["store"], checks["vault"]) == (True, True, "unreachable")
    assert str(checks["queue"]).startswith("degraded: ")


async def test_a_vault_without_keys_is_named(short_tmp: Path) -> None:
    settings = settings_in(short_tmp)
    async with running_vault(settings, unsealed=False), open_broker(settings) as broker:
        assert (await broker.readiness())["vault"] == "uninitialised"


async def test_a_vault_that_kms_does_not_unseal_says_why(short_tmp: Path) -> None:
    settings, kms = settings_in(short_tmp), PaperKms()
    settings.run_dir.mkdir(mode=0o700, exist_ok=True)
    vault = kms_vault(kms)
    await vault.initialise_by_kms()
    vault.seal()
    kms.faults = {"decrypt": KmsUnavailableError("kms is away")}
    async with VaultServer(vault, settings.vault_socket), open_broker(settings) as broker:
        with pytest.raises(KmsUnavailableError):
            await vault.unseal_by_kms()
        assert (await broker.readiness())["vault"] == "sealed: kms is away"


async def test_a_faulty_first_configuration_opens_nothing(short_tmp: Path) -> None:
    settings = settings_in(short_tmp)
    (settings.config_dir / "ostiary.yaml").write_text("agentz: {}\n")
    with pytest.raises(ConfigError):
        async with open_broker(settings):
            raise AssertionError


@pytest.mark.req("P1")
async def test_an_api_that_comes_back_to_a_faulty_folder_goes_on_with_what_was_accepted(short_tmp: Path) -> None:
    settings = settings_in(short_tmp)
    async with open_broker(settings, background=True) as broker:
        accepted = broker.configuration()
    (settings.config_dir / "ostiary.yaml").write_text("agentz: {}\n")
    with structlog.testing.capture_logs() as logs:
        async with open_broker(settings, background=True) as broker:
            assert broker.configuration().version == accepted.version
            assert broker.configuration().agents == accepted.agents
            assert len(await broker.reader.events(EventFilter(type="policy.refused"))) == 1
    assert "configuration_refused" in {each["event"] for each in logs}


@pytest.mark.req("P1")
async def test_a_worker_decides_with_what_was_accepted_and_not_with_what_somebody_edits(short_tmp: Path) -> None:
    settings = settings_in(short_tmp)
    async with open_broker(settings, background=True) as broker:
        accepted = broker.configuration()
    config = settings.config_dir / "ostiary.yaml"
    sound = config.read_text()
    for edited in ("agentz: {}\n", sound.replace("operators:", "operators:\n  intruder: {roles: [admin, approver]}")):
        config.write_text(edited)
        async with open_broker(settings) as worker:
            assert worker.configuration().operators == accepted.operators
            assert worker.configuration().version == accepted.version


async def test_a_damaged_ledger_opens_nothing_and_leaves_nothing_open(short_tmp: Path) -> None:
    settings = settings_in(short_tmp)
    async with open_broker(settings):
        pass
    database = open_database(settings.database)
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE ledger_head SET size = 7")
    database.close()
    with pytest.raises(LedgerUnavailableError, match="head"):
        async with open_broker(settings):
            raise AssertionError


@pytest.mark.req("S2")
async def test_a_kill_in_one_process_is_heard_of_in_another(short_tmp: Path) -> None:
    settings = settings_in(short_tmp)
    async with open_broker(settings) as one, open_broker(settings) as other:
        session, token = await started(one)
        assert isinstance(await other.sessions.authenticate(token), Session)
        (operator, *_) = one.configuration().operators.values()
        assert await one.sessions.kill(session.id, operator)

        async def refused() -> bool:
            return isinstance(await other.sessions.authenticate(token), Problem)

        async with asyncio.timeout(30):
            while not await refused():  # noqa: ASYNC110 - it is another process's, in a test
                await asyncio.sleep(0.005)


async def test_a_process_says_that_it_lives_and_leaves_when_it_ends(short_tmp: Path) -> None:
    settings = settings_in(short_tmp)
    async with open_broker(settings) as broker:
        first = broker.clock.now_ns()
        (alive,) = await broker.reader.live_instances(0)
        async with asyncio.timeout(30):
            while alive not in await broker.reader.live_instances(first + 1):  # noqa: ASYNC110 - nothing tells of a row
                await asyncio.sleep(0.005)
    async with open_broker(settings) as again:
        assert alive not in await again.reader.live_instances(0)


async def test_its_loops_outlive_a_store_that_is_away_and_say_so(short_tmp: Path) -> None:
    settings = settings_in(short_tmp)
    with structlog.testing.capture_logs() as logs:
        async with running_vault(settings), open_broker(settings, background=True):
            (settings.data / "ledger.sqlite3").unlink()
            wanted = {"heartbeat", "kills", "configuration", "checkpoint"}
            await until(lambda: wanted <= {each.get("loop") for each in logs})
            await until(lambda: "reconcile_step_failed" in {each["event"] for each in logs})
    assert all("error" in each for each in logs if "loop" in each)


async def test_a_vault_that_is_away_delays_the_signature_and_nothing_else(short_tmp: Path) -> None:
    settings = settings_in(short_tmp)
    with structlog.testing.capture_logs() as logs:
        async with open_broker(settings, background=True) as broker:
            await started(broker)
            await until(lambda: "checkpoint" in {each.get("loop") for each in logs})
            async with running_vault(settings):
                await until((settings.data / "ledger.pub").exists)
            assert len(await broker.reader.events(EventFilter(type="session.started"))) == 1


CONFIG = """\
version: 1
projects: {{p: {{connections: [s3]}}}}
agents: {{agent: {{project: p}}}}
operators: {{ann: {{roles: [admin]}}}}
connections:
  s3: {{connector: aws, credential: aws/k, account: "123456789012", regions: [eu-west-1], endpoint: "{url}"}}
"""


async def test_the_private_address_an_operator_wrote_is_reached_and_after_a_reload_the_new_one(short_tmp: Path) -> None:
    settings = Settings(data=short_tmp, **FAST)
    policies = settings.config_dir / "policies"
    policies.mkdir(parents=True)
    (policies / "agent.yaml").write_text("version: 1\nagent: agent\npolicies:\n  - s3:GetObject on bkt/*\n")
    config = settings.config_dir / "ostiary.yaml"
    draft = IntentDraft("s3:GetObject", {"Bucket": "bkt", "Key": "a"})
    with counting_s3() as old, counting_s3() as new:
        config.write_text(CONFIG.format(url=old.url))
        async with running_vault(settings), open_broker(settings) as broker:
            client = VaultClient(settings.vault_socket)
            key = {"access_key_id": SecretValue(b"AKIAKILLKILLKILLKILL"), "secret_access_key": SecretValue(b"0" * 40)}
            hosts = [each.url.removeprefix("http://") for each in (old, new)]
            await client.put(CredentialRef("aws/k"), CredentialKind.AWS, key, hosts)
            await client.close()
            session, _ = await started(broker)
            assert (await broker.submit(session, draft, wait_seconds=0)).state is IntentState.SUCCEEDED
            config.write_text(CONFIG.format(url=new.url))
            assert await broker.reload() == []
            assert (await broker.submit(session, draft, wait_seconds=0)).state is IntentState.SUCCEEDED
        assert (old.requests, new.requests) == (1, 1)
