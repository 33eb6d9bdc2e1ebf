from __future__ import annotations

import pytest

from connectors.base import JsonObject
from connectors.git.plans import plan_push
from connectors.git.preview import preview_asks_of, preview_of
from connectors.inspection import Ask
from tests.parts.git_wire import NEW, OLD
from tests.unit.connectors.git.test_plans import FORGE, KINDS, ONE, pushed, seen


def shown(*changes: str, answers: tuple[JsonObject | None, ...] = (), **more: object) -> JsonObject:
    """What people are shown of a push of which the quarantine tells little."""
    plan = plan_push(pushed(*changes), FORGE, seen(*changes))
    rows = [{"ref": ref, "change": change} for ref, change in plan.call["changes"].items()]
    return preview_of(plan, {"refs": rows, **more}, answers)


def test_the_host_is_asked_about_branches_that_are_there_five_at_most() -> None:
    plan = plan_push(pushed("create", "force", "fast-forward"), FORGE, seen("create", "force", "fast-forward"))
    asked = {"owner": "acme", "repo": "app", "branch": "ahead"}
    assert preview_asks_of(plan) == (Ask("github:repos.get-branch", asked, optional=True),)
    updates = [{"ref": f"refs/heads/b{n}", "old": OLD, "new": NEW} for n in range(9)]
    found = {"updates": [{**each, "change": "force"} for each in updates]}
    assert len(preview_asks_of(plan_push({**pushed("force"), "updates": updates}, FORGE, found))) == 5


@pytest.mark.parametrize(
    ("answer", "protected"),
    [
        ({"body": {"protected": True}}, True),
        ({"body": {"protected": False}}, False),
        ({"body": {"protected": "yes"}}, None),
        ({"body": [1]}, None),
        ({}, None),
        (None, None),
    ],
)
def test_what_the_host_says_of_protection_is_shown_or_left_open(answer: JsonObject | None, protected: object) -> None:
    rows = shown("fast-forward", "force", "create", answers=(answer,))["refs"]
    assert [each["protected"] for each in rows] == [protected, None, None]


def test_what_the_operator_protects_counts_whatever_the_host_says() -> None:
    ahead = KINDS["fast-forward"][0]
    answer = {"body": {"protected": False}}
    (row,) = shown("fast-forward", answers=(answer,), protected=[ahead], head=ahead)["refs"]
    assert (row["protected"], row["default_branch"]) == (True, True)
    (row,) = shown("fast-forward", head="refs/heads/main")["refs"]
    assert (row["protected"], row["default_branch"]) == (None, False)


def test_a_push_is_summed_up_over_its_refs_and_each_diff_says_whose_it_is() -> None:
    totals = {"files": 2, "added": 3, "removed": 1}
    diff = [{"path": "a.txt", "lines": ["+a"], "more": 4}]
    row = {"commits": [{"oid": NEW}], "commits_total": 7, "files": [{"path": "a.txt"}], "files_total": 2}
    rows = [{"ref": f"refs/heads/{name}", "totals": totals, "diff": diff, **row} for name in "ab"]
    plan = plan_push(pushed("create"), FORGE, seen("create"))
    leaks = [{"rule": "vault", "path": "a.txt", "line": 1, "commit": NEW}]
    both = preview_of(plan, {"refs": rows, "leaks": leaks, "leaks_total": 9, "cut": True}, ())
    assert both["totals"] == {"commits": 14, "files": 4, "added": 6, "removed": 2}
    assert [each["path"] for each in both["diff"]] == ["refs/heads/a: a.txt", "refs/heads/b: a.txt"]
    assert both["diff"][0] == {"path": "refs/heads/a: a.txt", "lines": ["+a"], "truncated": True}
    assert (both["leaks"], both["leak_count"], both["cut"]) == (leaks, 9, True)
    one = preview_of(plan, {"refs": rows[:1]}, ())
    assert one["diff"][0]["path"] == "a.txt"
    assert (one["refs"][0]["commit_count"], one["refs"][0]["file_count"]) == (7, 2)
    assert (one["refs"][0]["commits"], one["refs"][0]["files"]) == (row["commits"], row["files"])


def test_a_push_nothing_is_known_of_is_shown_as_that() -> None:
    plan = plan_push({"repo": "acme/app", "bundle": ONE}, FORGE, seen("none"))
    empty = preview_of(plan, {}, ())
    assert (empty["kind"], empty["repo"], empty["refs"], empty["diff"]) == ("git.push", "acme/app", [], [])
    assert empty["totals"] == {"commits": 0, "files": 0, "added": 0, "removed": 0}
    assert not empty["cut"]
