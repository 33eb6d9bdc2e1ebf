"""What can be taken back: how much of it is held, and what telling the upstream comes to."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from vault.issuers.minted import Minted, MintKey
from vault.model import CredentialRef, GitHubTokenRequest, Revoked
from vault.revocations import Revocations, counted

REF = CredentialRef("github/app")


def minted(revoke: Any, expires_at_ns: int = 20) -> Minted:
    return Minted(None, expires_at_ns, revoke)  # type: ignore[arg-type]  # the list looks at nothing of it


async def test_the_list_of_what_is_live_is_bounded_and_forgets_what_is_over() -> None:
    told: list[int] = []
    now = 0
    live = Revocations(lambda: now, max_live=4)
    key = MintKey(REF, 1, GitHubTokenRequest("a", ("b",), (("contents", "read"),), "https://x.com"), "a/ses_1")

    def noting(number: int) -> Any:
        def told_of() -> bool:
            told.append(number)
            return True

        return told_of

    for number in range(5):
        live.add(key, minted(noting(number), 10 if number % 2 else 20))
    live.add(key, minted(None))
    live.take_back(minted(None))
    await live.settled(20)
    assert told == [0]
    now = 15  # 1 and 3 are over
    live.add(key, minted(noting(5), 20))
    live.add(key, minted(noting(6), 16))
    now = 17
    assert await counted(live.revoke(lambda _key: True)) == Revoked(3, 0)
    assert sorted(told) == [0, 2, 4, 5]
    await live.settled(0)


async def test_an_upstream_that_fails_or_says_nothing_in_time_counts_as_failed() -> None:
    live, gate = Revocations(lambda: 0), threading.Event()
    key = MintKey(REF, 1, GitHubTokenRequest("a", ("b",), (("contents", "read"),), "https://x.com"), "a/ses_1")

    def broken() -> bool:
        raise ZeroDivisionError

    for act in (lambda: True, lambda: False, broken, lambda: gate.wait(20)):
        live.add(key, minted(act))
    tasks = live.revoke(lambda each: each.session == "ses_1")
    await asyncio.wait(tasks[:3])
    assert await counted(tasks, 0.001) == Revoked(1, 3)
    gate.set()
    await asyncio.wait(tasks)
