"""A push through the door, said by hand: what the broker is asked, what git is told while it waits and at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import structlog

from broker.doors.app import create_app
from broker.doors.git.bodies import DRAIN_SECONDS
from broker.doors.git.pushing import ALIVE_SECONDS, REMIND_SECONDS
from broker.ids import IntentId
from broker.model import IntentDraft, IntentState
from broker.outcome import ProblemKind
from broker.settings import Settings
from connectors.git.wire.packets import Mark
from tests.parts.git_wire import NEW, OLD, PACK, ZERO, packets
from tests.parts.hurried import hurried
from tests.unit.broker.doors.git.git_world import ASKED, INTENT, GitWorld, Line, after, at_once, done, failed, people

URL = "/git/forge/acme/app.git/git-receive-pack"
MAIN = "refs/heads/main"
STOCK = "report-status-v2 side-band-64k object-format=sha1 agent=git/2.39.5"
TYPE = "application/x-git-receive-pack-request"
APPROVAL = "https://ostiary.test/v1/approvals/apr_1"


@pytest.fixture
def world(tmp_path: Path) -> GitWorld:
    made = GitWorld(Settings(data=tmp_path))
    made.add_connection("forge")
    return made


def commands(*updates: str, abilities: str = STOCK) -> bytes:
    first, *others = updates or (f"{OLD} {NEW} {MAIN}",)
    return packets(f"{first}\0 {abilities}", *others, Mark.FLUSH)


def push(world: GitWorld, body: bytes = b"", url: str = URL, size: int = 40, **line: Any) -> Line:
    """Push, `main` from `OLD` to `NEW` when nothing else is said, and return what came of it."""
    whole = body or commands() + PACK
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    return hurried(
        Line(create_app(world), pieces, **line).call("POST", url, world.pusher_token, {"content-type": TYPE})
    )


@pytest.mark.req("A3")
def test_the_broker_is_asked_for_every_ref_and_reads_the_pack(world: GitWorld) -> None:
    updates = (f"{OLD} {NEW} {MAIN}", f"{ZERO} {NEW} refs/tags/v1", f"{OLD} {ZERO} refs/heads/old")
    body = commands(*updates, abilities=f"{STOCK} push-options atomic") + packets("ci.skip", Mark.FLUSH) + PACK
    line = push(world, body)
    (draft,) = world.drafts
    assert (draft.action, draft.connection, draft.source_ip, draft.joins) == ("git:push", "forge", "198.51.100.7", True)
    rows = [dict(zip(("old", "new", "ref"), each.split(" "), strict=True)) for each in updates]
    assert draft.params == {
        "repo": "acme/app",
        "updates": rows,
        "options": ["ci.skip"],
        "pack": {"upload": {}},
    }
    assert (draft.evidence, draft.part_of, draft.idempotency_key) == ({}, "", "")
    assert world.packs == [PACK]
    assert world.waits == [world.settings.wire_approval_wait_seconds]
    assert (line.status, line.headers["content-type"]) == (200, "application/x-git-receive-pack-result")
    assert line.report.results == {MAIN: "", "refs/tags/v1": "", "refs/heads/old": ""}
    assert line.lines == []


def test_a_push_that_only_deletes_has_no_pack(world: GitWorld) -> None:
    line = push(world, commands(f"{OLD} {ZERO} {MAIN}"))
    assert "pack" not in world.drafts[0].params
    assert world.packs == []
    assert line.report.results == {MAIN: ""}


def test_a_repository_has_one_name_whatever_its_spelling(world: GitWorld) -> None:
    push(world, url="/git/forge/Acme/APP/git-receive-pack")
    world.add_connection("forge", case_sensitive=True)
    push(world, url="/git/forge/Acme/APP/git-receive-pack")
    assert [draft.params["repo"] for draft in world.drafts] == ["acme/app", "Acme/APP"]


def test_a_try_whether_it_may_push_at_all_is_answered_with_nothing(world: GitWorld) -> None:
    line = push(world, b"0000")
    assert (line.status, line.body, line.headers["content-length"], world.drafts) == (200, b"", "0", [])


BROKEN = {
    "nothing": b"",
    "no packets": b"hello, git",
    "a ref outside branches and tags": commands(f"{OLD} {NEW} refs/pull/1/head") + PACK,
    "two commands for one ref": commands(f"{OLD} {NEW} {MAIN}", f"{OLD} {ZERO} {MAIN}") + PACK,
    "no pack": commands(),
    "a pack beside a deletion": commands(f"{OLD} {ZERO} {MAIN}") + PACK,
    "an ability nobody offered": commands(abilities=f"{STOCK} push-cert=x") + PACK,
}


@pytest.mark.req("A3")
@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_what_is_no_push_ends_the_client_with_an_error_and_asks_nobody(world: GitWorld, body: bytes) -> None:
    line = push(world, body + b"x" * 500 if body else b"\n")
    assert (line.status, line.whole, world.drafts) == (200, True, [])
    assert line.lines[0].startswith("ostiary: ")
    assert b"\3the push was not taken" in line.body
    assert line.received == len(line.pieces), "its sender comes to the answer"


@pytest.mark.req("A3")
@pytest.mark.parametrize("abilities", ["side-band-64k", "atomic"])
def test_a_client_that_reads_no_report_is_turned_away_by_status(world: GitWorld, abilities: str) -> None:
    line = push(world, commands(abilities=abilities) + PACK)
    assert (line.status, world.drafts, line.received) == (400, [], len(line.pieces))


def test_words_of_the_hosts_hooks_are_shown(world: GitWorld) -> None:
    world.play = at_once(done(words="create a pull request:\nhttps://git.test/x\x1b[2J"))
    assert push(world).lines == ["create a pull request:", "https://git.test/x [2J"]


@pytest.mark.req("A3")
def test_a_denial_says_rule_reason_and_fix_and_fails_every_ref(world: GitWorld) -> None:
    more = {"reason": "it says so", "rule": "policies/a.yaml:3 (a)", "fix": "do this", "retry_after_seconds": 7}
    world.play = at_once(failed(ProblemKind.DENIED, "policy denies it", **more))
    line = push(world, commands(f"{OLD} {NEW} {MAIN}", f"{OLD} {NEW} refs/heads/b") + PACK)
    assert line.lines == [
        "ostiary: policy denies it",
        "ostiary: rule: policies/a.yaml:3 (a)",
        "ostiary: reason: it says so",
        "ostiary: fix: do this",
        "ostiary: try again in 7 s",
    ]
    assert line.report.results == {MAIN: "denied by policy", "refs/heads/b": "denied by policy"}
    assert line.report.unpack == ""


@pytest.mark.parametrize(
    ("kind", "reason", "beside", "unpack"),
    [
        (ProblemKind.APPROVAL_REJECTED, "", "rejected by a person", ""),
        (ProblemKind.STALE_PLAN, "", "what was approved has changed", ""),
        (ProblemKind.OUTCOME_UNKNOWN, "", "outcome unknown", ""),
        (ProblemKind.LEDGER_UNAVAILABLE, "", "ledger unavailable", ""),
        (ProblemKind.UPSTREAM_REFUSED, "stale", "stale", ""),
        (ProblemKind.UPSTREAM_REFUSED, "", "refused by the git host", ""),
        (ProblemKind.UPSTREAM_REFUSED, "bad-pack", "bad-pack", "bad-pack"),
    ],
)
def test_each_ref_says_shortly_why_not(
    world: GitWorld, kind: ProblemKind, reason: str, beside: str, unpack: str
) -> None:
    world.play = at_once(failed(kind, reason=reason))
    report = push(world).report
    assert (report.results[MAIN], report.unpack) == (beside, unpack)


@pytest.mark.parametrize("abilities", ["report-status", "report-status quiet"])
def test_a_client_without_bands_gets_the_bare_report_and_nothing_before(world: GitWorld, abilities: str) -> None:
    world.play = people(60, failed(ProblemKind.APPROVAL_REJECTED))
    line = push(world, commands(abilities=abilities) + PACK)
    assert (len(line.said), line.body[:10]) == (1, b"000eunpack")
    assert line.report.results == {MAIN: "rejected by a person"}


def test_a_push_that_takes_long_shows_that_it_is_looked_at_and_stays_awake(world: GitWorld) -> None:
    world.play = after(22, done())
    line = push(world)
    looking, *signs = line.progress
    assert looking == (1.0, "ostiary: looking at what would be pushed")
    assert signs == [(1 + ALIVE_SECONDS * n, "") for n in range(1, 5)]
    assert line.report.results == {MAIN: ""}


def test_nothing_is_said_while_the_pack_still_comes(world: GitWorld) -> None:
    line = push(world, pause=2)
    ended = 2 * len(line.pieces)
    assert {at for at, _ in line.said} == {ended}
    world.play = after(3, done())
    assert min(at for at, _ in push(world, pause=2).said) >= ended


def test_a_quiet_client_is_kept_awake_without_a_word(world: GitWorld) -> None:
    world.play = after(12, done())
    line = push(world, commands(abilities=f"{STOCK} quiet") + PACK)
    assert [text for _, text in line.progress] == ["", "", ""]


@pytest.mark.req("A3")
def test_people_are_waited_for_in_sight_and_their_yes_is_the_pushes(world: GitWorld) -> None:
    session = world.session_of(world.pusher_token)
    asked = world.park(session, IntentId(INTENT), IntentDraft("git:push", {}))
    world.play = people(64, done(), replace(ASKED, approval_id=asked.id))
    line = push(world)
    assert [(at, text) for at, text in line.progress if text] == [
        (0.0, f"ostiary: people are asked: https://ostiary.test/v1/approvals/{asked.id}"),
        (0.0, f"ostiary: rule: {asked.rule}"),
        (0.0, "ostiary: waiting for their answer; Ctrl-C leaves the request open"),
        (REMIND_SECONDS, "ostiary: still waiting; Ctrl-C leaves the request open"),
        (2 * REMIND_SECONDS, "ostiary: still waiting; Ctrl-C leaves the request open"),
    ]
    times = [at for at, _ in line.said]
    assert max(later - earlier for earlier, later in pairwise(times)) <= ALIVE_SECONDS
    assert line.report.results == {MAIN: ""}


@pytest.mark.parametrize(
    ("kind", "beside"),
    [
        (ProblemKind.APPROVAL_REJECTED, "rejected by a person"),
        (ProblemKind.APPROVAL_EXPIRED, "nobody answered in time"),
        (ProblemKind.CANCELLED, "cancelled"),
    ],
)
def test_their_no_and_their_silence_fail_the_push(world: GitWorld, kind: ProblemKind, beside: str) -> None:
    world.play = people(7, failed(kind, "not on a friday"))
    line = push(world, commands(abilities=f"{STOCK} quiet") + PACK)
    assert line.lines[0].endswith(APPROVAL), "a quiet client is told whom it waits for"
    assert line.lines[-1] == "ostiary: not on a friday"
    assert line.report.results == {MAIN: beside}


@pytest.mark.req("A3")
def test_patience_that_ends_says_where_the_request_is_and_leaves_it_open(world: GitWorld) -> None:
    world.play = people(30, ASKED)
    line = push(world)
    assert line.lines[-2] == f"ostiary: pending approval {APPROVAL}"
    assert line.report.results == {MAIN: f"pending approval {APPROVAL}"}
    assert world.cancelled == 0


@pytest.mark.parametrize("state", [IntentState.APPROVED, IntentState.EXECUTING])
def test_a_push_that_was_approved_before_says_so(world: GitWorld, state: IntentState) -> None:
    on_its_way = replace(ASKED, state=state)
    world.play = people(3, on_its_way, on_its_way)
    line = push(world)
    assert line.lines[0] == "ostiary: approved, not yet carried out"
    assert line.report.results == {MAIN: "approved, not yet carried out"}


def test_a_push_that_was_carried_out_before_and_undone_is_no_success(world: GitWorld) -> None:
    world.play = at_once(replace(done(words="created"), replayed=True))
    line = push(world)
    assert line.report.results == {MAIN: "carried out before, and undone since"}
    assert len(line.lines) == 1


def test_people_are_found_where_the_operator_says(tmp_path: Path) -> None:
    world = GitWorld(Settings(data=tmp_path, public_url="https://doors.test"), play=at_once(ASKED))
    assert push(world).report.results == {MAIN: "pending approval https://doors.test/v1/approvals/apr_1"}


@pytest.mark.req("A3")
@pytest.mark.parametrize("gone_after", [1, 2, 3, 4])
def test_a_client_that_goes_away_while_people_decide_leaves_the_request_open(world: GitWorld, gone_after: int) -> None:
    world.play = people(3600, done())
    push(world, gone_after=gone_after)
    assert (world.cancelled, world.finished) == (1, 0), "only the wait ends"


def test_a_client_that_goes_away_before_that_leaves_the_push_to_its_end(world: GitWorld) -> None:
    world.play = after(60, done())
    push(world, gone_after=1)
    assert (world.cancelled, world.finished) == (0, 1)


def test_a_fault_after_the_client_went_away_is_nobodys_to_report(world: GitWorld) -> None:
    world.play = after(60, RuntimeError("boom"))
    with structlog.testing.capture_logs() as logs:
        push(world, gone_after=1)
    assert [each["error_type"] for each in logs] == ["OSError"]


def test_a_server_that_stops_ends_the_wait_and_not_the_push(world: GitWorld) -> None:
    async def stopped(play: Callable[..., Any]) -> tuple[int, int]:
        world.play, world.cancelled, world.finished = play, 0, 0
        line = Line(create_app(world), [commands() + PACK])
        task = asyncio.create_task(line.call("POST", URL, world.pusher_token, {"content-type": TYPE}))
        await asyncio.sleep(10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return world.cancelled, world.finished

    assert hurried(stopped(people(3600, done()))) == (1, 0)
    assert hurried(stopped(after(3600, done()))) == (0, 1)


def test_a_broker_that_fails_is_a_fault_or_a_cut_and_never_a_report(world: GitWorld) -> None:
    world.play = after(0, RuntimeError("boom"))
    line = push(world)
    assert (line.status, line.headers["content-type"]) == (500, "application/problem+json")
    world.play = after(3, RuntimeError("boom"))
    line = push(world)
    assert (line.status, line.whole) == (200, False)


@pytest.mark.req("A3")
@pytest.mark.parametrize("kept", [30, -10])
def test_a_body_that_ends_early_pushes_nothing(world: GitWorld, kept: int) -> None:
    line = push(world, (commands() + PACK)[:kept], cut=True)
    assert line.whole
    assert world.finished == 0


def test_a_client_that_stands_still_pushes_nothing(world: GitWorld) -> None:
    line = push(world, pause=61)
    assert (b"\3the push was not taken" in line.body, world.drafts) == (True, [])
    assert push(world, pause=59).report.results == {MAIN: ""}


def test_a_pack_nobody_reads_is_drained_before_the_answer_but_not_for_ever(world: GitWorld) -> None:
    world.reads, world.play = False, at_once(failed(ProblemKind.DENIED))
    body = commands() + PACK + b"x" * 4000
    line = push(world, body)
    assert (line.received, line.report.results) == (len(line.pieces), {MAIN: "denied by policy"})
    line = push(world, body, pause=5)
    assert line.report.results == {MAIN: "denied by policy"}
    assert line.said[-1][0] <= DRAIN_SECONDS + 5 * 10


def test_a_push_of_another_media_type_is_no_push(world: GitWorld) -> None:
    app = create_app(world)
    for kind in ("", "text/plain", "application/x-www-form-urlencoded", "application/x-git-upload-pack-request"):
        line = hurried(Line(app, [commands() + PACK]).call("POST", URL, world.pusher_token, {"content-type": kind}))
        assert line.status == 415
    assert world.drafts == []
