"""Reads of a repository: its refs as data, or its branches and tags as a bundle, streamed while git writes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final

from connectors.base import CallResult, JsonObject
from connectors.errors import OutcomeUnknownError, UpstreamRefusedError
from connectors.git.advertisement import Advertisement
from connectors.git.names import MAX_REF_CHARS
from connectors.git.process import CHUNK_BYTES, Child, GitTimeoutError
from connectors.git.workshop import Workshop

BUNDLE_MEDIA_TYPE: Final = "application/x-git-bundle"
MAX_LISTED_REFS: Final = 10_000
"""More are left out, and the result says so; a bundle holds them all."""

_MIRROR: Final = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
_BRANCH: Final = "refs/heads/"


def listing(seen: Advertisement, wanted: tuple[str, ...]) -> JsonObject:
    """Return the refs as data.

    Args:
        seen: What the host has.
        wanted: Full names of the refs asked for; empty for all.
    """
    names = [name for name in wanted if name in seen.refs] if wanted else list(seen.refs)
    listed = [{"name": name, "oid": seen.refs[name]} for name in names[:MAX_LISTED_REFS]]
    return {"refs": listed, "head": seen.head or None, "truncated": len(names) > len(listed)}


async def read_bundle(
    seen: Advertisement, wanted: tuple[str, ...], shop: Workshop, lifetime: AsyncExitStack
) -> CallResult:
    """Fetch refs with all their history and start to stream them as a bundle.

    Args:
        seen: What the host has.
        wanted: Full names of the refs asked for; empty for all branches and tags.
        shop: Where.
        lifetime: What must stay open until the stream ends; the stream takes it over.

    Raises:
        UpstreamRefusedError: a ref asked for is not there, there is nothing to read, or fetching failed.
    """
    available = _present(seen.refs, wanted)
    fetched = await shop.fetch([f"+{ref}:{ref}" for ref in wanted] or _MIRROR)
    if not fetched.ok:
        raise UpstreamRefusedError(f"fetching failed: {shop.clean(fetched.stderr)}", code="fetch-failed")
    selection = list(wanted) or ["--all"]
    if not wanted and seen.head in available and len(seen.head) <= MAX_REF_CHARS:
        await shop.git("symbolic-ref", "HEAD", seen.head)
        selection = ["HEAD", "--all"]  # so that `git clone` of the bundle knows what to check out
    stream = BundleStream(shop, lifetime)
    await stream.start("bundle", "create", "--quiet", "-", *selection)
    data = listing(Advertisement(available, seen.head, seen.capabilities, seen.request_id), ())
    return CallResult(data, stream, BUNDLE_MEDIA_TYPE, seen.request_id)


def _present(refs: Mapping[str, str], wanted: tuple[str, ...]) -> dict[str, str]:
    for name in wanted:
        if name not in refs:
            raise UpstreamRefusedError(f"the repository has no ref `{name}`", code="no-such-ref")
    available = {
        name: oid
        for name, oid in refs.items()
        if (name in wanted if wanted else name.startswith((_BRANCH, "refs/tags/")))
    }
    if not available:
        raise UpstreamRefusedError("the repository is empty", code="empty-repository")
    return available


class BundleStream(AsyncGenerator[bytes, None]):
    """The output of git in chunks; ending it in any way ends git and closes the workshop.

    A class and not a generator function: a generator that was never begun runs none of its clean-up when closed.
    """

    def __init__(self, shop: Workshop, lifetime: AsyncExitStack) -> None:
        self._shop = shop
        self._lifetime = lifetime
        self._child: Child | None = None
        self._first = b""
        self._ended = False
        self._one_at_a_time = asyncio.Lock()

    async def start(self, *arguments: str) -> None:
        """Start git and wait for the first chunk, so that a failure at the start is still a definite no.

        Raises:
            UpstreamRefusedError: git made no bundle.
        """
        self._child = self._shop.start(*arguments)
        try:
            self._first = await self._shop.programs.in_thread(self._fill, self._kill)
        except BaseException:
            await self._end()
            raise
        if not self._first:
            await self._end()
            raise UpstreamRefusedError("git made no bundle of the repository", code="fetch-failed")
        self._lifetime = self._lifetime.pop_all()

    async def asend(self, value: None) -> bytes:
        """Return the next chunk, 256 KiB and a little at most."""
        del value
        async with self._one_at_a_time:
            if self._ended:
                raise StopAsyncIteration
            chunk, self._first = self._first, b""
            try:
                chunk = chunk or await self._shop.programs.in_thread(self._fill, self._kill)
            except BaseException as error:
                await self._close()
                if isinstance(error, GitTimeoutError):
                    raise OutcomeUnknownError("the bundle was cut: git took too long") from error
                raise
            if chunk:
                return chunk
            if await self._close() != 0:
                raise OutcomeUnknownError("the bundle was cut: git failed")
            raise StopAsyncIteration

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> bytes:
        """End the stream and raise what was thrown in."""
        await self.aclose()
        error = typ if isinstance(typ, BaseException) else val if isinstance(val, BaseException) else typ()
        raise error.with_traceback(tb)

    async def aclose(self) -> None:
        """End git and close the workshop; harmless when repeated or while a chunk is awaited."""
        self._kill()
        async with self._one_at_a_time:
            await self._close()

    async def _close(self) -> int:
        if self._ended:
            return 0
        try:
            return await self._end()
        finally:
            await self._lifetime.aclose()

    async def _end(self) -> int:
        self._ended = True
        if self._child is None:  # closed before it was started
            return 0
        return await self._shop.programs.to_the_end(self._child.finish)

    def _fill(self) -> bytes:
        chunk = bytearray()
        timeout = self._shop.programs.limits.timeout_seconds
        while self._child is not None and len(chunk) < CHUNK_BYTES:
            piece = self._child.read(timeout)
            if not piece:
                break
            chunk += piece
        return bytes(chunk)

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()
