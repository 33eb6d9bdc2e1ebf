"""Whatever is let through reads only what policy was asked for: shown by running what is sent on a small world.

The world is GitHub as it is, marks unknown to it: a parent, a head, an issue that is closed are of another repository.
Every value it gives says which repository it is of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLResolveInfo,
    execute,
    get_named_type,
    is_enum_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    parse,
)
from hypothesis import event, given, settings
from hypothesis import strategies as st

from connectors.base import Connection
from connectors.errors import InvalidParamsError
from connectors.github.connector import GitHubConnector
from connectors.github.graphql.schema import offer
from vault.model import CredentialRef

CONNECTOR = GitHubConnector()
HUB = Connection("hub", "github", CredentialRef("github/acme"), {"url": "https://api.github.com"})
OTHER = "evil/secret"
LEAVES_HOME = {
    "parent", "templateRepository", "forks", "headRepository", "headRef", "closingIssuesReferences",
    "closedByPullRequestsReferences", "associatedPullRequests", "owner", "author",
}  # fmt: skip
NAMES = {"id", "name", "nameWithOwner", "login", "url", "number", "description", "isPrivate", "totalCount"}


def resolve(source: Any, info: GraphQLResolveInfo[Any], **given: Any) -> Any:
    """Give what GitHub would: things by the repository they are of, values with it and the field's name in them."""
    of = source or ""
    if info.field_name == "repository" and info.parent_type.name == "Query":
        of = f"{given['owner']}/{given['name']}".lower()
    elif info.field_name in {"search", "viewer", "rateLimit"}:
        of = info.field_name
    elif info.field_name in LEAVES_HOME:
        of = OTHER
    kind = info.return_type.of_type if is_non_null_type(info.return_type) else info.return_type
    named = get_named_type(kind)
    if is_enum_type(named):
        value: Any = next(iter(named.values))
    elif is_leaf_type(named):
        value = {"Int": 1, "Boolean": True, "Float": 1.0}.get(named.name, f"{info.field_name}@{of}")
    else:
        value = of
    return [value] if is_list_type(kind) else value


def of_type(_source: Any, info: GraphQLResolveInfo[Any], kind: Any) -> str:
    possible = {each.name for each in info.schema.get_possible_types(kind)}
    return next(each for each in ("Commit", "PullRequest", "User", *sorted(possible)) if each in possible)


def values_in(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, list):
        for each in data:
            yield from values_in(each)
    elif isinstance(data, str) and "@" in data:
        yield data


LEAVES = {
    "Repository": ["id", "name", "description", "homepageUrl", "pushedAt", "nameWithOwner"],
    "PullRequest": ["id", "number", "title", "body", "headRefName"],
    "Issue": ["id", "number", "title", "body", "url"],
    "Ref": ["name", "id"],
    "RepositoryOwner": ["login", "id"],
    "Actor": ["login"],
    "Commit": ["oid", "message"],
}
EDGES = {
    "Repository": {
        "parent": "Repository", "owner": "RepositoryOwner", "templateRepository": "Repository",
        "defaultBranchRef": "Ref",
        "pullRequest(number: 1)": "PullRequest", "issue(number: $n)": "Issue",
        "forks(first: 1) { nodes": "Repository", "issues(first: 1) { nodes": "Issue",
    },
    "PullRequest": {
        "headRepository": "Repository", "repository": "Repository", "headRef": "Ref", "baseRef": "Ref",
        "author": "Actor",
        "closingIssuesReferences(first: 1) { nodes": "Issue", "mergeCommit": "Commit",
    },
    "Issue": {
        "repository": "Repository", "author": "Actor",
        "closedByPullRequestsReferences(first: 1) { nodes": "PullRequest",
    },
    "Ref": {
        "repository": "Repository", "associatedPullRequests(first: 1) { nodes": "PullRequest",
        "target { ... on Commit": "Commit",
    },
    "RepositoryOwner": {},
    "Actor": {},
    "Commit": {"parents(first: 1) { nodes": "Commit"},
}  # fmt: skip
TYPES = ["Repository", "PullRequest", "Issue", "Ref"]
FRAGMENTS = [f"F{kind}" for kind in TYPES]


def chosen(kind: str, depth: int) -> st.SearchStrategy[str]:
    """A selection set on a type: values, edges, inline fragments, spreads, aliases, directives."""
    leaf = st.sampled_from(LEAVES[kind])
    aliased = st.builds("{}: {}".format, st.sampled_from(["a", "b", "name"]), leaf)
    parts = [leaf, aliased, st.builds("{} @skip(if: $yes)".format, leaf), st.just("__typename")]
    if kind in TYPES:
        parts.append(st.just(f"...F{kind}"))
    if depth:
        for edge, target in EDGES[kind].items():
            opened = edge.count("{")
            inner = chosen(target, depth - 1)
            parts.append(inner.map(lambda body, edge=edge, opened=opened: f"{edge} {body}{' }' * opened}"))  # type: ignore[misc]  # bound
        parts.append(chosen(kind, 0).map(lambda body, kind=kind: f"... on {kind} {body}"))  # type: ignore[misc]  # bound
    return st.lists(st.one_of(parts), min_size=1, max_size=3).map(lambda each: "{ " + " ".join(each) + " }")


OWNERS = st.sampled_from(['"acme"', '"ACME"', "$o", '"evil"'])
ROOT = st.one_of(
    st.builds(
        "{}: repository(owner: {}, name: {}) {}".format,
        st.sampled_from(["r", "s", "t"]), OWNERS, st.sampled_from(['"app"', "$x", '"lib"']), chosen("Repository", 3),
    ),
    st.just("viewer { login }"),
    st.just("rateLimit { cost }"),
    st.just("... on Query { u: repository(owner: $o, name: $x) { pushedAt } }"),
)  # fmt: skip


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    roots = " ".join(draw(st.lists(ROOT, min_size=1, max_size=3)))
    fragments = " ".join(f"fragment F{kind} on {kind} {draw(chosen(kind, 1))}" for kind in TYPES)
    head = 'query Q($o: String! = "acme", $x: String!, $n: Int! = 1, $yes: Boolean! = false)'
    variables = {
        "x": draw(st.sampled_from(["app", "secret"])),
        **draw(st.sampled_from([{}, {"o": "Octo"}, {"yes": True}])),
    }
    touch = "t0: repository(owner: $o, name: $x) { t1: issue(number: $n) { id @skip(if: $yes) } }"
    return f"{head} {{ {roots} {touch} }} {fragments}", variables


@settings(max_examples=50)
@given(documents())
def test_whatever_is_let_through_reads_only_what_policy_was_asked_for(document: tuple[str, dict[str, Any]]) -> None:
    query, variables = document
    try:
        plan = CONNECTOR.plan("github:graphql.query", {"query": query, "variables": variables}, HUB)
    except InvalidParamsError:
        event("refused")
        return
    event("let through")
    answer = execute(
        offer().schema,
        parse(plan.call["query"]),
        variable_values=plan.call["variables"],
        field_resolver=resolve,
        type_resolver=of_type,
    )
    assert isinstance(answer, ExecutionResult)
    allowed = {each.resource.removeprefix("repos/") for each in plan.requirements}
    assert "followRenames: false" in plan.call["query"]
    for value in values_in(answer.data):
        name, _, of = value.partition("@")
        assert of in allowed or (of == OTHER and name in NAMES) or of in {"viewer", "rateLimit"}
