"""What the real pipeline writes is what the studies read."""

from __future__ import annotations

from broker.studies.records import RecordedIntent, recorded
from broker.studies.replay import replay
from broker.studies.unused import unused
from policies.model import Effect, Requirement
from tests.house import House


async def records_of(house: House, *names: str) -> list[RecordedIntent]:
    session = await house.session()
    for name in names:
        await house.ask(session, "Write", name)
    return [each async for each in recorded(house.reader)]


async def test_what_was_executed_and_what_was_denied_is_read_back_as_it_was_decided(house: House) -> None:
    found = await records_of(house, "free", "forbidden")
    assert [(each.effect, each.requirements) for each in found] == [
        (Effect.ALLOW, (Requirement("paper:Write", "sheets/free"),)),
        (Effect.DENY, (Requirement("paper:Write", "sheets/forbidden"),)),
    ]
    assert all(each.complete for each in found)


async def test_the_policy_in_force_changes_nothing_about_what_it_decided(house: House) -> None:
    await records_of(house, "free", "forbidden", "other")
    report = await replay(recorded(house.reader), house.policies().layers)
    assert (report.intents, report.changed, report.unsure) == (3, 0, 0)
    used = await unused(recorded(house.reader), house.policies().layers, house.policies().catalogue)
    assert {each.rule.text: each.times for each in used.rules} == {
        "paper:Read on sheets/*": 0,
        "paper:Write on sheets/free": 1,
        "paper:Write on sheets/gated": 0,
        "paper:* on sheets/forbidden": 1,
    }


async def test_what_waits_for_a_person_is_read_back_as_it_was_decided(house: House) -> None:
    (found,) = await records_of(house, "gated")
    assert (found.effect, found.requirements, found.complete) == (
        Effect.REQUIRE_APPROVAL, (Requirement("paper:Write", "sheets/gated"),), True,
    )  # fmt: skip
