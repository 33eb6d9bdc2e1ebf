"""The contract's rules of planning over operations of a catalogue of thousands: some of them, or all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from importlib.resources import files

from connectors.aws import catalogue
from connectors.aws.catalogue.data import FILE
from connectors.errors import InvalidParamsError
from tests.contract import test_connector as suite

RULES: tuple[Callable[[str, str], None], ...] = (
    suite.test_a_row_says_what_it_is,
    suite.test_the_schema_of_the_params_is_closed_at_every_level,
    suite.test_the_example_plans_completely,
    suite.test_the_same_params_make_the_same_plan_in_any_instance,
    suite.test_planning_changes_nothing_it_was_given,
    suite.test_planning_touches_no_socket_no_file_and_no_process,
    suite.test_a_missing_param_is_refused,
)
_SAID = ("is not served", "are not served", "has no endpoint", "signing name")
"""Why an operation may have no plan; it says so, and nothing else is asked of it."""


def sampled(count: int) -> list[str]:
    """Return some operations of AWS: others whenever the catalogue changes, in the order of their services."""
    seed = hashlib.sha256(files(catalogue).joinpath(FILE).read_bytes()).digest()
    names = suite.CONNECTORS["aws"].operations
    return sorted(sorted(names, key=lambda name: hashlib.sha256(seed + name.encode()).digest())[:count])


def faults(actions: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with operations of AWS, each with its first fault."""
    for action in actions:
        try:
            suite.example_plan("aws", action)
        except InvalidParamsError as error:
            if not any(word in str(error) for word in _SAID):
                yield f"{action}: its example does not plan: {error}"
            continue
        for rule in RULES:
            try:
                rule("aws", action)
            except (AssertionError, InvalidParamsError) as error:
                yield f"{action}: {rule.__name__}: {str(error)[:200]}"
                break
