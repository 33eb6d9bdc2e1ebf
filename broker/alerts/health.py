"""Trouble of Ostiary itself: the ledger, the vault, the store or the queue does not work for a while.

What cannot be written cannot be raised: then it is in the log, and raised as soon as writing works again, with how long
it lasted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from broker.alerts.memory import hour_of
from broker.alerts.model import Alert, AlertKind, Severity, raising
from broker.clock import NS_PER_SECOND, Clock, rfc3339
from broker.errors import ConflictError, LedgerUnavailableError
from broker.store.base import Committer

log = structlog.get_logger(__name__)

PATIENCE_SECONDS: Final = 30
"""Trouble that is shorter is not told: a restart, a seal that is opened at once."""

_KINDS: Final = {"vault": AlertKind.VAULT, "queue": AlertKind.QUEUE, "limits": AlertKind.QUEUE}
_ADVICE: Final = {
    AlertKind.VAULT: "`ostiary vault status` says why; `ostiary vault unseal` opens it; until then nothing is sent",
    AlertKind.QUEUE: "look at Redis or Valkey: approved work and alerts wait in the database, limits hold by process",
    AlertKind.LEDGER: "look at the disk and the database: until it works nothing new is done",
}


@dataclass(frozen=True, slots=True)
class _Trouble:
    """One check that fails."""

    since_ns: int
    why: str
    told: bool = False
    ended_ns: int = 0


class HealthWatch:
    """Watches the checks of this process.

    Args:
        check: Each check's answer: True or a text that begins with ``ok`` is good, anything else says why it is not.
        committer: The ledger.
        clock: Time and entropy.
    """

    def __init__(
        self, check: Callable[[], Awaitable[Mapping[str, bool | str]]], committer: Committer, clock: Clock
    ) -> None:
        self._check = check
        self._committer = committer
        self._clock = clock
        self._troubles: dict[str, _Trouble] = {}

    async def look(self) -> None:
        """Look at every check, and tell what has failed for long enough."""
        checks = dict(await self._check())
        now_ns = self._clock.now_ns()
        for name, answer in checks.items():
            self._note(name, answer, now_ns)
        for name, trouble in list(self._troubles.items()):
            if trouble.told or (trouble.ended_ns or now_ns) - trouble.since_ns < PATIENCE_SECONDS * NS_PER_SECOND:
                continue
            if await self._tell(name, trouble):
                self._settle(name, trouble)

    def _note(self, name: str, answer: bool | str, now_ns: int) -> None:
        known = self._troubles.get(name)
        good = answer is True or (isinstance(answer, str) and answer.startswith("ok"))
        if not good and (known is None or known.ended_ns):
            # What ended and was not told yet makes room for what is now.
            self._troubles[name] = _Trouble(now_ns, answer if isinstance(answer, str) else "not ready")
        elif good and known is not None and not known.ended_ns:
            lasted = now_ns - known.since_ns
            if known.told or lasted < PATIENCE_SECONDS * NS_PER_SECOND:
                del self._troubles[name]
            else:
                self._troubles[name] = _Trouble(known.since_ns, known.why, ended_ns=now_ns)

    async def _tell(self, name: str, trouble: _Trouble) -> bool:
        kind = _KINDS.get(name, AlertKind.LEDGER)
        facts = {"check": name, "why": trouble.why, "since": rfc3339(trouble.since_ns)}
        if trouble.ended_ns:
            facts["until"] = rfc3339(trouble.ended_ns)
        alert = Alert(
            kind,
            f"check:{name}",
            f"the {name} {'did' if trouble.ended_ns else 'does'} not work as it should",
            _ADVICE[kind],
            Severity.WARNING if trouble.why.startswith("degraded") else Severity.CRITICAL,
            facts=facts,
        )
        try:
            # Every process sees the same trouble; the first to tell of it in an hour is the only one.
            change = raising(self._clock, alert, window=f"hour:{hour_of(trouble.since_ns)}")
            await self._committer.commit(change)
        except ConflictError:
            return True
        except LedgerUnavailableError:
            log.error("alert_waits_for_the_ledger", kind=kind.value, **facts)  # noqa: TRY400 - the trace says nothing
            return False
        return True

    def _settle(self, name: str, trouble: _Trouble) -> None:
        if trouble.ended_ns:
            del self._troubles[name]
        else:
            self._troubles[name] = _Trouble(trouble.since_ns, trouble.why, told=True)
