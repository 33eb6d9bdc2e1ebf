"""How rotations are begun, refused, aborted, carried on and told of."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import structlog.testing

from tests.unit.vault.rotation.iam import (
    AT_ONCE,
    ENDPOINTS,
    HOUR,
    NOT_AGAIN,
    PATH,
    REF,
    TERMS,
    USER,
    Faults,
    PaperIam,
    Rig,
)
from tests.unit.vault.samples import AWS, BASIC, TEMPORARY
from vault.credential import check_fields
from vault.errors import (
    BadRequestError,
    CredentialMissingError,
    IamRefusedError,
    IamUnreachableError,
    LeaseRefusedError,
    RotationRefusedError,
    SealedError,
    StorageError,
    VaultError,
)
from vault.model import CredentialKind
from vault.rotation.iam import NewKey
from vault.rotation.model import IamEndpoints, Milestone, Rotation, Step
from vault.rotation.procedure import pause


def someone_else(rig: Rig) -> None:
    rig.iam.make("someone")


def namesake(rig: Rig) -> None:
    rig.put("aws/other", rig.old)


def root_user(rig: Rig) -> None:
    rig.iam.arn = "arn:aws:iam::123456789012:root"


def role(rig: Rig) -> None:
    rig.iam.arn = "arn:aws:sts::123456789012:assumed-role/admin/session"


def not_in_the_list(rig: Rig) -> None:
    rig.iam.hides = True


@pytest.mark.req("V1")
@pytest.mark.parametrize("fault", [someone_else, namesake, root_user, role, not_in_the_list])
async def test_a_key_that_is_not_alone_or_no_users_is_not_rotated_and_nothing_is_touched(rig: Rig, fault: Any) -> None:
    fault(rig)
    before = dict(rig.iam.keys)
    await rig.begin()
    status = rig.rotations.status(REF)
    assert (status.step, type(status.error)) == (None, RotationRefusedError)
    assert (rig.iam.keys, rig.iam.touched(), rig.rotations.list()) == (before, set(), ())


@pytest.mark.parametrize("code", ["AccessDenied", "LimitExceeded"])
async def test_a_refusal_of_iam_is_told_and_the_same_command_goes_on_later(rig: Rig, code: str) -> None:
    rig.iam.answers["create"] = [IamRefusedError(f"`iam:CreateAccessKey` was refused: {code}", code)]
    await rig.begin()
    status = rig.rotations.status(REF)
    assert (status.step, type(status.error), code in status.problem) == (Step.PLANNED, IamRefusedError, True)
    await rig.begin()
    assert (rig.step(), rig.rotations.status(REF).problem) == (Step.SWITCHED, "")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"watch_seconds": 59}, BadRequestError),
        ({"watch_seconds": 366 * 86_400}, BadRequestError),
        ({"grace_seconds": -1}, BadRequestError),
        ({"grace_seconds": 366 * 86_400}, BadRequestError),
        ({"settle_seconds": 601}, BadRequestError),
        ({"endpoints": replace(ENDPOINTS, iam="iam.amazonaws.com")}, BadRequestError),
        ({"endpoints": replace(ENDPOINTS, sts="http://sts.amazonaws.com")}, BadRequestError),
        ({"endpoints": replace(ENDPOINTS, iam_region="EU west")}, BadRequestError),
        ({"endpoints": replace(ENDPOINTS, iam="https://iam.example.com")}, LeaseRefusedError),
        ({"endpoints": replace(ENDPOINTS, sts="https://amazonaws.com.example")}, LeaseRefusedError),
    ],
)
async def test_terms_that_do_not_fit_begin_nothing(rig: Rig, change: Any, error: type[VaultError]) -> None:
    with pytest.raises(error):
        rig.rotations.begin(REF, replace(TERMS, **change))
    assert rig.faults.done == []


async def test_only_long_lived_aws_keys_are_rotated(rig: Rig) -> None:
    rig.vault.put("aws/role", CredentialKind.AWS, TEMPORARY, ["*.amazonaws.com"])
    rig.vault.put("git/x", CredentialKind.BASIC, BASIC, ["*.amazonaws.com"])
    for ref, error in (
        ("aws/role", LeaseRefusedError),
        ("git/x", LeaseRefusedError),
        ("aws/none", CredentialMissingError),
        ("../x", BadRequestError),
    ):
        with pytest.raises(error):
            rig.rotations.begin(ref, TERMS)
    with pytest.raises(RotationRefusedError):
        rig.rotations.abort("aws/role")


async def test_a_key_that_cannot_be_sealed_is_deleted_at_once(rig: Rig) -> None:
    rig.faults.at, rig.faults.error = NOT_AGAIN + 1, StorageError("cannot write the storage (SQLITE_FULL)")
    await rig.begin()
    assert (set(rig.iam.keys), rig.step()) == ({rig.old}, Step.PLANNED)
    assert type(rig.rotations.status(REF).error) is StorageError
    await rig.begin()
    assert rig.step() is Step.SWITCHED


async def test_a_vault_that_is_sealed_meanwhile_stops_the_rotation_and_forgets_nothing(rig: Rig) -> None:
    await rig.begin()
    rig.vault.seal()
    await rig.tick(HOUR)
    with pytest.raises(SealedError):
        rig.rotations.list()
    with pytest.raises(SealedError):
        await rig.begin()
    rig.restart()
    await rig.tick()
    assert rig.step() is Step.DEACTIVATED


async def test_an_upstream_that_gives_the_old_key_out_as_new_is_not_believed(rig: Rig) -> None:
    rig.iam.answers["create"] = [NewKey(rig.old, check_fields(CredentialKind.AWS, AWS))]
    await rig.begin()
    assert type(rig.rotations.status(REF).error) is RotationRefusedError
    await_gone = [key_id for key_id in rig.iam.keys if key_id != rig.old]
    assert (rig.step(), len(await_gone), rig.iam.touched()) == (Step.PLANNED, 1, set())


@pytest.mark.req("V1")
@pytest.mark.parametrize("at", [PATH.index("create"), NOT_AGAIN + 2, NOT_AGAIN + 5, NOT_AGAIN + 6])
async def test_an_abort_before_the_switch_deletes_the_new_key_and_nothing_else(rig: Rig, at: int) -> None:
    rig.faults.at = at
    await rig.begin()
    rig.faults.clear()
    made = set(rig.iam.keys) - {rig.old}
    await rig.abort()
    status = rig.rotations.status(REF)
    assert (status.step, status.reason) == (Step.UNDONE, "aborted")
    assert (set(rig.iam.keys), rig.iam.touched(), rig.current) == ({rig.old}, made, rig.old)
    with pytest.raises(RotationRefusedError):
        rig.rotations.abort(REF)


async def test_a_running_rotation_is_aborted_while_it_tries_the_new_key(rig: Rig) -> None:
    rig.iam.slow = 1000
    rig.rotations._procedure._pause = pause
    rig.rotations.begin(REF, TERMS)
    await rig.reaches(Step.CREATED)
    rig.rotations.begin(REF, TERMS)  # joins
    assert rig.rotations.status(REF).running
    await rig.abort()
    assert (rig.step(), set(rig.iam.keys)) == (Step.UNDONE, {rig.old})


async def test_an_undoing_that_was_cut_is_carried_on(rig: Rig) -> None:
    rig.iam.slow = 1000
    rig.iam.answers["delete"] = [IamUnreachableError("no answer")]
    await rig.begin()
    assert rig.step() is Step.UNDOING
    await rig.tick()
    assert (rig.step(), set(rig.iam.keys)) == (Step.UNDONE, {rig.old})


async def test_an_abort_after_the_switch_is_refused(rig: Rig) -> None:
    await rig.begin()
    with pytest.raises(RotationRefusedError):
        rig.rotations.abort(REF)
    await rig.tick(HOUR)
    assert rig.step() is Step.DEACTIVATED


async def test_a_credential_that_a_person_changed_after_the_switch_stops_it_and_can_be_let_go(rig: Rig) -> None:
    await rig.begin()
    rig.vault.rotate(REF, rig.iam.fields(rig.old))
    await rig.tick(HOUR)
    assert (rig.rotations.status(REF).stopped, rig.iam.touched()) == (True, set())
    await rig.begin(AT_ONCE)
    assert rig.iam.keys[rig.old].active
    await rig.abort()
    assert (rig.step(), rig.iam.touched(), len(rig.iam.keys)) == (Step.UNDONE, set(), 2)


@pytest.mark.parametrize("at", [PATH.index("create"), NOT_AGAIN + 2, NOT_AGAIN + 5, NOT_AGAIN + 6])
async def test_a_credential_that_a_person_changed_before_the_switch_is_not_switched(rig: Rig, at: int) -> None:
    rig.faults.at = at
    await rig.begin()
    rig.restart()
    rig.vault.rotate(REF, {**rig.iam.fields(rig.old), "access_key_id": b"AKIAOTHER"})
    await rig.begin()
    status = rig.rotations.status(REF)
    assert (type(status.error), rig.current, rig.iam.touched()) == (RotationRefusedError, "AKIAOTHER", set())


async def test_a_credential_that_is_destroyed_takes_its_rotation_along(rig: Rig) -> None:
    await rig.begin()
    rig.vault.destroy(REF)
    assert rig.rotations.list() == ()
    await rig.tick(HOUR)
    rig.restart()
    assert rig.rotations.list() == ()
    assert rig.iam.touched() == set()


async def test_a_milestone_is_told_once_and_an_ended_rotation_is_forgotten_when_it_is_told(rig: Rig) -> None:
    await rig.begin()
    rig.rotations.tell(REF, Milestone.BEGUN)
    assert rig.rotations.status(REF).told == "", "it has come further since"
    rig.rotations.tell(REF, Milestone.SWITCHED)
    await rig.tick(HOUR)
    status = rig.rotations.status(REF)
    assert (status.milestone, status.told) == (Milestone.DEACTIVATED, "switched")
    await rig.tick(2 * HOUR)
    rig.restart()
    assert [found.milestone for found in rig.rotations.list()] == [Milestone.FINISHED]
    rig.rotations.tell(REF, Milestone.FINISHED)
    rig.rotations.tell(REF, Milestone.FINISHED)
    rig.restart()
    assert rig.rotations.list() == ()


async def test_the_new_secret_is_looked_for_in_results_from_the_moment_it_is_sealed(rig: Rig) -> None:
    rig.faults.at, rig.faults.after = NOT_AGAIN + 1, True
    await rig.begin()
    rig.restart()
    [new] = set(rig.iam.keys) - {rig.old}
    for _ in range(2):
        for key_id in rig.iam.keys:
            assert rig.vault.scan(b"x" + rig.iam.keys[key_id].secret.encode() + b"y").hits == 1
        await rig.begin()
    assert rig.current == new


async def test_a_new_term_key_seals_a_rotation_anew(rig: Rig) -> None:
    rig.faults.at, rig.faults.after = NOT_AGAIN + 1, True
    await rig.begin()
    rig.restart()
    rig.vault.rotate_keyring()
    rig.restart()
    await rig.begin()
    assert rig.step() is Step.SWITCHED


async def test_neither_status_nor_log_holds_a_secret(rig: Rig) -> None:
    with structlog.testing.capture_logs() as logged:
        rig.iam.slow = 1000
        await rig.begin()
        rig.iam.slow = 0
        rig.iam.answers["keys"] = [IamUnreachableError("no answer")]
        await rig.begin()
        await rig.run_to_the_end()
    shown = repr((logged, rig.rotations.list()))
    assert "secret-" not in shown
    assert [line["step"] for line in logged if line.get("new_key") == rig.current][-1] == "done"


async def test_a_fault_of_ours_ends_the_attempt_and_is_told_without_details(rig: Rig) -> None:
    rig.faults.at, rig.faults.error = 0, RuntimeError("secret words")
    await rig.begin()
    status = rig.rotations.status(REF)
    assert (type(status.error), "secret words" in status.problem) == (VaultError, False)


async def test_while_it_watches_what_is_due_is_done_at_once_and_what_runs_ends_at_its_step(rig: Rig) -> None:
    await rig.begin()
    rig.clock.now_ns += HOUR * 10**9
    async with rig.rotations.watching():
        await rig.reaches(Step.DEACTIVATED)
    rig.clock.now_ns += 2 * HOUR * 10**9
    async with rig.rotations.watching():
        await rig.reaches(Step.DONE)


async def test_a_vault_that_stops_ends_the_tries_of_a_new_key_and_keeps_it(rig: Rig) -> None:
    rig.iam.slow = 1000
    rig.rotations._procedure._pause = pause
    async with rig.rotations.watching():
        rig.rotations.begin(REF, TERMS)
        await rig.reaches(Step.CREATED)
    assert (rig.step(), rig.rotations.status(REF).running, len(rig.iam.keys)) == (Step.CREATED, False, 2)


def test_paper_has_two_keys_at_most() -> None:
    iam = PaperIam(lambda: 0, Faults())
    assert iam.make("a") != iam.make("b")
    with pytest.raises(IamRefusedError):
        iam.make("c")


def test_the_endpoints_of_a_region_are_those_of_its_partition() -> None:
    from vault.rotation.endpoints import published_endpoints

    assert published_endpoints("eu-west-1") == ENDPOINTS
    assert published_endpoints("cn-north-1") == IamEndpoints(
        "https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn", "cn-north-1"
    )
    with pytest.raises(BadRequestError):
        published_endpoints("mars-1")


async def test_a_vault_that_stops_while_a_key_is_made_seals_it_and_goes_no_further(rig: Rig) -> None:
    rig.iam.may_create.clear()
    async with rig.rotations.watching():
        rig.rotations.begin(REF, TERMS)
        await asyncio.to_thread(rig.iam.creating.wait, 10)
        asyncio.get_running_loop().call_soon(rig.iam.may_create.set)
    assert rig.step() is Step.CREATED
    assert rig.faults.done[-1] == "write"


async def test_a_key_that_is_in_use_is_not_deleted_whatever_the_record_says(rig: Rig) -> None:
    wrong = Rotation(REF, Step.UNDOING, TERMS, "1", rig.iam.arn, USER, "AKIAOTHER", 1, new_key_id=rig.old)
    with rig.vault._changing() as registry:
        registry.write_rotation(wrong)
    await rig.tick()
    assert (type(rig.rotations.status(REF).error), rig.iam.touched()) == (RotationRefusedError, set())


async def test_a_rotation_that_begins_anew_has_told_nothing_yet(rig: Rig) -> None:
    await rig.begin()
    rig.rotations.tell(REF, Milestone.SWITCHED)
    await rig.tick(HOUR)
    await rig.tick(2 * HOUR)
    await rig.begin()
    assert (rig.step(), rig.rotations.status(REF).told) == (Step.SWITCHED, "")


async def test_an_index_that_is_there_already_learns_the_new_secret(rig: Rig) -> None:
    assert rig.vault.scan(b"nothing").hits == 0
    rig.faults.at = PATH.index("identity", NOT_AGAIN)
    await rig.begin()
    [new] = set(rig.iam.keys) - {rig.old}
    assert rig.vault.scan(rig.iam.keys[new].secret.encode()).hits == 1


async def test_where_the_credential_may_not_be_used_nothing_is_asked_whatever_the_record_says(rig: Rig) -> None:
    elsewhere = replace(TERMS, endpoints=replace(ENDPOINTS, iam="https://iam.example.com"))
    wrong = Rotation(REF, Step.UNDOING, elsewhere, "1", rig.iam.arn, USER, rig.old, 1, new_key_id="AKIANEW")
    with rig.vault._changing() as registry:
        registry.write_rotation(wrong)
    await rig.tick()
    assert (rig.rotations.status(REF).problem_code, rig.iam.touched()) == (LeaseRefusedError.code, set())


async def test_what_the_ledger_is_told_while_a_rotation_runs_is_not_forgotten(rig: Rig) -> None:
    rig.iam.may_create.clear()
    rig.rotations.begin(REF, TERMS)
    await asyncio.to_thread(rig.iam.creating.wait, 10)
    rig.rotations.tell(REF, Milestone.BEGUN)
    rig.iam.may_create.set()
    await rig.rotations.idle()
    assert (rig.step(), rig.rotations.status(REF).told) == (Step.SWITCHED, "begun")
