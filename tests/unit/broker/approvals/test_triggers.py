from __future__ import annotations

from broker.approvals.triggers import MAX_SHOWN, with_triggers
from broker.model import JsonObject
from policies.answers.triggers import Trigger


def preview() -> JsonObject:
    return {"kind": "git.push", "refs": [{"ref": "a", "files": [{"path": "x"}, {"path": "y"}]}, {"ref": "b"}]}


def test_rules_and_files_they_ask_about_are_marked() -> None:
    shown = with_triggers(preview(), [Trigger("r1", ("x",)), Trigger("r2", ())])
    assert shown["triggered"] == [
        {"rule": "r1", "paths": ["x"], "path_count": 1},
        {"rule": "r2", "paths": [], "path_count": 0},
    ]
    files = [{"path": "x", "triggered": True}, {"path": "y", "triggered": False}]
    assert shown["refs"] == [{"ref": "a", "files": files}, {"ref": "b"}]


def test_files_that_stand_outside_of_refs_are_marked_too() -> None:
    shown = with_triggers({"kind": "github.merge", "files": [{"path": "x"}]}, [Trigger("r", ("x",))])
    assert shown["files"] == [{"path": "x", "triggered": True}]


def test_without_a_trigger_a_preview_stays_as_it_is() -> None:
    assert with_triggers(preview(), []) == preview()


def test_paths_are_listed_up_to_a_bound_and_counted_beyond_it() -> None:
    many = tuple(f"p{number}" for number in range(MAX_SHOWN - 1))
    shown = with_triggers(preview(), [Trigger("r1", many), Trigger("r2", ("x", "y")), Trigger("r3", ("x",))])
    assert [len(each["paths"]) for each in shown["triggered"]] == [MAX_SHOWN - 1, 1, 0]
    assert [each["path_count"] for each in shown["triggered"]] == [MAX_SHOWN - 1, 2, 1]
    assert [each["triggered"] for each in shown["refs"][0]["files"]] == [True, True]
