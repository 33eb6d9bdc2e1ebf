from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from broker.ledger.events import parse_event
from broker.loops import ConfigurationWatch, KillWatch, Loop, RotationWatch, running
from broker.service import Policies, acceptance
from broker.sessions import Sessions
from broker.store.base import EventFilter
from tests.house import SCRIBE_YAML, House, write_policy
from vault.model import CredentialRef
from vault.rotation.model import Milestone
from vault.rotation.status import RotationStatus


@pytest.mark.req("S2")
async def test_no_fault_ends_a_loop_and_leaving_does() -> None:
    rounds = 0
    enough = asyncio.Event()

    async def step() -> None:
        nonlocal rounds
        rounds += 1
        if rounds >= 3:
            enough.set()
        raise ZeroDivisionError

    async with running([Loop("faulty", step, 0)]):
        async with asyncio.timeout(20):
            await enough.wait()
    done = rounds
    await asyncio.sleep(0)
    assert rounds == done


@pytest.mark.req("S2")
async def test_a_kill_in_another_process_cuts_and_forgets_here(house: House) -> None:
    session = await house.session()
    watch = KillWatch(house.reader, house.sessions, house.built.calls, house.built.revoking, house.clock)
    await house.sessions.authenticate(house.tokens[session.id])
    elsewhere = Sessions(house.reader, house.ledger, house.clock, house.policies, _nothing)
    cut = False
    try:
        async with house.built.calls.bounded(session.id, 60) as call:
            assert await elsewhere.kill(session.id, house.operator("olivia"))
            await watch.look()
            await asyncio.Event().wait()
    except TimeoutError:
        cut = call.killed
    assert cut
    assert not isinstance(await house.sessions.authenticate(house.tokens[session.id]), type(session))


@pytest.mark.req("P1")
async def test_a_configuration_another_process_accepted_is_taken_up(house: House) -> None:
    applied: list[object] = []
    here = Policies(house.policies())
    watch = ConfigurationWatch(house.reader, here, lambda _files: house.built.broker._services.load(), applied.append)
    await watch.look()
    assert applied == []
    write_policy(house.broker.settings.data, SCRIBE_YAML + "  - deny paper:Read on sheets/*\n")
    fresh = house.built.broker._services.load()
    await house.ledger.commit(acceptance(house.clock, fresh))
    await watch.look()
    assert here().version == fresh.version
    assert applied == [here()]
    await watch.look()
    assert len(applied) == 1


async def _nothing(_session_id: object) -> None:
    pass


class PaperRotations:
    """Stands of rotations, and what was said to be told."""

    def __init__(self, *found: RotationStatus) -> None:
        self.found = list(found)

    async def list(self) -> list[RotationStatus]:
        return self.found

    async def tell(self, ref: CredentialRef, milestone: Milestone) -> None:
        self.found = [replace(each, told=milestone.value) if each.ref == ref else each for each in self.found]


def rotation(ref: str, milestone: Milestone | None) -> RotationStatus:
    return RotationStatus(
        CredentialRef(ref), None, milestone, "", "arn:user", "AKIAOLD", "AKIANEW", 0, 0, 0, 0, "", stopped=False,
        running=False, problem_code="", problem="",
    )  # fmt: skip


@pytest.mark.req("V1")
async def test_what_the_vault_does_with_keys_by_itself_is_on_the_ledger_once(house: House) -> None:
    rotations = PaperRotations(rotation("aws/a", Milestone.FINISHED), rotation("aws/b", None))
    watch = RotationWatch(rotations, house.ledger, house.clock)
    await watch.look()
    await watch.look()
    events = await house.reader.events(EventFilter(type="vault.changed"))
    assert [parse_event(each.body).data["change"] for each in events] == ["rotation-finished"]
