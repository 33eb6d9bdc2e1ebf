"""Loops that cannot run away: the breaker, rates and the kill switch, between unmodified clients and a provider."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from broker.limits.runs import SESSION_FAILURES
from tests.parts.llm_house import ModelHouse
from tests.parts.llm_limits import ASK, EXACT, MODEL, STREAM, alerts_of, limits_house
from tests.parts.llm_providers import Providers
from tests.parts.llm_raw import Answered, Listener, crowd, written
from tests.parts.llm_script import Provider, Reply, Step
from tests.parts.up import eventually

CALLS = 73
"""Of the loop in the brief."""
TURN: Any = [{"role": "user", "content": "fix the build"}]
STREAMS, OTHERS = 60, 6
WITHIN_SECONDS = 2.0
"""The promise is one second; a machine that runs other tests beside is given more."""
AGENTS = {
    "looper": "",
    "pair-looper": "",
    "patient": (
        ", rate_limits: {max_requests_per_minute: 60, burst: 2, on_exceed: throttle_and_alert, max_delay: 1500ms}"
    ),
    "crowded": ", rate_limits: {max_concurrent: 1}",
    "runaway": "",
    "bystander": "",
}


@pytest.fixture(scope="module")
def running() -> Iterator[ModelHouse]:
    many = {"OSTIARY_MAX_CONCURRENT_PER_SESSION": "500", "OSTIARY_MAX_CONCURRENT_INTENTS": "500"}
    with Providers() as providers, limits_house(providers, AGENTS, settings=many) as house:
        yield house


@pytest.fixture
def house(running: ModelHouse) -> Iterator[ModelHouse]:
    running.providers.requests.clear()
    running.providers.reply = EXACT
    yield running
    for provider in Provider:
        running.providers.always(provider, Step())
    assert running.up.process.poll() is None


def loop(house: ModelHouse, token: str, calls: int = CALLS) -> list[anthropic.APIStatusError | None]:
    """Call again and again, as a loop does that does not look at what it is told; None is a call that succeeded."""
    found: list[anthropic.APIStatusError | None] = []
    with anthropic.Anthropic(api_key=token, base_url=house.url, max_retries=0) as claude:
        for _ in range(calls):
            try:
                claude.messages.create(model=MODEL, max_tokens=16, messages=TURN)
                found.append(None)
            except anthropic.APIStatusError as error:
                found.append(error)
    return found


def problem_of(error: anthropic.APIStatusError | None) -> str:
    return error.response.headers.get("x-ostiary-problem", "") if error else "none"


@pytest.mark.req("L2", "L3")
@pytest.mark.parametrize(("agent", "upstreams"), [("looper", 1), ("pair-looper", 2)])
def test_of_73_calls_that_are_all_refused_five_go_out_and_one_alert_is_raised(
    house: ModelHouse, agent: str, upstreams: int
) -> None:
    for provider in (Provider.ANTHROPIC, Provider.BEDROCK):
        house.providers.always(provider, Step(status=429, headers={"retry-after": "1"}))
    token = house.begin(agent)
    told = loop(house, token)
    assert [problem_of(each) for each in told[SESSION_FAILURES:]] == ["breaker-open"] * (CALLS - SESSION_FAILURES)
    assert {problem_of(each) for each in told[:SESSION_FAILURES]}.isdisjoint({"none", "breaker-open"})
    assert len(house.providers.requests) == SESSION_FAILURES * upstreams <= 10
    last = told[-1]
    assert last is not None
    assert (last.status_code, last.response.headers["x-should-retry"]) == (429, "false")
    assert last.body["error"]["type"] == "rate_limit_error"  # type: ignore[index]
    key = f"session/{house.session_of(token)}"
    [alert] = alerts_of(house, "breaker", agent, 1)
    assert (alert["agent"], alert["count"]) == (agent, 1)
    [opened] = house.events(token, "breaker.opened")
    assert opened["data"]["breaker"] == key
    assert opened["data"]["last_status"] == "429"
    before = len(house.providers.requests)
    done = house.up.cli("breaker", "reset", key, "--reason", "the quota was raised")
    assert done.returncode == 0, done.stderr
    house.providers.always(Provider.ANTHROPIC, Step())
    assert loop(house, token, 2) == [None, None]
    assert len(house.providers.requests) == before + 2
    assert [each["kind"] for each in alerts_of(house, "breaker", agent, 1)] == ["breaker"]
    assert len(house.events(token, "breaker.opened")) == 1


@pytest.mark.req("L2")
async def test_too_many_a_minute_wait_for_their_turn_and_those_beyond_are_told_when_to_come(house: ModelHouse) -> None:
    token = house.begin("patient")
    answers = await crowd({house.port: [written("/v1/messages", token, ASK)] * 8})
    done = [each for each in answers if each.status == 200]
    refused = [each for each in answers if each.status != 200]
    assert len(done) == len(house.providers.requests)
    assert 3 <= len(done) < 8
    for each in refused:
        assert (each.status, each.kind, each.json["error"]["type"]) == (429, "rate-limited", "rate_limit_error")
        assert 1 <= int(each.headers["retry-after"]) <= 60
        assert each.headers["ratelimit-policy"].startswith('"requests";q=60;w=60')
        assert "r=0" in each.headers["ratelimit"]
        assert "x-should-retry" not in each.headers
    waited = [each["data"].get("throttled_ms", 0) for each in house.events(token, "intent.executing")]
    assert max(waited) >= 500
    assert alerts_of(house, "rate", "patient", 1)


@pytest.mark.req("L2")
async def test_of_two_at_once_where_one_may_be_the_other_is_told_to_wait(house: ModelHouse) -> None:
    token, gate = house.begin("crowded"), house.providers.gate()
    house.providers.script(Provider.ANTHROPIC, Step(first_byte=gate))
    first = Listener(house.port, written("/v1/messages", token, ASK))
    await until(gate.reached.is_set)
    [second] = await crowd({house.port: [written("/v1/messages", token, ASK)]})
    assert (second.status, second.kind) == (429, "too-busy")
    assert len(house.providers.requests) == 1
    gate.release()
    assert (await first.answer()).status == 200
    [third] = await crowd({house.port: [written("/v1/messages", token, ASK)]})
    assert third.status == 200


async def until(true: Any) -> None:
    await asyncio.to_thread(eventually, true)


def begun(stream: Listener) -> bool:
    return b"content_block_delta" in stream.raw


@pytest.mark.req("S2")
async def test_killing_an_agent_cuts_its_sixty_streams_and_nobody_elses(house: ModelHouse) -> None:
    gate = house.providers.gate()
    house.providers.always(Provider.ANTHROPIC, Step(drip=gate, reply=Reply(text="word " * 600, input_tokens=10)))
    tokens = [house.begin("runaway") for _ in range(3)]
    other = house.begin("bystander")
    streams = [Listener(house.port, written("/v1/messages", tokens[n % 3], STREAM)) for n in range(STREAMS)]
    others = [Listener(house.port, written("/v1/messages", other, STREAM)) for _ in range(OTHERS)]

    def all_begun() -> bool:
        gate.release(STREAMS)
        return all(begun(each) for each in (*streams, *others))

    await until(all_begun)
    since = time.monotonic()
    asked = {"scope": "agent", "name": "runaway", "reason": "it ran away"}
    status, stopped = await asyncio.to_thread(house.call, "POST", "/v1/halts", house.alice, asked)
    answers = [await each.answer() for each in streams]
    took = time.monotonic() - since
    assert (status, stopped["report"]["calls"], stopped["report"]["sessions"]["count"]) == (201, STREAMS, 3)
    assert not [each for each in answers if each.whole or b"message_stop" in each.body]
    assert took < WITHIN_SECONDS
    before = len(house.providers.requests)
    late = await crowd({house.port: [written("/v1/messages", each, ASK) for each in tokens]})
    assert {each.status for each in late} <= {401, 403}
    assert len(house.providers.requests) == before == STREAMS + OTHERS
    await until(lambda: len(outcomes(house)) == STREAMS)
    assert_estimated(house)
    gate.release(OTHERS * 700)
    assert [ended_well(await each.answer()) for each in others] == [True] * OTHERS


def ended_well(answer: Answered) -> bool:
    return answer.status == 200 and answer.whole and b"message_stop" in answer.body


def outcomes(house: ModelHouse) -> list[dict[str, Any]]:
    ends = {"intent.succeeded", "intent.failed", "intent.cancelled", "intent.unknown"}
    _, page = house.call("GET", "/v1/events?agent=runaway&limit=1000", house.admin)
    return [each["event"] for each in page["events"] if each["event"]["type"] in ends]


def assert_estimated(house: ModelHouse) -> None:
    found = outcomes(house)
    assert len({each["intent_id"] for each in found}) == STREAMS
    for each in found:
        usage = each["data"]["usage"]
        assert (each["type"] != "intent.succeeded", usage["usage_estimated"]) == (True, True)
        assert usage["nano_dollars"] > 0
    rows = house.up.answer("usage", "--agent", "runaway", "--by", "agent")["rows"]
    assert [(row["spent"]["calls"], row["spent"]["estimated_calls"]) for row in rows] == [(STREAMS, STREAMS)]
