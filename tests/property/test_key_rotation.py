"""Whatever an operator, strangers, time and crashes do to a rotation: only two keys are ever changed, and one works."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.unit.vault.rotation.iam import AT_ONCE, REF, TERMS, KilledError, Rig
from vault.errors import IamRefusedError, IamUnreachableError, VaultError
from vault.rotation.model import Step

OURS = "vault"


class KeyRotationMachine(RuleBasedStateMachine):
    """One credential, its user's keys, and everybody who may touch them."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig()
        self.stored = {self.rig.old}
        self.harmed: set[str] = set()

    def go(self, doing: Coroutine[object, object, None]) -> None:
        with suppress(VaultError, KilledError):
            asyncio.run(doing)
        if self.rig.faults.dead:
            self.rig.restart()

    @rule(ignore_use=st.booleans(), at_once=st.booleans())
    def begin(self, ignore_use: bool, at_once: bool) -> None:
        self.go(self.rig.begin(AT_ONCE if at_once else replace(TERMS, ignore_use=ignore_use)))

    @rule()
    def abort(self) -> None:
        self.go(self.rig.abort())

    @rule(seconds=st.sampled_from([0, 30, 1000, 5000]))
    def time_passes(self, seconds: int) -> None:
        self.go(self.rig.tick(seconds))

    @rule(at=st.integers(0, 8), after=st.booleans())
    def the_process_will_die(self, at: int, after: bool) -> None:
        self.rig.faults.clear()
        self.rig.faults.at, self.rig.faults.after = at, after

    @rule(name=st.sampled_from(["identity", "keys", "create", "delete", "deactivate", "last_use"]), lost=st.booleans())
    def iam_will_fail(self, name: str, lost: bool) -> None:
        self.rig.iam.answers[name] = [IamUnreachableError("no answer") if lost else IamRefusedError("no", "Throttling")]

    @rule(times=st.sampled_from([2, 100]))
    def a_new_key_is_slow(self, times: int) -> None:
        self.rig.iam.slow = times

    @rule()
    def the_ledger_is_told(self) -> None:
        self.go(self.tells())

    async def tells(self) -> None:
        for status in self.rig.rotations.list():
            if status.milestone is not None:
                self.rig.rotations.tell(status.ref, status.milestone)

    @precondition(lambda self: len(self.rig.iam.keys) < 2)
    @rule()
    def a_stranger_makes_a_key(self) -> None:
        self.rig.iam.make("stranger")

    @rule(data=st.data(), deed=st.sampled_from(["delete", "deactivate", "activate", "use"]))
    def a_stranger_touches_a_key(self, data: st.DataObject, deed: str) -> None:
        if not self.rig.iam.keys:
            return
        key_id = data.draw(st.sampled_from(sorted(self.rig.iam.keys)))
        match deed:
            case "use":
                self.rig.iam.use(key_id)
            case "delete":
                del self.rig.iam.keys[key_id]
                self.harmed.add(key_id)
            case _:
                self.rig.iam.keys[key_id].active = deed == "activate"
                self.harmed.add(key_id)

    @rule(data=st.data())
    def a_person_stores_another_key(self, data: st.DataObject) -> None:
        others = sorted(key_id for key_id, key in self.rig.iam.keys.items() if key.by != OURS and key.active)
        if others:
            key_id = data.draw(st.sampled_from(others))
            self.go(self.stores(key_id))
            self.stored.add(key_id)

    async def stores(self, key_id: str) -> None:
        self.rig.vault.rotate(REF, self.rig.iam.fields(key_id))

    @invariant()
    def only_its_own_and_the_credentials_keys_are_touched(self) -> None:
        assert self.rig.iam.touched() <= self.rig.iam.made | self.stored

    @invariant()
    def nobody_who_did_not_lose_a_key_to_others_is_without_one(self) -> None:
        current = self.rig.current
        assert current in self.harmed or self.rig.iam.keys[current].active

    @invariant()
    def a_new_secret_is_kept_apart_only_until_it_is_used_or_undone(self) -> None:
        for rotation in self.rig.rotations._journal.all():
            apart = {Step.CREATED, Step.VERIFIED, Step.UNDOING}
            assert (rotation.new_secret is not None) == (rotation.step in apart)


KeyRotationMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
TestKeyRotation = KeyRotationMachine.TestCase
