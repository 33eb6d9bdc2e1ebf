from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from broker.doors.llm.answer import Answer
from broker.doors.llm.refusals import No, maybe_done, of_outcome, of_problem, pending, rendered, unreleased
from broker.doors.llm.words import CAUSES, ENVELOPES, SAID, Cause, Envelope
from broker.model import IntentState
from broker.outcome import Outcome, Problem, ProblemKind
from connectors.llm.words import Dialect

pytestmark = pytest.mark.req("A5")

K = ProblemKind
PROBLEM = Problem(K.DENIED, "policy denies it", "not that model", "policies/a.yaml:3 (opus)", "ask for `x`")

Said = tuple[tuple[int, str], tuple[int, str], tuple[int, str]]
INVALID: Said = (400, "invalid_request_error"), (400, "invalid_request_error"), (400, "ValidationException")
FORBIDDEN: Said = (403, "permission_error"), (400, "permission_error"), (403, "AccessDeniedException")
AWAY: Said = (529, "overloaded_error"), (503, "server_error"), (503, "ServiceUnavailableException")
FAST: Said = (429, "rate_limit_error"), (429, "rate_limit_error"), (429, "ThrottlingException")
LOST: Said = (500, "api_error"), (400, "server_error"), (424, "ModelErrorException")
MISSING: Said = (404, "not_found_error"), (404, "invalid_request_error"), (404, "ResourceNotFoundException")
WANTED: dict[ProblemKind, Said] = {
    K.UNAUTHENTICATED: (
        (401, "authentication_error"),
        (401, "authentication_error"),
        (403, "UnrecognizedClientException"),
    ),
    K.SESSION_EXPIRED: ((401, "authentication_error"), (400, "authentication_error"), (403, "ExpiredTokenException")),
    K.FORBIDDEN: FORBIDDEN,
    K.NOT_FOUND: MISSING,
    K.MALFORMED_REQUEST: INVALID,
    K.INVALID_PARAMS: INVALID,
    K.UNKNOWN_ACTION: MISSING,
    K.AMBIGUOUS_CONNECTION: INVALID,
    K.IDEMPOTENCY_MISMATCH: INVALID,
    K.RESOURCE_MISMATCH: INVALID,
    K.DENIED: FORBIDDEN,
    K.SCOPE_TOO_WIDE: FORBIDDEN,
    K.TOO_BUSY: FAST,
    K.RATE_LIMITED: FAST,
    K.BUDGET_EXCEEDED: ((429, "billing_error"), (429, "insufficient_quota"), (400, "ServiceQuotaExceededException")),
    K.BREAKER_OPEN: ((429, "rate_limit_error"), (400, "rate_limit_error"), (400, "ServiceQuotaExceededException")),
    K.HALTED: FORBIDDEN,
    K.HALT_CONFLICT: INVALID,
    K.LEDGER_UNAVAILABLE: AWAY,
    K.VAULT_UNAVAILABLE: AWAY,
    K.CREDENTIAL_REFUSED: FORBIDDEN,
    K.STORE_UNAVAILABLE: AWAY,
    K.UPSTREAM_REFUSED: INVALID,
    K.STALE_TARGET: INVALID,
    K.UPSTREAM_UNREACHABLE: AWAY,
    K.OUTCOME_UNKNOWN: LOST,
    K.APPROVAL_CONFLICT: INVALID,
    K.APPROVAL_EXPIRED: FORBIDDEN,
    K.APPROVAL_REJECTED: FORBIDDEN,
    K.CANCELLED: FORBIDDEN,
    K.STALE_PLAN: INVALID,
    K.OUTPUT_GONE: LOST,
    K.OUTPUT_TOO_LARGE: LOST,
    K.UPLOAD_BROKEN: INVALID,
    K.REQUEST_TOO_LARGE: ((413, "request_too_large"), (413, "invalid_request_error"), (413, "ValidationException")),
    K.UNSUPPORTED_MEDIA_TYPE: INVALID,
    K.METHOD_NOT_ALLOWED: (
        (405, "invalid_request_error"),
        (405, "invalid_request_error"),
        (405, "ValidationException"),
    ),
    K.INTERNAL: ((500, "api_error"), (500, "server_error"), (500, "InternalServerException")),
}
"""In the formats of Anthropic, OpenAI and Bedrock."""
AGAIN = {
    K.TOO_BUSY: "1",
    K.RATE_LIMITED: "1",
    K.LEDGER_UNAVAILABLE: "5",
    K.VAULT_UNAVAILABLE: "5",
    K.STORE_UNAVAILABLE: "5",
    K.UPSTREAM_UNREACHABLE: "5",
}
"""What a client may ask again by itself, and after how many seconds."""
CODEX_STOPS = {400, 404, 405, 413}
"""404, 405 and 413 it does not meet in a loop: they are about paths and sizes it does not send."""


def said(answer: Answer, envelope: Envelope) -> tuple[int, str]:
    if envelope is Envelope.BEDROCK:
        return answer.status, answer.headers["x-amzn-errortype"]
    return answer.status, orjson.loads(answer.body)["error"]["type"]


@pytest.mark.parametrize("envelope", list(Envelope))
@pytest.mark.parametrize("kind", list(ProblemKind))
def test_every_kind_is_said_in_every_format_so_that_clients_stop_or_wait_as_meant(
    kind: ProblemKind, envelope: Envelope
) -> None:
    answer = rendered(of_problem(replace(PROBLEM, kind=kind), "int_1"), envelope, "req_1")
    assert said(answer, envelope) == WANTED[kind][list(Envelope).index(envelope)]
    assert answer.headers.get("retry-after") == AGAIN.get(kind)
    assert ("x-should-retry" in answer.headers) is (kind not in AGAIN)
    assert answer.headers["x-ostiary-problem"] == kind.value
    assert answer.headers["x-ostiary-intent"] == "int_1"
    assert ("www-authenticate" in answer.headers) is (answer.status == 401)
    if envelope is Envelope.OPENAI and kind not in AGAIN and kind not in {K.UNAUTHENTICATED, K.INTERNAL}:
        code = orjson.loads(answer.body)["error"]["code"]
        assert answer.status in CODEX_STOPS or code == "insufficient_quota"
    if envelope is Envelope.BEDROCK and kind not in AGAIN and kind is not K.INTERNAL:
        # What botocore repeats, however final it is meant.
        assert answer.status not in {429, 500, 502, 503, 504}


def test_the_tables_are_complete() -> None:
    assert set(CAUSES) == set(WANTED) == set(ProblemKind)
    assert set(SAID) == set(Envelope)
    assert all(set(table) == set(Cause) for table in SAID.values())
    assert set(ENVELOPES) == set(Dialect)


def test_each_format_has_its_own_shape_and_says_rule_reason_and_fix() -> None:
    no, text = of_problem(PROBLEM), "policy denies it by policies/a.yaml:3 (opus): not that model; to do: ask for `x`"
    anthropic, openai, bedrock = (rendered(no, each, "req_1") for each in Envelope)
    assert orjson.loads(anthropic.body) == {
        "type": "error",
        "error": {"type": "permission_error", "message": text},
        "request_id": "req_1",
    }
    assert orjson.loads(openai.body) == {
        "error": {"message": text, "type": "permission_error", "param": None, "code": "policy_denied"}
    }
    assert orjson.loads(bedrock.body) == {"message": text}
    ids = (anthropic.headers["request-id"], openai.headers["x-request-id"], bedrock.headers["x-amzn-requestid"])
    assert ids == ("req_1", "req_1", "req_1")
    assert "x-ostiary-intent" not in anthropic.headers


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (K.DENIED, "policy_denied"),
        (K.HALTED, "halted"),
        (K.BUDGET_EXCEEDED, "insufficient_quota"),
        (K.RATE_LIMITED, "rate_limit_exceeded"),
        (K.UNAUTHENTICATED, "invalid_api_key"),
        (K.SESSION_EXPIRED, "session_expired"),
    ],
)
def test_programs_of_openai_get_a_code(kind: ProblemKind, code: str) -> None:
    answer = rendered(of_problem(replace(PROBLEM, kind=kind)), Envelope.OPENAI, "req_1")
    assert orjson.loads(answer.body)["error"]["code"] == code


def test_a_spent_budget_is_named_with_its_reset_once() -> None:
    extra = {"budget": "max_tokens_per_day", "resets_at": "2026-11-21T00:00:00Z", "cap": 5}
    spent = Problem(K.BUDGET_EXCEEDED, "no tokens left", retry_after_seconds=40_000, extra=extra)
    answer = rendered(of_problem(spent), Envelope.ANTHROPIC, "req_1")
    message = orjson.loads(answer.body)["error"]["message"]
    assert message == "no tokens left; budget max_tokens_per_day; resets at 2026-11-21T00:00:00Z"
    assert (answer.headers["retry-after"], answer.headers["x-should-retry"]) == ("40000", "false")
    told = replace(spent, detail="`max_tokens_per_day` is spent until 2026-11-21T00:00:00Z")
    assert of_problem(told).message == told.detail
    odd = replace(spent, extra={"budget": 5, "resets_at": None})
    assert of_problem(odd).message == "no tokens left"


@pytest.mark.parametrize(("seconds", "again"), [(0, True), (1, True), (60, True), (61, False), (3600, False)])
def test_a_wait_of_more_than_a_minute_is_none_a_client_should_begin(seconds: int, again: bool) -> None:
    fast = Problem(K.RATE_LIMITED, "too fast", retry_after_seconds=seconds)
    answer = rendered(of_problem(fast), Envelope.ANTHROPIC, "req_1")
    assert answer.headers["retry-after"] == str(seconds or 1)
    assert ("x-should-retry" not in answer.headers) is again


def test_what_is_away_is_never_away_for_longer_than_clients_wait() -> None:
    away = Problem(K.LEDGER_UNAVAILABLE, "away", retry_after_seconds=600)
    answer = rendered(of_problem(away), Envelope.ANTHROPIC, "req_1")
    assert (answer.headers["retry-after"], "x-should-retry" in answer.headers) == ("60", False)


@pytest.mark.parametrize("kind", list(ProblemKind))
def test_what_may_have_been_paid_for_is_never_asked_again_by_a_client_alone(kind: ProblemKind) -> None:
    problem = replace(PROBLEM, kind=kind)
    no = of_outcome(Outcome("int_1", IntentState.UNKNOWN, problem=problem), problem)
    assert (no.cause, no.intent_id, no.repeatable) == (Cause.LOST, "int_1", False)
    assert maybe_done("x").cause is unreleased(Outcome("int_1", IntentState.SUCCEEDED), "x").cause is Cause.LOST


def test_what_waits_for_people_is_no_success_and_says_where() -> None:
    asked = pending(Outcome("int_1", IntentState.PENDING_APPROVAL, approval_id="apr_1"), "http://o/v1/approvals/apr_1")
    assert "http://o/v1/approvals/apr_1" in asked.message
    assert rendered(asked, Envelope.OPENAI, "").status == 400
    assert orjson.loads(rendered(asked, Envelope.OPENAI, "").body)["error"]["code"] == "pending_approval"
    later = pending(Outcome("int_1", IntentState.APPROVED), "")
    assert (later.cause, later.repeatable) == (Cause.FORBIDDEN, False)


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (400, Cause.INVALID), (401, Cause.FORBIDDEN), (403, Cause.FORBIDDEN), (404, Cause.MISSING),
        (413, Cause.TOO_LARGE), (422, Cause.INVALID), (429, Cause.FAST), (500, Cause.AWAY), (529, Cause.AWAY),
        ("500", Cause.INVALID), (None, Cause.INVALID), (0, Cause.INVALID),
    ],
)  # fmt: skip
def test_of_a_no_whose_words_are_gone_the_status_is_left(status: object, cause: Cause) -> None:
    problem = Problem(K.UPSTREAM_REFUSED, "overloaded", extra={"upstream_status": status})
    assert of_problem(problem).cause is cause


def test_methods_are_told() -> None:
    no = No(Cause.METHOD, "no", "method-not-allowed", allow=("GET", "HEAD"))
    assert rendered(no, Envelope.OPENAI, "").headers["allow"] == "GET, HEAD"
