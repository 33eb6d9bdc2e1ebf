"""The tour's story: what an agent without keys can do, cannot do, and must ask for; told step by step and checked.

Each step says what it expected and what happened; a step that did not happen as expected fails the tour.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final

from deploy.tour.code import CodeChapter
from deploy.tour.configuration import AGENT, BUCKET, KEY
from deploy.tour.models import ModelsChapter
from deploy.tour.pulls import PullsChapter
from deploy.tour.stage import CONTENT, Stage
from deploy.tour.step import Said, Step

DENIED: Final = 3
_EXPECTED: Final = frozenset({"intent.succeeded", "intent.denied", "intent.parked", "approval.approved"})


class Story:
    """Plays on a stage.

    Args:
        stage: Where.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._agent = stage.agent("")
        self._session = ""

    def play(self) -> Iterator[Step]:
        """Yield the steps as they happen; stop after one that failed, as the rest would only follow from it."""
        for step in self._steps():
            told = step()
            yield told
            if not told.ok:
                return

    def _steps(self) -> Iterator[Callable[[], Step]]:
        yield from (self._start, self._no_keys, self._read, self._refused)
        approver = self._stage.approver()
        yield from CodeChapter(self._stage, self._agent, approver).steps()
        if self._stage.hub:
            yield from PullsChapter(self._stage, self._stage.hub, self._agent, approver).steps()
        else:
            yield self._no_github
        yield from ModelsChapter(self._stage, self._agent).steps()
        yield from (self._replay, self._verify)

    def _do(self, *arguments: str) -> Said:
        return self._agent.ostiary("do", *arguments, "-o", "json")

    def _start(self) -> Step:
        said = self._stage.operator("session", "start", "--agent", AGENT, "--ttl", "15m", "-o", "json")
        if said.status == 0:
            self._session = said.output["session"]["id"]
            self._agent = self._stage.agent(said.output["token"])
        lines = (f"$ {said.command}", f"session {self._session}; its token is all the agent gets")
        return Step("session", "an operator starts a session for the agent", said.status == 0, lines, {
            "session": self._session, "agent": AGENT,
        })  # fmt: skip

    def _no_keys(self) -> Step:
        environment = self._agent.environment
        text = "\n".join(f"{name}={value}" for name, value in environment.items())
        held = [secret for secret in self._stage.secrets if secret in text]
        names = sorted(environment)
        return Step("no-keys", "the agent's environment holds no key", not held, (
            f"variables: {', '.join(names)}",
            "no AWS secret key, git password, GitHub token or model key is among their values",
        ), {"variables": names, "keys_found": len(held)})  # fmt: skip

    def _read(self) -> Step:
        said = self._do("s3:GetObject", f"Bucket={BUCKET}", f"Key={KEY}")
        body = b""
        if said.status == 0:
            body = base64.b64decode(said.output["result"]["body"]["data"])
        first = body.splitlines()[0].decode() if body else said.error
        return Step("s3-read", "the agent reads an S3 object it may read", body == CONTENT, (
            f"$ {said.command}", f"succeeded: {len(body)} bytes, first line `{first}`",
        ), {"exit": said.status, "bytes": len(body), "state": said.state})  # fmt: skip

    def _refused(self) -> Step:
        said = self._do("s3:DeleteObject", f"Bucket={BUCKET}", f"Key={KEY}")
        objects = self._stage.moto.client().list_objects_v2(Bucket=BUCKET).get("KeyCount")
        return Step("s3-delete", "the agent is refused a delete", said.status == DENIED and objects == 1, (
            f"$ {said.command}", *said.error.splitlines(), "the object is still there",
        ), {"exit": said.status, "objects_left": objects, "told": said.error})  # fmt: skip

    def _no_github(self) -> Step:
        why = self._stage.why_no_hub
        return Step("no-github", "GitHub is left out: its emulator needs Node.js", True, (why,), {"why": why})  # noqa: FBT003 - read beside its siblings

    def _replay(self) -> Step:
        said = self._stage.operator("session", "replay", self._session, "-o", "json")
        events = said.output if isinstance(said.output, list) else []
        kinds = [each["event"] for each in events]
        return Step("replay", "the whole session can be replayed", set(kinds) >= _EXPECTED, (
            f"$ ostiary session replay {self._session}", *_told(events),
        ), {"exit": said.status, "events": kinds})  # fmt: skip

    def _verify(self) -> Step:
        said = self._stage.operator("audit", "verify", "-o", "json")
        report = said.output if isinstance(said.output, dict) else {}
        return Step("audit-verify", "the ledger proves that nothing of this was changed", said.status == 0, (
            "$ ostiary audit verify", f"ok: {report.get('events')} events, root {str(report.get('root', ''))[:16]}…",
        ), {"exit": said.status, **report})  # fmt: skip


def _told(events: list[dict[str, str]]) -> Iterator[str]:
    """Yield the events for people: without beginnings, each of which has an end, and what repeats told once."""
    ends = (each for each in events if each["event"] != "intent.executing")
    for row, same in groupby(f"{each['event']:<18} {each['action']:<28} {each['resource']}" for each in ends):
        times = len(list(same))
        yield row.rstrip() + (f"  ({times} times)" if times > 1 else "")
