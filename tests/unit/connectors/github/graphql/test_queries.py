from __future__ import annotations

from typing import Any

import pytest
from graphql import FieldNode, OperationDefinitionNode, parse

from connectors.base import Connection, JsonObject, Plan
from connectors.errors import InvalidParamsError
from connectors.github.connector import GitHubConnector
from connectors.github.graphql.document import MAX_DOCUMENT_BYTES, read_document
from policies.model import Requirement
from tests.unit.connectors.github.graphql.attacks import ATTACKS, HOME, chain, inside
from tests.unit.connectors.github.graphql.corpus import NODE_QUERIES, QUERIES
from vault.model import CredentialRef

pytestmark = pytest.mark.req("A4")

CONNECTOR = GitHubConnector()
QUERY = "github:graphql.query"
HUB = Connection("hub", "github", CredentialRef("github/acme"), {"url": "https://api.github.com"})


def planned(query: str, found: JsonObject | None = None, connection: Connection = HUB, **variables: Any) -> Plan:
    return CONNECTOR.plan_on(QUERY, {"query": query, "variables": variables}, connection, found or {})


def resources(plan: Plan) -> set[str]:
    assert {each.action for each in plan.requirements} == {"git:read"}
    return {each.resource for each in plan.requirements}


@pytest.mark.parametrize("command", QUERIES)
def test_what_gh_asks_is_mapped_to_what_it_reads(command: str) -> None:
    query, variables, expected = QUERIES[command]
    plan = planned(query, **variables)
    assert resources(plan) == expected
    again = planned(plan.call["query"].replace("ostiary_hits: nodes", "nodes"), **plan.call["variables"])
    assert resources(again) == expected


@pytest.mark.parametrize("command", NODE_QUERIES)
def test_an_id_is_looked_up_and_its_repository_must_be_readable(command: str) -> None:
    params = {"query": NODE_QUERIES[command], "variables": {"id": "PR_1", "endCursor": "x"}}
    (ask,) = CONNECTOR.asks(QUERY, params, HUB)
    assert (ask.action, ask.params, ask.optional) == ("github:graphql.resolve", {"ids": ["PR_1"]}, False)
    found = {"nodes": {"PR_1": {"__typename": "PullRequest", "number": 1, "repository": {"nameWithOwner": "Acme/App"}}}}
    assert resources(CONNECTOR.plan_on(QUERY, params, HUB, found)) == {"repos/acme/app"}
    with pytest.raises(InvalidParamsError):
        CONNECTOR.plan_on(QUERY, params, HUB, {})


@pytest.mark.parametrize("kind", ["User", "Organization", "Team", "Gist", "Discussion", "", None, ["PullRequest"]])
def test_an_id_of_what_belongs_to_no_repository_is_refused(kind: object) -> None:
    found = {"nodes": {"X": {"__typename": kind, "repository": {"nameWithOwner": "acme/app"}}}}
    with pytest.raises(InvalidParamsError):
        planned('{ node(id: "X") { id } }', found)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_cannot_be_mapped_is_refused(attack: str) -> None:
    with pytest.raises(InvalidParamsError):
        planned(ATTACKS[attack])


def test_a_door_that_reads_a_document_gets_the_same_bounds() -> None:
    for query in ("#" + "x" * MAX_DOCUMENT_BYTES, "\ud800"):
        with pytest.raises(InvalidParamsError):
            read_document(query, {})


def test_no_more_ids_are_looked_up_than_are_taken() -> None:
    with pytest.raises(InvalidParamsError):
        CONNECTOR.asks(QUERY, {"query": ATTACKS["too many ids"]}, HUB)


@pytest.mark.parametrize(
    ("query", "variables", "expected"),
    [
        (
            'query($o: String = "acme", $n: String!) { repository(owner: $o, name: $n) { id } }',
            {"n": "app"},
            {"acme/app"},
        ),
        (
            'query($o: String = "acme", $n: String!) { repository(owner: $o, name: $n) { id } }',
            {"o": "evil", "n": "app"},
            {"evil/app"},
        ),
        (f'{{ a: {HOME} {{ id }} b: repository(owner: "evil", name: "x") {{ id }} }}', {}, {"acme/app", "evil/x"}),
        (
            """query { ...f }
            fragment f on Query { ... { ... on Query { repository(owner: "evil", name: "x") { id } } } }""",
            {},
            {"evil/x"},
        ),
        (
            f"""query($s: Boolean!) {{ {HOME} @include(if: $s) {{ id }}
            b: repository(owner: "evil", name: "x") @skip(if: true) {{ id }} }}""",
            {"s": False},
            {"acme/app", "evil/x"},
        ),
        (
            f"{{ {HOME} {{ ...f }} }} fragment f on Repository {{ id }} fragment g on Repository {{ evil }}",
            {},
            {"acme/app"},
        ),
        ('query A { repository(owner: "evil", name: "x") { id } } query B { viewer { login } }', {}, {"evil/x"}),
    ],
)
def test_every_way_to_name_a_repository_counts(query: str, variables: JsonObject, expected: set[str]) -> None:
    name = "A" if query.startswith("query A") else ""
    params = {"query": query, "variables": {**variables, "undeclared": {"owner": "acme"}}, "operation_name": name}
    plan = CONNECTOR.plan(QUERY, params, HUB)
    assert resources(plan) == {f"repos/{each}" for each in expected}
    assert "undeclared" not in plan.call["variables"]


def test_a_null_in_place_of_a_default_is_refused() -> None:
    with pytest.raises(InvalidParamsError):
        planned('query($n: String = "app") { repository(owner: "acme", name: $n) { id } }', n=None)


@pytest.mark.parametrize("variables", [{}, {"n": None}, {"n": ["app"]}, {"n": {"x": 1}}, {"n": 7}])
def test_a_variable_of_another_type_than_it_is_declared_is_refused(variables: JsonObject) -> None:
    with pytest.raises(InvalidParamsError):
        planned('query($n: String!) { repository(owner: "acme", name: $n) { id } }', **variables)


@pytest.mark.parametrize("more", [", followRenames: true", ", followRenames: $f", ""])
def test_an_old_name_of_a_repository_is_not_followed(more: str) -> None:
    declared = "($f: Boolean = true)" if "$" in more else ""
    plan = planned(f'query Q{declared} {{ repository(owner: "acme", name: "app"{more}) {{ id }} }}')
    (operation,) = parse(plan.call["query"]).definitions
    assert isinstance(operation, OperationDefinitionNode)
    (root,) = operation.selection_set.selections
    assert isinstance(root, FieldNode)
    given = {each.name.value: getattr(each.value, "value", None) for each in root.arguments or ()}
    assert given == {"owner": "acme", "name": "app", "followRenames": False}
    assert not operation.variable_definitions
    assert plan.call["variables"] == {}


def test_what_is_sent_holds_nothing_of_the_text_but_what_was_read() -> None:
    plan = planned(f"# repos/evil\nquery A {{ {HOME} {{ id, }} }} fragment unused on Repository {{ evil }}")
    assert "evil" not in plan.call["query"]


def test_many_fragments_of_fragments_are_walked_once_each() -> None:
    plan = planned(inside("...f0 ...f0", chain(30)))
    assert resources(plan) == {"repos/acme/app"}


@pytest.mark.parametrize(
    ("variables", "reason"),
    [({"x": "y" * (256 << 10)}, "bytes"), ({"x": [1] * 2_001}, "values"), ({"x": {1, 2}}, "JSON")],
)
def test_variables_are_bounded(variables: JsonObject, reason: str) -> None:
    with pytest.raises(InvalidParamsError, match=reason):
        planned("{ viewer { login } }", **variables)


@pytest.mark.parametrize("name", ["A", "C"])
def test_an_operation_is_named_exactly(name: str) -> None:
    query = "query A { viewer { login } } query A { viewer { login } } query B { viewer { login } }"
    assert CONNECTOR.plan(QUERY, {"query": query, "operation_name": "B"}, HUB).requirements
    with pytest.raises(InvalidParamsError):
        CONNECTOR.plan(QUERY, {"query": query, "operation_name": name}, HUB)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.github.com", "https://api.github.com/graphql"),
        ("https://ghe.acme.test/api/v3", "https://ghe.acme.test/api/graphql"),
    ],
)
def test_it_goes_to_where_the_host_serves_graphql(url: str, expected: str) -> None:
    plan = planned("{ viewer { login } }", None, Connection("hub", "github", HUB.credential, {"url": url}))
    assert plan.call["url"] == expected
    assert plan.host == expected.split("/")[2]


def test_a_token_of_an_app_is_for_the_repositories_that_are_read_and_nothing_else() -> None:
    app = Connection("hub", "github", HUB.credential, {"url": "https://api.github.com", "app": True})
    two = f"""{{ {HOME} {{ pullRequest(number: 1) {{ statusCheckRollup {{ state }} }} }}
    b: repository(owner: "ACME", name: "lib") {{ id }} }}"""
    mint = planned(two, None, app).mint
    assert mint is not None
    assert (mint.owner, mint.repositories) == ("acme", ("app", "lib"))  # type: ignore[union-attr]  # one kind here
    assert {access for _, access in mint.permissions} == {"read"}  # type: ignore[union-attr]  # likewise
    for query in ("{ viewer { login } }", f'{{ {HOME} {{ id }} b: repository(owner: "evil", name: "x") {{ id }} }}'):
        with pytest.raises(InvalidParamsError):
            planned(query, None, app)


def test_a_look_at_ids_needs_a_right_of_its_own() -> None:
    plan = CONNECTOR.plan("github:graphql.resolve", {"ids": ["b", "a", "a"]}, HUB)
    assert plan.requirements == (Requirement("git:read", "nodes"),)
    assert plan.call["variables"] == {"ids": ["a", "b"]}


@pytest.mark.parametrize("params", [{}, {"ids": []}, {"ids": [1]}, {"ids": ["x"] * 51}, {"ids": ["x"], "more": 1}])
def test_a_look_at_ids_takes_ids_and_nothing_else(params: JsonObject) -> None:
    with pytest.raises(InvalidParamsError):
        CONNECTOR.plan("github:graphql.resolve", params, HUB)


@pytest.mark.parametrize("params", [{}, {"query": 1}, {"query": "{ viewer { login } }", "extensions": {}}])
def test_a_query_takes_its_three_params_and_nothing_else(params: JsonObject) -> None:
    with pytest.raises(InvalidParamsError):
        CONNECTOR.plan(QUERY, params, HUB)
