from __future__ import annotations

import pytest

from broker.doors.git.words import lines_of, pending, short
from broker.model import IntentState
from broker.outcome import Outcome, Problem, ProblemKind
from connectors.git.wire.packets import split
from connectors.git.wire.report import render_report
from tests.unit.broker.doors.git.git_world import ASKED


def test_a_problem_is_told_line_by_line_and_says_nothing_it_does_not_have() -> None:
    problem = Problem(
        ProblemKind.DENIED, "denied", "it says so", "a.yaml:3 (a)", "do this", 7, {"notes": ["`key` in a:1"]}
    )
    assert lines_of(problem) == [
        "ostiary: denied",
        "ostiary: rule: a.yaml:3 (a)",
        "ostiary: reason: it says so",
        "ostiary: fix: do this",
        "ostiary: found: `key` in a:1",
        "ostiary: try again in 7 s",
    ]
    assert lines_of(Problem(ProblemKind.DENIED, "denied")) == ["ostiary: denied"]


@pytest.mark.parametrize("kind", ProblemKind)
def test_every_problem_fits_beside_a_ref(kind: ProblemKind) -> None:
    told = short(Problem(kind, "detail"))
    assert told
    assert "-" not in told
    report = list(split(render_report("", {"refs/heads/a": told}, sideband=False)))
    assert report[1] == f"ng refs/heads/a {told}\n".encode()


def test_a_no_of_the_host_is_named_by_its_code() -> None:
    assert short(Problem(ProblemKind.UPSTREAM_REFUSED, "detail", "non-fast-forward")) == "non-fast-forward"


def test_what_waits_says_where() -> None:
    assert pending(ASKED, "https://x/v1/approvals") == "pending approval https://x/v1/approvals/apr_1"
    assert pending(Outcome("int_1", IntentState.APPROVED), "https://x") == "approved, not yet carried out"
