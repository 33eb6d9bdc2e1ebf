"""What a connector can find out before it plans, and after an outcome was unknown.

Most actions follow from their params alone. A push does not: whether it is by force, and which files it changes, stands
in the objects it brings; and a merge means the head that a pull request has now. Such actions are *inspected*: reads
are made on behalf of the session, what comes in is looked at, and the plan is made from params and evidence together.
The broker keeps the evidence with an intent that waits, so an approved one is planned from what people were shown.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from connectors.base import Connection, Connector, JsonObject, Plan, UploadStream


@dataclass(frozen=True, slots=True)
class Ask:
    """A read that is made before an action is planned, or before people are asked about it.

    It runs as an intent of the same session, so nobody causes a read that they may not do themselves.

    Args:
        action: Canonical action of any connector; it must be a read.
        params: Its params.
        optional: True when its answer may be missing: the project has no such connection, policy or upstream said no.
    """

    action: str
    params: JsonObject
    optional: bool = False


class Masker(Protocol):
    """Finds the vault's own values in text."""

    async def scrub(self, data: bytes) -> tuple[bytes, int]:
        """Return ``data``, as long as before, with every secret masked in place by ``*``, and how many there were.

        Raises:
            VaultError: the scan could not run.
        """


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What an inspection has to go by.

    Args:
        answers: Results of the asks, in order; None for an optional one without an answer.
        upload: The body, read at most once; None when there is none.
        masker: Finds the vault's own values.
    """

    answers: tuple[JsonObject | None, ...]
    masker: Masker
    upload: UploadStream | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found out about an action before it was planned: by the broker, never taken from an agent.

    Everything but ``upload`` is stored with an intent that waits for people, and its plan is made from that again.

    Args:
        params: Params in place of those that were sent; empty to leave them. For a body, its size and digest.
        found: What `Inspector.plan_on` plans from.
        facts: What conditions may look at, beside the params and under such names: ``params.paths``.
        preview: What people are shown of it, see `Inspector.preview`.
        notes: What the agent is told besides, when policy says no: one line each, no secrets.
        upload: The body, to be read once more; None when there is none.
    """

    params: JsonObject = field(default_factory=dict)
    found: JsonObject = field(default_factory=dict)
    facts: JsonObject = field(default_factory=dict)
    preview: JsonObject = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    upload: UploadStream | None = None


@runtime_checkable
class Inspector(Connector, Protocol):
    """A connector with actions whose plan rests on more than their params: what a pack holds, what a number names."""

    def inspects(self, action: str) -> bool:
        """Tell whether an action is inspected before it is planned; the others are planned by `plan` alone."""

    def asks(self, action: str, params: JsonObject, connection: Connection) -> tuple[Ask, ...]:
        """Return what must be read before `inspect`; pure.

        Raises:
            InvalidParamsError: as `plan`.
        """

    def inspect(
        self, action: str, params: JsonObject, connection: Connection, inquiry: Inquiry
    ) -> AbstractAsyncContextManager[Evidence]:
        """Find out what the action would do; no credential and nothing upstream is used.

        What it keeps on disk is gone when the context is left, which is after the action was carried out or parked.

        Raises:
            InvalidParamsError: what was sent cannot be taken.
            UploadBrokenError: the body ended early or is not the one that was declared.
            NotSentError: it cannot be found out now.
            VaultError: the scan could not run.
        """

    def plan_on(self, action: str, params: JsonObject, connection: Connection, found: JsonObject) -> Plan:
        """Derive what will be sent from params and evidence; pure.

        Args:
            action: As `plan`.
            params: With those of the evidence in place.
            connection: As `plan`.
            found: `Evidence.found`.

        Raises:
            InvalidParamsError: as `plan`.
        """

    def preview_asks(self, plan: Plan) -> tuple[Ask, ...]:
        """Return what is read, all of it optional, before people are asked about a plan; pure."""

    def preview(self, plan: Plan, seen: JsonObject, answers: tuple[JsonObject | None, ...]) -> JsonObject:
        """Return what people are shown of a plan; pure. It is scanned for secrets before it is stored.

        Args:
            plan: What they are asked about.
            seen: `Evidence.preview`, empty when the action was not inspected.
            answers: To `preview_asks`.

        Returns:
            JSON with ``kind`` (``git.push``, ``github.merge``) and what that kind says, 64 KiB at most.
        """


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a call whose outcome was unknown.

    Args:
        happened: True when it is proven to have been done, False when it is proven that it was not and will not be.
        how: What proves it, one sentence for the ledger.
        data: Result, as `execute` would have returned it; empty when it did not happen.
    """

    happened: bool
    how: str
    data: JsonObject = field(default_factory=dict)


@runtime_checkable
class Settler(Connector, Protocol):
    """A connector that can find out later what became of a call whose outcome is unknown."""

    def look(self, action: str, trace: JsonObject, connection: Connection) -> Plan | None:
        """Return the read that would tell; pure. None when nothing can.

        Args:
            action: What was executed.
            trace: `Plan.trace` as the ledger kept it, with the name of the attempt under ``attempt``.
            connection: The connection it went to, as it is configured now.

        Raises:
            InvalidParamsError: the trace is not one of this connection.
        """

    def settle(self, action: str, trace: JsonObject, data: JsonObject) -> Settlement | None:
        """Return what the answer proves; pure. None when it proves nothing (yet)."""
