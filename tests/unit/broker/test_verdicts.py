from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from broker.errors import StoreUnavailableError
from broker.ids import Digest, IntentId, SessionId
from broker.model import IntentRecord, IntentState
from broker.outcome import Problem, ProblemKind
from broker.redaction import BodyTooLargeError, CleanResult
from broker.verdicts import WITHHELD, denial, explain, failure, outcome_of, success, withheld
from connectors.base import Access, CallResult, Plan
from connectors.errors import NotSentError, OutcomeUnknownError, UpstreamRefusedError
from policies.model import Decision, Effect, PolicyVersion, Reason, Requirement, Span
from vault.errors import (
    CredentialMissingError,
    LeaseRefusal,
    LeaseRefusedError,
    SealedError,
    VaultUnavailableError,
)
from vault.model import CredentialRef

NEED = Requirement("paper:Write", "sheets/a")
RULED = Reason(NEED, Effect.DENY, "no-writes", Span("scribe.yaml", 7, 3), "the rule says no")
PLAN = Plan(
    "paper",
    NEED.action,
    "paper",
    CredentialRef("paper/one"),
    {},
    (NEED,),
    Access.WRITE,
    idempotent=False,
    summary="write a",
)
RECORD = IntentRecord(
    IntentId("int_1"), SessionId("ses_1"), "scribe", "desk", "paper:Write", ("sheets/a",), Digest("a"), Digest("b"),
    IntentState.EXECUTING, 0, 0, "", "write", "", "", 1, 1,
)  # fmt: skip
READ = replace(PLAN, access=Access.READ)
FAILED, UNKNOWN = IntentState.FAILED, IntentState.UNKNOWN


def decision(*reasons: Reason, effect: Effect = Effect.DENY, errors: tuple[str, ...] = ()) -> Decision:
    return Decision(effect, reasons, (), PolicyVersion("v1"), errors)


@pytest.mark.req("E1")
def test_a_decision_is_told_with_rule_file_and_line_of_each_reason() -> None:
    told = explain(decision(RULED))
    assert (told["effect"], told["policy_version"]) == ("deny", "v1")
    assert told["reasons"] == [
        {"action": "paper:Write", "resource": "sheets/a", "effect": "deny", "rule": "no-writes", "file": "scribe.yaml",
         "line": 7, "text": "the rule says no", "layer": "agent"}
    ]  # fmt: skip
    assert "errors" not in told


def test_a_default_deny_has_no_place_and_faults_are_told() -> None:
    told = explain(decision(replace(RULED, rule_id="", span=None), errors=("broken",)))
    assert (told["reasons"][0]["file"], told["reasons"][0]["line"]) == ("", 0)
    assert told["errors"] == ["broken"]


@pytest.mark.req("P1")
def test_a_denial_names_the_first_rule_that_denies() -> None:
    allowed = replace(RULED, effect=Effect.ALLOW, rule_id="yes")
    told = denial(decision(allowed, RULED))
    assert (told.kind, told.rule) == (ProblemKind.DENIED, "scribe.yaml:7 (no-writes)")
    assert (told.detail, told.reason) == ("policy denies `paper:Write` on `sheets/a`", "the rule says no")


def test_a_denial_by_no_rule_says_default_deny() -> None:
    told = denial(decision(replace(RULED, rule_id="", span=None)))
    assert told.rule == "default deny"
    assert told.fix


@pytest.mark.parametrize(("errors", "reason"), [((), "no rule"), (("a", "b"), "a; b")])
def test_a_denial_without_any_reason_is_still_a_denial(errors: tuple[str, ...], reason: str) -> None:
    told = denial(decision(errors=errors))
    assert (told.kind, told.reason) == (ProblemKind.DENIED, reason)


def test_a_result_with_a_kept_body_says_where_and_how_large() -> None:
    result = CallResult({}, media_type="text/csv", upstream_request_id="u")
    kept = success(result, CleanResult({"a": 1}, 2, size=300, spooled=True))
    assert (kept.output_bytes, kept.output_media_type) == (300, "text/csv")
    assert kept.data == {"upstream_request_id": "u", "redactions": 2, "body_bytes": 300}
    inline = success(result, CleanResult({"a": 1}, 0, size=3))
    assert (inline.output_bytes, inline.output_media_type, inline.data["body_bytes"]) == (-1, "", 3)
    assert "body_bytes" not in success(result, CleanResult({}, 0)).data


LEASE_REFUSED = LeaseRefusedError("no", LeaseRefusal.KIND)


@pytest.mark.parametrize(
    ("error", "write", "read"),
    [
        (NotSentError("x"), (FAILED, ProblemKind.UPSTREAM_UNREACHABLE), None),
        (UpstreamRefusedError("x", code="No", status=403), (FAILED, ProblemKind.UPSTREAM_REFUSED), None),
        (LEASE_REFUSED, (FAILED, ProblemKind.CREDENTIAL_REFUSED), None),
        (CredentialMissingError("x"), (FAILED, ProblemKind.CREDENTIAL_REFUSED), None),
        (SealedError("x"), (FAILED, ProblemKind.VAULT_UNAVAILABLE), None),
        (VaultUnavailableError("x"), (FAILED, ProblemKind.VAULT_UNAVAILABLE), None),
        (StoreUnavailableError("x"), (FAILED, ProblemKind.STORE_UNAVAILABLE), None),
        (BodyTooLargeError(), (FAILED, ProblemKind.OUTPUT_TOO_LARGE), None),
        (OutcomeUnknownError("x"), (UNKNOWN, ProblemKind.OUTCOME_UNKNOWN), (FAILED, ProblemKind.UPSTREAM_UNREACHABLE)),
        (TimeoutError(), (UNKNOWN, ProblemKind.OUTCOME_UNKNOWN), (FAILED, ProblemKind.UPSTREAM_UNREACHABLE)),
    ],
)
@pytest.mark.parametrize("access", list(Access))
def test_each_fault_has_its_one_state_and_problem(
    error: Exception, write: tuple[IntentState, ProblemKind], read: Any, access: Access
) -> None:
    ended = failure(error, replace(PLAN, access=access), answered=False, killed=False)
    assert ended.problem is not None
    assert (ended.state, ended.problem.kind) == ((read or write) if access is Access.READ else write)


@pytest.mark.parametrize("access", [Access.WRITE, Access.DESTROY, Access.SECRET])
@pytest.mark.parametrize("error", [SealedError("x"), TimeoutError(), BodyTooLargeError(), StoreUnavailableError("x")])
def test_what_happened_upstream_succeeded_even_when_its_result_cannot_be_shown(
    access: Access, error: Exception
) -> None:
    ended = failure(error, replace(PLAN, access=access), answered=True, killed=True)
    assert (ended.state, ended.result, ended.problem) == (IntentState.SUCCEEDED, WITHHELD, None)
    assert ended.data == {"withheld": type(error).__name__}


@pytest.mark.req("S2")
def test_a_kill_cancels_a_read_and_leaves_a_write_unknown() -> None:
    read = failure(TimeoutError(), READ, answered=True, killed=True)
    assert (read.state, read.problem and read.problem.kind) == (IntentState.CANCELLED, ProblemKind.CANCELLED)
    write = failure(TimeoutError(), PLAN, answered=False, killed=True)
    assert (write.state, write.problem and write.problem.reason) == (UNKNOWN, "an operator stopped it")


def test_an_upstreams_words_are_told_with_its_code_and_request() -> None:
    error = UpstreamRefusedError("no such key", code="NoSuchKey", status=404, upstream_request_id="u")
    ended = failure(error, READ, answered=False, killed=False)
    assert ended.problem == Problem(
        ProblemKind.UPSTREAM_REFUSED, "no such key", reason="NoSuchKey",
        extra={"upstream_status": 404, "upstream_request_id": "u"},
    )  # fmt: skip


def test_a_stored_intent_is_told_as_it_was() -> None:
    problem = Problem(ProblemKind.DENIED, "no", rule="f:1")
    stored = replace(RECORD, state=IntentState.DENIED, problem=problem.to_json(), approval_id="apr_1")
    told = outcome_of(stored)
    assert (told.state, told.problem, told.approval_id, told.replayed) == (IntentState.DENIED, problem, "apr_1", False)


@pytest.mark.req("E1")
def test_what_the_ledger_cannot_record_is_refused_or_unknown_and_holds_no_result() -> None:
    record = replace(RECORD, result={"precious": 1})
    before, after = withheld(record), withheld(record, acted=True)
    assert (before.state, after.state) == (IntentState.REFUSED, IntentState.UNKNOWN)
    assert before.result == after.result == {}
    waiting = withheld(replace(record, state=IntentState.APPROVED, version=2))
    assert waiting.state is IntentState.APPROVED
    for told in (before, after, waiting):
        assert told.problem is not None
        assert told.problem.kind is ProblemKind.LEDGER_UNAVAILABLE
        assert told.problem.retry_after_seconds > 0
