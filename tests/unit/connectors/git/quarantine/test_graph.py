from __future__ import annotations

from connectors.git.quarantine.graph import base_of, builds_on, reached
from connectors.git.quarantine.history import Commit
from connectors.git.quarantine.local import EMPTY_TREE
from connectors.git.quarantine.mirror import MirrorState
from connectors.git.quarantine.ranges import ranges
from connectors.git.wire.push_request import NULL_OID, RefUpdate

COMMITS = {
    "d": Commit("d", ("b", "c")),
    "c": Commit("c", ("old2",)),
    "b": Commit("b", ("a",)),
    "a": Commit("a", ("old1",)),
    "r": Commit("r", ()),
}


def test_a_commit_builds_on_what_any_of_its_parents_builds_on() -> None:
    assert builds_on(COMMITS, "d", "old2")
    assert builds_on(COMMITS, "d", "d")
    assert not builds_on(COMMITS, "b", "old2")
    assert [commit.oid for commit in reached(COMMITS, "b")] == ["b", "a"]


def test_changes_are_shown_against_what_was_there_or_where_the_branch_left() -> None:
    assert base_of(COMMITS, "x", "d") == "x"
    assert base_of(COMMITS, NULL_OID, "d") == "old1"
    assert base_of(COMMITS, NULL_OID, "r") == EMPTY_TREE
    assert base_of(COMMITS, NULL_OID, "known") == "known"
    assert base_of(COMMITS, NULL_OID, "d", beyond="main") == "main"
    assert base_of(COMMITS, "x", "d", beyond="main") == "x"


def test_only_a_refs_own_value_and_the_default_branch_are_not_new_to_it() -> None:
    state = MirrorState("forge", "acme/app", "", {"refs/heads/main": "m", "refs/heads/work": "w"}, "refs/heads/main")
    updates = (
        RefUpdate("refs/heads/main", "m", "n1"),
        RefUpdate("refs/heads/work", "w", "n2"),
        RefUpdate("refs/heads/new", NULL_OID, "n3"),
        RefUpdate("refs/heads/gone", "g", NULL_OID),
    )
    assert ranges(updates, state) == {frozenset("m"): ["n1", "n3"], frozenset("mw"): ["n2"]}


def test_without_a_default_branch_all_of_upstream_is_known_to_a_new_ref() -> None:
    state = MirrorState("forge", "acme/app", "", {"refs/heads/one": "1", "refs/heads/two": "2"}, "")
    assert ranges((RefUpdate("refs/heads/new", NULL_OID, "n"),), state) == {frozenset("12"): ["n"]}
