"""What is found out before a plan: what is read, which facts conditions see, and what the plan is held to."""

from __future__ import annotations

from typing import Any

import pytest

from broker.catalog import plan_digest_of
from connectors.errors import InvalidParamsError, NotSentError, UpstreamRefusedError
from connectors.inspection import Ask
from tests.unit.connectors.github.desk import GITHUB, HEAD, OLD, THERE, connection, looked, planned, pull

pytestmark = pytest.mark.req("A4")

PULL = {**THERE, "pull_number": 7}
ISSUE = {"title": "slow", "body": "very", "state": "open", "user": {"login": "octocat"}, "labels": [{"name": "bug"}, 7]}
FILE = {**THERE, "path": ".GitHub/Workflows/\uff43i.yml", "message": "m", "content": "aGk="}


@pytest.mark.parametrize(
    ("action", "params", "asks"),
    [
        ("pulls.merge", PULL, [("pulls.get", PULL)]),
        ("pulls.create-review", PULL, [("pulls.get", PULL)]),
        ("issues.update", {**THERE, "issue_number": 7}, [("issues.get", {**THERE, "issue_number": 7})]),
        ("repos.create-or-update-file-contents", FILE, [("repos.get", THERE)]),
        ("repos.create-or-update-file-contents", {**FILE, "branch": "x"}, []),
        ("git.delete-ref", {**THERE, "ref": "heads/x"}, [("git.get-ref", {**THERE, "ref": "heads/x"})]),
        ("repos.update-release", {**THERE, "release_id": 3}, [("repos.get-release", {**THERE, "release_id": 3})]),
        (
            "actions.disable-workflow",
            {**THERE, "workflow_id": 3},
            [("actions.get-workflow", {**THERE, "workflow_id": 3})],
        ),
        ("actions.disable-workflow", {**THERE, "workflow_id": "x.yml"}, []),
    ],
)
def test_what_is_read_first(action: str, params: Any, asks: list[tuple[str, Any]]) -> None:
    assert GITHUB.inspects(f"github:{action}")
    wanted = tuple(Ask(f"github:{name}", given) for name, given in asks)
    assert GITHUB.asks(f"github:{action}", params, connection()) == wanted
    for ask in wanted:
        assert GITHUB.plan(ask.action, ask.params, connection()).requirements


@pytest.mark.parametrize("action", ["pulls.get", "issues.create", "git.create-ref", "repos.merge", "pulls.create"])
def test_what_follows_from_its_params_is_not_inspected(action: str) -> None:
    assert not GITHUB.inspects(f"github:{action}")


def test_an_inspected_action_has_no_plan_without_evidence() -> None:
    for action, params in (("pulls.merge", PULL), ("git.delete-ref", {**THERE, "ref": "heads/x"})):
        with pytest.raises(InvalidParamsError, match="found out"):
            GITHUB.plan(f"github:{action}", params, connection())


async def test_conditions_see_the_pull_request_and_not_what_the_agent_says_of_it() -> None:
    found = await looked("github:pulls.merge", PULL, pull())
    assert found.facts == {
        "author": "octocat", "base": "main", "draft": False, "fork": False, "head": "feature/login",
        "head_repo": "acme/app", "labels": ["ready"], "pull_request": True, "state": "open",
    }  # fmt: skip
    retargeted = await looked("github:pulls.update", {**PULL, "base": "prod"}, pull())
    assert (retargeted.facts["current_base"], retargeted.facts["current_state"]) == ("main", "open")
    assert "base" not in retargeted.facts


async def test_conditions_see_an_issue_and_whether_it_is_a_pull_request() -> None:
    params = {**THERE, "issue_number": 7, "body": "x"}
    facts = (await looked("github:issues.create-comment", params, ISSUE)).facts
    assert facts == {"author": "octocat", "labels": ["bug"], "state": "open", "pull_request": False}
    assert (await looked("github:issues.create-comment", params, {**ISSUE, "pull_request": {}})).facts["pull_request"]


async def test_a_change_of_a_file_shows_its_path_as_a_push_does() -> None:
    facts = (await looked("github:repos.create-or-update-file-contents", {**FILE, "branch": "x"})).facts
    assert facts["paths"] == [FILE["path"]]
    assert facts["paths_folded"] == [".github/workflows/ci.yml"]
    assert facts["branches"] == ["x"]


async def test_a_merge_is_held_to_the_head_that_was_read() -> None:
    plan = await planned("github:pulls.merge", PULL, pull())
    assert plan.call["body"] == {"sha": HEAD}
    given = await planned("github:pulls.merge", {**PULL, "sha": HEAD, "merge_method": "squash"}, pull())
    assert given.call["body"] == {"sha": HEAD, "merge_method": "squash"}
    updated = await planned("github:pulls.update-branch", PULL, pull())
    assert updated.call["body"] == {"expected_head_sha": HEAD}


async def test_a_merge_of_another_head_than_the_one_asked_for_is_stale() -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await looked("github:pulls.merge", {**PULL, "sha": OLD}, pull())
    assert caught.value.code == "stale"
    found = (await looked("github:pulls.merge", PULL, pull())).found
    with pytest.raises(InvalidParamsError):
        GITHUB.plan_on("github:pulls.merge", {**PULL, "sha": OLD}, connection(), found)


async def test_a_file_goes_to_the_branch_that_was_default_when_it_was_planned() -> None:
    plan = await planned("github:repos.create-or-update-file-contents", FILE, {"default_branch": "trunk"})
    assert plan.call["body"]["branch"] == "trunk"


async def test_the_same_evidence_makes_the_same_plan_and_another_head_another() -> None:
    first, again = [await planned("github:pulls.merge", PULL, pull()) for _ in range(2)]
    moved = await planned("github:pulls.merge", PULL, pull(head={**pull()["head"], "sha": OLD}))
    assert plan_digest_of(first) == plan_digest_of(again) != plan_digest_of(moved)


@pytest.mark.parametrize(
    ("action", "params", "answer"),
    [
        ("pulls.merge", PULL, None),
        ("pulls.merge", PULL, []),
        ("pulls.merge", PULL, {}),
        ("pulls.merge", PULL, pull(head={"ref": "x"})),
        ("pulls.merge", PULL, pull(base=None)),
        ("issues.update", {**THERE, "issue_number": 7}, {"state": 7}),
        ("git.delete-ref", {**THERE, "ref": "heads/x"}, {"object": {"sha": ""}}),
        ("repos.create-or-update-file-contents", FILE, {"default_branch": None}),
        ("repos.update-release", {**THERE, "release_id": 3}, {}),
        ("actions.disable-workflow", {**THERE, "workflow_id": 3}, {"path": 7}),
    ],
)
async def test_an_answer_that_does_not_tell_stops_the_action(action: str, params: Any, answer: Any) -> None:
    with pytest.raises(NotSentError):
        await looked(f"github:{action}", params, answer)


async def test_a_head_whose_repository_has_an_odd_name_is_of_no_repository() -> None:
    for name in ("x", "a/b/c", "../x", 7):
        odd = pull(head={"ref": "x", "sha": HEAD, "repo": {"full_name": name}})
        assert (await looked("github:pulls.merge", PULL, odd)).facts["head_repo"] == ""
