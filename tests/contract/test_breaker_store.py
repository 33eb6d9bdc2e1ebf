"""What processes tell each other of circuit breakers, on every database it runs on."""

from __future__ import annotations

import asyncio

import pytest

from broker.errors import ConflictError
from broker.limits.breaker_store import SqlBreakers, opening, resetting
from broker.limits.runs import News, Standing, Tally
from broker.store.base import EventType
from broker.store.database import Database, open_database
from tests.parts.ledgers import change, running

NOW = 10**18
KEYS = ("session/ses_a", "connection/lake/aws/prod")


async def test_what_many_tell_at_once_is_summed(database: Database) -> None:
    second = open_database(database.url.render_as_string(hide_password=False))
    stores = [SqlBreakers(database), SqlBreakers(second)]
    news = {key: News(Tally(1, {"d": 1}, "429", "ci", "web"), failed_at_ns=NOW) for key in KEYS}
    backwards = {key: news[key] for key in reversed(KEYS)}
    told = [stores[number % 2].tell(news if number % 3 else backwards, NOW + number) for number in range(40)]
    await asyncio.gather(*told)
    for standing in await stores[0].read(NOW):
        assert standing.tally == Tally(40, {"d": 40}, "429", "ci", "web")
    assert len(await stores[1].read(NOW + 100, KEYS[:1])) == 1
    assert await stores[1].read(NOW + 100) == []
    second.close()


async def test_one_of_many_opens_a_breaker_and_a_reset_forgets_it(database: Database) -> None:
    store, key = SqlBreakers(database), KEYS[0]
    await store.tell({key: News(Tally(5, {"d": 5}, "429"), failed_at_ns=NOW)}, NOW)
    async with running(database) as one, running(database) as two:
        opened = Standing(key).opened(NOW + 1)
        tries = [
            each.commit(change(opening(opened), kind=EventType.BREAKER_OPENED)) for each in (one, two) for _ in "ab"
        ]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(answer, ConflictError) for answer in answers) == 3
        [stored] = await store.read(NOW)
        assert (stored.openings, stored.open_until_ns, stored.tally.failures) == (1, opened.open_until_ns, 5)
        await one.commit(change(resetting(stored, NOW + 2), kind=EventType.BREAKER_RESET))
        [stored] = await store.read(NOW)
        assert stored == Standing(key, updated_at_ns=NOW + 2, reset_at_ns=NOW + 2)
        with pytest.raises(ConflictError):
            await one.commit(change(resetting(Standing("session/none"), NOW), kind=EventType.BREAKER_RESET))


async def test_what_is_old_and_not_open_is_forgotten(database: Database) -> None:
    store = SqlBreakers(database)
    news = News(Tally(1, {"d": 1}), failed_at_ns=NOW)
    await store.tell({KEYS[0]: news}, NOW)
    await store.tell({KEYS[1]: news}, NOW + 9)
    await store.expire(NOW + 5)
    assert [each.key for each in await store.read(0)] == [KEYS[1]]
