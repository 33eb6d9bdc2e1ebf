"""How the facts of a run become what is recorded and told. Pure."""

from __future__ import annotations

from typing import Final

from broker.decision_point import Verdict
from broker.errors import StoreUnavailableError
from broker.exchange import ClientGoneError
from broker.intents import Conclusion
from broker.model import IntentDraft, IntentRecord, IntentState, JsonObject
from broker.outcome import Outcome, Problem, ProblemKind
from broker.redaction import BodyTooLargeError, CleanResult
from connectors.base import Access, CallResult, Plan
from connectors.errors import InvalidParamsError, NotSentError, UploadBrokenError, UpstreamRefusedError
from policies.answers.fixes import fix_for
from policies.model import Decision, Effect, Reason
from policies.resources.catalogue import UNCHECKED, Catalogue
from vault.errors import CredentialMissingError, LeaseRefusedError, VaultError

CAME_SECOND: Final = Problem(
    ProblemKind.APPROVAL_CONFLICT, "somebody else came first at the same moment", fix="send the intent again"
)
MISMATCH: Final = Problem(
    ProblemKind.IDEMPOTENCY_MISMATCH,
    "the idempotency key was used for another intent",
    fix="use a fresh key for every intent",
)
STALE: Final = Problem(ProblemKind.STALE_PLAN, "what would be sent is no longer what was approved")
STALE_CODE: Final = "stale"
"""Of a refusal because what was judged, or approved, is not any more what is there."""
WITHHELD: Final = {"withheld": "the result could not be scanned for secrets and is not released"}


def explain(decision: Decision) -> JsonObject:
    """Return a decision as JSON: effect, policy version, and each reason with rule, file and line."""
    return {
        "effect": decision.effect.value,
        "policy_version": decision.policy_version,
        "reasons": [
            {
                "action": each.requirement.action,
                "resource": each.requirement.resource,
                "effect": each.effect.value,
                "rule": each.rule_id,
                "file": each.span.file if each.span else "",
                "line": each.span.line if each.span else 0,
                "text": each.text,
                "layer": each.layer.value,
            }
            for each in decision.reasons
        ],
        **({"errors": list(decision.errors)} if decision.errors else {}),
    }


def told(verdict: Verdict) -> JsonObject:
    """Return what the ledger is told of a decision: the decision and the facts it rests on."""
    secrets = {"returns_secrets": True} if verdict.returns_secrets else {}
    return {**explain(verdict.decision), "context": verdict.facts, **secrets}


def denial(decision: Decision, catalogue: Catalogue = UNCHECKED, draft: IntentDraft | None = None) -> Problem:
    """Return what the agent is told of a denial: the rule, where it stands, and what would help.

    Args:
        decision: The denial.
        catalogue: Lets the missing rule be written in its short form.
        draft: What was asked; with what was found out about it, for whoever is to mend it.
    """
    notes = draft.evidence.get("notes") if draft else None
    extra: JsonObject = {"notes": notes} if notes else {}
    deciding = next((each for each in decision.reasons if each.effect is Effect.DENY), None)
    if deciding is None:
        reason = "; ".join(decision.errors) or "no rule"
        return Problem(ProblemKind.DENIED, "policy denies the intent", reason=reason, extra=extra)
    return Problem(
        ProblemKind.DENIED,
        f"policy denies `{deciding.requirement.action}` on `{deciding.requirement.resource}`",
        reason=deciding.text,
        rule=rule_of(deciding),
        fix=fix_for(decision, catalogue),
        extra=extra,
    )


def rule_of(reason: Reason) -> str:
    """Return ``file:line (id)`` of the rule behind a reason, ``default deny`` when no rule matched."""
    return f"{reason.span} ({reason.rule_id})" if reason.span else "default deny"


def success(result: CallResult, clean: CleanResult, *, kept: bool = True) -> Conclusion:
    """Return the conclusion of a definite yes.

    Args:
        result: What came back.
        clean: The same, scanned.
        kept: Whether the parsed part is stored with the intent, for whoever asks for it later.
    """
    data: JsonObject = {"upstream_request_id": result.upstream_request_id, "redactions": clean.hits}
    if clean.size >= 0:
        data["body_bytes"] = clean.size
    return Conclusion(
        IntentState.SUCCEEDED,
        result=clean.data,
        data=data,
        output_bytes=clean.size if clean.spooled else -1,
        output_media_type=result.media_type if clean.spooled else "",
        kept=kept,
    )


def failure(error: Exception, plan: Plan, *, answered: bool, killed: bool) -> Conclusion:
    """Return the conclusion of a run that ended in ``error``.

    Args:
        error: A ConnectorError, VaultError, StoreUnavailableError, BodyTooLargeError, ClientGoneError or TimeoutError.
        plan: What was run.
        answered: True when the upstream had given its definite yes before.
        killed: True when the run was cut because an operator stopped its session, or what it goes through.
    """
    read = plan.access is Access.READ
    if answered and not read:
        return Conclusion(IntentState.SUCCEEDED, result=dict(WITHHELD), data={"withheld": type(error).__name__})
    return _definite(error) or _interrupted(error, read=read, killed=killed)


def _definite(error: Exception) -> Conclusion | None:
    """Return the conclusion of an error that leaves no doubt that nothing happened; None for the others."""
    match error:
        case UploadBrokenError():
            return _failed(ProblemKind.UPLOAD_BROKEN, str(error), "the upstream got no whole request")
        case NotSentError():
            return _failed(ProblemKind.UPSTREAM_UNREACHABLE, str(error), "nothing was sent")
        case UpstreamRefusedError():
            problem = Problem(
                ProblemKind.STALE_TARGET if error.code == STALE_CODE else ProblemKind.UPSTREAM_REFUSED,
                str(error),
                reason=error.code,
                extra={
                    "upstream_status": error.status,
                    "upstream_request_id": error.upstream_request_id,
                    **({"details": error.details} if error.details else {}),
                },
            )
            data = {"upstream_request_id": error.upstream_request_id}
            return Conclusion(IntentState.FAILED, problem=problem, data=data)
        case LeaseRefusedError() | CredentialMissingError():
            return _failed(ProblemKind.CREDENTIAL_REFUSED, str(error), "nothing was sent; an operator must look")
        case VaultError():
            return _failed(ProblemKind.VAULT_UNAVAILABLE, str(error), "the vault did not serve")
        case StoreUnavailableError():
            return _failed(ProblemKind.STORE_UNAVAILABLE, "the body could not be kept", "the store did not serve")
        case BodyTooLargeError():
            return _failed(ProblemKind.OUTPUT_TOO_LARGE, "the body is larger than what is kept", "max_output_bytes")
        case _:
            return None


def _interrupted(error: Exception, *, read: bool, killed: bool) -> Conclusion:
    match error:
        case ClientGoneError() if read:
            problem = Problem(ProblemKind.CANCELLED, "the client went away before the end", reason="client gone")
            return Conclusion(IntentState.CANCELLED, problem=problem)
        case _ if killed and read:
            problem = Problem(ProblemKind.CANCELLED, "an operator stopped it while the call ran", reason="killed")
            return Conclusion(IntentState.CANCELLED, problem=problem)
        case _ if read:
            return _failed(ProblemKind.UPSTREAM_UNREACHABLE, "the answer did not come whole in time", "interrupted")
        case _:
            problem = Problem(
                ProblemKind.OUTCOME_UNKNOWN,
                "the call was sent and no definite answer came; it may have happened",
                reason="an operator stopped it" if killed else "timeout or cut connection",
                fix="look at the resource before sending the intent again",
                extra={"killed": True} if killed else {},
            )
            return Conclusion(IntentState.UNKNOWN, problem=problem)


def problem_of(error: Exception) -> Problem:
    """Return what is told of an error before anything was sent, a ConnectorError or VaultError."""
    if isinstance(error, InvalidParamsError):
        return Problem(ProblemKind.INVALID_PARAMS, str(error), fix=error.fix)
    found = _definite(error)
    if found is not None and found.problem is not None:
        return found.problem
    return Problem(ProblemKind.UPSTREAM_UNREACHABLE, "it could not be looked at, so nothing was sent")


def outcome_of(record: IntentRecord, *, body: bytes | None = None, streamed: bool = False) -> Outcome:
    """Return what is told of a stored intent, with what became of its body when the door is still open."""
    return Outcome(
        record.id,
        record.state,
        result=record.result,
        problem=Problem.from_json(record.problem),
        output_bytes=record.output_bytes,
        output_media_type=record.output_media_type,
        approval_id=record.approval_id,
        body=body,
        streamed=streamed,
    )


def withheld(record: IntentRecord, *, acted: bool = False) -> Outcome:
    """Return what is told when the ledger cannot write.

    Args:
        record: The intent as it stood before.
        acted: True when something may have happened upstream; what came back is not released. Otherwise nothing was
            begun, or nothing but a read.
    """
    problem = Problem(
        ProblemKind.LEDGER_UNAVAILABLE,
        "the ledger cannot record this, so nothing is released",
        reason="the call was sent; the outcome is recorded as soon as the ledger can" if acted else "",
        fix="look at the intent again before sending another one" if acted else "an operator must look at /readyz",
        retry_after_seconds=5,
    )
    before = record.state if record.version else IntentState.REFUSED
    return Outcome(record.id, IntentState.UNKNOWN if acted else before, problem=problem)


def _failed(kind: ProblemKind, detail: str, reason: str) -> Conclusion:
    return Conclusion(IntentState.FAILED, problem=Problem(kind, detail, reason=reason))
