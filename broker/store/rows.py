"""Rows to the broker's words and back, and the steps that move them; JSON columns hold canonical bytes.

A `move` names everything the caller believes of the row (state, version, fence), so that it loses against whoever was
there first, and counts the version up.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from sqlalchemy import Row

from broker.canonical import canonical_bytes
from broker.ids import ApprovalId, Digest, IntentId, SessionId, TokenHash
from broker.model import Approval, ApprovalState, IntentRecord, IntentState, JsonObject, Session
from broker.store.base import Insert, Require, Update

_INTENT_JSON: Final = ("result", "problem")


def session_values(session: Session, token_hash: TokenHash) -> dict[str, Any]:
    """Return the row of a new session."""
    return {
        "id": session.id,
        "token_hash": token_hash,
        "agent": session.agent,
        "project": session.project,
        "owner": session.owner,
        "created_at_ns": session.created_at_ns,
        "expires_at_ns": session.expires_at_ns,
        "killed_at_ns": session.killed_at_ns,
        "labels": canonical_bytes(session.labels),
    }


def session_lives(session_id: SessionId) -> Require:
    """Return the step that loses when the session was killed meanwhile; expiry is the caller's to look at."""
    return Require("sessions", {"id": session_id, "killed_at_ns": 0})


def session_of(row: Row[Any]) -> Session:
    """Return the session in a row of ``sessions``."""
    return Session(
        id=SessionId(row.id),
        agent=row.agent,
        project=row.project,
        owner=row.owner,
        created_at_ns=row.created_at_ns,
        expires_at_ns=row.expires_at_ns,
        killed_at_ns=row.killed_at_ns,
        labels=_json(row.labels),
    )


def intent_values(record: IntentRecord) -> dict[str, Any]:
    """Return the whole row of an intent."""
    values = {name: getattr(record, name) for name in IntentRecord.__dataclass_fields__}
    values["resources"] = canonical_bytes(record.resources)
    for name in _INTENT_JSON:
        values[name] = canonical_bytes(values[name])
    # Empty would count as a key and clash with the next intent that has none; NULL does not.
    values["idempotency_key"] = record.idempotency_key or None
    return values


def insert_intent(record: IntentRecord) -> Insert:
    """Return the step that stores a new intent."""
    return Insert("intents", intent_values(record))


def move_intent(record: IntentRecord, state: IntentState, now_ns: int, **columns: Any) -> Update:  # noqa: ANN401 - columns
    """Return the step that takes an intent from where ``record`` stands to ``state``.

    Args:
        record: The intent as the caller knows it.
        state: Where it goes.
        now_ns: Time of the change.
        columns: What else changes, as fields of `IntentRecord`.
    """
    for name in _INTENT_JSON:
        if name in columns:
            columns[name] = canonical_bytes(columns[name])
    return Update(
        "intents",
        {"id": record.id, "state": record.state, "version": record.version, "fence": record.fence},
        {"state": state, "version": record.version + 1, "updated_at_ns": now_ns, **columns},
    )


def intent_of(row: Row[Any]) -> IntentRecord:
    """Return the intent in a row of ``intents``."""
    return IntentRecord(
        id=IntentId(row.id),
        session_id=SessionId(row.session_id),
        agent=row.agent,
        project=row.project,
        action=row.action,
        resources=_strings(row.resources),
        request_digest=Digest(row.request_digest),
        plan_digest=Digest(row.plan_digest),
        state=IntentState(row.state),
        version=row.version,
        fence=row.fence,
        owner=row.owner,
        access=row.access,
        idempotency_key=row.idempotency_key or "",
        approval_id=row.approval_id,
        created_at_ns=row.created_at_ns,
        updated_at_ns=row.updated_at_ns,
        result=_json(row.result),
        problem=_json(row.problem),
        output_bytes=row.output_bytes,
        output_media_type=row.output_media_type,
    )


def approval_values(approval: Approval) -> dict[str, Any]:
    """Return the whole row of an approval."""
    values = {name: getattr(approval, name) for name in Approval.__dataclass_fields__}
    values["resources"] = canonical_bytes(approval.resources)
    return values


def insert_approval(approval: Approval) -> Insert:
    """Return the step that stores a new approval."""
    return Insert("approvals", approval_values(approval))


def move_approval(approval: Approval, state: ApprovalState, **columns: Any) -> Update:  # noqa: ANN401 - columns
    """Return the step that takes an approval from where it stands to ``state``, with what else changes."""
    return Update(
        "approvals",
        {"id": approval.id, "state": approval.state, "version": approval.version},
        {"state": state, "version": approval.version + 1, **columns},
    )


def approval_of(row: Row[Any]) -> Approval:
    """Return the approval in a row of ``approvals``."""
    return Approval(
        id=ApprovalId(row.id),
        intent_id=IntentId(row.intent_id),
        session_id=SessionId(row.session_id),
        agent=row.agent,
        project=row.project,
        owner=row.owner,
        action=row.action,
        resources=_strings(row.resources),
        summary=row.summary,
        plan_digest=Digest(row.plan_digest),
        policy_version=row.policy_version,
        rule=row.rule,
        channel=row.channel,
        reason=row.reason,
        draft=bytes(row.draft),
        state=ApprovalState(row.state),
        version=row.version,
        created_at_ns=row.created_at_ns,
        expires_at_ns=row.expires_at_ns,
        decided_by=row.decided_by,
        decided_at_ns=row.decided_at_ns,
        decision_reason=row.decision_reason,
    )


def _json(stored: bytes) -> JsonObject:
    found = orjson.loads(stored) if stored else {}
    return found if isinstance(found, dict) else {}


def _strings(stored: bytes) -> tuple[str, ...]:
    found = orjson.loads(stored) if stored else []
    return tuple(map(str, found))
