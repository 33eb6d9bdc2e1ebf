"""The connector against a GitHub that checks tokens, Apps and branch protection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import CallResult, Connection, JsonObject, Plan
from connectors.errors import UpstreamRefusedError
from connectors.github.connection import GitHubConnection
from connectors.github.connector import GitHubConnector
from connectors.guard import AddressGuard
from connectors.inspection import Ask, Inquiry
from connectors.transport import HttpTransport
from tests.fakes import FakeLease
from tests.parts.github import ADMIN_TOKEN, BRANCH, Hub, github_hub
from tests.unit.connectors.github.desk import NoMasker
from vault.model import CredentialKind, CredentialRef

pytestmark = pytest.mark.req("A4")

THERE = {"owner": "acme", "repo": "app"}
GITHUB = GitHubConnector()


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with github_hub() as running:
        yield running


@pytest.fixture
async def desk(hub: Hub) -> AsyncIterator[Desk]:
    transport = HttpTransport(AddressGuard([f"127.0.0.1:{hub.port}"]))
    yield Desk(hub, transport)
    await transport.aclose()


class Desk:
    """Does what the broker does with an action, without policy: reads, inspects, plans, executes."""

    def __init__(self, hub: Hub, transport: HttpTransport) -> None:
        self._transport = transport
        options = GitHubConnection(url=hub.url).model_dump(mode="json")
        self.connection = Connection("hub", "github", CredentialRef("github/acme"), options)

    async def plan(self, action: str, **params: Any) -> Plan:
        found: JsonObject = {}
        if GITHUB.inspects(action):
            answers = [await self.read(each) for each in GITHUB.asks(action, params, self.connection)]
            async with GITHUB.inspect(action, params, self.connection, Inquiry(tuple(answers), NoMasker())) as evidence:
                found = evidence.found
        return GITHUB.plan_on(action, params, self.connection, found)

    async def read(self, ask: Ask) -> JsonObject:
        return (await self.execute(GITHUB.plan(ask.action, ask.params, self.connection))).data

    async def execute(self, plan: Plan) -> CallResult:
        lease = FakeLease("", f"Bearer {ADMIN_TOKEN}", CredentialKind.BEARER)
        return await GITHUB.execute(plan, self.connection, lease, self._transport)

    async def do(self, action: str, **params: Any) -> Any:
        return (await self.execute(await self.plan(action, **params))).data["body"]

    async def outcome(self, plan: Plan) -> Any:
        """What is known of an attempt whose answer got lost."""
        trace = {**plan.trace, "attempt": plan.attempt}
        look = GITHUB.look(plan.action, trace, self.connection)
        assert look is not None
        return GITHUB.settle(plan.action, trace, (await self.execute(look)).data)


async def test_a_merge_lands_the_head_that_was_planned_and_is_found_again(desk: Desk, hub: Hub) -> None:
    opened = hub.pull_request("feature/merge", {"m.txt": "m"})
    hub.approve(opened.number)
    plan = await desk.plan("github:pulls.merge", **THERE, pull_number=opened.number)
    assert plan.call["body"]["sha"] == opened.head
    assert (await desk.outcome(plan)) is None
    await desk.execute(plan)
    settled = await desk.outcome(plan)
    assert (settled.happened, settled.data["body"]["merged"]) == (True, True)


async def test_a_commit_after_the_plan_stops_the_merge(desk: Desk, hub: Hub) -> None:
    opened = hub.pull_request("feature/stale", {"s.txt": "s"})
    hub.approve(opened.number)
    plan = await desk.plan("github:pulls.merge", **THERE, pull_number=opened.number)
    hub.advance(opened.number)
    before = hub.tip()
    with pytest.raises(UpstreamRefusedError) as caught:
        await desk.execute(plan)
    assert caught.value.status in {409, 422}
    assert hub.tip() == before
    assert (await desk.outcome(plan)).happened is False


async def test_branch_protection_is_a_refusal_with_github_s_words(desk: Desk, hub: Hub) -> None:
    plan = await desk.plan(
        "github:repos.create-or-update-file-contents", **THERE, path="x.txt", message="m", content="aGk="
    )
    assert [each.resource for each in plan.requirements] == [f"repos/acme/app/branches/{BRANCH}"]
    with pytest.raises(UpstreamRefusedError) as caught:
        await desk.execute(plan)
    assert caught.value.details["message"]


async def test_refs_are_made_moved_and_deleted_and_what_moved_meanwhile_is_left_alone(desk: Desk, hub: Hub) -> None:
    first, second = hub.tip(), hub.commit("feature/other", {"o.txt": "o"})
    made = await desk.plan("github:git.create-ref", **THERE, ref="refs/heads/feature/ref", sha=first)
    await desk.execute(made)
    assert (await desk.outcome(made)).happened is True
    moved = await desk.plan("github:git.update-ref", **THERE, ref="heads/feature/ref", sha=second)
    deleted = await desk.plan("github:git.delete-ref", **THERE, ref="heads/feature/ref")
    await desk.execute(moved)
    assert hub.tip("feature/ref") == second
    with pytest.raises(UpstreamRefusedError) as caught:
        await desk.execute(deleted)
    assert caught.value.code == "stale"
    assert hub.tip("feature/ref") == second
    await desk.do("github:git.delete-ref", **THERE, ref="heads/feature/ref")
    assert hub.call("GET", "/repos/acme/app/git/ref/heads/feature/ref")[0] == 404


async def test_a_comment_on_an_issue_is_found_by_its_mark(desk: Desk) -> None:
    issue = await desk.do("github:issues.create", **THERE, title="slow")
    plan = await desk.plan("github:issues.create-comment", **THERE, issue_number=issue["number"], body="me too")
    assert [each.resource for each in plan.requirements] == [f"repos/acme/app/issues/{issue['number']}"]
    posted = (await desk.execute(replace(plan, attempt="att_1"))).data["body"]
    assert posted["body"] == "me too\n\n<!-- ostiary:att_1 -->"


async def test_a_pull_request_that_was_opened_is_found_by_its_mark(desk: Desk, hub: Hub) -> None:
    hub.commit("feature/open", {"p.txt": "p"})
    plan = await desk.plan("github:pulls.create", **THERE, title="open", head="feature/open", base=BRANCH, body="see")
    plan = replace(plan, attempt="att_2")
    assert await desk.outcome(plan) is None
    await desk.execute(plan)
    settled = await desk.outcome(plan)
    assert (settled.happened, settled.data["body"]["title"], settled.data["body"]["body"]) == (True, "open", "see")


async def test_what_is_not_there_is_a_refusal_and_a_listing_has_links(desk: Desk) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await desk.do("github:repos.get", owner="acme", repo="nothing")
    assert (caught.value.status, caught.value.code) == (404, "not-found")
    for number in range(3):
        await desk.do("github:issues.create", **THERE, title=f"issue {number}")
    plan = await desk.plan("github:issues.list-for-repo", **THERE, per_page=2)
    result = await desk.execute(plan)
    assert len(result.data["body"]) == 2
    assert 'rel="next"' in result.data["headers"]["link"]
