from __future__ import annotations

import pytest

from broker.studies.rewriting import Listing, fresh_file, list_items, rewrite
from policies.language.loader import load_policy
from tests.unit.broker.studies.desk import CATALOGUE

TEXT = """\
# who: the nightly run
version: 1
policies:   # the list

  # reading
  - desk:Read on sheets/a/*   # all of it
  - deny desk:Read on sheets/b/*

  # writing
  - allow:
      - desk:Write on sheets/a/*
      - desk:Write on sheets/b/*
    description: nightly

  # gated
  - desk:Write on sheets/c/*
    requires_approval: true
  # the end
"""


def listing(text: str) -> Listing | None:
    return list_items(text, load_policy(text.encode(), file="policies/ci.yaml", catalogue=CATALOGUE).rules)


def test_only_the_lines_of_an_item_change() -> None:
    found = listing(TEXT)
    assert found is not None
    assert [len(item.rules) for item in found.items] == [1, 1, 2, 1]
    text = rewrite(found, {found.items[0]: ["desk:Read on sheets/a/x"], found.items[2]: []})
    assert text == TEXT.replace("sheets/a/*   # all of it", "sheets/a/x").replace(
        "  - allow:\n      - desk:Write on sheets/a/*\n      - desk:Write on sheets/b/*\n    description: nightly\n", ""
    )


def test_nothing_replaced_is_the_same_text() -> None:
    found = listing(TEXT)
    assert found is not None
    assert rewrite(found, {}) == TEXT


def test_a_list_that_loses_every_item_stays_a_list() -> None:
    text = "policies: # mine\n- desk:Read on sheets/a/*\n"
    found = listing(text)
    assert found is not None
    emptied = rewrite(found, {found.items[0]: []})
    assert emptied == "policies: [] # mine\n"
    assert load_policy(emptied.encode(), file="policies/ci.yaml").rules == ()


@pytest.mark.parametrize(
    "text", ["policies: [desk:Read on sheets/a/*]\n", '{"policies": ["desk:Read on sheets/a/*"]}\n']
)
def test_a_list_that_is_not_one_item_to_a_line_is_left_alone(text: str) -> None:
    assert listing(text) is None


def test_an_item_ends_where_the_list_ends() -> None:
    text = "policies:\n  - desk:Read on sheets/a/*\n  # none of the list\nversion: 1\n"
    found = listing(text)
    assert found is not None
    rewritten = rewrite(found, {found.items[0]: ["desk:Read on sheets/a/x"]})
    assert rewritten == text.replace("sheets/a/*", "sheets/a/x")


def test_a_list_without_items_is_a_list() -> None:
    found = list_items("policies:\n", [])
    assert found is not None
    assert found.items == ()


def test_rules_that_mean_something_else_in_yaml_are_quoted() -> None:
    rules = ["*:Read on sheets/*", "desk:Read on sheets/a:"]
    loaded = load_policy(fresh_file("ci", rules).encode(), file="policies/ci.yaml")
    assert [each.text for each in loaded.rules] == rules


def test_a_fresh_file_of_no_rules_is_a_policy() -> None:
    assert load_policy(fresh_file("ci", []).encode(), file="policies/ci.yaml").rules == ()
