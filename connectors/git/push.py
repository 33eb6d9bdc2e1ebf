"""Pushes the pack of a planned bundle, at most once, and never over anything that was not looked at.

    1  ask the host for its refs        may we push at all? what do the refs point to now?
    2  judge each ref                   already there; not where the agent expected it; a tag never moves
    3  fetch what the pack builds on    only refs the host shows to this credential
    4  index the pack, fsck on          every object sound, every link complete
    5  look at the new tips             branches point to commits; the old tip is an ancestor of the new one
    6  push                             atomic, on the condition that each ref is still what step 1 saw
    7  settle                           read git's report; if it is unclear read the refs once more

The condition in 6 is ``--force-with-lease=<ref>:<old>``, git's compare-and-set. It would let git skip its own check for
fast-forward, which is why 5 makes that check on the recorded old tip: what moves is exactly what was judged. Until 6
nothing has been changed anywhere. Objects are taken from the plan's payload only; git never sees the bundle's header.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from connectors.base import CallResult, JsonObject, Usage
from connectors.errors import (
    ConnectorError,
    InvalidParamsError,
    NotSentError,
    OutcomeUnknownError,
    UpstreamRefusedError,
)
from connectors.git.advertisement import Advertisement
from connectors.git.bundle import MAX_BUNDLE_BYTES
from connectors.git.names import check_ref, is_branch
from connectors.git.porcelain import Report, Verdict, parse_report
from connectors.git.process import GitTimeoutError
from connectors.git.workshop import Workshop

ABSENT: Final = "0" * 40
"""In ``expected``: the ref must not exist."""

_EVERYTHING: Final = ["+refs/heads/*:refs/upstream/heads/*", "+refs/tags/*:refs/upstream/tags/*"]
_PUSH: Final = (
    "push",
    "--porcelain",
    "--no-verify",
    "--no-progress",
    "--no-signed",
    "--no-follow-tags",
    "--no-recurse-submodules",
)


@dataclass(frozen=True, slots=True)
class PushOrder:
    """What is to be pushed.

    Args:
        refs: Checked full ref name to new object id.
        expected: What the agent believes some of the refs to be now; `ABSENT` for none.
        prerequisites: Commits the pack builds on.
        pack: The pack.
    """

    refs: Mapping[str, str]
    expected: Mapping[str, str]
    prerequisites: tuple[str, ...]
    pack: bytes


class Push:
    """One attempt to push.

    Args:
        order: What.
        ask: Reads the refs of the repository, as for a push.
        open_shop: Opens a workshop for the repository.
    """

    def __init__(
        self,
        order: PushOrder,
        ask: Callable[[], Awaitable[Advertisement]],
        open_shop: Callable[[], AbstractAsyncContextManager[Workshop]],
    ) -> None:
        self._order = order
        self._ask = ask
        self._open_shop = open_shop

    async def run(self) -> CallResult:
        """Do the seven steps.

        Raises:
            NotSentError: nothing was pushed, and the fault may pass.
            UpstreamRefusedError: nothing was pushed, and nothing will be: the host or one of the checks said no.
            OutcomeUnknownError: the push was begun and neither report nor refs tell how it ended.
        """
        try:
            seen = await self._ask()  # 1
        except OutcomeUnknownError as error:
            raise NotSentError(f"nothing was pushed: the list of refs could not be read: {error}") from error
        changes = self._judge(seen)  # 2
        if not changes:
            return self._result(seen, confirmed="read")
        async with self._open_shop() as shop:
            await self._fetch(shop, seen, changes)  # 3
            await self._index(shop)  # 4
            await self._check_tips(shop, changes)  # 5
            confirmed = await self._send(shop, changes)  # 6 and 7
        return self._result(seen, confirmed=confirmed)

    def _judge(self, seen: Advertisement) -> dict[str, str]:
        """The refs that have to move, to what they are now (`ABSENT` for a new one)."""
        changes: dict[str, str] = {}
        for ref, new in self._order.refs.items():
            old = seen.refs.get(ref, ABSENT)
            if old == new:
                continue
            if self._order.expected.get(ref, old) != old:
                raise _stale(ref)
            if old != ABSENT and not is_branch(ref):
                raise UpstreamRefusedError(f"tag `{ref}` already exists; tags are never moved", code="already-exists")
            changes[ref] = old
        if len(changes) > 1 and "atomic" not in seen.capabilities:
            raise UpstreamRefusedError(
                "the git host cannot move several refs at once; push them one by one", code="no-atomic"
            )
        return changes

    async def _fetch(self, shop: Workshop, seen: Advertisement, changes: Mapping[str, str]) -> None:
        old_tips = {old for old in changes.values() if old != ABSENT}
        needed = {*self._order.prerequisites, *old_tips}
        if not needed:
            return
        fetched = await shop.fetch(_refspecs(needed, seen.refs))
        if not fetched.ok:
            raise NotSentError(f"nothing was pushed: fetching failed: {shop.clean(fetched.stderr)}")
        types = await _types(shop, needed)
        for oid in self._order.prerequisites:
            if oid not in types:
                raise UpstreamRefusedError(
                    f"the bundle builds on commit `{oid}`, which the repository does not have",
                    code="missing-prerequisite",
                )
        for ref, old in changes.items():
            if old != ABSENT and old not in types:
                raise _stale(ref)

    async def _index(self, shop: Workshop) -> None:
        flags = ("--stdin", "--fix-thin", "--strict", f"--max-input-size={MAX_BUNDLE_BYTES}")
        indexed = await shop.git("index-pack", *flags, stdin=self._order.pack)
        if not indexed.ok:
            raise UpstreamRefusedError(
                f"the pack of the bundle is not sound, nothing was pushed: {shop.clean(indexed.stderr)}",
                code="bad-pack",
            )

    async def _check_tips(self, shop: Workshop, changes: Mapping[str, str]) -> None:
        types = await _types(shop, {self._order.refs[ref] for ref in changes})
        for ref, old in changes.items():
            new = self._order.refs[ref]
            if types.get(new) not in (("commit",) if is_branch(ref) else ("commit", "tag")):
                raise UpstreamRefusedError(
                    f"`{new}` for `{ref}` is not a commit in the bundle or in the repository", code="not-a-commit"
                )
            if old == ABSENT:
                continue
            compared = await shop.git("merge-base", "--is-ancestor", old, new)
            if compared.returncode == 1:
                raise UpstreamRefusedError(
                    f"`{ref}` has commits that `{new}` does not build on; fetch and rebase first",
                    code="non-fast-forward",
                )
            if not compared.ok:
                raise NotSentError(f"nothing was pushed: history cannot be read: {shop.clean(compared.stderr)}")

    async def _send(self, shop: Workshop, changes: Mapping[str, str]) -> str:
        refs = {ref: self._order.refs[ref] for ref in changes}
        atomic = ("--atomic",) if len(refs) > 1 else ()
        leases = [f"--force-with-lease={ref}:{'' if old == ABSENT else old}" for ref, old in changes.items()]
        refspecs = [f"{new}:{ref}" for ref, new in refs.items()]
        report, words = Report(Verdict.UNCLEAR), ""
        try:
            pushed = await shop.git(*_PUSH, *atomic, *leases, "--", shop.url, *refspecs)
        except (GitTimeoutError, OSError) as error:  # git had been started: anything may have happened
            words = "git took too long" if isinstance(error, GitTimeoutError) else "git could not be watched"
        else:
            report, words = parse_report(pushed.stdout, refs, ok=pushed.ok), shop.clean(pushed.stderr)
        match report.verdict:
            case Verdict.PUSHED:
                return "reported"
            case Verdict.REJECTED:
                why = shop.clean(report.why.encode())
                raise UpstreamRefusedError(f"`{report.ref}` was refused ({why}): {words}", code=report.code)
            case Verdict.UNCLEAR:
                return await self._settle(refs, words)

    async def _settle(self, refs: Mapping[str, str], words: str) -> str:
        """Read the refs once more: all at their new place proves the push, anything else proves nothing."""
        try:
            seen = await self._ask()
        except ConnectorError as error:
            raise OutcomeUnknownError(
                f"the push ended without a report and the refs cannot be read: {words}"
            ) from error
        if all(seen.refs.get(ref) == new for ref, new in refs.items()):
            return "read-back"
        # The host may still be at work on it, so "not moved yet" is no proof of "will not move".
        raise OutcomeUnknownError(f"the push ended without a report and the refs have not moved so far: {words}")

    def _result(self, seen: Advertisement, *, confirmed: str) -> CallResult:
        refs = [_ref_data(ref, seen.refs.get(ref), new) for ref, new in self._order.refs.items()]
        usage = Usage(request_bytes=len(self._order.pack))
        return CallResult({"refs": refs, "confirmed": confirmed}, upstream_request_id=seen.request_id, usage=usage)


def _ref_data(ref: str, old: str | None, new: str) -> JsonObject:
    status = "up to date" if old == new else "created" if old is None else "fast-forwarded"
    return {"name": ref, "old": old, "new": new, "status": status}


def _stale(ref: str) -> UpstreamRefusedError:
    return UpstreamRefusedError(f"`{ref}` is not at the commit it was expected at", code="stale")


def _refspecs(needed: Iterable[str], shown: Mapping[str, str]) -> list[str]:
    """One ref for each commit that is the tip of one, or all branches and tags when some commit is deeper inside."""
    tips = {oid: ref for ref, oid in shown.items() if _plain(ref)}
    if not all(oid in tips for oid in needed):
        return _EVERYTHING
    return sorted(f"+{tips[oid]}:refs/upstream/{oid}" for oid in needed)


def _plain(ref: str) -> bool:
    """Whether a name the host gave may stand in a refspec; others come in by the wildcard."""
    try:
        check_ref(ref)
    except InvalidParamsError:
        return False
    return True


async def _types(shop: Workshop, oids: Iterable[str]) -> dict[str, str]:
    """The types of the objects that are here."""
    asked = "".join(f"{oid}\n" for oid in oids).encode()
    answer = await shop.git("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked)
    pairs = (line.split(" ") for line in answer.stdout.decode().splitlines())
    return {oid: kind for oid, kind in pairs if kind != "missing"}
