"""What a read of a repository returns: refs as data, a bundle, or what a git client of smart HTTP is told."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Final

from connectors.base import Body, CallResult, JsonObject, Plan
from connectors.git.advertisement import Advertisement, Service
from connectors.git.operations import What
from connectors.git.quarantine.yard import Yard
from connectors.git.read import listing, read_bundle
from connectors.git.remote import Remote
from connectors.git.symbolic import symbolic_refs
from connectors.git.wire import advertisement_out
from connectors.git.wire.push_request import NULL_OID
from connectors.git.workshop import Workshop
from connectors.inspection import Settlement
from connectors.streams import HeldBody

_ADVERTISED: Final = f"application/x-{Service.FETCH}-advertisement"
_FETCHED: Final = f"application/x-{Service.FETCH}-result"


@dataclass(frozen=True, slots=True)
class Reading:
    """One read.

    Args:
        plan: What.
        remote: Where.
        yard: Returns where mirrors are; asked only by who needs one.
        open_shop: Opens a workshop, for a bundle.
        lifetime: What must stay open until a streamed answer ends; such an answer takes it over.
    """

    plan: Plan
    remote: Remote
    yard: Callable[[], Yard]
    open_shop: Callable[[], AbstractAsyncContextManager[Workshop]]
    lifetime: AsyncExitStack

    async def run(self) -> CallResult:
        """Read.

        Raises:
            NotSentError, UpstreamRefusedError, OutcomeUnknownError: as `Remote`.
        """
        call = self.plan.call
        protocol = call.get("protocol", "")
        match What(call["what"]):
            case What.ADVERTISEMENT:
                return self._held(await self.remote.advertise(protocol), _ADVERTISED)
            case What.FETCH:
                request = base64.b64decode(call["request"])
                return self._held(await self.remote.upload_pack(request, protocol), _FETCHED)
            case other:
                return await self._of_refs(other, await self.remote.refs(Service.FETCH))

    async def _of_refs(self, what: What, seen: Advertisement) -> CallResult:
        wanted = tuple(self.plan.call["refs"])
        if what is What.BUNDLE:
            shop = await self.lifetime.enter_async_context(self.open_shop())
            return await read_bundle(seen, wanted, shop, self.lifetime)
        data = listing(seen, wanted)
        if what is What.PUSH_REFS:
            return CallResult(
                {"refs": len(seen.refs)}, _once(advertisement_out.push_advertisement(seen.refs)),
                advertisement_out.MEDIA_TYPE, seen.request_id,
            )  # fmt: skip
        if what is What.MIRROR:
            await self.yard().refresh(self.plan.connection, self.plan.call["repo"], self.remote, seen)
            data["alike"] = alike(seen.refs, wanted)
            data["symbolic"] = await symbolic_refs(self.remote, wanted) if wanted and seen.refs else {}
        return CallResult(data, upstream_request_id=seen.request_id)

    def _held(self, body: Body, media_type: str) -> CallResult:
        return CallResult({}, HeldBody(body, self.lifetime.pop_all()), media_type)


def alike(refs: Mapping[str, str], wanted: tuple[str, ...]) -> list[str]:
    """Return the refs that differ from a wanted one in case only; a host may keep both as one."""
    folded = {ref.lower(): ref for ref in wanted}
    return sorted(ref for ref in refs if folded.get(ref.lower(), ref) != ref)


def settled_push(trace: JsonObject, data: JsonObject) -> Settlement | None:
    """Return what the refs of now prove about a push whose outcome was unknown.

    Only a yes can be proven: a host may still be at work on a push, and a ref that stands elsewhere may have been where
    it was pushed to and gone on.

    Args:
        trace: ``refs``: for each ref its ``old`` and ``new`` object id.
        data: Answer of ``git:read``, ``what: refs``.
    """
    now = {each["name"]: each["oid"] for each in data["refs"]}
    moves = trace["refs"]
    # A ref that was where it should be before the push was begun is no part of what is asked.
    if any(move["old"] != move["new"] != now.get(ref, NULL_OID) for ref, move in moves.items()):
        return None
    refs = [{"name": ref, "old": move["old"], "new": move["new"], "status": "moved"} for ref, move in moves.items()]
    return Settlement(
        happened=True,
        how="the refs are where the push was to put them",
        data={"refs": refs, "confirmed": "read-back"},
    )


async def _once(data: bytes) -> Body:
    yield data
