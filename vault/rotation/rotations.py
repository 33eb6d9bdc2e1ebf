"""The vault's rotations: begun and aborted by an operator, carried on by the vault itself.

A rotation runs as a task of the vault's event loop and is looked at from outside by `status`; nobody waits on a
connection for IAM. What has to wait for a time (inactive, deleted) is done by `tick`, which the server calls again and
again; what was cut before the switch waits for the operator to say it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from vault.credential import Credential, check_ref
from vault.errors import BadRequestError, LeaseRefusal, LeaseRefusedError, RotationRefusedError, VaultError
from vault.model import CredentialKind, CredentialRef
from vault.rotation.botocore_iam import connect_aws
from vault.rotation.endpoints import check_endpoints
from vault.rotation.iam import Connect
from vault.rotation.journal import Changing, Journal
from vault.rotation.model import AFTER_SWITCH, MAX_WAIT_SECONDS, Milestone, Rotation, RotationTerms, Step
from vault.rotation.procedure import Interrupt, Pause, Procedure, pause
from vault.rotation.status import RotationStatus

TICK_SECONDS: Final = 60.0
"""A deletion comes late by so much."""
STOP_SECONDS: Final = 5.0
"""A vault that is told to stop waits so long for IAM; what is cut is as safe as a crash."""
MIN_WATCH_SECONDS: Final = 60
"""IAM tells the minute of a key's last use."""
MAX_SETTLE_SECONDS: Final = 600

_log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(slots=True)
class _Attempt:
    interrupt: Interrupt = field(default_factory=Interrupt)
    task: asyncio.Task[None] | None = None
    problem: VaultError | None = None

    @property
    def running(self) -> bool:
        return self.task is not None and not self.task.done()


class Rotations:
    """All rotations of one vault; belongs to one event loop once one has begun.

    Args:
        changing: Opens the vault's registry.
        clock: Nanoseconds since the epoch, UTC.
        connect: Returns IAM for a key.
        pause: Waits between two tries of a new key.
    """

    def __init__(
        self,
        changing: Changing,
        *,
        clock: Callable[[], int],
        connect: Connect = connect_aws,
        pause: Pause = pause,
    ) -> None:
        self._journal = Journal(changing, clock)
        self._procedure = Procedure(self._journal, connect, pause)
        self._attempts: dict[CredentialRef, _Attempt] = {}

    def begin(self, name: str, terms: RotationTerms) -> None:
        """Begin to rotate a credential's key, or go on where it was cut; nothing happens when it runs already.

        Args:
            name: Name of the credential.
            terms: What is asked for; holds for a rotation that goes on too.

        Raises:
            BadRequestError: a term is out of bounds, or the endpoint is none.
            CredentialMissingError: there is none of that name.
            LeaseRefusedError: it is no long-lived AWS key, or the endpoint's host is not bound to it.
            SealedError, StorageError: nothing was begun.
        """
        credential = self._journal.credential(check_ref(name))
        _check_kind(credential)
        _check_terms(terms)
        check_endpoints(terms.endpoints, credential.hosts, credential.ref)
        if self._running(credential.ref):
            return
        rotation = self._journal.find(credential.ref)
        if rotation is not None and not rotation.final and rotation.terms != terms:
            self._journal.write(replace(rotation, terms=terms))
        self._start(credential.ref, terms)

    def abort(self, name: str) -> None:
        """Give a rotation up: before the switch, delete the new key; after it, only when there is no way on.

        Raises:
            RotationRefusedError: there is none, or the new key is in use.
            SealedError, StorageError: nothing was begun.
        """
        ref = check_ref(name)
        rotation = self._journal.find(ref)
        if rotation is None and not self._running(ref):
            raise RotationRefusedError(f"no key of credential `{ref}` is being rotated")
        if rotation is not None and (rotation.final or rotation.step in AFTER_SWITCH):
            self._leave(rotation)
            return
        attempt = self._attempts.get(ref)
        if attempt is not None and attempt.running:
            attempt.interrupt.aborting = True
            attempt.interrupt.event.set()
        elif rotation is not None:
            self._start(ref, rotation.terms, aborting=True)

    def tell(self, name: str, milestone: Milestone) -> None:
        """Remember that the ledger has a milestone; a rotation at its end is forgotten with that.

        Raises:
            SealedError, StorageError: nothing changed.
        """
        ref = check_ref(name)
        self._journal.tell(ref, milestone)
        if self._journal.find(ref) is None and not self._running(ref):
            self._attempts.pop(ref, None)

    def status(self, name: str) -> RotationStatus:
        """Return where the rotation of a credential's key stands.

        Raises:
            SealedError: the vault is sealed.
        """
        ref = check_ref(name)
        return self._status(ref, self._journal.find(ref))

    def list(self) -> tuple[RotationStatus, ...]:
        """Return every rotation that is not at its end or not told of, by the name of its credential.

        Raises:
            SealedError: the vault is sealed.
        """
        return tuple(self._status(rotation.ref, rotation) for rotation in self._journal.all())

    def tick(self) -> None:
        """Carry on what is due: keys to be made inactive, to be deleted, or made in vain."""
        try:
            rotations = self._journal.all()
        except VaultError:
            # Sealed: nothing can be done, and nothing is lost by waiting.
            return
        now_ns = self._journal.now_ns()
        for rotation in rotations:
            carried_on = rotation.step in AFTER_SWITCH or rotation.step is Step.UNDOING
            if carried_on and not rotation.stopped and rotation.due_at_ns <= now_ns and not self._running(rotation.ref):
                self._start(rotation.ref, rotation.terms)

    async def idle(self) -> None:
        """Wait until nothing runs."""
        while running := [attempt.task for attempt in self._attempts.values() if attempt.task and attempt.running]:
            await asyncio.wait(running)

    @asynccontextmanager
    async def watching(self, tick_seconds: float = TICK_SECONDS) -> AsyncGenerator[None, None]:
        """Carry on what is due, now and again and again; at the end, let what runs come to the end of its step."""
        stop = asyncio.Event()
        watch = asyncio.create_task(self._watch(stop, tick_seconds))
        try:
            yield
        finally:
            stop.set()
            for attempt in self._attempts.values():
                attempt.interrupt.event.set()
            await watch
            with suppress(TimeoutError):
                await asyncio.wait_for(self.idle(), STOP_SECONDS)

    async def _watch(self, stop: asyncio.Event, tick_seconds: float) -> None:
        while not stop.is_set():
            self.tick()
            await pause(tick_seconds, stop)

    def _leave(self, rotation: Rotation) -> None:
        if rotation.final or self._journal.credential(rotation.ref).identity == rotation.new_key_id:
            raise RotationRefusedError("the new key is in use: there is nothing to abort")
        # Somebody gave the credential another value: this vault cannot speak for the old key any more.
        left = f"credential was changed after the switch; `{rotation.old_key_id}` and `{rotation.new_key_id}` are left"
        self._journal.write(replace(rotation, step=Step.UNDONE, stopped=False, reason=left))

    def _running(self, ref: CredentialRef) -> bool:
        attempt = self._attempts.get(ref)
        return attempt is not None and attempt.running

    def _start(self, ref: CredentialRef, terms: RotationTerms, *, aborting: bool = False) -> None:
        attempt = self._attempts[ref] = _Attempt(Interrupt(aborting=aborting))
        attempt.task = asyncio.get_running_loop().create_task(self._run(ref, terms, attempt))

    async def _run(self, ref: CredentialRef, terms: RotationTerms, attempt: _Attempt) -> None:
        try:
            rotation = self._journal.find(ref)
            if rotation is None or rotation.final:
                rotation = await self._procedure.plan(ref, terms)
            await self._procedure.advance(rotation, attempt.interrupt)
        except VaultError as error:
            attempt.problem = error
        except Exception as error:  # noqa: BLE001 - a fault of ours ends this attempt and nothing else
            # The type only: the message of an unforeseen error may hold what it was handling.
            _log.error("vault.fault", operation="rotation", credential=ref, error=type(error).__name__)
            attempt.problem = VaultError("the vault failed")
        if attempt.problem is not None:
            _log.warning(
                "vault.rotation_failed", credential=ref, code=attempt.problem.code, reason=str(attempt.problem)
            )

    def _status(self, ref: CredentialRef, rotation: Rotation | None) -> RotationStatus:
        attempt = self._attempts.get(ref) or _Attempt()
        return RotationStatus.of(ref, rotation, running=attempt.running, problem=attempt.problem)


def _check_kind(credential: Credential) -> None:
    if credential.kind is not CredentialKind.AWS:
        raise LeaseRefusedError(f"credential `{credential.ref}` is no AWS key", LeaseRefusal.KIND)
    if "session_token" in credential.fields:
        raise LeaseRefusedError(f"credential `{credential.ref}` is temporary: it ends by itself", LeaseRefusal.KIND)


def _check_terms(terms: RotationTerms) -> None:
    if not MIN_WATCH_SECONDS <= terms.watch_seconds <= MAX_WAIT_SECONDS:
        raise BadRequestError(f"the old key is watched for {MIN_WATCH_SECONDS} seconds to a year")
    if not 0 <= terms.grace_seconds <= MAX_WAIT_SECONDS:
        raise BadRequestError("the grace period is at most a year")
    if not 0 <= terms.settle_seconds <= MAX_SETTLE_SECONDS:
        raise BadRequestError(f"a new key settles within {MAX_SETTLE_SECONDS} seconds")
