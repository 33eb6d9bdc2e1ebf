from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from connectors.base import CallResult, Connection, JsonObject, Plan
from connectors.errors import NotSentError, OutcomeUnknownError, UpstreamRefusedError
from connectors.github.connector import GitHubConnector
from tests.fakes import Answer, FakeLease, FakeTransport
from tests.unit.connectors.github.graphql.test_mutations import HUB, NEW, PULL, planned
from tests.unit.connectors.github.graphql.world import HEAD, NODES, pull
from vault.model import CredentialKind

pytestmark = pytest.mark.req("A4")

CONNECTOR = GitHubConnector()
LEASE = FakeLease("", "Bearer t0ken", CredentialKind.BEARER)
SEARCH = '{ found: search(query: "repo:acme/app is:pr", type: ISSUE, first: 2) { nodes { ... on Issue { title } } } }'


def answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, {"Content-Type": "application/json", **(headers or {})}, (orjson.dumps(body),))


async def ran(
    plan: Plan, *script: Answer | BaseException, connection: Connection = HUB
) -> tuple[CallResult, FakeTransport]:
    transport = FakeTransport(*script)
    result = await CONNECTOR.execute(plan, connection, LEASE, transport)
    assert transport.open == 0
    return result, transport


def query(text: str) -> Plan:
    return CONNECTOR.plan("github:graphql.query", {"query": text}, HUB)


def resolve(*ids: str) -> Plan:
    return CONNECTOR.plan("github:graphql.resolve", {"ids": list(ids)}, HUB)


def of_nodes(*nodes: object) -> Answer:
    return answer({"data": {"nodes": list(nodes)}})


async def test_a_query_goes_out_as_it_was_planned_and_its_answer_comes_back_with_its_errors() -> None:
    body = {"data": {"viewer": None}, "errors": [{"type": "FORBIDDEN", "message": "no"}]}
    plan = query("{ viewer { login } }")
    result, transport = await ran(
        plan, answer(body, headers={"X-RateLimit-Remaining": "9", "X-GitHub-Request-Id": "A1", "X-Odd": "x"})
    )
    (sent,) = transport.sent
    assert (sent.method, sent.url) == ("POST", "https://api.github.com/graphql")
    assert sent.headers["authorization"] == "Bearer t0ken"
    assert orjson.loads(sent.body) == {"query": plan.call["query"], "variables": {}}
    assert (result.data["status"], result.data["body"]) == (200, body)
    assert {"x-ratelimit-remaining": "9", "x-github-request-id": "A1"}.items() <= result.data["headers"].items()
    assert "x-odd" not in result.data["headers"]
    assert result.upstream_request_id == "A1"


async def test_a_plan_for_another_host_is_not_sent() -> None:
    plan = query("{ viewer { login } }")
    for wrong in (
        replace(plan, call={**plan.call, "url": "https://api.github.com.evil.test/graphql"}),
        replace(plan, host="x"),
    ):
        transport = FakeTransport()
        with pytest.raises(NotSentError):
            await CONNECTOR.execute(wrong, HUB, LEASE, transport)
        assert not transport.sent


async def test_ids_are_looked_up_and_only_evidence_comes_back() -> None:
    result, _ = await ran(resolve("PR", "ISSUE"), of_nodes(NODES["ISSUE"], NODES["PR"]))
    assert result.data["found"] == {"nodes": {"ISSUE": NODES["ISSUE"], "PR": NODES["PR"]}}
    assert result.data["body"] == {}


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"nodes": [None]}, "errors": [{"message": "Could not resolve"}]},
        {"data": {"nodes": []}},
        {"data": {"nodes": None}},
        {"data": None, "errors": ["x"]},
        {"errors": [{"message": "no"}]},
    ],
)
async def test_an_id_that_names_nothing_is_a_no(body: JsonObject) -> None:
    with pytest.raises(UpstreamRefusedError):
        await ran(resolve("PR"), answer(body))


def hit(name: str) -> JsonObject:
    return {"repository": {"nameWithOwner": name}}


async def test_hits_of_a_pinned_search_are_held_against_its_pins() -> None:
    good: JsonObject = {"nodes": [{"title": "x"}, None], "ostiary_hits": [hit("Acme/App"), None]}
    result, _ = await ran(query(SEARCH), answer({"data": {"found": good}}))
    assert result.data["body"] == {"data": {"found": {"nodes": [{"title": "x"}, None]}}}
    nothing: list[JsonObject] = [{"data": {"found": None}}, {"data": None, "errors": []}, {"data": {}}]
    for none in nothing:
        assert (await ran(query(SEARCH), answer(none)))[0].data["body"] == none


@pytest.mark.parametrize(
    "hits",
    [
        [hit("evil/x")],
        [hit("acme/app"), hit("acme/old")],
        [{}],
        ["x"],
        [],
        None,
        [{"repository": {"nameWithOwner": 1}}],
    ],
)
async def test_a_hit_of_another_repository_is_not_released(hits: object) -> None:
    found = {"nodes": [{"title": "secret"}], "ostiary_hits": hits}
    with pytest.raises(UpstreamRefusedError) as caught:
        await ran(query(SEARCH), answer({"data": {"found": found}}))
    assert caught.value.code == "out-of-scope"
    assert "secret" not in str(caught.value)


async def test_a_merge_is_looked_at_again_and_then_sent_once() -> None:
    plan = planned("mergePullRequest", PULL)
    done = {"data": {"mergePullRequest": {"clientMutationId": None}}}
    result, transport = await ran(plan, of_nodes(pull()), answer(done))
    assert result.data["body"] == done
    look, merge = (orjson.loads(each.body) for each in transport.sent)
    assert look["variables"] == {"ids": ["PR"]}
    assert merge["variables"]["ostiary_input"]["expectedHeadOid"] == HEAD


@pytest.mark.parametrize("now", [{"headRefOid": "2e" * 20}, {"baseRefName": "release"}])
async def test_a_pull_request_that_has_changed_since_is_not_merged(now: JsonObject) -> None:
    transport = FakeTransport(of_nodes(pull(**now)))
    with pytest.raises(UpstreamRefusedError) as caught:
        await CONNECTOR.execute(planned("mergePullRequest", PULL), HUB, LEASE, transport)
    assert (caught.value.code, caught.value.status) == ("stale", 409)
    assert len(transport.sent) == 1


@pytest.mark.parametrize(
    "look", [OutcomeUnknownError("cut"), of_nodes({"__typename": "User"}), answer([]), Answer(200, {}, (b"<html>",))]
)
async def test_what_cannot_be_looked_at_again_is_not_merged(look: Answer | BaseException) -> None:
    transport = FakeTransport(look)
    with pytest.raises(NotSentError):
        await CONNECTOR.execute(planned("mergePullRequest", PULL), HUB, LEASE, transport)
    assert len(transport.sent) == 1


FAILED = {"closeIssue": None}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (
            {"data": FAILED, "errors": [{"type": "FORBIDDEN", "message": "no", "path": ["closeIssue", 1, {}]}]},
            "forbidden",
        ),
        ({"data": FAILED, "errors": [{"type": "UNPROCESSABLE", "message": "no"}]}, "validation"),
        (
            {"data": {"__typename": "Mutation", **FAILED}, "errors": [{"type": "NOT_FOUND", "message": "x"}]},
            "not-found",
        ),
        ({"errors": [{"message": "x", "extensions": {"code": "undefinedField"}}]}, "validation"),
    ],
)
async def test_a_mutation_that_github_classes_as_failed_is_a_no(body: JsonObject, code: str) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await ran(planned("closeIssue", {"issueId": "ISSUE"}), answer(body))
    assert caught.value.code == code
    (error,) = caught.value.details["errors"]
    assert error["message"] == body["errors"][0]["message"]
    assert error["path"] in ([], ["closeIssue", 1])


@pytest.mark.parametrize(
    "reply",
    [
        answer({"data": FAILED, "errors": [{"message": "Something went wrong"}]}),
        answer({"data": None, "errors": [{"message": "x", "extensions": {}}]}),
        answer({"errors": [{"message": "Something went wrong"}]}),
        answer({"data": FAILED, "errors": [{"type": "SERVICE_UNAVAILABLE", "message": "x"}]}),
        answer({"data": FAILED}),
        answer({"data": FAILED, "errors": {"x": 1}}),
        answer({}),
        answer([1]),
        Answer(200, {}, (b"not json",)),
        answer({"message": "oops"}, 502),
        OutcomeUnknownError("cut"),
    ],
)
async def test_a_mutation_without_a_definite_answer_may_have_been_done(reply: Answer | BaseException) -> None:
    with pytest.raises(OutcomeUnknownError):
        await ran(planned("closeIssue", {"issueId": "ISSUE"}), reply)


async def test_a_mutation_that_was_done_is_a_yes_whatever_else_failed() -> None:
    body = {"data": {"closeIssue": {"issue": None}}, "errors": [{"type": "FORBIDDEN", "message": "of a field"}]}
    result, _ = await ran(planned("closeIssue", {"issueId": "ISSUE"}), answer(body))
    assert result.data["body"] == body


@pytest.mark.parametrize(
    ("status", "code"), [(401, "unauthorized"), (403, "forbidden"), (404, "not-found"), (302, "moved")]
)
async def test_a_no_of_http_is_a_no(status: int, code: str) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await ran(query("{ viewer { login } }"), answer({"message": "no"}, status))
    assert (caught.value.code, caught.value.status) == (code, status)


async def test_what_is_posted_has_the_mark_of_its_attempt_and_is_found_by_it() -> None:
    plan = replace(planned("addComment", {"subjectId": "ISSUE", "body": "hello"}), attempt="att_1")
    _, transport = await ran(plan, answer({"data": {"addComment": {"clientMutationId": None}}}))
    text = orjson.loads(transport.sent[0].body)["variables"]["ostiary_input"]["body"]
    assert text.startswith("hello\n\n<!-- ostiary:att_1")
    trace = {**plan.trace, "attempt": "att_1"}
    look = CONNECTOR.look(plan.action, trace, HUB)
    assert look is not None
    assert look.action == "github:issues.list-comments-for-repo"
    settled = CONNECTOR.settle(plan.action, trace, {"body": [{"body": "other"}, {"body": text}]})
    assert settled is not None
    assert settled.happened
    assert settled.data["body"] == {"data": {"addComment": {"clientMutationId": None}}}
    assert CONNECTOR.settle(plan.action, trace, {"body": [{"body": "other"}]}) is None


@pytest.mark.parametrize(
    ("sha", "merged", "happened"), [(HEAD, True, True), ("2e" * 20, True, False), (HEAD, False, None)]
)
def test_a_merge_nobody_heard_of_is_settled_by_the_pull_request(sha: str, merged: bool, happened: bool | None) -> None:
    plan = planned("mergePullRequest", PULL)
    look = CONNECTOR.look(plan.action, plan.trace, HUB)
    assert look is not None
    assert look.action == "github:pulls.get"
    settled = CONNECTOR.settle(plan.action, plan.trace, {"body": {"merged": merged, "head": {"sha": sha}}})
    assert (settled.happened if settled else None) == happened


@pytest.mark.parametrize(
    ("name", "given", "twin"),
    [
        ("createPullRequest", NEW, "github:pulls.create"),
        ("closePullRequest", PULL, "github:pulls.update"),
        ("reopenPullRequest", PULL, None),
        ("updateIssue", {"id": "ISSUE", "title": "x"}, None),
    ],
)
def test_only_what_can_be_told_apart_is_looked_for(name: str, given: JsonObject, twin: str | None) -> None:
    plan = planned(name, given)
    assert plan.trace.get("twin") == twin
    assert (CONNECTOR.look(plan.action, plan.trace, HUB) is None) == (twin is None)
