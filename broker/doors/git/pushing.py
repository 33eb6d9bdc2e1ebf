"""One push through the door: commands are read here, the rest is the broker's; people are waited for in sight.

 1 read the commands, strictly; what follows them is the pack
 2 submit: the pack is looked into, policy decides ref by ref, people may be asked
 3 answer 200 once the pack has come, and keep the client awake: progress behind ``remote:``, a sign of life else
 4 report: what became of each ref, in git's own form, so that its exit status is that of any push

A client that goes away while people decide changes nothing: the push waits for them, and the next `git push` of the
same refs finds it again, or finds that nothing is left to push.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import Send

from broker.doors.git import words
from broker.doors.git.bodies import Pack, RequestBody
from broker.doors.git.exchange import PackExchange
from broker.model import IntentDraft, IntentState
from broker.outcome import Outcome, Problem, ProblemKind
from connectors.errors import InvalidParamsError, UploadBrokenError
from connectors.git.operations import PUSH
from connectors.git.wire import sideband
from connectors.git.wire.push_request import PushRequest, read_push_request
from connectors.git.wire.report import render_report

MEDIA_TYPE: Final = b"application/x-git-receive-pack-result"
QUIET_SECONDS: Final = 1.0
"""A push that takes longer is told that it is being looked at."""
ALIVE_SECONDS: Final = 5.0
"""Between two signs of life; proxies give a silent connection up after 30 seconds and more."""
REMIND_SECONDS: Final = 30.0
"""Between two lines that say that people are still being waited for."""

_NO_REPORT: Final = "the push asks for no report, so its sender would take silence for success"

Submit = Callable[[IntentDraft, PackExchange, Callable[[Outcome], None]], Awaitable[Outcome]]
"""Hands a push to the broker, with the pack and with whom to tell when people are asked."""


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """How one push is answered.

    Args:
        send: Of the answer.
        submit: Hands it to the broker.
        approvals_url: Where approvals are shown, up to the id.
        rule_of: Returns the rule an approval was asked by, which a push that joins it does not know.
    """

    send: Send
    submit: Submit
    approvals_url: str
    rule_of: Callable[[str], Awaitable[str]]

    async def run(self, repo: str, connection: str, body: RequestBody, *, source_ip: str) -> None:
        """Serve a push.

        Args:
            repo: ``owner/name``, in the spelling the connection takes.
            connection: Name of the connection.
            body: Of the request.
            source_ip: Address it came from.

        Raises:
            InvalidParamsError: its sender would not learn what became of it; a status is all it reads.
        """
        try:
            request, rest = await read_push_request(body.pieces())  # 1
        except (InvalidParamsError, UploadBrokenError) as error:
            await body.drain()
            await self._whole(_refusal(error))
            return
        if not request.updates:  # git asks with nothing whether it may push, before it packs a lot
            await self._whole(b"")
            return
        if not request.wants_report:
            await body.drain()
            raise InvalidParamsError(_NO_REPORT, "use a client that chooses `report-status`")
        deletes = all(each.deletes for each in request.updates)
        draft = IntentDraft(
            PUSH,
            {
                "repo": repo,
                "updates": [{"ref": each.ref, "old": each.old, "new": each.new} for each in request.updates],
                "options": list(request.options),
                **({} if deletes else {"pack": {"upload": {}}}),
            },
            connection=connection,
            source_ip=source_ip,
            joins=True,
        )
        exchange = PackExchange(None if deletes else Pack(rest))
        parked: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        running = asyncio.ensure_future(self.submit(draft, exchange, parked.set_result))  # 2
        try:
            await self._answer(request, body, running, parked)
        finally:
            # The client may be gone; what it asked is not, and has one outcome on the ledger either way.
            if not running.done():
                if parked.done():
                    running.cancel()
                await asyncio.wait({running})
                running.cancelled() or running.exception()  # looked at, so that nobody reports it as lost

    async def _answer(
        self,
        request: PushRequest,
        body: RequestBody,
        running: asyncio.Future[Outcome],
        parked: asyncio.Future[Outcome],
    ) -> None:
        band = _Band(self.send, banded="side-band-64k" in request.capabilities)
        loud = "quiet" not in request.capabilities
        seconds, reminded = QUIET_SECONDS, False
        since = asyncio.get_running_loop().time()
        while not running.done():  # 3
            await asyncio.wait(
                {running} if parked.done() else {running, parked}, timeout=seconds, return_when="FIRST_COMPLETED"
            )
            if running.done() or not body.ended:
                continue
            now = asyncio.get_running_loop().time()
            if parked.done() and not reminded:
                reminded, since = True, now
                await band.say(await self._asking(parked.result()))
            elif parked.done() and now - since >= REMIND_SECONDS:
                since = now
                await band.say(["ostiary: still waiting; Ctrl-C leaves the request open"])
            elif not band.begun and loud:
                await band.say(["ostiary: looking at what would be pushed"])
            else:
                await band.alive()
            seconds = ALIVE_SECONDS
        await body.drain()
        await self._report(request, band, running.result())  # 4

    async def _asking(self, outcome: Outcome) -> list[str]:
        if outcome.state is not IntentState.PENDING_APPROVAL:  # the same push came in before
            return [f"ostiary: {words.pending(outcome, self.approvals_url)}"]
        return [
            f"ostiary: people are asked: {self.approvals_url}/{outcome.approval_id}",
            f"ostiary: rule: {await self.rule_of(outcome.approval_id)}",
            "ostiary: waiting for their answer; Ctrl-C leaves the request open",
        ]

    async def _report(self, request: PushRequest, band: _Band, outcome: Outcome) -> None:
        problem, results = outcome.problem, {each.ref: "" for each in request.updates}
        unpack = ""
        if problem is not None:
            await band.say(words.lines_of(problem))
            results = dict.fromkeys(results, words.short(problem))
            unpack = words.short(problem) if problem.reason == "bad-pack" else ""
        elif outcome.state is not IntentState.SUCCEEDED:
            told = words.pending(outcome, self.approvals_url)
            await band.say(
                [f"ostiary: {told}", "ostiary: push again later: it says up to date once it was carried out"]
            )
            results = dict.fromkeys(results, told)
        elif outcome.replayed:
            # An earlier push of the same was carried out after its client had gone. The refs are back where they were,
            # or this one would not have come so far; its client must not think that it did something.
            await band.say(["ostiary: an earlier push of the same was carried out, and undone since; push again"])
            results = dict.fromkeys(results, "carried out before, and undone since")
        else:
            await band.say(str(outcome.result.get("words", "")).splitlines())
        await band.end(render_report(unpack, results, sideband=band.banded))

    async def _whole(self, body: bytes) -> None:
        headers = [(b"content-type", MEDIA_TYPE), (b"content-length", str(len(body)).encode())]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})


class _Band:
    """The answer of a push while it is made; words go out only to a client that can tell them from the report.

    Args:
        send: Of the answer.
        banded: The client chose ``side-band-64k``.
    """

    def __init__(self, send: Send, *, banded: bool) -> None:
        self._send = send
        self.banded = banded
        self.begun = False

    async def say(self, lines: list[str]) -> None:
        """Show lines to the person in front of the client."""
        if self.banded and lines:
            await self._write(sideband.progress("\n".join(lines)))

    async def alive(self) -> None:
        """Give a sign of life."""
        if self.banded:
            await self._write(sideband.KEEP_ALIVE)

    async def end(self, report: bytes) -> None:
        """Send the report, and nothing after it."""
        await self._begin()
        await self._send({"type": "http.response.body", "body": report, "more_body": False})

    async def _write(self, data: bytes) -> None:
        await self._begin()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _begin(self) -> None:
        if not self.begun:
            self.begun = True
            headers = [(b"content-type", MEDIA_TYPE)]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})


def _refusal(error: InvalidParamsError | UploadBrokenError) -> bytes:
    """Return the answer to what is no push: a fatal error, which every client of today can read."""
    fix = error.fix if isinstance(error, InvalidParamsError) else ""
    problem = Problem(ProblemKind.INVALID_PARAMS, str(error), fix=fix)
    return sideband.progress("\n".join(words.lines_of(problem))) + sideband.fatal("the push was not taken")
