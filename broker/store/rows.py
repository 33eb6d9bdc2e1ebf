"""Rows to the broker's words and back, and the steps that move them; JSON columns hold canonical JSON.

A `move` names everything the caller believes of the row (state, version, fence), so that it loses against whoever was
there first, and counts the version up.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from sqlalchemy import Row

from broker.canonical import canonical_bytes
from broker.ids import ApprovalId, Digest, IntentId, SessionId, TokenHash
from broker.model import Approval, ApprovalState, IntentRecord, IntentState, JsonObject, Scopes, Session
from broker.store.base import Insert, Require, Update
from policies.model import Assurance, UseLimit

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
        "scopes": canonical_text(session.scopes),
        "parent_id": session.parent_id,
        "root_id": session.root_id,
        "depth": session.depth,
        "added_labels": canonical_text(session.added_labels),
    }


def session_lives(session_id: SessionId) -> Require:
    """Return the step that loses when the session was killed meanwhile; expiry is the caller's to look at."""
    return Require("sessions", {"id": session_id, "killed_at_ns": 0})


def session_mints(root_id: str, minted: int) -> Update:
    """Return the step that counts one more session below ``root_id``; of two at the same moment one loses.

    It loses, too, when the session at the top was killed meanwhile.
    """
    return Update("sessions", {"id": root_id, "killed_at_ns": 0, "minted": minted}, {"minted": minted + 1})


def session_of(row: Row[Any]) -> Session:
    """Return the session in a row of ``sessions``, whose `ended_at_ns` looks at those above it too."""
    return Session(
        id=SessionId(row.id),
        agent=row.agent,
        project=row.project,
        owner=row.owner,
        created_at_ns=row.created_at_ns,
        expires_at_ns=row.expires_at_ns,
        killed_at_ns=row.ended_at_ns,
        labels=_json(row.labels),
        scopes=_scopes(row.scopes),
        parent_id=row.parent_id,
        root_id=row.root_id,
        depth=row.depth,
        added_labels=_json(row.added_labels),
    )


def intent_values(record: IntentRecord) -> dict[str, Any]:
    """Return the whole row of an intent."""
    values = {name: getattr(record, name) for name in IntentRecord.__dataclass_fields__}
    values["resources"] = canonical_bytes(record.resources)
    for name in _INTENT_JSON:
        values[name] = canonical_bytes(values[name])
    values["hold"] = canonical_text(record.hold) if record.hold else ""
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
    if "hold" in columns:
        columns["hold"] = canonical_text(columns["hold"])
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
        hold=_json(row.hold),
    )


def approval_values(approval: Approval) -> dict[str, Any]:
    """Return the whole row of an approval."""
    values = {name: getattr(approval, name) for name in Approval.__dataclass_fields__}
    values["resources"] = canonical_bytes(approval.resources)
    values["approvers"] = canonical_text(approval.approvers)
    values["context"] = canonical_text(approval.context)
    values["preview"] = canonical_text(approval.preview)
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
        approvers=_strings(row.approvers),
        # Empty in rows of before there were levels: every surface would do.
        assurance=Assurance(row.assurance or Assurance.CHAT),
        context=_json(row.context),
        connection=row.connection,
        preview=_json(row.preview),
    )


def use_of(limit: UseLimit) -> Insert | Update:
    """Return the step that counts one use of a rule; it goes into the transaction of the `executing` event.

    It loses when somebody used the rule since the decision looked, so that no two can take the last use.
    """
    if limit.used == 0:
        return Insert("rule_uses", {"key": limit.key, "uses": 1})
    return Update("rule_uses", {"key": limit.key, "uses": limit.used}, {"uses": limit.used + 1})


def canonical_text(value: object) -> str:
    """Return the canonical JSON of a value as text."""
    return canonical_bytes(value).decode()


def _scopes(stored: str) -> Scopes:
    return tuple(tuple(map(str, scope)) for scope in orjson.loads(stored)) if stored else ()


def _json(stored: bytes | str) -> JsonObject:
    found = orjson.loads(stored) if stored else {}
    return found if isinstance(found, dict) else {}


def _strings(stored: bytes | str) -> tuple[str, ...]:
    found = orjson.loads(stored) if stored else []
    return tuple(map(str, found))
