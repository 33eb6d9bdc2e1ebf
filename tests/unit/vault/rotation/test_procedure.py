"""What each step of a rotation does to keys upstream and to the credential here, and when it dies there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.vault.rotation.iam import (
    AT_ONCE,
    HOUR,
    NOT_AGAIN,
    PATH,
    REF,
    TERMS,
    Rig,
)
from vault.errors import (
    IamRefusedError,
    IamUnreachableError,
)
from vault.rotation.iam import Identity
from vault.rotation.model import Milestone, Step
from vault.rotation.procedure import MAX_TRIES


@pytest.mark.req("V1")
async def test_a_rotation_takes_every_step_in_its_order_and_leaves_the_new_key_alone(rig: Rig) -> None:
    await rig.begin()
    new = rig.current
    assert (rig.step(), new != rig.old, rig.iam.keys[rig.old].active) == (Step.SWITCHED, True, True)
    await rig.tick(HOUR)
    assert (rig.step(), rig.iam.keys[rig.old].active) == (Step.DEACTIVATED, False)
    await rig.tick(2 * HOUR)
    assert (rig.step(), set(rig.iam.keys), rig.current) == (Step.DONE, {new}, new)
    assert rig.faults.done == PATH
    assert [info.version for info in rig.vault.list()] == [2]


@pytest.mark.req("V1")
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(len(PATH)))
async def test_a_rotation_that_dies_anywhere_is_ended_by_the_same_command(rig: Rig, at: int, after: bool) -> None:
    rig.faults.at, rig.faults.after = at, after
    await rig.run_to_the_end()
    assert len(rig.faults.done) == at + 1, "it died there"
    assert rig.iam.keys[rig.current].active
    rig.restart()
    assert rig.iam.keys[rig.current].active
    if rig.step() is not Step.DONE:
        await rig.run_to_the_end()
    if (at, after) in {(NOT_AGAIN, True), (NOT_AGAIN + 1, False)}:
        [orphan] = set(rig.iam.keys) - {rig.old}
        assert (rig.step(), rig.current) == (Step.PLANNED, rig.old)
        assert orphan in rig.rotations.status(REF).problem
        assert rig.iam.touched() == set()
        del rig.iam.keys[orphan]  # as the message says
        await rig.run_to_the_end()
    assert rig.step() is Step.DONE
    assert set(rig.iam.keys) == {rig.current}
    assert rig.iam.touched() == {rig.old}


@pytest.mark.parametrize("at", range(PATH.index("last_use"), len(PATH)))
async def test_what_is_due_is_carried_on_by_the_next_process_without_a_command(rig: Rig, at: int) -> None:
    rig.faults.at, rig.faults.after = at, True
    await rig.run_to_the_end()
    rig.restart()
    await rig.tick()
    await rig.tick(2 * HOUR)
    assert (rig.step(), set(rig.iam.keys)) == (Step.DONE, {rig.current})


async def test_what_is_not_due_is_left_alone(rig: Rig) -> None:
    await rig.begin()
    for seconds in (0, 800):
        await rig.tick(seconds)
        assert rig.step() is Step.SWITCHED
    await rig.tick(100)
    await rig.tick(HOUR - 1)
    assert rig.step() is Step.DEACTIVATED
    await rig.begin()
    assert rig.step() is Step.DEACTIVATED
    await rig.tick(1)
    assert rig.step() is Step.DONE


async def test_a_key_that_another_place_of_iam_does_not_know_yet_is_tried_again_with_growing_pauses(rig: Rig) -> None:
    rig.iam.slow = 5
    await rig.begin(replace(TERMS, settle_seconds=4))
    assert (rig.step(), rig.pauses) == (Step.SWITCHED, [1, 2, 4, 8, 8, 2, 2])


@pytest.mark.parametrize("answer", ["refused", "another user"])
async def test_a_new_key_that_is_not_accepted_is_deleted_and_the_old_one_stays(rig: Rig, answer: str) -> None:
    if answer == "refused":
        rig.iam.slow = 1000
    else:
        own = Identity("123456789012", rig.iam.arn)
        rig.iam.answers["identity"] = [own, *[replace(own, account="999999999999")] * MAX_TRIES]
    await rig.begin()
    status = rig.rotations.status(REF)
    assert (status.step, status.milestone) == (Step.UNDONE, Milestone.UNDONE)
    assert (set(rig.iam.keys), rig.current, rig.iam.touched()) == ({rig.old}, rig.old, {status.new_key_id})
    rig.iam.slow = 0
    rig.iam.answers.clear()
    await rig.begin()
    assert rig.step() is Step.SWITCHED


async def test_a_new_key_that_nobody_could_be_asked_about_is_kept_for_the_next_try(rig: Rig) -> None:
    lost = IamUnreachableError("no answer")
    rig.iam.answers["identity"] = [Identity("123456789012", rig.iam.arn), *[lost] * MAX_TRIES]
    await rig.begin()
    status = rig.rotations.status(REF)
    assert (status.step, type(status.error)) == (Step.CREATED, IamUnreachableError)
    await rig.begin()
    assert rig.step() is Step.SWITCHED
    assert rig.iam.touched() == set()


async def test_an_old_key_that_somebody_still_uses_is_left_active_until_a_person_says_so(rig: Rig) -> None:
    await rig.begin()
    rig.clock.now_ns += 600 * 10**9
    rig.iam.use(rig.old)
    await rig.tick(HOUR - 2800)  # within a watch of that use
    status = rig.rotations.status(REF)
    assert (status.step, status.stopped, status.milestone) == (Step.SWITCHED, True, Milestone.STOPPED)
    assert "s3" in status.reason
    await rig.tick(9 * HOUR)
    assert rig.iam.keys[rig.old].active, "a stopped rotation waits for a person"
    await rig.begin()
    assert rig.step() is Step.DEACTIVATED, "nobody has used it for a while"


async def test_an_old_key_that_is_used_is_made_inactive_when_the_operator_does_not_mind(rig: Rig) -> None:
    await rig.begin()
    rig.clock.now_ns += 1000 * 10**9
    rig.iam.use(rig.old)
    await rig.begin()
    assert rig.rotations.status(REF).stopped
    await rig.begin()
    assert rig.rotations.status(REF).stopped
    await rig.begin(replace(TERMS, ignore_use=True))
    status = rig.rotations.status(REF)
    assert (status.step, status.stopped, status.reason) == (Step.DEACTIVATED, False, "")


async def test_our_own_last_use_of_the_old_key_stops_nothing(rig: Rig) -> None:
    rig.iam.use(rig.old)
    await rig.begin()
    rig.clock.now_ns += 59 * 10**9
    rig.iam.use(rig.old)
    await rig.tick(890)
    assert rig.step() is Step.DEACTIVATED


async def test_an_old_key_that_was_made_active_again_is_not_deleted(rig: Rig) -> None:
    await rig.begin()
    await rig.tick(HOUR)
    rig.iam.keys[rig.old].active = True
    await rig.tick(2 * HOUR)
    status = rig.rotations.status(REF)
    assert (status.step, status.stopped, rig.old in rig.iam.keys) == (Step.DEACTIVATED, True, True)
    await rig.begin(replace(TERMS, ignore_use=True))
    assert not rig.iam.keys[rig.old].active
    await rig.tick(2 * HOUR)
    assert rig.step() is Step.DONE


async def test_with_no_watch_and_no_grace_it_is_over_at_once(rig: Rig) -> None:
    await rig.begin(AT_ONCE)
    assert (rig.step(), set(rig.iam.keys)) == (Step.DONE, {rig.current})


async def test_a_key_that_somebody_deleted_meanwhile_is_gone_and_that_is_fine(rig: Rig) -> None:
    await rig.begin()
    del rig.iam.keys[rig.old]
    await rig.tick(HOUR)
    await rig.tick(2 * HOUR)
    assert rig.step() is Step.DONE


async def test_only_successes_in_a_row_make_a_key_that_works(rig: Rig) -> None:
    own, no = Identity("123456789012", rig.iam.arn), IamRefusedError("no", "InvalidClientTokenId")
    rig.iam.answers["identity"] = [own, own, own, no, own, own, own]
    await rig.begin(replace(TERMS, settle_seconds=4))
    assert (rig.step(), rig.pauses) == (Step.SWITCHED, [2, 2, 4, 2, 2])


async def test_a_stopped_rotation_with_a_longer_watch_goes_on_by_itself(rig: Rig) -> None:
    await rig.begin()
    rig.clock.now_ns += 1000 * 10**9
    rig.iam.use(rig.old)
    await rig.tick()
    assert rig.rotations.status(REF).stopped
    await rig.begin(replace(TERMS, watch_seconds=2 * HOUR))
    assert not rig.rotations.status(REF).stopped
    await rig.tick(4 * HOUR)
    assert rig.step() is Step.DEACTIVATED
