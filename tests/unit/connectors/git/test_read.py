from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from connectors.errors import OutcomeUnknownError, UpstreamRefusedError
from connectors.git.advertisement import Advertisement
from connectors.git.area import make_area, remove_area
from connectors.git.config import ConfigFile
from connectors.git.process import GitPrograms, GitTimeoutError, ProcessLimits
from connectors.git.read import MAX_LISTED_REFS, BundleStream, listing, read_bundle
from connectors.git.workshop import Cleaner, Workshop

OID = "a" * 40
SEEN = Advertisement({"refs/heads/main": OID, "refs/pull/1/head": OID}, "refs/heads/main", frozenset(), "")
HALF_A_MEGABYTE = "head -c 524288 /dev/zero"


class Scripted:
    """A stream over a stand-in for git, and whether what it held open was let go."""

    def __init__(self, shop: Workshop) -> None:
        self.shop = shop
        self.lifetime = AsyncExitStack()
        self.closed = 0
        self.lifetime.callback(self._count)
        self.stream = BundleStream(shop, self.lifetime)

    def _count(self) -> None:
        self.closed += 1


Scripts = Callable[..., Scripted]


@pytest.fixture
async def scripted(tmp_path: Path) -> AsyncIterator[Scripts]:
    area = make_area(tmp_path)

    def make(text: str, timeout_seconds: float = 30.0) -> Scripted:
        path = area.path / "git"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o700)
        programs = GitPrograms(str(path), ProcessLimits(timeout_seconds=timeout_seconds))
        config = ConfigFile(os.devnull, (), "https")
        return Scripted(Workshop(programs, area, config, "https://git.test/a/b.git", Cleaner("Bearer t")))

    yield make
    remove_area(area)


async def test_a_long_list_of_refs_is_cut_and_says_so() -> None:
    refs = {f"refs/heads/b{n}": OID for n in range(MAX_LISTED_REFS + 1)}
    data = listing(Advertisement(refs, "", frozenset(), ""), ())
    assert (len(data["refs"]), data["truncated"], data["head"]) == (MAX_LISTED_REFS, True, None)


async def test_chunks_are_full_until_the_last(scripted: Scripts) -> None:
    it = scripted(HALF_A_MEGABYTE)
    await it.stream.start()
    chunks = [chunk async for chunk in it.stream]
    assert sum(map(len, chunks)) == 524288
    assert min(map(len, chunks[:-1])) >= 256 << 10
    assert it.closed == 1


async def test_a_git_that_fails_in_the_middle_cuts_the_stream(scripted: Scripts) -> None:
    it = scripted(f"{HALF_A_MEGABYTE}; exit 1")
    await it.stream.start()
    with pytest.raises(OutcomeUnknownError, match="git failed"):
        async for _ in it.stream:
            pass
    assert it.closed == 1
    with pytest.raises(StopAsyncIteration):
        await anext(it.stream)


async def test_a_git_that_stands_still_cuts_the_stream(scripted: Scripts) -> None:
    it = scripted(f"{HALF_A_MEGABYTE}; exec sleep 20", 1.5)
    await it.stream.start()
    with pytest.raises(OutcomeUnknownError, match="too long"):
        async for _ in it.stream:
            pass
    assert it.closed == 1


async def test_a_git_that_makes_nothing_is_a_definite_no(scripted: Scripts) -> None:
    it = scripted("exit 1")
    with pytest.raises(UpstreamRefusedError, match="no bundle"):
        await it.stream.start()
    await it.stream.aclose()
    assert it.closed == 0, "who opened it closes it"


async def test_a_git_that_never_begins_is_ended(scripted: Scripts) -> None:
    it = scripted("exec sleep 20", 0.2)
    with pytest.raises(GitTimeoutError):
        await it.stream.start()


async def test_a_cancelled_reader_ends_git(scripted: Scripts) -> None:
    it = scripted(f"{HALF_A_MEGABYTE}; exec sleep 20")
    await it.stream.start()
    assert await anext(it.stream)

    async def read_on() -> None:
        async for _ in it.stream:
            pass

    task = asyncio.create_task(read_on())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await it.stream.aclose()
    assert it.closed == 1


async def test_closing_while_a_chunk_is_awaited_ends_both(scripted: Scripts) -> None:
    it = scripted(f"{HALF_A_MEGABYTE}; exec sleep 20")
    await it.stream.start()
    await anext(it.stream)
    waiting = asyncio.ensure_future(anext(it.stream))
    await asyncio.sleep(0)
    await it.stream.aclose()
    results = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(results[0], (bytes, OutcomeUnknownError))
    assert it.closed == 1


@pytest.mark.parametrize("thrown", [KeyError, KeyError("x")])
async def test_what_is_thrown_in_comes_out_and_ends_git(scripted: Scripts, thrown: type[KeyError] | KeyError) -> None:
    it = scripted(f"{HALF_A_MEGABYTE}; exec sleep 20")
    await it.stream.start()
    with pytest.raises(KeyError):
        await it.stream.athrow(thrown)
    assert it.closed == 1


async def test_a_stream_that_was_never_started_closes(scripted: Scripts) -> None:
    it = scripted("exit 0")
    await it.stream.aclose()
    assert it.closed == 1


async def test_a_fetch_that_fails_is_a_definite_no_without_the_credential(scripted: Scripts) -> None:
    it = scripted("echo Bearer t-t >&2; exit 1")
    shop = Workshop(it.shop.programs, it.shop.area, it.shop.config, it.shop.url, Cleaner("Bearer t-t"))
    with pytest.raises(UpstreamRefusedError, match="redacted") as caught:
        await read_bundle(SEEN, (), shop, it.lifetime)
    assert caught.value.code == "fetch-failed"


async def test_only_branches_and_tags_are_in_a_bundle_of_everything(scripted: Scripts) -> None:
    it = scripted('echo "$@"')
    result = await read_bundle(SEEN, (), it.shop, it.lifetime)
    assert result.data["refs"] == [{"name": "refs/heads/main", "oid": OID}]
    assert result.body is not None
    assert [chunk async for chunk in result.body] == [b"bundle create --quiet - HEAD --all\n"]
