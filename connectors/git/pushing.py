"""Sends the push that was judged, at most once, and never over anything that was not looked at.

    1  ask the host for its refs        may we push at all? is each ref still what was judged?
    2  send commands and pack           byte for byte the pack that was judged; old object ids are the condition
    3  settle                           read the host's report; if it is unclear read the refs once more

The condition in 2 is git's compare-and-set: the host moves a ref only from the old object id that its command names. So
a ref that moved since it was judged, or since a person said yes, is never overwritten. Until 2 nothing has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from connectors.base import CallResult, JsonObject, Plan
from connectors.errors import ConnectorError, NotSentError, OutcomeUnknownError, UpstreamRefusedError
from connectors.git.advertisement import Advertisement, Service
from connectors.git.plans import Change, updates_of
from connectors.git.remote import PushBody, Remote
from connectors.git.wire.push_request import NULL_OID, RefUpdate
from connectors.git.wire.report import PushReport, parse_report
from connectors.git.wire.upstream_push import render_push
from connectors.usage import Usage
from vault.errors import VaultError

_STALE_WORDS: Final = ("incorrect old value", "stale info", "fetch first", "failed to update ref", "reference already")
"""How hosts say that the old object id of a command is not the ref's; only used to choose a code for a definite no."""
_DONE: Final = {
    Change.NONE: "up to date",
    Change.CREATE: "created",
    Change.FAST_FORWARD: "fast-forwarded",
    Change.FORCE: "forced",
    Change.DELETE: "deleted",
}


@dataclass(frozen=True, slots=True)
class Push:
    """One attempt to push.

    Args:
        plan: What; with its pack as a stream.
        remote: Where to.
        clean: Makes words of the host fit to be shown.
    """

    plan: Plan
    remote: Remote
    clean: Callable[[bytes], str]

    async def run(self) -> CallResult:
        """Do the three steps.

        Raises:
            NotSentError: nothing was pushed, and the fault may pass.
            UpstreamRefusedError: nothing was pushed, and nothing will be: the host said no, or a ref moved.
            UploadBrokenError: the pack could not be read to its end; nothing was pushed.
            OutcomeUnknownError: the push was begun and neither report nor refs tell how it ended.
        """
        try:
            seen = await self.remote.refs(Service.PUSH)  # 1
        except OutcomeUnknownError as error:
            raise NotSentError(f"nothing was pushed: the list of refs could not be read: {error}") from error
        updates = self._still_to_do(seen)
        if not updates:
            return self._result(seen, confirmed="read")
        words, confirmed = await self._send(seen, updates)  # 2
        return self._result(seen, confirmed=confirmed, words=words)

    def _still_to_do(self, seen: Advertisement) -> tuple[RefUpdate, ...]:
        """The updates the host has not seen yet; all others must be possible."""
        moves = tuple(each for each in updates_of(self.plan) if seen.refs.get(each.ref, NULL_OID) != each.new)
        for each in moves:
            if seen.refs.get(each.ref, NULL_OID) != each.old:
                raise UpstreamRefusedError(f"`{each.ref}` is not at the commit it was expected at", code="stale")
        return moves

    async def _send(self, seen: Advertisement, updates: tuple[RefUpdate, ...]) -> tuple[str, str]:
        options = tuple(self.plan.call["params"]["options"])
        head = render_push(updates, seen.capabilities, atomic=True, options=options)
        needs_pack = not all(each.deletes for each in updates)
        if needs_pack and (self.plan.stream is None or self.plan.upload is None):
            raise NotSentError("the pack of the push is not there")
        size = self.plan.upload.size_bytes if needs_pack and self.plan.upload else 0
        pack = aiter(self.plan.stream) if needs_pack and self.plan.stream else None
        try:
            report = parse_report(await self.remote.receive_pack(PushBody(head, pack, size)), self.clean)
        except OutcomeUnknownError as error:
            return await self._settled(updates, str(error))  # 3
        except OSError:  # a fault of this machine after the push was begun, of which nothing is known
            return await self._settled(updates, "the broker's machine failed")
        return await self._judged(report, updates)

    async def _judged(self, report: PushReport, updates: tuple[RefUpdate, ...]) -> tuple[str, str]:
        words = "\n".join(report.words)
        if report.unpack:
            raise UpstreamRefusedError(f"the git host did not take the pack: {report.unpack}", code="bad-pack")
        missing = [each.ref for each in updates if each.ref not in report.results]
        if missing:
            return await self._settled(updates, "the report of the git host is not whole")
        refused = {each.ref: report.results[each.ref] for each in updates if report.results[each.ref]}
        if not refused:
            return words, "reported"
        if len(refused) < len(updates):  # without `atomic` there is one update, so a host that says this errs
            return await self._settled(updates, "the git host took a part of an atomic push")
        ref, why = next(iter(refused.items()))
        code = "stale" if any(words in why.lower() for words in _STALE_WORDS) else "rejected"
        said = f": {'; '.join(report.words)}" if words else ""
        raise UpstreamRefusedError(f"`{ref}` was refused ({why}){said}", code=code)

    async def _settled(self, updates: tuple[RefUpdate, ...], words: str) -> tuple[str, str]:
        """Read the refs once more: all at their new place proves the push, anything else proves nothing."""
        try:
            seen = await self.remote.refs(Service.PUSH)
        except (ConnectorError, VaultError, OSError) as error:
            raise OutcomeUnknownError(
                f"the push ended without a report and the refs cannot be read: {words}"
            ) from error
        if all(seen.refs.get(each.ref, NULL_OID) == each.new for each in updates):
            return words, "read-back"
        # The host may still be at work on it, so "not moved yet" is no proof of "will not move".
        raise OutcomeUnknownError(f"the push ended without a report and the refs have not moved so far: {words}")

    def _result(self, seen: Advertisement, *, confirmed: str, words: str = "") -> CallResult:
        changes: Mapping[str, str] = self.plan.call["changes"]
        moves: JsonObject = self.plan.trace["refs"]
        refs = [_ref_data(ref, moves[ref], Change(change), seen) for ref, change in changes.items()]
        sent = self.plan.upload if confirmed != "read" else None
        usage = Usage(request_bytes=sent.size_bytes if sent else 0)
        data: JsonObject = {"refs": refs, "confirmed": confirmed}
        if words:
            data["words"] = words
        return CallResult(data, upstream_request_id=seen.request_id, usage=usage)


def _ref_data(ref: str, move: JsonObject, change: Change, seen: Advertisement) -> JsonObject:
    """Return what became of a ref; ids are None where there was or is no ref."""
    was_there = seen.refs.get(ref, NULL_OID) == move["new"]
    old, new = (None if move[name] == NULL_OID else move[name] for name in ("old", "new"))
    return {"name": ref, "old": old, "new": new, "status": "up to date" if was_there else _DONE[change]}
