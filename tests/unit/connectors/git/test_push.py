from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.errors import ConnectorError, NotSentError, OutcomeUnknownError, UpstreamRefusedError
from connectors.git.advertisement import Advertisement
from connectors.git.config import Upstream
from connectors.git.process import GitPrograms
from connectors.git.push import Push, PushOrder, _refspecs
from connectors.git.workshop import Workshop, open_workshop

OLD, NEW = "a" * 40, "b" * 40
A, B = "refs/heads/a", "refs/heads/b"


def advert(refs: Mapping[str, str], *capabilities: str) -> Advertisement:
    return Advertisement(refs, "", frozenset(capabilities), "")


@dataclass
class Host:
    """Answers with the next of what it is given, and opens no workshop."""

    answers: list[Advertisement | ConnectorError]
    workshops: tuple[Workshop, ...] = ()
    opened: int = 0

    async def ask(self) -> Advertisement:
        answer = self.answers.pop(0)
        if isinstance(answer, ConnectorError):
            raise answer
        return answer

    @asynccontextmanager
    async def open_shop(self) -> AsyncIterator[Workshop]:
        self.opened += 1
        for workshop in self.workshops:
            yield workshop
            return
        raise NotSentError("no workshop in this test")


def push(host: Host, *refs: str, expected: Mapping[str, str] | None = None) -> Push:
    return Push(PushOrder(dict.fromkeys(refs, NEW), expected or {}, (), b""), host.ask, host.open_shop)


async def test_refs_that_are_where_they_should_be_need_no_push() -> None:
    host = Host([advert({A: NEW})])
    result = await push(host, A, expected={A: OLD}).run()
    assert result.data == {"refs": [{"name": A, "old": NEW, "new": NEW, "status": "up to date"}], "confirmed": "read"}
    assert host.opened == 0


async def test_a_list_of_refs_that_is_cut_means_nothing_was_pushed() -> None:
    with pytest.raises(NotSentError, match="nothing was pushed"):
        await push(Host([OutcomeUnknownError("cut")]), A).run()


async def test_a_host_that_cannot_move_refs_together_gets_them_one_by_one_or_not_at_all() -> None:
    host = Host([advert({}), advert({})])
    with pytest.raises(UpstreamRefusedError) as caught:
        await push(host, A, B).run()
    assert caught.value.code == "no-atomic"
    assert host.opened == 0
    with pytest.raises(NotSentError, match="no workshop"):
        await push(host, A).run()


@pytest.mark.parametrize("now", [{}, {A: "c" * 40}])
async def test_a_ref_that_is_not_where_it_was_expected_is_stale(now: dict[str, str]) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await push(Host([advert(now)]), A, expected={A: OLD}).run()
    assert caught.value.code == "stale"


@pytest.mark.parametrize("again", [advert({}), advert({A: OLD}), NotSentError("gone"), OutcomeUnknownError("cut")])
async def test_what_cannot_be_proven_by_reading_back_stays_unknown(again: Advertisement | ConnectorError) -> None:
    with pytest.raises(OutcomeUnknownError, match="without a report"):
        await push(Host([again]), A)._settle({A: NEW}, "words")


async def test_what_is_proven_by_reading_back_is_told() -> None:
    assert await push(Host([advert({A: NEW})]), A)._settle({A: NEW}, "words") == "read-back"


@asynccontextmanager
async def scripted(folder: Path, cases: str) -> AsyncIterator[Workshop]:
    """A workshop whose git is a script that looks at its subcommand."""
    git = folder / "git"
    git.write_text(f'#!/bin/sh\ncase "$1" in\n{cases}\nesac\n')
    git.chmod(0o700)
    upstream = Upstream("https://git.test/a/b.git", "")
    async with open_workshop(GitPrograms(str(git)), folder, upstream, "Bearer tok-1") as shop:
        yield shop


FOUND = f"cat-file) echo {OLD} commit; echo {NEW} commit ;;"


@pytest.mark.parametrize(
    ("cases", "error", "words"),
    [
        ("fetch) echo no tok-1 >&2; exit 1 ;;", NotSentError, r"fetching failed: no \[redacted\]"),
        (f"cat-file) echo {OLD} missing ;;", UpstreamRefusedError, "not at the commit it was expected at"),
        (f"index-pack) exit 1 ;; {FOUND}", UpstreamRefusedError, "not sound"),
        (f"merge-base) exit 128 ;; {FOUND}", NotSentError, "history cannot be read"),
        (f"merge-base) exit 1 ;; {FOUND}", UpstreamRefusedError, "does not build on"),
        (f"push) exit 1 ;; {FOUND}", OutcomeUnknownError, "without a report"),
    ],
)
async def test_each_step_that_fails_ends_the_push(
    tmp_path: Path, cases: str, error: type[ConnectorError], words: str
) -> None:
    async with scripted(tmp_path, cases) as shop:
        host = Host([advert({A: OLD}), advert({A: OLD})], (shop,))
        with pytest.raises(error, match=words):
            await push(host, A).run()
    assert len(host.answers) == (0 if error is OutcomeUnknownError else 1), "only an unclear push is read back"


async def test_a_git_that_is_killed_while_it_pushes_leaves_it_unknown_or_proven(tmp_path: Path) -> None:
    async with scripted(tmp_path, f"push) kill -9 $$ ;; {FOUND}") as shop:
        with pytest.raises(OutcomeUnknownError):
            await push(Host([advert({A: OLD}), advert({A: OLD})], (shop,)), A).run()
        result = await push(Host([advert({A: OLD}), advert({A: NEW})], (shop,)), A).run()
    assert result.data["confirmed"] == "read-back"


def test_a_name_of_the_host_that_git_could_misread_is_fetched_by_the_wildcard() -> None:
    assert _refspecs([OLD], {"refs/heads/main": OLD}) == [f"+refs/heads/main:refs/upstream/{OLD}"]
    for name in ("refs/heads/x:refs/heads/main", "refs/heads/*", "refs/heads/x\\xff", "refs/pull/1/head"):
        assert _refspecs([OLD], {name: OLD})[0] == "+refs/heads/*:refs/upstream/heads/*"
