from __future__ import annotations

import pytest

from connectors.github.graphql.search import MAX_NESTING, MAX_QUERY_CHARS, pinned_repositories

pytestmark = pytest.mark.req("A4")

A, B = "acme/app", "acme/lib"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("repo:acme/app", {A}),
        ("REPO:Acme/App is:pr state:open", {A}),
        ("repo:acme/app repo:acme/lib", {A, B}),
        ('repo:acme/app "repo:evil/x" label:"good first issue"', {A}),
        ("repo:acme/app -author:octocat -label:bug sort:created-desc", {A}),
    ],
)
@pytest.mark.parametrize("kind", ["ISSUE", "ISSUE_ADVANCED"])
def test_terms_pin_a_search_to_repositories(query: str, expected: set[str], kind: str) -> None:
    assert pinned_repositories(query, kind) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("( fix login ) repo:acme/app", {A}),
        ("(repo:acme/app OR repo:acme/lib) AND bug", {A, B}),
        ("repo:acme/app bug OR repo:acme/lib", {A, B}),
        ("repo:acme/app NOT repo:evil/x", {A}),
        ("repo:acme/app NOT (user OR repo:evil/x)", {A}),
    ],
)
def test_expressions_pin_only_the_search_that_reads_them(query: str, expected: set[str]) -> None:
    assert pinned_repositories(query, "ISSUE_ADVANCED") == expected
    assert not pinned_repositories(query, "ISSUE")


@pytest.mark.parametrize(
    "query",
    [
        "", "bug", "-repo:acme/app", "NOT repo:acme/app", 'repo:"acme/app"', '"repo:acme/app"', "repo:acme",
        "repo:acme/*",
        "repo:acme/app,acme/lib", "repo:acme/app/x", "repo:acme/app.git", "repo:acme/..",
        "repo:acme/app user:evil", "repo:acme/app org:evil", "repo:acme/app -org:evil", "repo:acme/app owner:evil",
        "repo:acme/app enterprise:evil", "repo:acme/app project:evil/1", "repo:acme/app x:y",
        'repo:acme/app "open', "repo:acme/app \\", "repo:acme/app\tuser", "repo:acme/app\u00a0user:evil",
        "repo:acme/\uff41pp", "repo:acme/app OR bug", "bug OR repo:acme/app", "repo:acme/app (", "(repo:acme/app",
        "((repo:acme/app) x", "repo:acme/app )",
        "()",
        "repo:acme/app AND", "OR", "NOT", "(repo:acme/app OR repo:acme/lib bug OR x)",
        "x" * MAX_QUERY_CHARS + " repo:acme/app",
        "(" * (MAX_NESTING + 1) + "repo:acme/app" + ")" * (MAX_NESTING + 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["ISSUE", "ISSUE_ADVANCED"])
def test_whatever_may_reach_further_pins_nothing(query: str, kind: str) -> None:
    assert not pinned_repositories(query, kind)


@pytest.mark.parametrize("kind", ["REPOSITORY", "USER", "DISCUSSION", ""])
def test_a_search_for_other_things_is_pinned_by_nothing(kind: str) -> None:
    assert not pinned_repositories("repo:acme/app", kind)
