"""What people are shown before, and what is known after an attempt whose answer got lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.base import JsonObject, Plan
from connectors.errors import InvalidParamsError
from tests.unit.connectors.github.desk import GITHUB, HEAD, OLD, THERE, answered, connection, looked, planned, pull

pytestmark = pytest.mark.req("A4")

PULL = {**THERE, "pull_number": 7}
MARK = "<!-- ostiary:int_1 -->"
REF = {"ref": "refs/heads/x", "object": {"sha": OLD}}
ISSUE = {"title": "slow", "body": "very", "state": "open", "user": {"login": "o"}, "labels": []}


def settled(plan: Plan, body: Any, attempt: str = "int_1") -> Any:
    trace: JsonObject = {**plan.trace, "attempt": attempt}
    assert GITHUB.look(plan.action, trace, connection()) is not None
    return GITHUB.settle(plan.action, trace, answered(body))


def plan_of(action: str, **params: Any) -> Plan:
    return GITHUB.plan(f"github:{action}", params, connection())


@pytest.mark.parametrize(
    ("body", "happened"),
    [
        (pull(merged=True, merge_commit_sha=OLD), True),
        (pull(), None),
        (pull(head={"sha": OLD}), False),
        (pull(merged=True, head={"sha": OLD}), False),
        (pull(head=None), None),
        ([], None),
        (None, None),
    ],
)
async def test_a_merge_is_known_by_the_head_it_was_held_to(body: Any, happened: bool | None) -> None:
    found = settled(await planned("github:pulls.merge", PULL, pull()), body)
    assert (found.happened if found else None) is happened
    if happened:
        assert found.data["body"] == {"sha": OLD, "merged": True, "message": "Pull Request successfully merged"}


async def test_a_ref_is_known_by_where_it_points_unless_it_was_there_before() -> None:
    made = plan_of("git.create-ref", **THERE, ref="refs/heads/x", sha=HEAD)
    assert settled(made, {"object": {"sha": HEAD}}).data["status"] == 201
    moved = await planned("github:git.update-ref", {**THERE, "ref": "heads/x", "sha": HEAD}, REF)
    assert settled(moved, {"object": {"sha": HEAD}}).happened is True
    for body in (REF, {"object": None}, {"object": {"sha": "f" * 40}}):
        assert settled(moved, body) is None
    same = await planned("github:git.update-ref", {**THERE, "ref": "heads/x", "sha": OLD}, REF)
    assert settled(same, REF) is None


@pytest.mark.parametrize(
    ("action", "params", "answers"),
    [
        ("issues.create", {**THERE, "title": "x"}, []),
        ("issues.create-comment", {**THERE, "issue_number": 7, "body": "x"}, [ISSUE]),
        ("pulls.create", {**THERE, "title": "x", "base": "main", "head": "x"}, []),
        ("pulls.create-review", {**PULL, "body": "x", "event": "COMMENT"}, [pull()]),
        ("pulls.create-review-comment", {**PULL, "body": "x", "commit_id": HEAD, "path": "a"}, [pull()]),
        ("pulls.create-reply-for-review-comment", {**PULL, "comment_id": 3, "body": "x"}, [pull()]),
    ],
)
async def test_what_was_posted_is_known_by_its_mark_alone(action: str, params: Any, answers: list[Any]) -> None:
    plan = await planned(f"github:{action}", params, *answers)
    posted = {"id": 2, "body": f"x\n\n{MARK}"}
    found = settled(plan, [{"id": 1, "body": None}, "x", posted])
    assert (found.happened, found.data["body"]) == (True, {"id": 2, "body": "x"})
    assert settled(plan, [{"id": 1, "body": "x"}]) is None
    assert settled(plan, [posted], attempt="int_12") is None
    assert settled(plan, [{"id": 1, "body": "<!-- ostiary: -->"}], attempt="") is None
    assert settled(plan, {"message": "x"}) is None


async def test_an_update_is_known_by_values_that_were_others_before() -> None:
    closed = await planned("github:issues.update", {**THERE, "issue_number": 7, "state": "closed"}, ISSUE)
    assert settled(closed, {**ISSUE, "state": "closed"}).happened is True
    assert settled(closed, ISSUE) is None
    for changes in ({"state": "open"}, {"body": "x"}, {"state": "closed", "body": "x"}, {}):
        untold = await planned("github:issues.update", {**THERE, "issue_number": 7, **changes}, ISSUE)
        assert untold.trace == {}
        assert GITHUB.look(untold.action, {**untold.trace, "attempt": "int_1"}, connection()) is None
    renamed = await planned("github:pulls.update", {**PULL, "title": "other"}, pull())
    assert settled(renamed, {**ISSUE, "title": "other"}).happened is True


def test_what_leaves_no_trace_is_not_looked_for() -> None:
    for plan in (plan_of("repos.delete", **THERE), plan_of("repos.get", **THERE)):
        assert plan.trace == {}
        assert GITHUB.look(plan.action, {}, connection()) is None
        assert GITHUB.settle(plan.action, {}, answered({})) is None
    assert GITHUB.look("github:repos.delete", {"repo": "a/b", "host": "api.github.com"}, connection()) is None


def test_a_trace_of_another_upstream_is_refused() -> None:
    trace = plan_of("git.create-ref", **THERE, ref="refs/heads/x", sha=HEAD).trace
    with pytest.raises(InvalidParamsError):
        GITHUB.look("github:git.create-ref", trace, connection(url="https://ghe.example/api/v3"))


async def test_people_see_what_a_merge_would_bring() -> None:
    evidence = await looked("github:pulls.merge", PULL, pull())
    plan = GITHUB.plan_on("github:pulls.merge", PULL, connection(), evidence.found)
    asks = GITHUB.preview_asks(plan)
    assert all(ask.optional for ask in asks)
    for ask in asks:
        assert GITHUB.plan(ask.action, ask.params, connection()).requirements
    now = pull(mergeable=True, mergeable_state="clean", changed_files=2, additions=5, deletions=1)
    files = [{"filename": "a\x1b[2J", "additions": 5, "deletions": 1, "status": "modified"}, 7]
    checks = {
        "check_runs": [{"name": "ci", "conclusion": None, "status": "queued"}, {"name": "b", "conclusion": "success"}]
    }
    reviews = [{"user": {"login": "grace"}, "state": "APPROVED"}, {"user": None, "state": "COMMENTED"}]
    shown = GITHUB.preview(plan, evidence.preview, tuple(map(answered, (now, files, checks, reviews))))
    assert shown == {
        "kind": "github.merge", "repo": "acme/app", "number": 7, "title": "add the login", "author": "octocat",
        "base": "main", "head": "feature/login", "head_sha": HEAD, "draft": False, "method": "merge",
        "mergeable": True, "mergeable_state": "clean", "file_count": 2, "added": 5, "removed": 1,
        "files": [{"path": "a [2J", "added": 5, "removed": 1, "status": "modified"}],
        "checks": [{"name": "ci", "state": "queued"}, {"name": "b", "state": "success"}],
        "reviews": [{"user": "grace", "state": "approved"}, {"user": "", "state": "commented"}],
    }  # fmt: skip


async def test_a_merge_can_be_shown_with_nothing_but_what_was_found() -> None:
    evidence = await looked("github:pulls.merge", PULL, pull())
    plan = GITHUB.plan_on("github:pulls.merge", PULL, connection(), evidence.found)
    for answers in ((), (None,) * 4, tuple(map(answered, ([], {}, [], {"x": 1})))):
        shown = GITHUB.preview(plan, evidence.preview, answers)
        assert (shown["title"], shown["files"], shown["checks"], shown["reviews"]) == ("add the login", [], [], [])


async def test_people_see_each_field_that_is_written_and_what_it_was() -> None:
    params = {**THERE, "issue_number": 7, "state": "closed", "title": "x" * 9000, "labels": ["a"]}
    evidence = await looked("github:issues.update", params, ISSUE)
    plan = GITHUB.plan_on("github:issues.update", params, connection(), evidence.found)
    assert GITHUB.preview_asks(plan) == ()
    shown = GITHUB.preview(plan, evidence.preview, ())
    assert (shown["kind"], shown["method"], shown["path"]) == ("github.write", "PATCH", "/repos/acme/app/issues/7")
    fields = {each["name"]: each for each in shown["fields"]}
    assert (fields["state"]["old"], fields["state"]["new"]) == ("open", "closed")
    assert len(fields["title"]["new"]) < 2100
    assert len(str(shown)) < 64 << 10


async def test_people_see_where_a_ref_points_and_nothing_of_a_read() -> None:
    params = {**THERE, "ref": "heads/x", "sha": HEAD}
    evidence = await looked("github:git.update-ref", params, REF)
    plan = GITHUB.plan_on("github:git.update-ref", params, connection(), evidence.found)
    assert {"name": "points to", "old": OLD, "new": HEAD} in GITHUB.preview(plan, evidence.preview, ())["fields"]
    assert GITHUB.preview(plan_of("repos.get", **THERE), {}, ()) == {}
    text = replace(plan, call={**plan.call, "body": "text"})
    assert GITHUB.preview(text, {}, ())["fields"] == [{"name": "body", "new": "text"}]
