"""The watch: reads what the ledger got since it last looked, and raises what people should know.

    1 place      where the last look ended, and what the detectors remembered then
    2 read       the next events, in the order of the ledger
    3 prepare    what the detectors need to know of the agents in them
    4 detect     pure functions over one event each
    5 raise      each alert with its own event; one that was raised before loses and is skipped
    6 move       the place and what is remembered, in one transaction, by compare-and-set

Any number of watches may run, and each can be killed at any instant. What is raised depends only on the events and on
what was remembered at the place, so whoever looks again comes to the same alerts, and their rows are there already. A
place that somebody else moved makes this watch forget what it counted and begin at the new place.

It runs beside the requests, never in them: nothing waits for it, and it writes nothing while nothing happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import structlog

from broker.alerts import breakers, denied, halts, offhours, rates, resources, rotations, volume
from broker.alerts.folds import Folds
from broker.alerts.memory import HOUR_NS, AgentHour, Memory, Seen, Terms, hour_of
from broker.alerts.model import Notice, raising
from broker.alerts.places import Place, Places, calls_in
from broker.clock import NS_PER_SECOND, Clock
from broker.config.model import Configuration
from broker.errors import ConflictError
from broker.ledger.events import UnreadableEventError, parse_event
from broker.store.base import Committer, EventFilter, EventType, Reader, StoredEvent
from broker.store.statements import UnwritableError

log = structlog.get_logger(__name__)

BATCH: Final = 500
"""Events of one look."""
MAX_BATCHES: Final = 20
"""Of one look, so that other work gets its turn after a long absence."""
LEASE_NS: Final = 10 * NS_PER_SECOND
"""For so long the other processes leave the reading to the one that moved the place last. It only saves work."""

Detector = Callable[[Seen, Memory, Terms], list[Notice]]

DETECTORS: Final[Mapping[EventType, tuple[Detector, ...]]] = MappingProxyType(
    {
        EventType.INTENT_EXECUTING: (volume.see, offhours.see, resources.see, rates.see),
        EventType.INTENT_DENIED: (volume.see, denied.see),
        EventType.INTENT_REFUSED: (volume.see, rates.see),
        EventType.BREAKER_OPENED: (breakers.see,),
        EventType.HALT_STARTED: (halts.see,),
        EventType.HALT_LIFTED: (halts.see,),
        EventType.SESSION_KILLED: (halts.see_kill,),
        EventType.VAULT_CHANGED: (rotations.see,),
    }
)
"""What looks at which events; `Memory` says what they may know of the others."""


class AlertWatch:
    """Looks for what people should know; see the module.

    Args:
        reader: The ledger's events.
        committer: Takes alerts.
        places: Where the watch stands.
        configuration: The one in force.
        clock: Time and entropy.
        owner: Name of this process.
    """

    def __init__(
        self,
        *,
        reader: Reader,
        committer: Committer,
        places: Places,
        configuration: Callable[[], Configuration],
        clock: Clock,
        owner: str,
    ) -> None:
        self._reader = reader
        self._committer = committer
        self._places = places
        self._configuration = configuration
        self._clock = clock
        self._owner = owner
        self._memory: Memory | None = None
        self._version = -1
        self._forgotten_hour_ns = 0

    async def look(self) -> None:
        """Look at what is new, and raise what follows.

        Raises:
            StoreUnavailableError, LedgerUnavailableError: some of it is not raised yet; the next look comes to it.
        """
        for _ in range(MAX_BATCHES):
            if await self._step() < BATCH:
                break
        await self._forget_hours()

    async def _step(self) -> int:
        """Look at a batch; return how many events it had."""
        place, now_ns = await self._places.current(), self._clock.now_ns()  # 1 place
        if place.owner not in {"", self._owner} and now_ns < place.until_ns <= now_ns + LEASE_NS:
            return 0
        memory = self._memory
        if memory is None or self._version != place.version:
            memory = Memory(Folds(place.state))
        # Until the place is moved nobody may build on what is counted here.
        self._memory = None
        stored = await self._reader.events(EventFilter(after_seq=place.seq, limit=BATCH))  # 2 read
        found = [seen for each in stored if (seen := _seen(each))]
        await self._prepare(memory, found)  # 3 prepare
        notices = self._detect(memory, found) + memory.folds.due(now_ns)  # 4 detect
        for notice in notices:
            await self._raise(notice)  # 5 raise
        if stored or notices:
            new = Place(
                stored[-1].seq if stored else place.seq, 0, self._owner, now_ns + LEASE_NS, memory.folds.to_json()
            )
            if not await self._places.move(place, new, memory):  # 6 move
                return 0
            memory.written(now_ns)
            place = Place(new.seq, place.version + 1, new.owner, new.until_ns, new.state)
        self._memory, self._version = memory, place.version
        return len(stored)

    def _detect(self, memory: Memory, found: Iterable[Seen]) -> list[Notice]:
        projects = self._configuration().projects
        terms = Terms({name: project.hours for name, project in projects.items() if project.hours is not None})
        notices: list[Notice] = []
        for seen in found:
            for detector in DETECTORS.get(seen.event.type, ()):
                try:
                    notices += detector(seen, memory, terms)
                except Exception:  # leads to a log line: one event must not stop all alerts
                    log.exception("alert_detector_failed", detector=detector.__module__, seq=seen.seq)
        return notices

    async def _raise(self, notice: Notice) -> None:
        change = raising(self._clock, notice.alert, window=notice.window, count=notice.count)
        try:
            await self._committer.commit(change)
        except ConflictError:
            return  # it was raised before the place was moved, by us or by another process
        except UnwritableError:
            log.exception("alert_unwritable", kind=notice.alert.kind.value)
            return
        log.warning("alert_raised", kind=notice.alert.kind.value, subject=change.event.data["subject"])

    async def _prepare(self, memory: Memory, found: Sequence[Seen]) -> None:
        """Read what the detectors need to know of these events."""
        await self._prepare_hours(memory, found)
        asked = [seen for seen in found if seen.event.type is EventType.INTENT_EXECUTING]
        unknown = {touch for seen in asked for touch in resources.touches_of(seen) if touch not in memory.touched}
        for touch in await self._places.touched(unknown):
            memory.touched.add(touch)
        strangers = {agent for agent, _ in unknown} - memory.first_touch_ns.keys()
        for agent, (first_ns, many) in (await self._places.first_touches(strangers)).items():
            memory.first_touch_ns[agent] = first_ns
            memory.touches[agent] = many

    async def _prepare_hours(self, memory: Memory, found: Sequence[Seen]) -> None:
        wanted: set[AgentHour] = {
            (seen.event.agent, hour_of(seen.event.at_ns)) for seen in found if seen.event.type in volume.COUNTED
        }
        wanted -= memory.usual.keys()
        if not wanted:
            return
        since_ns = min(hour_ns for _, hour_ns in wanted) - volume.HISTORY_DAYS * 24 * HOUR_NS
        known = await self._places.hours({agent for agent, _ in wanted}, since_ns)
        for key in wanted:
            hours = known.get(key[0], [])
            memory.usual[key] = volume.usual_of(hours, key[1])
            memory.calls[key] = calls_in(hours, key)

    async def _forget_hours(self) -> None:
        hour_ns = hour_of(self._clock.now_ns())
        if hour_ns != self._forgotten_hour_ns:
            await self._places.forget_hours(hour_ns - volume.HISTORY_DAYS * 24 * HOUR_NS)
            self._forgotten_hour_ns = hour_ns


def _seen(stored: StoredEvent) -> Seen | None:
    """Return an event as the detectors see it; None for one that a later release wrote."""
    try:
        return Seen(stored.seq, parse_event(stored.body))
    except UnreadableEventError:
        log.warning("alert_event_unknown", seq=stored.seq)
        return None
