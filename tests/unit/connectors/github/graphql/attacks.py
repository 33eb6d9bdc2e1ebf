"""Documents that must not be mapped: each would read more than policy was asked for, or take too much to read."""

from __future__ import annotations

from connectors.github.graphql.document import MAX_DOCUMENT_BYTES

HOME = 'repository(owner: "acme", name: "app")'


def inside(chosen: str, rest: str = "") -> str:
    """Return a query for something of one repository."""
    return f"{{ {HOME} {{ {chosen} }} }} {rest}"


def chain(length: int) -> str:
    """Return fragments that spread one another."""
    each = " ".join(f"fragment f{n} on Repository {{ ...f{n + 1} ...f{n + 1} }}" for n in range(length))
    return f"{each} fragment f{length} on Repository {{ id }}"


ATTACKS: dict[str, str] = {
    "another operation than the one that is named": "query A { viewer { login } } query B { viewer { login } }",
    "no operation": "fragment f on Query { viewer { login } }",
    "nothing": "",
    "only a comment": "# { viewer { login } }",
    "a subscription": "subscription { x }",
    "a definition of a type": "{ viewer { login } } type Query { x: Int }",
    "a mutation": "mutation { __typename }",
    "a fragment twice": inside("...f", "fragment f on Repository { id } fragment f on Repository { name }"),
    "a cycle": inside("...f", "fragment f on Repository { parent { ...f } }"),
    "the workaround of relay": f"{{ relay {{ {HOME} {{ id }} }} }}",
    "an unknown root": '{ user(login: "octocat") { repositories(first: 9) { nodes { name } } } }',
    "an address as root": '{ resource(url: "https://github.com/acme/secret") { __typename } }',
    "repositories of who asks": "{ viewer { repositories(first: 9) { nodes { name } } } }",
    "repositories of the owner": inside("owner { repositories(first: 9) { nodes { name } } }"),
    "teams of the owner": inside("owner { ... on Organization { teams(first: 9) { totalCount } } }"),
    "teams of the author": inside("issue(number: 1) { author { ... on Organization { teams { totalCount } } } }"),
    "content of the parent": inside('parent { object(expression: "main:x") { id } }'),
    "content of the parent by a fragment": inside("...f parent { ...f }", "fragment f on Repository { homepageUrl }"),
    "content of the parent by two fragments": inside(
        "parent { ...f }", "fragment f on Repository { ...g } fragment g on Repository { pushedAt }"
    ),
    "content of the parent by a fragment without a type": inside("parent { ... { pushedAt } }"),
    "content of a fork": inside("forks(first: 1) { nodes { issues { nodes { body } } } }"),
    "content of the head": inside("pullRequest(number: 1) { headRepository { issues { totalCount } } }"),
    "content of the branch of the head": inside("pullRequest(number: 1) { headRef { target { oid } } }"),
    "content of an issue that is closed": inside(
        "pullRequest(number: 1) { closingIssuesReferences(first: 1) { nodes { title } } }"
    ),
    "another repository by two steps": inside(
        "pullRequest(number: 1) { closingIssuesReferences(first: 1) { nodes { repository { pushedAt } } } }"
    ),
    "references across repositories": inside("issue(number: 1) { timelineItems(first: 9) { totalCount } }"),
    "a reserved name": f"{{ ostiary_hits: {HOME} {{ id }} }}",
    "an unknown directive": f"{{ {HOME} @defer {{ id }} }}",
    "a repository spelled with its ending": '{ repository(owner: "acme", name: "app.git") { id } }',
    "a repository with a path": '{ repository(owner: "acme", name: "app/../secret") { id } }',
    "an owner that looks alike": '{ repository(owner: "\u0430cme", name: "app") { id } }',
    "an owner with something nobody sees": '{ repository(owner: "acme\\u200b", name: "app") { id } }',
    "a name of prototypes": inside("constructor"),
    "a repository in two halves": '{ repository(owner: "acme/app", name: "x") { id } }',
    "a list for a text": '{ repository(owner: ["acme"], name: "app") { id } }',
    "an argument twice": '{ repository(owner: "acme", owner: "evil", name: "app") { id } }',
    "nothing to choose": inside(""),
    "too deep": "{" + "a{" * 3_000,
    "lists too deep": "{ nodes(ids: " + "[" * 3_000,
    "too many tokens": inside("name " * 4_000),
    "too many bytes": "#" + "x" * MAX_DOCUMENT_BYTES + "\n{ viewer { login } }",
    "too many roots": "{ " + " ".join(f"a{n}: viewer {{ login }}" for n in range(101)) + " }",
    "too many fragments": inside("id", " ".join(f"fragment f{n} on Repository {{ id }}" for n in range(64))),
    "too deep by fragments": inside("...f0", chain(60)),
    "too many ids": "{ nodes(ids: [" + ", ".join(f'"x{n}"' for n in range(51)) + "]) { id } }",
    "no ids": "{ nodes(ids: []) { id } }",
    "an open text": '{ repository(owner: "acme, name: "app") { id } }',
    "half a character": '{ repository(owner: "acme", name: "\\ud800") { id } }',
    "half a character in the text": '{ repository(owner: "acme", name: "\ud800") { id } }',
    "one search under two pins": """
        query { ...a s: search(query: "repo:a/b", type: ISSUE, first: 1) { issueCount } }
        fragment a on Query { s: search(query: "repo:c/d", type: ISSUE, first: 1) { issueCount } }""",
}
