"""The operations people use most: how many ask for exact resources, and why the rest do not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from connectors.aws.catalogue.data import load
from connectors.aws.catalogue.figures import BY_HAND, most_used

REASONS = yaml.safe_load(Path(__file__).with_name("incomplete.yaml").read_text("utf-8"))


@pytest.mark.req("A2")
def test_the_thousand_operations_people_use_most_are_complete() -> None:
    figures, _ = most_used(load())
    assert figures.operations == 1_831
    assert figures.complete >= 1_757
    assert figures.percent(figures.exact) >= 98.8


def test_each_of_the_rest_has_a_reason_and_nothing_else_has() -> None:
    _, incomplete = most_used(load())
    listed = [operation for each in REASONS for operation in each["operations"]]
    assert len(listed) == len(set(listed))
    assert sorted(listed) == list(incomplete)
    assert all(len(each["reason"]) > len("unknown") for each in REASONS)


def test_every_service_that_was_read_by_hand_is_there() -> None:
    assert set(BY_HAND) <= load().services()
    assert len(BY_HAND) == len(set(BY_HAND)) == 21
