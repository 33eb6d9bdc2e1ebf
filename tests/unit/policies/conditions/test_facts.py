from __future__ import annotations

from typing import Any

import pytest

from policies.conditions.facts import MAX_DEPTH, MAX_FACT_CHARS, MAX_LEAVES, MAX_PARAMS_CHARS, fact_of, variable_of
from policies.conditions.guards import flatten_params
from policies.model import AccessRequest, Fact

REQUEST = AccessRequest(
    "bot", "web", (), {"agent.id": "posing", "project": "posing", "time": 1, "session.team": "a*b", "session.n": 5}, 7
)


def test_who_asks_and_when_come_from_the_request_not_from_its_context() -> None:
    assert [fact_of(REQUEST, key) for key in ("agent.id", "project", "time")] == ["bot", "web", 7]


def test_an_empty_project_is_not_known() -> None:
    nobody = AccessRequest("", "", ())
    assert [fact_of(nobody, key) for key in ("agent.id", "project", "time", "source_ip")] == [None] * 4


def test_a_variable_stands_for_text_only() -> None:
    assert variable_of(REQUEST, "session.team") == "a*b"
    assert variable_of(REQUEST, "session.n") is None
    assert variable_of(REQUEST, "session.none") is None
    assert variable_of(AccessRequest("bot", "web", (), {"session.team": ""}), "session.team") is None


@pytest.mark.parametrize(
    ("params", "facts"),
    [
        ({"a": "x", "b": 1, "c": True}, {"params.a": "x", "params.b": 1, "params.c": True}),
        ({"a": {"b": {"c": "x"}}}, {"params.a.b.c": "x"}),
        ({"a": ["x", "y"]}, {"params.a": ("x", "y")}),
        ({"a": ("x", 1)}, {"params.a": ("x", 1)}),
        ({"a": []}, {"params.a": ()}),
        ({"a": [["x"], ["y", "z"], []]}, {"params.a": ("x", "y", "z")}),
        ({"o": [{"k": "x"}, {"k": "y"}]}, {"params.o.k": ("x", "y")}),
        ({"o": [{"k": ["x"]}, {"k": "y"}]}, {"params.o.k": ("x", "y")}),
        ({}, {}),
        ({"a": {}}, {}),
    ],
)
def test_every_leaf_has_its_path(params: dict[str, Any], facts: dict[str, Fact]) -> None:
    assert flatten_params(params) == facts


@pytest.mark.parametrize(
    "params",
    [
        {"a": 1.5},
        {"a": None},
        {"a": b"x"},
        {"a": ["x", 1.5]},
        {"a": ["x", None]},
        {"a": ["x", {}]},
        {"a": [["x"], [None]]},
    ],
)
def test_a_value_that_is_no_fact_leaves_its_whole_path_out(params: dict[str, Any]) -> None:
    assert flatten_params(params) == {}


def test_a_path_that_only_some_items_have_is_left_out() -> None:
    params = {"o": [{"k": "x", "v": "1"}, {"k": "y"}], "m": ["x", {"k": "y"}]}
    assert flatten_params(params) == {"params.o.k": ("x", "y")}


def test_a_key_with_a_dot_cannot_pose_as_a_path() -> None:
    assert flatten_params({"a.b": "posing", "a": {"b": "real"}, "": "none", 5: "none"}) == {"params.a.b": "real"}  # type: ignore[dict-item]  # hostile


def test_what_lies_too_deep_is_not_known() -> None:
    deep: dict[str, Any] = {"leaf": "x"}
    for _ in range(MAX_DEPTH - 1):
        deep = {"a": deep}
    assert flatten_params(deep) == {"params" + ".a" * (MAX_DEPTH - 1) + ".leaf": "x"}
    assert flatten_params({"a": deep}) == {}


def test_lists_are_levels_too() -> None:
    nested: Any = "x"
    for _ in range(MAX_DEPTH - 1):
        nested = [nested]
    assert flatten_params({"a": nested}) == {"params.a": ("x",)}
    assert flatten_params({"a": [nested]}) == {}


def test_what_comes_after_the_last_leaf_is_not_known() -> None:
    many: dict[str, Any] = {f"p{index}": "x" for index in range(MAX_LEAVES + 5)}
    assert len(flatten_params(many)) == MAX_LEAVES
    assert flatten_params({"a": ["x"] * MAX_LEAVES}) == {"params.a": ("x",) * MAX_LEAVES}


def test_a_list_that_was_not_read_to_its_end_is_no_fact() -> None:
    assert flatten_params({"a": ["x"] * (MAX_LEAVES + 1)}) == {}
    objects = [{"k": "x", "v": "y"} for _ in range(MAX_LEAVES)]
    assert flatten_params({"o": objects}) == {}
    assert flatten_params({"o": [["x"] * MAX_LEAVES, ["y"]], "z": "x"}) == {}


def test_texts_count_by_their_length() -> None:
    most = MAX_PARAMS_CHARS // MAX_FACT_CHARS
    full: dict[str, Any] = {f"p{index}": "x" * MAX_FACT_CHARS for index in range(most)}
    assert (
        flatten_params({**full, "z": "", "n": 5, "y": "y"}).keys() == flatten_params({**full, "z": "", "n": 5}).keys()
    )
    assert len(flatten_params({**full, "z": "", "n": 5})) == most + 2


def test_a_text_that_is_too_long_is_not_known_and_takes_nothing_from_the_others() -> None:
    long = {f"p{index}": "x" * (MAX_FACT_CHARS + 1) for index in range(50)}
    assert flatten_params({**long, "z": "x"}) == {"params.z": "x"}


def test_empty_containers_count_so_that_the_walk_ends() -> None:
    assert flatten_params({"a": [[] for _ in range(MAX_LEAVES + 1)], "z": "x"}) == {}
