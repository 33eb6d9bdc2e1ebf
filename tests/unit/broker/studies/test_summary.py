from __future__ import annotations

from broker.studies.summary import sum_up
from policies.model import Requirement
from policies.resources.catalogue import UNCHECKED
from tests.unit.broker.studies.desk import CATALOGUE


def summed(*resources: str, action: str = "desk:Read") -> list[str]:
    return list(sum_up([Requirement(action, each) for each in resources], CATALOGUE))


def test_few_resources_are_named_one_by_one() -> None:
    assert summed("sheets/a/x", "sheets/b/y") == ["desk:Read on sheets/a/x", "desk:Read on sheets/b/y"]


def test_many_below_one_place_become_everything_below_it() -> None:
    assert summed(*(f"sheets/a/raw/{number}" for number in range(6))) == ["desk:Read on sheets/a/raw/*"]


def test_five_below_one_place_are_still_named_one_by_one() -> None:
    assert len(summed(*(f"sheets/a/raw/{number}" for number in range(5)))) == 5


def test_each_component_is_summed_up_for_itself() -> None:
    resources = [f"sheets/room-{number}/x" for number in range(6)] + ["sheets/room-0/y"]
    assert summed(*resources) == ["desk:Read on sheets/*/x", "desk:Read on sheets/*/y"]


def test_a_place_that_is_also_the_beginning_of_others_is_named_beside_them() -> None:
    resources = ["sheets/a/raw", *(f"sheets/a/raw/{number}" for number in range(6))]
    assert summed(*resources) == ["desk:Read on sheets/a/raw", "desk:Read on sheets/a/raw/*"]


def test_owners_and_repositories_are_two_segments_of_one_component() -> None:
    same_owner = [f"repos/acme/app-{number}/branches/main" for number in range(6)]
    assert summed(*same_owner, action="git:push") == ["git:push on repos/acme/*/branches/main"]
    other_owners = [f"repos/owner-{number}/app/branches/main" for number in range(6)]
    assert summed(*other_owners, action="git:push") == ["git:push on repos/*/branches/main"]


def test_actions_are_kept_apart() -> None:
    needed = [Requirement("desk:Read", "sheets/a/x"), Requirement("desk:Write", "sheets/a/y")]
    assert sum_up(needed, CATALOGUE) == ("desk:Read on sheets/a/x", "desk:Write on sheets/a/y")


def test_a_resource_no_rule_can_name_is_left_out() -> None:
    assert summed("sheets/a/x*y", "sheets/a/x y", "sheets/a/${project}", "sheets/a/z") == ["desk:Read on sheets/a/z"]


def test_a_resource_without_a_type_is_taken_as_a_path() -> None:
    needed = [Requirement("other:Do", f"things/{number}") for number in range(6)]
    assert sum_up(needed, UNCHECKED) == ("other:Do on things/*",)


def test_nothing_needed_is_nothing() -> None:
    assert summed() == []
