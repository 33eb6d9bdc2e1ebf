from __future__ import annotations

import orjson
import pytest

from broker.outcome import Problem, ProblemKind


@pytest.mark.parametrize("kind", ProblemKind)
def test_a_problem_comes_back_from_its_stored_form_as_it_was(kind: ProblemKind) -> None:
    problem = Problem(kind, "d", reason="r", rule="f:1 (x)", fix="f", retry_after_seconds=5, extra={"a": [1, None]})
    assert Problem.from_json(orjson.loads(orjson.dumps(problem.to_json()))) == problem
    assert Problem.from_json(Problem(kind, "d").to_json()) == Problem(kind, "d")


def test_no_problem_is_stored_as_the_empty_object() -> None:
    assert Problem.from_json({}) is None


@pytest.mark.parametrize(
    "stored", [{"kind": "no-such-kind", "detail": "d"}, {"kind": "denied", "detail": "d", "new": 1}]
)
def test_a_stored_problem_of_another_shape_is_not_guessed_at(stored: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Problem.from_json(stored)
