"""The real `gh` through the whole of Ostiary, with what `ostiary session env --github` exports and nothing else."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.parts.gh import Gh, needs_gh
from tests.parts.gh_house import GhHouse, gh_house, rule_at
from tests.parts.github import BRANCH, INSTALLATION_ID, REPOSITORY, Hub, PullRequest, github_hub
from tests.parts.graphql_upstream import GraphQLUpstream, graphql_upstream

pytestmark = needs_gh


@dataclass
class Desk:
    """An agent's `gh`, what its people see, and what really happened.

    Args:
        house: Ostiary.
        upstream: What it acts on.
        gh: Of the session of ``coder``.
        token: Of that session.
    """

    house: GhHouse
    upstream: GraphQLUpstream
    gh: Gh
    token: str

    @property
    def hub(self) -> Hub:
        return self.upstream.hub

    def run(self, *words: str) -> str:
        """Run a command on the repository, which must succeed, and return what it prints."""
        done = self.gh.run(*words, "-R", REPOSITORY)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refusal(self, *words: str) -> str:
        """Run a command, which must fail as `gh` does when GitHub says no, and return its words."""
        done = self.gh.run(*words)
        assert done.returncode == 1, done
        return done.stderr

    def issue(self, title: str, *labels: str) -> int:
        """Have an issue at GitHub that nobody asked Ostiary for."""
        status, made = self.hub.call("POST", f"/repos/{REPOSITORY}/issues", {"title": title, "labels": list(labels)})
        assert status == 201, made
        return int(made["number"])

    def there(self, path: str) -> Any:
        """What stands at GitHub."""
        return self.hub.get(f"/repos/{REPOSITORY}/{path}")

    def as_agent(self, agent: str) -> Desk:
        """Return the desk of a session of another agent."""
        token = self.house.begin(agent)
        environment = {**self.gh.environment, "GH_ENTERPRISE_TOKEN": token}
        return replace(self, gh=replace(self.gh, environment=environment), token=token)

    def merge_asked(self, number: int) -> dict[str, Any]:
        """Ask for a merge, which people must allow, and return the approval as they see it."""
        words = self.refusal("pr", "merge", str(number), "-R", REPOSITORY, "--merge")
        (asked,) = self.house.pending(self.token)
        assert f"/v1/approvals/{asked['id']}" in words
        status, shown = self.house.call("GET", f"/v1/approvals/{asked['id']}", self.house.alice)
        assert status == 200, shown
        return dict(shown)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("gh")
    with github_hub() as hub, graphql_upstream(hub) as upstream, gh_house(upstream, folder) as house:
        token = house.begin("coder")
        yield Desk(house, upstream, house.gh(token, folder), token)


@pytest.fixture(scope="module")
def pull(desk: Desk) -> PullRequest:
    return desk.hub.pull_request("feature/shared", {"shared.txt": "x"}, "shared")


def test_a_pull_request_is_opened_listed_and_read(desk: Desk) -> None:
    head = desk.hub.commit("feature/new", {"new.txt": "new"})
    words = ("--head", "feature/new", "--base", BRANCH, "--title", "from gh", "--body", "why")
    number = int(desk.run("pr", "create", *words).strip().rpartition("/")[2])
    made = desk.there(f"pulls/{number}")
    assert (made["title"], made["head"]["sha"], made["base"]["ref"]) == ("from gh", head, BRANCH)
    assert f"{number}\tfrom gh\tfeature/new" in desk.run("pr", "list")
    assert "title:\tfrom gh" in desk.run("pr", "view", str(number))


def test_a_pull_request_is_commented_on_reviewed_and_closed(desk: Desk, pull: PullRequest) -> None:
    number = str(pull.number)
    assert "#issuecomment-" in desk.run("pr", "comment", number, "--body", "hello")
    desk.run("pr", "review", number, "--comment", "--body", "looks fine")
    assert [each["body"].split("\n")[0] for each in desk.there(f"issues/{number}/comments")] == ["hello"]
    (review,) = desk.there(f"pulls/{number}/reviews")
    assert (review["state"], review["commit_id"]) == ("COMMENTED", pull.head)
    desk.run("pr", "close", number)
    assert desk.there(f"pulls/{number}")["state"] == "closed"


def test_an_issue_is_opened_listed_read_commented_on_and_closed(desk: Desk) -> None:
    number = desk.run("issue", "create", "--title", "slow", "--body", "very").strip().rpartition("/")[2]
    assert f"{number}\tOPEN\tslow" in desk.run("issue", "list")
    desk.run("issue", "comment", number, "--body", "indeed")
    assert "indeed" in desk.run("issue", "view", number, "--comments")
    desk.run("issue", "close", number)
    made = desk.there(f"issues/{number}")
    assert (made["title"], made["state"], made["comments"]) == ("slow", "closed", 1)


def test_a_repository_and_its_runs_are_read(desk: Desk) -> None:
    done = desk.gh.run("repo", "view", REPOSITORY)
    assert (done.returncode, f"name:\t{REPOSITORY}" in done.stdout) == (0, True), done.stderr
    desk.run("run", "list")
    assert any(path.startswith(f"/repos/{REPOSITORY}/actions/runs") for _, path, _, _ in desk.upstream.sent)


def test_a_search_is_held_to_the_repository_it_names(desk: Desk) -> None:
    number = desk.issue("needle")
    assert f"{number}\tOPEN\tneedle" in desk.run("issue", "list", "--search", "needle in:title")
    query = 'query={search(query:"needle",type:ISSUE,first:1){issueCount}}'
    assert "git:read" in desk.refusal("api", "graphql", "-f", query)


def test_a_denial_names_the_rule_and_nothing_happens(desk: Desk) -> None:
    number = desk.issue("outage", "incident")
    assert rule_at("keep-incidents") in desk.refusal("issue", "close", str(number), "-R", REPOSITORY)
    assert desk.there(f"issues/{number}")["state"] == "open"


def test_ids_are_looked_up_for_whom_policy_lets(desk: Desk) -> None:
    number = desk.issue("quiet")
    stranger, before = desk.as_agent("stranger"), len(desk.upstream.sent)
    words = stranger.refusal("issue", "comment", str(number), "-R", REPOSITORY, "--body", "x")
    assert "git:read on nodes" in words
    assert len(desk.upstream.sent) == before + 1  # the query for the issue by its number
    assert desk.there(f"issues/{number}")["comments"] == 0


def test_a_merge_is_done_at_the_head_people_saw(desk: Desk) -> None:
    opened = desk.hub.pull_request("feature/merged", {"merged.txt": "x"}, "merge me")
    desk.hub.approve(opened.number)
    asked = desk.merge_asked(opened.number)
    shown = asked["preview"]
    assert (shown["title"], shown["base"], shown["head_sha"]) == ("merge me", BRANCH, opened.head)
    assert not desk.there(f"pulls/{opened.number}")["merged"]
    desk.house.approve(desk.token)
    assert desk.house.ended(desk.token, asked["intent"])["state"] == "succeeded"
    assert desk.there(f"pulls/{opened.number}")["merged"]
    assert opened.head in [each["sha"] for each in desk.there(f"git/commits/{desk.hub.tip()}")["parents"]]
    assert desk.gh.run("pr", "merge", str(opened.number), "-R", REPOSITORY, "--merge").returncode == 0


def test_a_commit_that_is_added_after_the_approval_is_not_merged(desk: Desk) -> None:
    opened = desk.hub.pull_request("feature/moved", {"moved.txt": "x"})
    desk.hub.approve(opened.number)
    asked = desk.merge_asked(opened.number)
    before = desk.hub.tip()
    with stopped(desk.house.up.pid_of("worker")):
        desk.house.approve(desk.token)
        later = desk.hub.advance(opened.number)
    ended = desk.house.ended(desk.token, asked["intent"])
    assert later != opened.head
    assert ended["state"] == "failed", ended
    assert (ended["upstream_status"], ended["reason"]) == (409, "stale")
    assert not desk.there(f"pulls/{opened.number}")["merged"]
    assert desk.hub.tip() == before
    assert "mergePullRequest" not in str(desk.upstream.documents()[-1])


def test_rest_goes_page_by_page_to_the_end(desk: Desk) -> None:
    numbers = {desk.issue(f"page-{each}") for each in range(3)}
    done = desk.gh.run("api", f"repos/{REPOSITORY}/issues?per_page=2&state=all", "--paginate", "--jq", ".[].number")
    assert done.returncode == 0, done.stderr
    found = [int(each) for each in done.stdout.split()]
    assert (len(found), set(found) >= numbers) == (len(set(found)), True)


@pytest.mark.parametrize(
    "query",
    [
        '{repository(owner:"other",name:"site"){issues(first:1){nodes{title}}}}',
        '{repository(owner:"acme",name:"app"){parent{issues(first:1){nodes{title}}}}}',
        '{a:repository(owner:"acme",name:"app"){id} b:repository(owner:"acme",name:"site"){id}}',
        "{viewer{repositories(first:1){nodes{name}}}}",
        'mutation{deleteRef(input:{refId:"x"}){clientMutationId}}',
    ],
)  # fmt: skip
def test_a_query_that_reaches_outside_is_refused_and_not_sent(desk: Desk, query: str) -> None:
    before = len([each for each in desk.upstream.documents() if "OstiaryResolve" not in each["query"]])
    assert desk.refusal("api", "graphql", "-f", f"query={query}")
    assert len([each for each in desk.upstream.documents() if "OstiaryResolve" not in each["query"]]) == before


def test_an_app_looks_ids_up_with_a_token_that_only_reads_and_acts_with_another(desk: Desk) -> None:
    number = desk.issue("by an app")
    robot = desk.as_agent("robot")
    assert "by an app" in robot.run("issue", "list")
    robot.run("issue", "comment", str(number), "--body", "from the app")
    (made,) = desk.there(f"issues/{number}/comments")
    assert (made["body"].split("\n")[0], made["user"]["login"]) == ("from the app", "ostiary[bot]")
    looked, acted = desk.upstream.tokens("OstiaryResolve")[-1], desk.upstream.tokens("from the app")[-1]
    assert looked != acted
    path = f"/repos/{REPOSITORY}/issues/{number}/comments"
    assert desk.hub.call("GET", path, token=looked)[0] == 200
    assert desk.hub.call("POST", path, {"body": "x"}, token=looked)[0] == 403
    minted = desk.hub.get("/_emulate/installation-tokens")["installation_tokens"]
    everywhere = [each["permissions"] for each in minted if each["repository_selection"] == "all"]
    assert {access for each in everywhere for access in each.values()} == {"read"}
    assert {each["installation"]["id"] for each in minted} == {INSTALLATION_ID}


@contextmanager
def stopped(process: int) -> Iterator[None]:
    """Hold a process still until the block ends."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)
