"""Keys that are not rotated: a rotation that stopped or was undone, and credentials that are too old."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from broker.alerts.memory import Memory, Seen, Terms
from broker.alerts.model import Alert, AlertKind, Notice, raising
from broker.canonical import canonical_bytes, digest
from broker.clock import NS_PER_SECOND, Clock
from broker.config.alerting import Alerting
from broker.errors import ConflictError
from broker.store.base import Committer
from vault.model import CredentialInfo, CredentialKind
from vault.rotation.model import Milestone

DAY_NS: Final = 24 * 3600 * NS_PER_SECOND
REMIND_DAYS: Final = 7
"""The same credentials are told again after so long."""
MAX_NAMED: Final = 20
"""Credentials that an alert names; the rest is counted."""

_TROUBLE: Final = frozenset({f"rotation-{each}" for each in (Milestone.STOPPED, Milestone.UNDONE)})


def see(seen: Seen, memory: Memory, terms: Terms) -> list[Notice]:
    """Return what is to be told of a change in the vault: a rotation that stopped for a person, or was undone."""
    del memory, terms
    data = seen.event.data
    if data.get("change") not in _TROUBLE:
        return []
    credential = str(data.get("credential", ""))
    ended = "stopped and waits for a person" if data["change"] == f"rotation-{Milestone.STOPPED}" else "was undone"
    alert = Alert(
        AlertKind.ROTATION,
        f"credential:{credential}",
        f"the rotation of `{credential}` {ended}",
        f"`ostiary vault rotations` says where it stands; `ostiary vault rotate {credential} --iam` goes on",
        facts={name: data[name] for name in ("user", "old_key", "new_key", "reason") if data.get(name)},
    )
    return [Notice(alert, str(seen.seq))]


class OverdueWatch:
    """Looks once a day for credentials that are older than the configuration wants them to be.

    Args:
        credentials: Lists what may be shown of every credential; raises VaultError while the vault is sealed.
        alerting: What the configuration in force says.
        committer: The ledger.
        clock: Time.
    """

    def __init__(
        self,
        credentials: Callable[[], Awaitable[Sequence[CredentialInfo]]],
        alerting: Callable[[], Alerting],
        committer: Committer,
        clock: Clock,
    ) -> None:
        self._credentials = credentials
        self._alerting = alerting
        self._committer = committer
        self._clock = clock
        self._looked_day = 0

    async def look(self) -> None:
        """Look, if nobody has today; any number of processes may, and one of them tells.

        Raises:
            VaultError: the vault is sealed or gone; it is tried again.
            LedgerUnavailableError: nothing is told yet.
        """
        now_ns = self._clock.now_ns()
        if now_ns // DAY_NS == self._looked_day:
            return
        notice = overdue(await self._credentials(), self._alerting().rotation_days, now_ns)
        if notice is not None:
            with contextlib.suppress(ConflictError):  # another process was first, or it was told this week
                change = raising(self._clock, notice.alert, window=notice.window, count=notice.count)
                await self._committer.commit(change)
        self._looked_day = now_ns // DAY_NS


def overdue(infos: Sequence[CredentialInfo], days: int, now_ns: int) -> Notice | None:
    """Return what is to be told of credentials that are older than ``days``; None when none is.

    Told again when another one joins them, and once a week.
    """
    old = sorted(
        (each.ref, each.version, (now_ns - each.created_at_ns) // DAY_NS)
        for each in infos
        if each.kind is not CredentialKind.SEALED and now_ns - each.created_at_ns > days * DAY_NS
    )
    if not old:
        return None
    named = {ref: f"{age} days" for ref, _, age in old[:MAX_NAMED]}
    alert = Alert(
        AlertKind.ROTATION,
        "credentials:overdue",
        f"{len(old)} credentials are older than {days} days" if len(old) > 1 else f"`{old[0][0]}` is overdue",
        "rotate them: `ostiary vault rotate REF`, for keys of AWS with `--iam`",
        facts={"credentials": named, "count": len(old), "days": days},
    )
    which = digest("ostiary/overdue/v1", canonical_bytes([[ref, version] for ref, version, _ in old]))
    return Notice(alert, f"{now_ns // (REMIND_DAYS * DAY_NS)}:{which}", len(old))
