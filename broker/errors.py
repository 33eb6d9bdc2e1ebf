"""What can be broken in the broker. "No" is never here: denials and refusals are values with reasons.

BrokerError
  LedgerUnavailableError   nothing can be recorded, so nothing is done
  ConflictError            a compare-and-set lost: somebody else changed it first
    BudgetExceededError    a budget has not enough left
  StoreUnavailableError    the database cannot be read
  ConfigError              the configuration folder is wrong; carries findings with places
  QueueUnavailableError    the queue cannot be reached; work stays in the database
"""

from __future__ import annotations

from dataclasses import dataclass


class BrokerError(Exception):
    """Base of everything the broker raises on purpose."""


class LedgerUnavailableError(BrokerError):
    """The ledger cannot make an event durable: disk full, I/O error, file replaced, database gone."""


class StoreUnavailableError(BrokerError):
    """The database cannot be read."""


class ConflictError(BrokerError):
    """A change found the row in another state than it names; nothing of the change was applied."""


class BudgetExceededError(ConflictError):
    """A reservation would have taken a budget over its cap; nothing of the change was applied.

    Args:
        key: Which budget.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"the budget `{key}` has not enough left")
        self.key = key


class QueueUnavailableError(BrokerError):
    """Redis or Valkey cannot be reached; the reconciler sends the work again later."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of a configuration file: where, what, and how to mend it."""

    file: str
    line: int
    column: int
    message: str
    fix: str = ""

    def __str__(self) -> str:
        hint = f" ({self.fix})" if self.fix else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{hint}"


class ConfigError(BrokerError):
    """The configuration folder cannot be used.

    Args:
        findings: At least one, in file and line order.
    """

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings
