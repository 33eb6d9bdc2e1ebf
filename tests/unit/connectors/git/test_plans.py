from __future__ import annotations

import base64
from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.catalog import plan_digest_of
from connectors.base import Access, Connection, JsonObject, Plan, Upload
from connectors.errors import InvalidParamsError
from connectors.git.connector import GitConnector
from connectors.git.plans import plan_push
from policies.model import Requirement
from tests.parts.git_wire import NEW, OLD, ZERO
from tests.unit.connectors.git.test_bundle import OID, OTHER, make
from vault.model import CredentialRef, GitHubTokenRequest, TokenScheme

CONNECTOR = GitConnector()
FORGE = Connection("forge", "git", CredentialRef("git/acme"), {"url": "https://git.test/scm"})
SHA256 = "c" * 64
HUB = replace(FORGE, options={"url": "https://git.test", "app_api": "https://api.git.test"})
KINDS = {
    "create": ("refs/heads/new", ZERO, NEW),
    "fast-forward": ("refs/heads/ahead", OLD, NEW),
    "force": ("refs/tags/v1", OLD, NEW),
    "delete": ("refs/heads/old", OLD, ZERO),
    "none": ("refs/heads/idle", OLD, OLD),
}


def bundle(*lines: str) -> str:
    return base64.b64encode(make(*lines)).decode()


ONE = bundle(f"-{OTHER}", f"{OID} refs/heads/feature/x")


def seen(*changes: str, workflows: bool = False) -> JsonObject:
    """What was found out about a push that does these things, one ref each."""
    rows = [dict(zip(("ref", "old", "new"), KINDS[change], strict=True), change=change) for change in changes]
    return {"updates": rows, "workflows": workflows}


def pushed(*changes: str, **more: object) -> JsonObject:
    """Params of the push that does these things."""
    rows = [dict(zip(("ref", "old", "new"), KINDS[change], strict=True)) for change in changes if change != "none"]
    pack = {} if set(changes) <= {"delete"} else {"pack": {"upload": {"bytes": 7, "sha256": SHA256}}}
    return {"repo": "acme/app", "updates": rows, **pack, **more}


def plan(*changes: str, connection: Connection = FORGE, workflows: bool = False, **more: object) -> Plan:
    return plan_push(pushed(*changes, **more), connection, seen(*changes, workflows=workflows))


@pytest.mark.req("P2")
@pytest.mark.parametrize(
    ("change", "need", "verb"),
    [
        ("create", Requirement("git:push", "repos/acme/app/branches/new"), "create"),
        ("fast-forward", Requirement("git:push", "repos/acme/app/branches/ahead"), "push to"),
        ("force", Requirement("git:force-push", "repos/acme/app/tags/v1"), "force-push to"),
        ("delete", Requirement("git:delete-ref", "repos/acme/app/branches/old"), "delete"),
    ],
)
def test_each_kind_of_change_needs_a_permission_of_its_own(change: str, need: Requirement, verb: str) -> None:
    made = plan(change)
    assert made.requirements == (need,)
    assert made.summary == f"{verb} {KINDS[change][0]} of acme/app"


@pytest.mark.req("P2")
def test_a_push_needs_one_permission_for_each_ref_and_says_the_gravest_first() -> None:
    made = plan("create", "force", "delete")
    assert [need.action for need in made.requirements] == ["git:push", "git:force-push", "git:delete-ref"]
    assert made.summary == "delete refs/heads/old; force-push to refs/tags/v1; create refs/heads/new of acme/app"


def test_a_push_plan_holds_all_that_is_sent_and_binds_the_pack() -> None:
    made = plan("create", "delete", options=["ci.skip"])
    assert made.call == {
        "url": "https://git.test/scm/acme/app.git",
        "repo": "acme/app",
        "params": {
            "expected": {},
            "updates": pushed("create", "delete")["updates"],
            "pack": {"upload": {"bytes": 7, "sha256": SHA256}},
            "options": ["ci.skip"],
        },
        "changes": {"refs/heads/new": "create", "refs/heads/old": "delete"},
    }
    assert (made.upload, made.estimate.request_bytes) == (Upload(7, SHA256), 7)
    assert (made.access, made.idempotent, made.credential, made.host) == (Access.WRITE, True, "git/acme", "git.test")
    moved = {"refs/heads/new": {"old": ZERO, "new": NEW}, "refs/heads/old": {"old": OLD, "new": ZERO}}
    assert made.trace == {"repo": "acme/app", "refs": moved}


def test_refs_that_are_where_they_should_be_stay_in_the_plan_of_a_bundle() -> None:
    made = plan("fast-forward", "none")
    assert made.summary == "push to refs/heads/ahead; leave as it is refs/heads/idle of acme/app"
    idle = plan_push({"repo": "acme/app", "bundle": ONE}, FORGE, seen("none"))
    assert (idle.upload, idle.call["params"]["updates"]) == (None, [])
    assert idle.requirements == (Requirement("git:push", "repos/acme/app/branches/idle"),)


CHANGED = [
    ("updates", 0, "ref", "refs/heads/other"),
    ("updates", 0, "old", "d" * 40),
    ("updates", 0, "new", "d" * 40),
    ("pack", "upload", "sha256", "d" * 64),
    ("pack", "upload", "bytes", 8),
    ("options", 0, "ci.run"),
    ("repo", "acme/other"),
]


def changed(document: JsonObject, path: tuple[str | int, ...], value: object) -> JsonObject:
    """Return a document with one value replaced."""
    copy = deepcopy(document)
    place = copy
    for step in path[:-1]:
        place = place[step]  # type: ignore[index]
    place[path[-1]] = value  # type: ignore[index]
    return copy


@pytest.mark.req("A3")
@pytest.mark.parametrize("change", CHANGED, ids=str)
def test_any_other_params_are_another_push_or_none(change: tuple[str | int, ...]) -> None:
    params, found = pushed("force", options=["ci.skip"]), seen("force")
    before = plan_digest_of(plan_push(params, FORGE, found))
    try:
        after = plan_push(changed(params, change[:-1], change[-1]), FORGE, found)
    except InvalidParamsError:
        return
    assert plan_digest_of(after) != before


@pytest.mark.req("A3")
@pytest.mark.parametrize("name", ["ref", "old", "new", "change"])
@given(data=st.data())
def test_any_other_evidence_is_another_push_or_none(name: str, data: st.DataObject) -> None:
    changes = ("create", "fast-forward", "force", "delete", "none")
    params, found = pushed(*changes), seen(*changes)
    row = data.draw(st.integers(0, len(changes) - 1))
    text = found["updates"][row][name]
    at = data.draw(st.integers(0, len(text) - 1))
    other = text[:at] + data.draw(st.characters(codec="utf-8").filter(lambda char: char != text[at])) + text[at + 1 :]
    before = plan_digest_of(plan_push(params, FORGE, found))
    try:
        after = plan_push(params, FORGE, changed(found, ("updates", row, name), other))
    except InvalidParamsError:
        return
    assert plan_digest_of(after) != before


IMPOSSIBLE = {
    "no updates": {},
    "updates that are none": {"updates": None},
    "a row that is none": {"updates": [1]},
    "a row without a ref": {"updates": [{"old": OLD, "new": NEW, "change": "force"}]},
    "a ref that is no text": changed(seen("force"), ("updates", 0, "ref"), 1),
    "a ref that a scan masked": changed(seen("none"), ("updates", 0, "ref"), "refs/heads/****"),
    "a change nobody knows": changed(seen("force"), ("updates", 0, "change"), "*****"),
    "a deletion told as a push": changed(seen("delete"), ("updates", 0, "change"), "fast-forward"),
    "a push told as a deletion": changed(seen("force"), ("updates", 0, "change"), "delete"),
    "a creation told as a move": changed(seen("create"), ("updates", 0, "change"), "force"),
    "a move told as a creation": changed(seen("force"), ("updates", 0, "change"), "create"),
    "a move told as nothing": changed(seen("force"), ("updates", 0, "change"), "none"),
    "nothing told as a move": changed(seen("none"), ("updates", 0, "change"), "force"),
    "one ref twice": {"updates": seen("force")["updates"] * 2},
    "another ref besides": {"updates": seen("force", "create")["updates"]},
    "one ref less": {"updates": []},
}


@pytest.mark.parametrize("found", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_evidence_that_cannot_be_makes_no_plan(found: JsonObject) -> None:
    for params in (pushed("create"), pushed("force"), pushed("delete"), {"repo": "acme/app", "bundle": ONE}):
        with pytest.raises(InvalidParamsError):
            plan_push(params, FORGE, found)


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({**pushed("create"), "pack": None}, seen("create")),
        ({**pushed("create"), "pack": {"upload": {}}}, seen("create")),
        ({**pushed("create"), "pack": {"upload": {"bytes": 7}}}, seen("create")),
        ({**pushed("create"), "pack": {"upload": {"sha256": SHA256}}}, seen("create")),
        ({**pushed("delete"), "pack": {"upload": {"bytes": 7, "sha256": SHA256}}}, seen("delete")),
    ],
)
def test_a_push_is_bound_to_a_pack_or_has_none(params: JsonObject, found: JsonObject) -> None:
    with pytest.raises(InvalidParamsError):
        plan_push(params, FORGE, found)


def test_two_packs_of_the_same_updates_are_the_same_request_to_whoever_asks_again() -> None:
    assert plan("create").fresh == ("pack",)


@pytest.mark.parametrize(("workflows", "more"), [(False, ()), (True, (("workflows", "write"),))])
def test_a_push_is_carried_out_with_a_token_for_its_repository_and_no_more(
    workflows: bool, more: tuple[tuple[str, str], ...]
) -> None:
    made = plan("create", connection=HUB, workflows=workflows)
    permissions = (("contents", "write"), ("metadata", "read"), *more)
    assert made.mint == GitHubTokenRequest("acme", ("app",), permissions, "https://api.git.test", TokenScheme.BASIC)


def test_a_read_is_carried_out_with_a_token_that_cannot_write() -> None:
    made = CONNECTOR.plan("git:read", {"repo": "acme/app"}, HUB)
    permissions = (("contents", "read"), ("metadata", "read"))
    assert made.mint == GitHubTokenRequest("acme", ("app",), permissions, "https://api.git.test", TokenScheme.BASIC)
    assert CONNECTOR.plan("git:read", {"repo": "acme/app"}, FORGE).mint is None


def test_a_push_that_was_not_looked_into_is_planned_as_if_it_forced_nothing() -> None:
    made = CONNECTOR.plan("git:push", pushed("force", "delete"), FORGE)
    assert [need.action for need in made.requirements] == ["git:push", "git:delete-ref"]
    assert "changes" not in made.call
    refs = [f"{OID} refs/heads/feature/x", f"{OID} refs/tags/v1"]
    made = CONNECTOR.plan("git:push", {"repo": "acme/app", "bundle": bundle(*refs)}, FORGE)
    assert made.requirements == (
        Requirement("git:push", "repos/acme/app/branches/feature/x"),
        Requirement("git:push", "repos/acme/app/tags/v1"),
    )


def test_a_long_list_of_refs_is_cut_in_the_summary_only() -> None:
    refs = [f"{OID} refs/heads/b{n}" for n in range(7)]
    made = CONNECTOR.plan("git:push", {"repo": "acme/app", "bundle": bundle(*refs)}, FORGE)
    assert made.summary.endswith("refs/heads/b4 and 2 more of acme/app")
    assert len(made.requirements) == 7


@pytest.mark.parametrize("what", ["refs", "bundle", "mirror"])
def test_a_read_needs_the_repository(what: str) -> None:
    made = CONNECTOR.plan("git:read", {"repo": "acme/app", "what": what, "refs": ["refs/heads/a"] * 2}, FORGE)
    assert made.requirements == (Requirement("git:read", "repos/acme/app"),)
    assert made.call["refs"] == ["refs/heads/a"]
    assert made.access is Access.READ
    assert made.summary.endswith("acme/app: refs/heads/a")


def test_what_a_git_client_asks_is_in_the_plan_word_for_word() -> None:
    request = base64.b64encode(b"0000").decode()
    params = {"repo": "acme/app", "what": "fetch", "protocol": "version=2", "request": request}
    made = CONNECTOR.plan("git:read", params, FORGE)
    assert (made.call["protocol"], made.call["request"]) == ("version=2", request)
    assert made.requirements == (Requirement("git:read", "repos/acme/app"),)


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_text_for_a_name_makes_a_resource_wider(repo: str, branch: str) -> None:
    try:
        made = CONNECTOR.plan("git:push", {"repo": repo, "bundle": bundle(f"{OID} refs/heads/{branch}")}, FORGE)
    except InvalidParamsError:
        return
    (requirement,) = made.requirements
    assert requirement.resource == f"repos/{repo}/branches/{branch}"
    assert not set(requirement.resource) & set("*?[]{}% \\")
    assert ".." not in requirement.resource.split("/")
