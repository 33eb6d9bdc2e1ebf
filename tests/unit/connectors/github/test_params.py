"""Params are those of the operation, of its types, each in its place of the request."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import InvalidParamsError
from connectors.github.catalogue import actions
from connectors.github.params import params_of
from connectors.github.routes import MAX_PATH_CHARS, match
from tests.unit.connectors.github.desk import GITHUB, THERE, connection

HOOK = {**THERE, "name": "web", "config": {"url": "https://ci.example"}}


def call(action: str, **params: Any) -> dict[str, Any]:
    return GITHUB.plan(f"github:{action}", params, connection()).call


def refusal(action: str, **params: Any) -> InvalidParamsError:
    with pytest.raises(InvalidParamsError) as caught:
        call(action, **params)
    return caught.value


def test_each_param_goes_to_its_place() -> None:
    made = call("issues.create", **THERE, title="a / b", labels=["x"], accept="application/vnd.github.raw+json")
    assert (made["method"], made["url"]) == ("POST", "https://api.github.com/repos/acme/app/issues")
    assert made["body"] == {"labels": ["x"], "title": "a / b"}
    assert made["headers"] == {"accept": "application/vnd.github.raw+json"}
    listed = call("issues.list-for-repo", **THERE, labels="bug,ui & co", per_page=2, state="all", if_none_match='W/"1"')
    assert listed["path"] == "/repos/acme/app/issues?labels=bug%2Cui+%26+co&per_page=2&state=all"
    assert listed["headers"] == {"if-none-match": 'W/"1"'}
    assert "body" not in listed
    several = call("dependabot.list-alerts-for-org", org="acme", has=["patch", "deployment"])
    assert several["path"] == "/orgs/acme/dependabot/alerts?has=patch&has=deployment"


def test_values_of_several_parts_keep_their_slashes_and_lose_nothing_else() -> None:
    assert call("repos.get-content", **THERE, path="a b/c#d?.txt")["path"].endswith("/contents/a%20b/c%23d%3F.txt")
    assert call("repos.get-content", **THERE, path="")["path"].endswith("/contents/")
    assert call("git.get-ref", **THERE, ref="heads/a/b")["path"].endswith("/git/ref/heads/a/b")
    assert call("repos.get-branch", **THERE, branch="a/b")["path"].endswith("/branches/a%2Fb")


def test_a_member_of_the_body_with_the_name_of_a_path_param_has_another() -> None:
    made = call("actions.update-repo-variable", **THERE, name="region", new_name="ZONE")
    assert (made["path"], made["body"]) == ("/repos/acme/app/actions/variables/REGION", {"name": "ZONE"})


def test_a_typing_error_is_told_with_what_was_meant() -> None:
    assert "`title`" in refusal("issues.create", **THERE, title="x", titel="y").fix
    assert "`url`" in refusal("repos.create-webhook", **{**HOOK, "config": {"urll": "x"}}).fix
    assert "nothing" not in refusal("issues.create", **THERE, title="x", zzzz="y").fix


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("issues.create", {**THERE}),
        ("issues.create", {**THERE, "title": ["x"]}),
        ("issues.create", {**THERE, "title": True}),
        ("issues.create", {**THERE, "title": "\ud800"}),
        ("issues.create", {**THERE, "title": "x", "labels": "bug"}),
        ("issues.create", {**THERE, "title": "x", "labels": [7]}),
        ("issues.create", {**THERE, "title": "x", "labels": [{"name": 7}]}),
        ("issues.create", {**THERE, "title": "x", "milestone": 2**63}),
        ("issues.create", {**THERE, "title": "x", "labels": ["x"] * 10_001}),
        ("issues.get", {**THERE, "issue_number": True}),
        ("issues.get", {**THERE, "issue_number": "7"}),
        ("issues.get", {**THERE, "issue_number": -7}),
        ("issues.get", {**THERE, "issue_number": 7, "accept": "text/evil\r\nX: y"}),
        ("issues.get", {**THERE, "issue_number": 7, "accept": "image/png"}),
        ("issues.get", {**THERE, "issue_number": 7, "accept": ", ".join(["*/*"] * 9)}),
        ("issues.get", {**THERE, "issue_number": 7, "api_version": "latest"}),
        ("issues.get", {**THERE, "issue_number": 7, "if_none_match": ""}),
        ("issues.create", {**THERE, "title": "x", "if_none_match": '"1"'}),
        ("issues.list-for-repo", {**THERE, "state": "everything"}),
        ("issues.list-for-repo", {**THERE, "labels": "a\nb"}),
        ("issues.list-for-repo", {**THERE, "labels": ["a"]}),
        ("issues.get-label", {**THERE, "name": "a/b"}),
        ("issues.get-label", {**THERE, "name": ".."}),
        ("issues.get-label", {**THERE, "name": "x" * 300}),
        ("repos.get-content", {**THERE, "path": "a/../b"}),
        ("repos.get-content", {**THERE, "path": "/etc"}),
        ("repos.get-content", {**THERE, "path": "a\u202eb"}),
        ("repos.create-webhook", {**HOOK, "config": {"url": "x", "secret": "hush"}}),
        ("actions.create-workflow-dispatch", {**THERE, "workflow_id": "b.yml", "ref": "x", "inputs": {"\ud800": 1}}),
        ("secret-scanning.get-alert", {**THERE, "alert_number": 1, "accept": "text/plain"}),
        ("git.create-blob", {**THERE, "content": "x" * (9 << 20)}),
        ("git.create-tree", {**THERE, "tree": [{"path": "a", "content": "x" * (3 << 20)}] * 3}),
        ("repos.create-pages-site", {**THERE, "source": {"path": "/"}}),
        ("codespaces.create-for-authenticated-user", {"pull_request": {"pull_request_number": float("inf")}}),
    ],
)
def test_what_does_not_fit_is_refused(action: str, params: Any) -> None:
    assert str(refusal(action, **params)).isprintable()


def test_what_is_nested_without_end_is_refused() -> None:
    deep: Any = "x"
    for _ in range(50):
        deep = {"a": deep}
    assert "deep" in str(refusal("repos.create-dispatch-event", **THERE, event_type="x", client_payload=deep))


@pytest.mark.parametrize("name", ["protection", "main/protection", "protection/restrictions/users"])
def test_a_value_does_not_make_the_path_of_another_operation(name: str) -> None:
    try:
        plan = GITHUB.plan("github:repos.get-readme-in-directory", {**THERE, "dir": name}, connection())
    except InvalidParamsError:
        return
    assert match("GET", plan.call["path"]) == ("github:repos.get-readme-in-directory", {**THERE, "dir": name})


def test_a_ref_that_reads_as_the_path_of_another_operation_is_refused() -> None:
    for ref in ("main/status", "main/check-runs", "x/comments"):
        assert "another operation" in str(refusal("repos.get-commit", **THERE, ref=ref))


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/", ("github:meta.root", {})),
        ("GET", "/repos/acme/app", ("github:repos.get", THERE)),
        ("PUT", "/repos/acme/app/pulls/7/merge", ("github:pulls.merge", {**THERE, "pull_number": "7"})),
        ("GET", "/repos/acme/app/contents/", ("github:repos.get-content", {**THERE, "path": ""})),
        ("GET", "/repos/acme/app/contents/a%20b/c", ("github:repos.get-content", {**THERE, "path": "a b/c"})),
        ("GET", "/repos/acme/app/git/ref/heads/a/b", ("github:git.get-ref", {**THERE, "ref": "heads/a/b"})),
        ("GET", "/repos/acme/app/git/ref/heads%2Fa", ("github:git.get-ref", {**THERE, "ref": "heads/a"})),
        ("GET", "/repos/acme/app/branches/a/b", ("github:repos.get-branch", {**THERE, "branch": "a/b"})),
        (
            "GET",
            "/repos/acme/app/branches/a/b/protection",
            ("github:repos.get-branch-protection", {**THERE, "branch": "a/b"}),
        ),
        (
            "GET",
            "/repos/acme/app/compare/main...x",
            ("github:repos.compare-commits-with-basehead", {**THERE, "basehead": "main...x"}),
        ),
        (
            "GET",
            "/repos/acme/app/commits/x/status",
            ("github:repos.get-combined-status-for-ref", {**THERE, "ref": "x"}),
        ),
        ("GET", "/repos/acme/app/issues/comments/7", ("github:issues.get-comment", {**THERE, "comment_id": "7"})),
        ("GET", "/user", ("github:users.get-authenticated", {})),
        ("POST", "/repos/acme/app", None),
        ("GET", "/repos/acme/app/", None),
        ("GET", "/repos/acme//pulls", None),
        ("BREW", "/user", None),
        ("GET", "/nothing/here", None),
    ],
)
def test_a_request_leads_to_its_operation(method: str, path: str, found: Any) -> None:
    assert match(method, path) == found


@pytest.mark.parametrize(
    "path",
    ["", "user", "/repos/acme/app/../x", "/repos/acme/%2e%2e/x", "/user%", "/user%zz", "/%ff", "/us\u00e9r",
     "/repos/acme/app/contents/a/%2E/b", "/" + "x" * MAX_PATH_CHARS],
)  # fmt: skip
def test_a_path_that_cannot_be_read_for_sure_is_refused(path: str) -> None:
    with pytest.raises(InvalidParamsError):
        match("GET", path)


def test_the_parts_of_a_request_become_flat_params() -> None:
    entry = actions()["github:issues.add-labels"]
    path = {**THERE, "issue_number": "7"}
    flat = {**THERE, "issue_number": 7, "labels": ["bug"]}
    assert params_of(entry, path, {}, {"labels": ["bug"]}) == flat
    assert params_of(entry, path, {}, ["bug"]) == flat
    assert params_of(entry, {**path, "issue_number": "007"}, {}, None)["issue_number"] == "007"
    variable = actions()["github:actions.update-repo-variable"]
    assert params_of(variable, {**THERE, "name": "A"}, {}, {"name": "B"}) == {**THERE, "name": "A", "new_name": "B"}
    raw = actions()["github:markdown.render-raw"]
    assert params_of(raw, {}, {}, "# x") == {"body": "# x"}
    assert params_of(raw, {}, {}, None) == {}


def test_a_name_in_two_parts_of_a_request_and_a_body_of_another_kind_are_refused() -> None:
    entry = actions()["github:issues.create"]
    for query, body in (
        ({"title": "a"}, {"title": "b"}),
        ({"owner": "x"}, None),
        ({}, {"repo": "x"}),
        ({}, "text"),
        ({}, []),
    ):
        with pytest.raises(InvalidParamsError):
            params_of(entry, THERE, query, body)
