"""The tables of exact requirements, written by hand from AWS's documentation."""

from __future__ import annotations

import pytest

from connectors.aws.catalogue.overrides import OVERRIDES
from connectors.errors import InvalidParamsError
from tests.conformance.aws.cases import PLACE, Case, cases

CASES = cases()


@pytest.mark.req("A2")
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.needs is not None], ids=lambda case: f"{case.operation} {case.params}"
)
def test_an_operation_needs_exactly_these_pairs(case: Case) -> None:
    needed = OVERRIDES[case.operation](case.params, PLACE)
    assert [(need.action, need.resource) for need in needed] == list(case.needs or ())


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.needs is None], ids=lambda case: f"{case.operation} {case.params}"
)
def test_params_that_could_mean_something_else_are_refused(case: Case) -> None:
    with pytest.raises(InvalidParamsError):
        OVERRIDES[case.operation](case.params, PLACE)
