"""The page about one approval. What the broker computed comes first and the agent's own words come late and labelled.

The order is that of a decision: what will happen, the exact request, its effect, who asks, why a person is needed, what
the agent says, how long there is time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from broker.cli.review.effects import put_effect
from broker.cli.review.members import text, texts
from broker.cli.review.moments import relative
from broker.cli.review.sheet import Sheet

DIGEST_CHARS: Final = 12
"""Of a digest, enough to compare two by eye; the whole of it is in the JSON."""

_PENDING: Final = "pending"
_MAX_RESOURCES: Final = 20
_MAX_WORDS_LINES: Final = 20
_STATES: Final = {_PENDING: "bold yellow", "approved": "bold green", "consumed": "green"}


def page_of(approval: Mapping[str, Any], now_ns: int, *, diff: bool = True) -> Sheet:
    """Return the page about one approval.

    Args:
        approval: As the API shows it; whatever it holds, there is a page.
        now_ns: Nanoseconds since the epoch, UTC.
        diff: Whether to show a diff.
    """
    sheet = Sheet()
    state = text(approval, "state")
    sheet.say((text(approval, "summary"), "bold"))
    sheet.say((state, _STATES.get(state, "bold red")), (f"  {text(approval, 'id')}", "dim"))
    _put_request(sheet, approval)
    preview = approval.get("preview")
    put_effect(sheet, preview if isinstance(preview, Mapping) else {}, diff=diff)
    _put_people(sheet, approval)
    sheet.title("agent's own words", "unverified")
    sheet.block(text(approval, "reason") or "(none)", indent=2, most=_MAX_WORDS_LINES)
    _put_clock(sheet, approval, now_ns)
    return sheet


def with_times(approval: Mapping[str, Any], now_ns: int) -> dict[str, Any]:
    """Return an approval with ``age`` and ``expires`` as people say them, for a list."""
    age = relative(approval.get("created_at"), now_ns).removesuffix(" ago")
    return {**approval, "age": age, "expires": relative(approval.get("expires_at"), now_ns)}


def _put_request(sheet: Sheet, approval: Mapping[str, Any]) -> None:
    sheet.title("request")
    sheet.row("connection", text(approval, "connection"))
    sheet.row("action", text(approval, "action"))
    resources = texts(approval, "resources")
    for resource in resources[:_MAX_RESOURCES]:
        sheet.row("resource", resource)
    sheet.more(len(resources) - _MAX_RESOURCES, "resources", indent=2)
    sheet.row("plan digest", text(approval, "plan_digest")[:DIGEST_CHARS])


def _put_people(sheet: Sheet, approval: Mapping[str, Any]) -> None:
    sheet.title("who")
    for label in ("agent", "project", "session", "owner"):
        sheet.row(label, text(approval, label))
    sheet.title("why a person is asked")
    sheet.row("rule", text(approval, "rule"))
    sheet.row("policy", text(approval, "policy_version")[:DIGEST_CHARS])
    sheet.row("channel", text(approval, "channel"))
    sheet.row("approvers", ", ".join(texts(approval, "approvers")) or "any approver but the owner")
    sheet.row("assurance", text(approval, "assurance"))


def _put_clock(sheet: Sheet, approval: Mapping[str, Any], now_ns: int) -> None:
    sheet.title("clock")
    for label, name in (("asked", "created_at"), ("expires", "expires_at"), ("decided", "decided_at")):
        moment = text(approval, name)
        away = relative(moment, now_ns)
        sheet.row(label, f"{moment} ({away})" if away else moment)
    sheet.row("decided by", text(approval, "decided_by"))
    sheet.row("their reason", text(approval, "decision_reason"))
    if text(approval, "state") == _PENDING:
        name = text(approval, "id")
        sheet.say(("silence until then is a no", "dim"), indent=2)
        sheet.title("answer")
        sheet.say(f"ostiary approvals approve {name}", indent=2)
        sheet.say(f"ostiary approvals reject {name} --reason …", indent=2)
