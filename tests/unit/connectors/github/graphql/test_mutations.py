from __future__ import annotations

from typing import Any

import pytest

from connectors.base import Access, Connection, JsonObject, Plan
from connectors.errors import InvalidParamsError, NotSentError
from connectors.github.connector import GitHubConnector
from connectors.github.graphql.mutations import AUTO_MERGE, MUTATIONS, PERMISSIONS
from connectors.inspection import Inquiry
from tests.unit.connectors.github.graphql.world import HEAD, NODES, NoMasker
from vault.model import CredentialRef, GitHubTokenRequest

pytestmark = pytest.mark.req("A4")

CONNECTOR = GitHubConnector()
MUTATE = "github:graphql.mutate"
HUB = Connection("hub", "github", CredentialRef("github/acme"), {"url": "https://api.github.com"})
READ = ("git:read", "repos/acme/app")
OID = "ab" * 20
TWELVE, SEVEN = "repos/acme/app/pull-requests/12", "repos/acme/app/issues/7"


def asked(name: str, given: JsonObject, payload: str = "clientMutationId") -> JsonObject:
    kind = f"{name[:1].upper()}{name[1:]}Input!"
    return {
        "query": f"mutation Do($input: {kind}) {{ {name}(input: $input) {{ {payload} }} }}",
        "variables": {"input": given},
    }


def planned(name: str, given: JsonObject, connection: Connection = HUB, payload: str = "clientMutationId") -> Plan:
    return CONNECTOR.plan_on(MUTATE, asked(name, given, payload), connection, {"nodes": NODES})


def sent(plan: Plan) -> JsonObject:
    found: JsonObject = plan.call["variables"]["ostiary_input"]
    return found


PULL, ISSUE, REPO = {"pullRequestId": "PR"}, {"issueId": "ISSUE"}, {"repositoryId": "REPO"}
NEW = {**REPO, "title": "x", "baseRefName": "main", "headRefName": "feature"}
CASES: dict[str, tuple[JsonObject, set[tuple[str, str]]]] = {
    "createPullRequest": (NEW, {("git:open-pr", "repos/acme/app")}),
    "mergePullRequest": (PULL, {("git:merge", TWELVE)}),
    "enablePullRequestAutoMerge": (PULL, {("git:merge", TWELVE), (AUTO_MERGE, TWELVE)}),
    "disablePullRequestAutoMerge": (PULL, {("github:pulls.update", TWELVE)}),
    "closePullRequest": (PULL, {("github:pulls.update", TWELVE)}),
    "reopenPullRequest": (PULL, {("github:pulls.update", TWELVE)}),
    "updatePullRequest": ({**PULL, "title": "y"}, {("github:pulls.update", TWELVE)}),
    "markPullRequestReadyForReview": (PULL, {("github:pulls.update", TWELVE)}),
    "convertPullRequestToDraft": (PULL, {("github:pulls.update", TWELVE)}),
    "updatePullRequestBranch": (PULL, {("git:push", "repos/octocat/app/branches/feature")}),
    "addPullRequestReview": ({**PULL, "event": "APPROVE"}, {("git:review", TWELVE)}),
    "submitPullRequestReview": ({"pullRequestReviewId": "REVIEW", "event": "COMMENT"}, {("git:review", TWELVE)}),
    "addPullRequestReviewThreadReply": (
        {"pullRequestReviewThreadId": "THREAD", "body": "x"}, {("git:comment", TWELVE)},
    ),
    "resolveReviewThread": ({"threadId": "THREAD"}, {("git:review", TWELVE)}),
    "unresolveReviewThread": ({"threadId": "THREAD"}, {("git:review", TWELVE)}),
    "requestReviews": ({**PULL, "userIds": ["U"]}, {("github:pulls.request-reviewers", TWELVE)}),
    "requestReviewsByLogin": ({**PULL, "userLogins": ["octocat"]}, {("github:pulls.request-reviewers", TWELVE)}),
    "createIssue": ({**REPO, "title": "x"}, {("github:issues.create", "repos/acme/app")}),
    "closeIssue": (ISSUE, {("github:issues.update", SEVEN)}),
    "reopenIssue": (ISSUE, {("github:issues.update", SEVEN)}),
    "updateIssue": ({"id": "ISSUE", "body": "x"}, {("github:issues.update", SEVEN)}),
    "pinIssue": (ISSUE, {("github:issues.update", SEVEN)}),
    "unpinIssue": (ISSUE, {("github:issues.update", SEVEN)}),
    "addComment": ({"subjectId": "PR", "body": "x"}, {("git:comment", TWELVE)}),
    "updateIssueComment": ({"id": "COMMENT", "body": "x"}, {("github:issues.update-comment", "repos/acme/app")}),
    "deleteIssueComment": ({"id": "COMMENT"}, {("github:issues.delete-comment", "repos/acme/app")}),
    "addLabelsToLabelable": ({"labelableId": "PR", "labelIds": ["L"]}, {("github:issues.add-labels", TWELVE)}),
    "removeLabelsFromLabelable": (
        {"labelableId": "ISSUE", "labelIds": ["L"]}, {("github:issues.remove-label", SEVEN)},
    ),
    "addAssigneesToAssignable": (
        {"assignableId": "ISSUE", "assigneeIds": []}, {("github:issues.add-assignees", SEVEN)},
    ),
    "removeAssigneesFromAssignable": (
        {"assignableId": "PR", "assigneeIds": ["U"]}, {("github:issues.remove-assignees", TWELVE)},
    ),
    "replaceActorsForAssignable": (
        {"assignableId": "PR", "actorLogins": ["octocat"]}, {("github:issues.add-assignees", TWELVE)},
    ),
    "lockLockable": ({"lockableId": "PR"}, {("github:issues.lock", TWELVE)}),
    "unlockLockable": ({"lockableId": "ISSUE"}, {("github:issues.unlock", SEVEN)}),
    "createRef": ({**REPO, "name": "refs/tags/v1", "oid": OID}, {("git:push", "repos/acme/app/tags/v1")}),
    "updateRef": ({"refId": "REF", "oid": OID}, {("git:push", "repos/acme/app/branches/feature/x")}),
    "deleteRef": ({"refId": "REF"}, {("git:delete-ref", "repos/acme/app/branches/feature/x")}),
    "createLinkedBranch": (
        {**ISSUE, "oid": OID, "name": "7-fix"},
        {("git:push", "repos/acme/app/branches/7-fix"), ("github:issues.update", SEVEN)},
    ),
    "archiveRepository": (REPO, {("github:repos.update", "repos/acme/app")}),
    "unarchiveRepository": (REPO, {("github:repos.update", "repos/acme/app")}),
}  # fmt: skip
assert CASES.keys() == MUTATIONS.keys()


@pytest.mark.parametrize("name", CASES)
def test_a_mutation_asks_for_what_its_operation_of_rest_does(name: str) -> None:
    given, expected = CASES[name]
    plan = planned(name, given)
    needs = {(each.action, each.resource) for each in plan.requirements}
    assert needs == expected | {READ}
    assert {each.action for each in plan.requirements} <= set(PERMISSIONS)
    assert (plan.access, plan.idempotent) == (Access.WRITE, False)
    assert given.items() <= sent(plan).items()
    assert len(plan.summary) > len(name) / 4


@pytest.mark.parametrize("name", CASES)
def test_what_is_changed_is_looked_up_and_never_believed(name: str) -> None:
    params = asked(name, CASES[name][0])
    (ask,) = CONNECTOR.asks(MUTATE, params, HUB)
    assert ask.action == "github:graphql.resolve"
    assert set(ask.params["ids"]) <= NODES.keys()
    unknown: list[JsonObject] = [{}, {"nodes": {}}, {"nodes": dict.fromkeys(NODES)}]
    for found in unknown:
        with pytest.raises(InvalidParamsError):
            CONNECTOR.plan_on(MUTATE, params, HUB, found)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        (
            "updateRef",
            {"refId": "REF", "oid": OID, "force": True},
            ("git:force-push", "repos/acme/app/branches/feature/x"),
        ),
        ("updateRef", {"refId": "TAG", "oid": OID}, ("git:force-push", "repos/acme/app/tags/v1")),
        ("addComment", {"subjectId": "ISSUE", "body": "x"}, ("git:comment", SEVEN)),
        ("updatePullRequestBranch", {"pullRequestId": "GONE"}, ("git:push", "repos/\x00/\x00/branches/\x00")),
        ("createLinkedBranch", {**ISSUE, "oid": OID}, ("git:push", "repos/acme/app/branches/\x00")),
        (
            "createLinkedBranch",
            {**ISSUE, "oid": OID, "name": "x", "repositoryId": "FORK"},
            ("git:push", "repos/octocat/app/branches/x"),
        ),
        ("createPullRequest", {**NEW, "headRepositoryId": "FORK"}, ("git:read", "repos/octocat/app")),
        ("createPullRequest", {**NEW, "headRefName": "Evil:x"}, ("git:read", "repos/evil/\x00")),
        ("submitPullRequestReview", {"pullRequestId": "PR", "event": "APPROVE"}, ("git:review", TWELVE)),
    ],
)
def test_the_input_decides_with_what_its_ids_name(name: str, given: JsonObject, expected: tuple[str, str]) -> None:
    assert expected in {(each.action, each.resource) for each in planned(name, given).requirements}


def test_a_head_in_the_repository_itself_or_in_the_one_that_is_named_needs_no_more() -> None:
    own = planned("createPullRequest", {**NEW, "headRefName": "acme:feature"})
    named = planned("createPullRequest", {**NEW, "headRefName": "octocat:feature", "headRepositoryId": "FORK"})
    assert len(own.requirements) == 2
    assert len(named.requirements) == 3


@pytest.mark.parametrize("name", ["mergePullRequest", "enablePullRequestAutoMerge", "updatePullRequestBranch"])
def test_what_is_held_to_the_head_says_so_and_takes_no_other(name: str) -> None:
    plan = planned(name, PULL)
    assert sent(plan)["expectedHeadOid"] == HEAD
    assert plan.call["still"] == {"head": HEAD, "base": "main"}
    assert planned(name, {**PULL, "expectedHeadOid": HEAD}) == plan
    for other in (OID, "", HEAD.upper()):
        with pytest.raises(InvalidParamsError):
            planned(name, {**PULL, "expectedHeadOid": other})


def test_a_null_in_place_of_a_default_is_refused() -> None:
    query = """mutation($i: CloseIssueInput = {issueId: "ISSUE"}) { closeIssue(input: $i) { clientMutationId } }"""
    assert CONNECTOR.plan_on(MUTATE, {"query": query}, HUB, {"nodes": NODES}).requirements
    with pytest.raises(InvalidParamsError):
        CONNECTOR.plan_on(MUTATE, {"query": query, "variables": {"i": None}}, HUB, {"nodes": NODES})


def test_a_review_is_of_the_head_that_was_seen_unless_it_names_a_commit() -> None:
    assert sent(planned("addPullRequestReview", {**PULL, "event": "APPROVE"}))["commitOID"] == HEAD
    assert sent(planned("addPullRequestReview", {**PULL, "commitOID": OID}))["commitOID"] == OID


ATTACKS: dict[str, JsonObject] = {
    "no mutation": {"query": "mutation { __typename }"},
    "an unknown mutation": {"query": 'mutation { deleteIssue(input: {issueId: "ISSUE"}) { clientMutationId } }'},
    "two": {"query": 'mutation { a: closeIssue(input: {issueId: "ISSUE"}) { clientMutationId } '
            'b: closeIssue(input: {issueId: "ISSUE"}) { clientMutationId } }'},
    "one that may be left out": {
        "query": 'mutation { closeIssue(input: {issueId: "ISSUE"}) @skip(if: false) { clientMutationId } }'
    },
    "one in a fragment": {
        "query": 'mutation { ...f } fragment f on Mutation '
        '{ closeIssue(input: {issueId: "ISSUE"}) { clientMutationId } }'
    },
    "one more in a fragment": {
        "query": 'mutation { closeIssue(input: {issueId: "ISSUE"}) { clientMutationId } ... { __typename } }'
    },
    "an unknown field": {
        "query": 'mutation { closeIssue(input: {issueId: "ISSUE", duplicateIssueId: "X"}) { clientMutationId } }'
    },
    "projects": {
        "query": 'mutation { updateIssue(input: {id: "ISSUE", projectIds: ["X"]}) { clientMutationId } }'
    },
    "no input": {"query": "mutation { closeIssue { clientMutationId } }"},
    "a null for an input": {"query": "mutation { closeIssue(input: null) { clientMutationId } }"},
    "a query": {"query": "{ viewer { login } }"},
    "an answer from elsewhere": {
        "query": 'mutation { closePullRequest(input: {pullRequestId: "PR"}) '
        "{ pullRequest { headRepository { pushedAt } } } }"
    },
    "an id of the wrong kind": asked("closeIssue", {"issueId": "PR"}),
    "an id of nothing": asked("closeIssue", {"issueId": "NOTHING"}),
    "an id of a person": asked("addComment", {"subjectId": "PERSON", "body": "x"}),
    "an id of something unnamed": asked("addComment", {"subjectId": "ODD", "body": "x"}),
    "two subjects": asked(
        "submitPullRequestReview", {"pullRequestId": "PR", "pullRequestReviewId": "REVIEW", "event": "APPROVE"}
    ),
    "no subject": asked("submitPullRequestReview", {"event": "APPROVE"}),
    "a head without an owner": asked("createPullRequest", {**NEW, "headRefName": ":x"}),
    "a branch out of its place": asked("createRef", {**REPO, "name": "refs/heads/feature/../main", "oid": OID}),
    "a hidden ref": asked("createRef", {**REPO, "name": "refs/pull/1/head", "oid": OID}),
    "a short name": asked("createRef", {**REPO, "name": "main", "oid": OID}),
    "a short id": asked("createRef", {**REPO, "name": "refs/heads/x", "oid": "abc"}),
    "an odd branch": asked("createLinkedBranch", {**ISSUE, "oid": OID, "name": "x@{1}"}),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_cannot_be_mapped_is_refused(attack: str) -> None:
    with pytest.raises(InvalidParamsError):
        CONNECTOR.plan_on(MUTATE, ATTACKS[attack], HUB, {"nodes": NODES})


def test_the_input_is_sent_as_it_was_read_wherever_it_was_written() -> None:
    query = """mutation M($pr: ID!, $unused: String, $n: Int!) {
      done: mergePullRequest(input: {pullRequestId: $pr, mergeMethod: SQUASH, commitBody: $unused}) {
        pullRequest { ...f labels(first: $n) { totalCount } } } }
      fragment f on PullRequest { id merged }"""
    params = {"query": query, "variables": {"pr": "PR", "unused": "text", "n": 3}}
    plan = CONNECTOR.plan_on(MUTATE, params, HUB, {"nodes": NODES})
    assert plan.call["variables"] == {
        "n": 3,
        "ostiary_input": {
            "pullRequestId": "PR",
            "mergeMethod": "SQUASH",
            "commitBody": "text",
            "expectedHeadOid": HEAD,
        },
    }
    assert "mutation M($ostiary_input: MergePullRequestInput!, $n: Int!)" in plan.call["query"]
    assert plan.trace["key"] == "done"


async def test_conditions_see_what_those_of_rest_see() -> None:
    params = asked("addComment", {"subjectId": "PR", "body": "x"})
    answers: tuple[Any, ...] = ({"found": {"nodes": NODES}},)
    async with CONNECTOR.inspect(MUTATE, params, HUB, Inquiry(answers, NoMasker())) as evidence:
        assert evidence.facts == {
            "author": "octocat", "base": "main", "draft": False, "fork": True, "head": "feature",
            "head_repo": "octocat/app", "labels": ["bug"], "mutation": "addComment",
            "pull_request": True, "state": "open",
        }  # fmt: skip
        assert evidence.found == {"nodes": NODES}
    with pytest.raises(NotSentError):
        async with CONNECTOR.inspect(MUTATE, params, HUB, Inquiry(({"body": {}},), NoMasker())):
            pass


async def test_a_query_is_inspected_for_its_ids_only() -> None:
    action, answer = "github:graphql.query", {"found": {"nodes": NODES}}
    plain = {"query": "{ viewer { login } }"}
    assert CONNECTOR.inspects(action)
    assert CONNECTOR.asks(action, plain, HUB) == ()
    async with CONNECTOR.inspect(action, plain, HUB, Inquiry((), NoMasker())) as evidence:
        assert evidence.found == {}
    async with CONNECTOR.inspect(
        action, {"query": '{ node(id: "PR") { id } }'}, HUB, Inquiry((answer,), NoMasker())
    ) as evidence:
        assert (evidence.found, evidence.facts) == ({"nodes": NODES}, {})


def test_people_are_shown_a_merge_as_through_rest() -> None:
    plan = planned("mergePullRequest", {**PULL, "mergeMethod": "REBASE"})
    assert [each.action for each in CONNECTOR.preview_asks(plan)] == [
        "github:pulls.get", "github:pulls.list-files", "github:checks.list-for-ref", "github:pulls.list-reviews",
    ]  # fmt: skip
    shown = CONNECTOR.preview(plan, {"pull": {"title": "Fix", "base": "main"}}, (None,) * 4)
    assert (shown["kind"], shown["number"], shown["head_sha"], shown["method"]) == ("github.merge", 12, HEAD, "rebase")
    assert (shown["title"], shown["base"]) == ("Fix", "main")


def test_people_are_shown_every_field_of_another_mutation() -> None:
    plan = planned("addComment", {"subjectId": "ISSUE", "body": "hello"})
    assert CONNECTOR.preview_asks(plan) == ()
    shown = CONNECTOR.preview(plan, {"issue": {"title": "Broken"}}, ())
    assert (shown["kind"], shown["path"], shown["title"]) == ("github.write", "addComment", "Broken")
    assert {each["name"]: each["new"] for each in shown["fields"]} == {"subjectId": "ISSUE", "body": "hello"}
    read = CONNECTOR.plan("github:graphql.query", {"query": "{ viewer { login } }"}, HUB)
    assert (CONNECTOR.preview_asks(read), CONNECTOR.preview(read, {}, ())) == ((), {})


APP = Connection("hub", "github", HUB.credential, {"url": "https://api.github.com", "app": True})
HOME = Connection("hub", "github", HUB.credential, {**APP.options, "account": "Acme"})
LOOK = (("issues", "read"), ("metadata", "read"), ("pull_requests", "read"))


@pytest.mark.parametrize(
    ("action", "params", "permissions"),
    [
        ("github:graphql.resolve", {"ids": ["PR"]}, LOOK),
        ("github:graphql.query", {"query": "{ rateLimit { cost } __schema { types { name } } }"}, LOOK[1:2]),
    ],
)
def test_an_app_looks_ids_up_and_the_schema_with_a_token_that_can_change_nothing(
    action: str, params: JsonObject, permissions: tuple[tuple[str, str], ...]
) -> None:
    endpoint = "https://api.github.com"
    wanted = GitHubTokenRequest("acme", (), permissions, endpoint, everywhere=True)
    assert CONNECTOR.plan(action, params, HOME).mint == wanted
    with pytest.raises(InvalidParamsError, match="account"):
        CONNECTOR.plan(action, params, APP)


@pytest.mark.parametrize("query", ["{ viewer { login } }", '{ organization(login: "acme") { login } }', "{ NODES }"])
def test_nothing_but_ids_and_the_schema_is_read_with_a_token_for_every_repository(query: str) -> None:
    found = {"nodes": {**NODES, "ELSEWHERE": {"__typename": "Repository", "nameWithOwner": "other/site"}}}
    roots = '{ nodes(ids: ["REPO", "ELSEWHERE"]) { id } rateLimit { cost } }'
    params = {"query": query.replace("{ NODES }", roots)}
    with pytest.raises(InvalidParamsError):
        CONNECTOR.plan_on("github:graphql.query", params, HOME, found)


def test_what_an_id_turned_out_to_be_is_read_with_a_token_for_its_repository() -> None:
    params = {"query": '{ node(id: "PR") { id } rateLimit { cost } }'}
    mint = CONNECTOR.plan_on("github:graphql.query", params, HOME, {"nodes": NODES}).mint
    assert isinstance(mint, GitHubTokenRequest)
    assert (mint.owner, mint.repositories, mint.everywhere) == ("acme", ("app",), False)


@pytest.mark.parametrize(
    ("name", "writes"),
    [
        ("mergePullRequest", {"contents", "pull_requests"}),
        ("createRef", {"contents"}),
        ("addComment", {"issues", "pull_requests"}),
        ("archiveRepository", {"administration"}),
        ("createPullRequest", {"pull_requests"}),
    ],
)
def test_a_token_of_an_app_can_write_what_the_mutation_does(name: str, writes: set[str]) -> None:
    mint = planned(name, CASES[name][0], HOME).mint
    assert isinstance(mint, GitHubTokenRequest)
    assert {permission for permission, access in mint.permissions if access == "write"} == writes
    assert (mint.owner, mint.repositories) == ("acme", ("app",))
