from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from broker.doors.github.refusals import REPEATED, of_outcome, of_problem, pending, rendered
from broker.model import IntentState
from broker.outcome import Outcome, Problem, ProblemKind

pytestmark = pytest.mark.req("A4")

SETTLED = {400, 401, 403, 404, 410, 422, 451}
"""What octokit's plugin for retries leaves alone; PyGithub and gh as well, without words of a rate limit."""
PROBLEM = Problem(
    ProblemKind.DENIED, "policy denies it", "not on main", "policies/a.yaml:3 (main)", "ask for `x`", 7, {"a": 1}
)
SAFE_TO_REPEAT = {
    ProblemKind.TOO_BUSY: 429,
    ProblemKind.RATE_LIMITED: 429,
    ProblemKind.LEDGER_UNAVAILABLE: 503,
    ProblemKind.VAULT_UNAVAILABLE: 503,
    ProblemKind.STORE_UNAVAILABLE: 503,
    ProblemKind.UPSTREAM_UNREACHABLE: 503,
    ProblemKind.INTERNAL: 500,
}


@pytest.mark.parametrize("kind", list(ProblemKind))
def test_only_what_was_not_done_is_answered_so_that_clients_ask_again(kind: ProblemKind) -> None:
    said = of_problem(replace(PROBLEM, kind=kind), "int_1")
    answer = rendered(said, documentation="/docs")
    if kind in SAFE_TO_REPEAT:
        assert answer.status == SAFE_TO_REPEAT[kind]
        assert answer.status in REPEATED
        assert answer.headers["retry-after"] == "7"
    else:
        assert answer.status in SETTLED
        # On a 403 PyGithub takes it for a rate limit.
        assert "retry-after" not in answer.headers
    assert answer.headers["x-github-request-id"] == "int_1"


@pytest.mark.parametrize("kind", list(ProblemKind))
def test_what_may_have_been_done_is_never_asked_again(kind: ProblemKind) -> None:
    outcome = Outcome("int_1", IntentState.UNKNOWN, problem=replace(PROBLEM, kind=kind))
    assert of_outcome(outcome, replace(PROBLEM, kind=kind)).status in SETTLED


def test_a_no_is_shaped_as_githubs_and_says_rule_reason_and_fix() -> None:
    answer = rendered(of_problem(PROBLEM, "int_1"), documentation="/docs")
    assert orjson.loads(answer.body) == {
        "message": "policy denies it by policies/a.yaml:3 (main): not on main; to do: ask for `x`",
        "documentation_url": "/docs",
        "status": "403",
        "code": "denied",
    }


def test_who_is_not_known_is_told_so_in_githubs_words() -> None:
    answer = rendered(of_problem(Problem(ProblemKind.SESSION_EXPIRED, "the session is over")), documentation="/d")
    body = orjson.loads(answer.body)
    assert (answer.status, body["message"]) == (401, "Bad credentials")
    assert body["errors"] == [{"message": "the session is over"}]
    assert answer.headers["www-authenticate"].startswith("Bearer ")


def test_what_waits_for_people_is_no_success() -> None:
    asked = pending(Outcome("int_1", IntentState.PENDING_APPROVAL, approval_id="apr_1"), "http://o/v1/approvals/apr_1")
    assert asked.status == 403
    assert "http://o/v1/approvals/apr_1" in asked.message
    assert pending(Outcome("int_1", IntentState.APPROVED), "").status == 403


def upstream(status: object, details: object = None) -> Problem:
    extra = {"upstream_status": status, "details": details}
    return Problem(ProblemKind.UPSTREAM_REFUSED, "Head branch was modified", reason="stale", extra=extra)


def test_githubs_own_no_keeps_its_status_message_errors_and_rate_limit() -> None:
    details = {
        "errors": [{"code": "missing"}],
        "documentation_url": "https://docs.github.com/x",
        "headers": {"x-ratelimit-remaining": "0", "retry-after": "60", "set-cookie": "x"},
    }
    answer = rendered(of_problem(upstream(409, details), "int_1"), documentation="/d")
    assert answer.status == 409
    assert orjson.loads(answer.body) == {
        "message": "Head branch was modified",
        "errors": [{"code": "missing"}],
        "documentation_url": "https://docs.github.com/x",
        "status": "409",
    }
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(("status", "wanted"), [(0, 422), ("409", 422), (200, 422), (301, 404), (307, 404), (502, 502)])
def test_an_odd_status_of_github_is_a_no_all_the_same(status: object, wanted: int) -> None:
    assert of_problem(upstream(status)).status == wanted
    assert of_problem(upstream(status, {"errors": "x", "documentation_url": 7, "headers": []})).status == wanted
