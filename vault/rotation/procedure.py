"""What is done at each step of a rotation; see `vault.rotation.model` for the steps.

Each step is one act upstream, made idempotent by looking first, and then one write. A process that dies between the two
finds the step as it was and does it again; only `create` cannot be done again, and is not (2).

1. Plan: the key is that of an IAM user, who has no other key.
2. Create: the user still has no other key. One that is there was made by somebody else, or by an attempt that died
   before its secret was sealed; nobody can tell, so it is named and left alone.
3. Verify: the new key is accepted several times in a row, with pauses, as the same user.
4. Switch: the new key becomes the credential's next version.
5. Deactivate: nobody has used the old key for a while, or the operator does not mind.
6. Delete: the old key was inactive all through the grace period.
7. Undo: the new key, which nobody used, is deleted.

Keys are changed in 5, 6 and 7 alone: the credential's own old key, and the one that was made for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from vault.credential import Credential
from vault.errors import IamRefusedError, IamUnreachableError, RotationRefusedError, VaultError
from vault.later import in_thread
from vault.model import CredentialRef
from vault.rotation.endpoints import check_endpoints
from vault.rotation.iam import Connect, KeyApi, LastUse, user_name_of
from vault.rotation.journal import Journal
from vault.rotation.model import (
    BEFORE_SWITCH,
    NS_PER_SECOND,
    Rotation,
    RotationTerms,
    Step,
)

SUCCESSES: Final = 3
"""In a row; IAM answers from several places, and a new key reaches one after the other."""
MAX_TRIES: Final = 14
FIRST_PAUSE_SECONDS: Final = 1.0
MAX_PAUSE_SECONDS: Final = 8.0
"""Pauses double up to this after a refusal: a good minute and a half in all, where IAM needs some seconds."""
SLACK_NS: Final = 60 * NS_PER_SECOND
"""A use of the old key this soon after the switch was our own: IAM's clock is another, and tells minutes."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(slots=True)
class Interrupt:
    """How a running attempt is told to end at the next step, or to give up.

    Args:
        event: Set to end a pause.
        aborting: Whether to undo what can be undone.
    """

    event: asyncio.Event = field(default_factory=asyncio.Event)
    aborting: bool = False


Pause = Callable[[float, asyncio.Event], Awaitable[object]]
"""Waits some seconds, or until the event is set."""


async def pause(seconds: float, event: asyncio.Event) -> None:
    """Wait ``seconds``, or until ``event`` is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


class Procedure:
    """Takes rotations from where they stand as far as they can go now.

    Args:
        journal: Where each step is stored.
        connect: Returns IAM for a key.
        pause: Waits between two tries of a new key.
    """

    def __init__(self, journal: Journal, connect: Connect, pause: Pause) -> None:
        self._journal = journal
        self._connect = connect
        self._pause = pause

    async def plan(self, ref: CredentialRef, terms: RotationTerms) -> Rotation:
        """Look whether the credential's key can be rotated, and store that it will be.

        Raises:
            RotationRefusedError: it is no user's key, its user has another key, or another credential has the same.
            VaultError: IAM or the vault does not do its part.
        """
        credential = self._credential(ref, terms)
        namesakes = self._journal.namesakes(credential)
        if namesakes:
            raise RotationRefusedError(f"credential `{namesakes[0]}` holds the same key and would stop working")
        api = self._connect(terms.endpoints, credential)
        identity = await in_thread(api.identity)
        user = user_name_of(identity.arn)
        await self._check_alone(api, user, credential.identity)
        planned = Rotation(
            ref=ref,
            step=Step.PLANNED,
            terms=terms,
            account=identity.account,
            user_arn=identity.arn,
            user_name=user,
            old_key_id=credential.identity,
            planned_at_ns=self._journal.now_ns(),
        )
        return self._store(planned)

    async def advance(self, rotation: Rotation, interrupt: Interrupt) -> None:
        """Go from step to step, until the end, or a time that is not there yet.

        Raises:
            RotationRefusedError: it cannot go on; what is upstream stays as it is.
            VaultError: IAM or the vault does not do its part; it can be tried again.
        """
        while True:
            if interrupt.aborting and rotation.step in BEFORE_SWITCH:
                rotation = self._store(rotation.undoing("aborted"))
            elif interrupt.event.is_set() and not interrupt.aborting:
                return
            after = await self._step(rotation, interrupt)
            if after is None:
                return
            rotation = after

    async def _step(self, rotation: Rotation, interrupt: Interrupt) -> Rotation | None:
        match rotation.step:
            case Step.PLANNED:
                return await self._create(rotation)
            case Step.CREATED:
                return await self._verify(rotation, interrupt)
            case Step.VERIFIED:
                return self._told(self._journal.switch(rotation))  # 4
            case Step.SWITCHED | Step.DEACTIVATED if (
                self._journal.credential(rotation.ref).identity != rotation.new_key_id
            ):
                self._stop(rotation, "the credential was changed after the switch")
                return None
            case Step.SWITCHED:
                return await self._deactivate(rotation)
            case Step.DEACTIVATED:
                return await self._delete(rotation)
            case Step.UNDOING:
                return await self._undo(rotation)
            case Step.DONE | Step.UNDONE:
                return None

    async def _create(self, rotation: Rotation) -> Rotation:  # 2
        api = self._api(rotation, expected=rotation.old_key_id)
        await self._check_alone(api, rotation.user_name, rotation.old_key_id)
        new = await in_thread(lambda: api.create(rotation.user_name))
        if new.key_id == rotation.old_key_id:
            raise RotationRefusedError(f"IAM gave the key `{new.key_id}` out as a new one")
        try:
            secret = new.fields["secret_access_key"]
            return self._store(replace(rotation, step=Step.CREATED, new_key_id=new.key_id, new_secret=secret))
        except VaultError:
            # What cannot be sealed is known to nobody in a moment: it goes again, if that can still be done.
            with suppress(VaultError):
                await in_thread(lambda: api.delete(rotation.user_name, new.key_id))
            raise

    async def _verify(self, rotation: Rotation, interrupt: Interrupt) -> Rotation | None:  # 3
        credential = self._credential(rotation.ref, rotation.terms, expected=rotation.old_key_id)
        api = self._connect(rotation.terms.endpoints, replace(credential, fields=rotation.new_fields()))
        accepted = 0
        refusal: VaultError | None = None
        for back_off in _back_offs():
            refusal = await self._look(api, rotation)
            accepted = 0 if refusal else accepted + 1
            if accepted == SUCCESSES:
                return self._store(replace(rotation, step=Step.VERIFIED))
            await self._pause(back_off if refusal else rotation.terms.settle_seconds / (SUCCESSES - 1), interrupt.event)
            if interrupt.event.is_set():
                return rotation if interrupt.aborting else None
        if isinstance(refusal, IamUnreachableError):
            raise refusal
        return self._store(rotation.undoing(f"the new key was not accepted: {refusal or 'not often enough in a row'}"))

    async def _look(self, api: KeyApi, rotation: Rotation) -> VaultError | None:
        try:
            identity = await in_thread(api.identity)
        except (IamRefusedError, IamUnreachableError) as error:
            return error
        if (identity.account, identity.arn) != (rotation.account, rotation.user_arn):
            return RotationRefusedError("it belongs to another user")
        return None

    async def _deactivate(self, rotation: Rotation) -> Rotation | None:  # 5
        if not rotation.terms.ignore_use:
            now_ns = self._journal.now_ns()
            if now_ns < rotation.due_at_ns:
                self._wait(rotation)
                return None
            api = self._api(rotation, expected=rotation.new_key_id)
            use = await in_thread(lambda: api.last_use(rotation.old_key_id))
            if use is not None and _is_foreign(use, rotation, now_ns):
                self._stop(rotation, f"the old key was used after the switch, last for {use.service} in {use.region}")
                return None
        return await self._make_inactive(rotation)

    async def _make_inactive(self, rotation: Rotation) -> Rotation:
        # Looked at again, as the one before the answer above may be old: the credential must not hold this key.
        api = self._api(rotation, expected=rotation.new_key_id)
        await in_thread(lambda: api.deactivate(rotation.user_name, rotation.old_key_id))
        now_ns = self._journal.now_ns()
        return self._store(replace(rotation, step=Step.DEACTIVATED, deactivated_at_ns=now_ns, stopped=False, reason=""))

    async def _delete(self, rotation: Rotation) -> Rotation | None:  # 6
        api = self._api(rotation, expected=rotation.new_key_id)
        if self._journal.now_ns() < rotation.due_at_ns:
            self._wait(rotation)
            return None
        keys = await in_thread(lambda: api.keys(rotation.user_name))
        if any(key.key_id == rotation.old_key_id and key.active for key in keys):
            if rotation.terms.ignore_use:
                return await self._make_inactive(rotation)
            self._stop(rotation, "the old key was made active again by somebody")
            return None
        last = self._api(rotation, expected=rotation.new_key_id)  # looked at again, as above
        await in_thread(lambda: last.delete(rotation.user_name, rotation.old_key_id))
        return self._store(replace(rotation, step=Step.DONE, stopped=False, reason=""))

    async def _undo(self, rotation: Rotation) -> Rotation:  # 7
        credential = self._credential(rotation.ref, rotation.terms)
        if credential.identity == rotation.new_key_id:
            raise RotationRefusedError(f"credential `{rotation.ref}` uses the key that would be deleted")
        api = self._connect(rotation.terms.endpoints, credential)
        await in_thread(lambda: api.delete(rotation.user_name, rotation.new_key_id))
        return self._store(replace(rotation, step=Step.UNDONE, new_secret=None))

    async def _check_alone(self, api: KeyApi, user: str, own: str) -> None:
        found = await in_thread(lambda: api.keys(user))
        ids = {key.key_id for key in found}
        others = sorted(ids - {own})
        if others:
            raise RotationRefusedError(
                f"the user `{user}` has another key, `{others[0]}`, which this rotation did not make and leaves alone; "
                f"if nobody needs it, `aws iam delete-access-key --user-name {user} --access-key-id {others[0]}`"
            )
        if own not in ids:
            raise RotationRefusedError(f"the user `{user}` does not have the key `{own}`")

    def _api(self, rotation: Rotation, *, expected: str) -> KeyApi:
        credential = self._credential(rotation.ref, rotation.terms, expected=expected)
        return self._connect(rotation.terms.endpoints, credential)

    def _credential(self, ref: CredentialRef, terms: RotationTerms, *, expected: str = "") -> Credential:
        credential = self._journal.credential(ref)
        if expected and credential.identity != expected:
            raise RotationRefusedError(f"credential `{ref}` was changed since the rotation began; abort it")
        check_endpoints(terms.endpoints, credential.hosts, ref)
        return credential

    def _wait(self, rotation: Rotation) -> None:
        # A stopped rotation comes here when a person set other terms: from now on it goes on by itself again.
        if rotation.stopped:
            self._store(replace(rotation, stopped=False, reason=""))

    def _stop(self, rotation: Rotation, reason: str) -> None:
        self._store(replace(rotation, stopped=True, reason=reason))

    def _store(self, rotation: Rotation) -> Rotation:
        return self._told(self._journal.write(rotation))

    def _told(self, rotation: Rotation) -> Rotation:
        keys = {"old_key": rotation.old_key_id, "new_key": rotation.new_key_id}
        step, stopped = rotation.step.value, rotation.stopped
        _log.info("vault.rotation", credential=rotation.ref, step=step, stopped=stopped, **keys)
        return rotation


def _is_foreign(use: LastUse, rotation: Rotation, now_ns: int) -> bool:
    lately = now_ns - use.at_ns < rotation.terms.watch_seconds * NS_PER_SECOND
    # Both: what was used once since the switch may have been put right meanwhile.
    return lately and use.at_ns >= rotation.switched_at_ns + SLACK_NS


def _back_offs() -> Iterator[float]:
    seconds = FIRST_PAUSE_SECONDS
    for _ in range(MAX_TRIES):
        yield seconds
        seconds = min(seconds * 2, MAX_PAUSE_SECONDS)
