from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from connectors.base import CallResult, JsonObject
from connectors.errors import NotSentError, UpstreamRefusedError
from connectors.git.plans import plan_read
from connectors.git.quarantine.yard import Yard
from connectors.git.reading import Reading, alike, settled_push
from connectors.git.workshop import Workshop
from tests.parts.git_wire import NEW, OLD, ZERO
from tests.unit.connectors.git.paper_remote import PaperRemote
from tests.unit.connectors.git.test_plans import FORGE

MAIN = "refs/heads/main"
FLUSH = base64.b64encode(b"0000").decode()


class Attempt:
    """One read of a host in memory, and whether what it held open was let go."""

    def __init__(self, what: str, **params: object) -> None:
        self.remote = PaperRemote({MAIN: OLD, "refs/heads/Feature": NEW, "refs/pull/1/head": NEW})
        self.plan = plan_read({"repo": "acme/app", "what": what, **params}, FORGE)
        self.open = 1

    def _closed(self) -> None:
        self.open -= 1

    async def run(self) -> CallResult:
        async with AsyncExitStack() as lifetime:
            lifetime.callback(self._closed)
            return await Reading(self.plan, self.remote, _no_yard, _no_shop, lifetime).run()


def _no_yard() -> Yard:
    raise NotSentError("no folder")


@asynccontextmanager
async def _no_shop() -> AsyncIterator[Workshop]:
    raise NotSentError("no shop")
    yield  # type: ignore[unreachable]


async def test_refs_are_data() -> None:
    it = Attempt("refs", refs=[MAIN, "refs/heads/none"])
    result = await it.run()
    assert result.data == {"refs": [{"name": MAIN, "oid": OLD}], "head": MAIN, "truncated": False}
    assert (result.upstream_request_id, result.body, it.open) == ("request-1", None, 0)
    assert it.remote.asked == ["git-upload-pack"], "who may only read may read this"


@pytest.mark.parametrize(
    ("what", "params", "asked", "answer"),
    [
        ("advertisement", {"protocol": "version=2"}, "advertise version=2", b"ADVERTISEMENT"),
        ("advertisement", {}, "advertise ", b"ADVERTISEMENT"),
        ("fetch", {"protocol": "version=1", "request": FLUSH}, "upload-pack version=1 b'0000'", b"FETCHED"),
    ],
)
async def test_what_a_git_client_is_told_streams_and_holds_its_connection_until_it_ends(
    what: str, params: JsonObject, asked: str, answer: bytes
) -> None:
    it = Attempt(what, **params)
    result = await it.run()
    assert it.remote.asked == [asked]
    assert result.body is not None
    assert it.open == 1
    assert b"".join([piece async for piece in result.body]) == answer
    assert it.open == 0
    kind = "advertisement" if what == "advertisement" else "result"
    assert (result.media_type, result.data) == (f"application/x-git-upload-pack-{kind}", {})


async def test_an_answer_nobody_reads_lets_go_of_its_connection() -> None:
    it = Attempt("advertisement")
    result = await it.run()
    assert result.body is not None
    await result.body.aclose()
    assert it.open == 0


async def test_refs_to_push_to_are_advertised_by_us_and_without_the_hosts_own() -> None:
    result = await Attempt("push-refs").run()
    assert result.body is not None
    body = b"".join([piece async for piece in result.body])
    assert body.startswith(b"001f# service=git-receive-pack\n0000")
    assert MAIN.encode() in body
    assert b"refs/pull" not in body
    assert result.media_type == "application/x-git-receive-pack-advertisement"


@pytest.mark.parametrize(("what", "words"), [("bundle", "no shop"), ("mirror", "no folder")])
async def test_a_read_that_needs_a_folder_says_so_without_one(what: str, words: str) -> None:
    it = Attempt(what)
    with pytest.raises(NotSentError, match=words):
        await it.run()
    assert it.open == 0


async def test_a_no_of_the_host_goes_up() -> None:
    it = Attempt("refs")

    def forbid() -> None:
        raise UpstreamRefusedError("no", code="forbidden", status=403)

    it.remote.on_refs = forbid
    with pytest.raises(UpstreamRefusedError):
        await it.run()


def test_refs_that_differ_in_case_only_are_told() -> None:
    there = {"refs/heads/Main": OLD, MAIN: OLD, "refs/tags/V1": OLD, "refs/heads/x": OLD}
    assert alike(there, (MAIN, "refs/tags/v1", "refs/heads/y")) == ["refs/heads/Main", "refs/tags/V1"]


MOVES = {
    MAIN: {"old": OLD, "new": NEW},
    "refs/heads/old": {"old": OLD, "new": ZERO},
    "refs/heads/idle": {"old": OLD, "new": OLD},
}


def read(**now: str) -> JsonObject:
    return {"refs": [{"name": f"refs/heads/{name}", "oid": oid} for name, oid in now.items()]}


@pytest.mark.parametrize("idle", [OLD, NEW])
def test_refs_at_their_new_place_prove_a_push(idle: str) -> None:
    settled = settled_push({"repo": "acme/app", "refs": MOVES}, read(main=NEW, idle=idle))
    assert settled is not None
    assert settled.happened
    assert settled.data["confirmed"] == "read-back"
    assert settled.data["refs"][0] == {"name": MAIN, "old": OLD, "new": NEW, "status": "moved"}


@pytest.mark.parametrize("now", [{}, {"main": OLD}, {"main": "c" * 40}, {"main": NEW, "old": OLD}])
def test_refs_anywhere_else_prove_nothing(now: dict[str, str]) -> None:
    assert settled_push({"repo": "acme/app", "refs": MOVES}, read(**now)) is None
