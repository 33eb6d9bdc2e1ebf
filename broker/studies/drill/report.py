"""What a drill found, as data and as a page."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from broker.clock import rfc3339
from broker.model import JsonObject


class CheckName(StrEnum):
    """The four checks, in the words of the brief."""

    OUTSIDE_POLICY = "outside policy"
    NEEDS_APPROVAL = "needs approval"
    TOKEN_LIMIT = "near the token limit"  # noqa: S105 - tokens of a language model
    OTHER_PROJECT = "other project"


class Verdict(StrEnum):
    """How a check ended. Only PASSED says that something works."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"
    """The configuration holds nothing the check could be made with."""
    NOT_CONFIGURED = "not configured"
    """What the check is about is not there."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one agent.

    Args:
        agent: Whose session asked.
        name: Which check.
        verdict: How it ended.
        asked: What was asked; empty when nothing could be.
        found: What happened, or why nothing was asked.
        rule: ``file:line (id)`` of the rule that decided, ``default deny`` when none did; empty when policy had no say.
        event: Number of the event in the scratch ledger; 0 for none.
    """

    agent: str
    name: CheckName
    verdict: Verdict
    asked: str
    found: str
    rule: str = ""
    event: int = 0

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        return {
            "agent": self.agent,
            "check": self.name.value,
            "verdict": self.verdict.value,
            "asked": self.asked,
            "found": self.found,
            "rule": self.rule,
            "event": self.event,
        }


@dataclass(frozen=True, slots=True)
class DrillReport:
    """A whole drill.

    Args:
        at_ns: When it began, nanoseconds since the epoch, UTC.
        configuration: Version of the configuration that was drilled.
        checks: By agent, then in the order of the brief.
        events: Events on the scratch ledger.
        ledger_fault: What is wrong with that ledger; empty when it was verified whole.
        tried: What reached the outside; empty when nothing was lent or sent.
    """

    at_ns: int
    configuration: str
    checks: tuple[Check, ...]
    events: int
    ledger_fault: str
    tried: tuple[str, ...]

    @property
    def failed(self) -> bool:
        """Whether anything did not hold: a check, the ledger, or that nothing leaves."""
        wrong = any(each.verdict is Verdict.FAILED for each in self.checks)
        return wrong or bool(self.ledger_fault) or bool(self.tried)

    @property
    def exit_status(self) -> int:
        """Of a process that reports it: 1 when the drill failed, 0 otherwise."""
        return int(self.failed)

    def to_json(self) -> JsonObject:
        """Return the report as JSON."""
        return {
            "at": rfc3339(self.at_ns),
            "configuration": self.configuration,
            "result": "failed" if self.failed else "passed",
            "checks": [each.to_json() for each in self.checks],
            "ledger": {"events": self.events, "verified": not self.ledger_fault, "fault": self.ledger_fault},
            "sent": list(self.tried),
        }

    def to_markdown(self) -> str:
        """Return the report as a page."""
        rows = [
            "| agent | check | verdict | asked | found | rule | event |",
            "|---|---|---|---|---|---|---|",
            *(_row(each) for each in self.checks),
        ]
        ledger = f"damaged: {self.ledger_fault}" if self.ledger_fault else "verified"
        sent = "nothing" if not self.tried else "; ".join(self.tried)
        return "\n".join(
            [
                f"# Policy drill of {rfc3339(self.at_ns)}: {'failed' if self.failed else 'passed'}",
                "",
                f"Configuration `{self.configuration}`.",
                "",
                *rows,
                "",
                f"- Ledger of the drill: {self.events} events, {ledger}.",
                f"- Lent or sent: {_cell(sent)}.",
                "",
            ]
        )


def _row(check: Check) -> str:
    event = str(check.event) if check.event else ""
    texts = (check.agent, check.name.value, check.verdict.value, check.asked, check.found, check.rule, event)
    return "| " + " | ".join(_cell(text) for text in texts) + " |"


def _cell(text: str) -> str:
    """Return text that cannot end its cell or its line, and shows no stars as emphasis."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")
