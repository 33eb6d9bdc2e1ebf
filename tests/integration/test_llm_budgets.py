"""What may be spent, end to end: nothing beyond it, however many ask at once and at however many processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.parts.llm_house import ModelHouse
from tests.parts.llm_limits import ASK, CALL_TOKENS, CROWD, EXACT, MODEL, alerts_of, budgets_of, limits_house
from tests.parts.llm_processes import more_apis
from tests.parts.llm_providers import Providers
from tests.parts.llm_raw import Answered, crowd, send, written
from tests.parts.llm_script import Provider, Step
from tests.parts.postgres import start_postgres
from tests.parts.up import eventually

CALLERS = 1_000
"""Calls at once, against a budget for a tenth of them."""
SESSIONS = 4
MANY = {
    "OSTIARY_MAX_CONCURRENT_PER_SESSION": str(CALLERS),
    "OSTIARY_MAX_CONCURRENT_INTENTS": str(CALLERS),
    "OSTIARY_WIRE_APPROVAL_WAIT_SECONDS": "1",
}
TOKENS = f", budget: {{max_tokens_per_day: {CROWD * CALL_TOKENS}, mode: strict}}"
BOTH = TOKENS.removesuffix("}") + f', max_actions: [{{actions: "llm:InvokeModel", per: day, max: {CROWD}}}]}}'
AGENTS = {
    "daily": f", budget: {{max_tokens_per_day: {5 * CALL_TOKENS}, mode: strict, alert_at: 80%}}",
    "asker": (
        f", budget: {{max_tokens_per_session: {CALL_TOKENS}, mode: strict, on_exceed: ask, ask: {{extra: 100%}}}}"
    ),
    "pauser": "",
    "starter": ", budget: {max_sessions_per_day: 2}",
    "crowd": BOTH,
}
PROJECTS = {
    "pauser": f", project_budget: {{daily_tokens: {2 * CALL_TOKENS}, mode: strict, on_exceed: pause_and_alert}}"
}
UNIFIED = "anthropic-ratelimit-unified"


@pytest.fixture(scope="module")
def running() -> Iterator[ModelHouse]:
    with Providers() as providers, limits_house(providers, AGENTS, PROJECTS, settings=MANY) as house:
        yield house


@pytest.fixture
def house(running: ModelHouse) -> Iterator[ModelHouse]:
    fresh(running)
    yield running
    assert running.up.process.poll() is None


def fresh(house: ModelHouse) -> None:
    house.providers.requests.clear()
    for provider in Provider:
        house.providers.always(provider, Step(reply=EXACT))


def ask(house: ModelHouse, token: str) -> Answered:
    return send(house.port, written("/v1/messages", token, ASK))


@pytest.mark.req("L1", "L3")
def test_a_budget_of_a_day_warns_refuses_in_every_form_and_tells_people_once_for_each_threshold(
    house: ModelHouse,
) -> None:
    token = house.begin("daily")
    answers = [ask(house, token) for _ in range(4)]
    assert [each.status for each in answers] == [200] * 4
    assert answers[0].headers[f"{UNIFIED}-status"] == "allowed"
    [alert] = alerts_of(house, "budget", "daily", 1)
    assert (alert["agent"], alert["facts"]["threshold"]) == ("daily", 80)
    # What is left is remembered for a moment; another session of the agent is told afresh.
    last = ask(house, house.begin("daily"))
    assert (last.status, last.headers[f"{UNIFIED}-status"]) == (200, "allowed_warning")
    claim = last.headers[f"{UNIFIED}-representative-claim"]
    assert last.headers[f"{UNIFIED}-{({'five_hour': '5h', 'seven_day': '7d'})[claim]}-utilization"] == "0.80"
    refused_as_anthropic(house)
    refused_as_openai(house)
    assert len(house.providers.requests) == 5
    thresholds = [each["facts"]["threshold"] for each in alerts_of(house, "budget", "daily", 2)]
    assert sorted(thresholds) == [80, 100]


def refused_as_anthropic(house: ModelHouse) -> None:
    with (
        anthropic.Anthropic(api_key=house.begin("daily"), base_url=house.url, max_retries=3) as claude,
        pytest.raises(anthropic.RateLimitError) as spent,
    ):
        claude.messages.create(model=MODEL, max_tokens=16, messages=[{"role": "user", "content": "hi"}])
    error, headers = spent.value.body["error"], spent.value.response.headers  # type: ignore[index]
    assert error["type"] == "billing_error"
    resets_at = budgets_of(house, agent="daily")["max_tokens_per_day"]["resets_at"]
    assert all(word in error["message"] for word in ("max_tokens_per_day", "agent `daily`", resets_at))
    assert (headers["x-should-retry"], headers[f"{UNIFIED}-status"]) == ("false", "rejected")
    assert headers["x-ostiary-problem"] == "budget-exceeded"


def refused_as_openai(house: ModelHouse) -> None:
    with (
        openai.OpenAI(api_key=house.begin("daily"), base_url=f"{house.url}/v1", max_retries=3) as gpt,
        pytest.raises(openai.RateLimitError) as spent,
    ):
        gpt.chat.completions.create(model="gpt-5", max_tokens=16, messages=[{"role": "user", "content": "hi"}])
    assert (spent.value.type, spent.value.code) == ("insufficient_quota", "insufficient_quota")
    assert "max_tokens_per_day" in str(spent.value)


@pytest.mark.req("L1", "H1")
def test_who_asks_for_more_waits_for_people_and_their_yes_lets_the_same_request_through(house: ModelHouse) -> None:
    token = house.begin("asker")
    assert ask(house, token).status == 200
    parked = ask(house, token)
    assert (parked.status, parked.json["error"]["type"]) == (403, "permission_error")
    assert len(house.providers.requests) == 1
    [approval] = house.call("GET", "/v1/approvals?state=pending", token)[1]["approvals"]
    assert approval["id"] in parked.json["error"]["message"]
    assert str(CALL_TOKENS) in approval["summary"]
    assert house.call("POST", f"/v1/approvals/{approval['id']}/approve", house.alice, {"reason": "once"})[0] == 200
    eventually(lambda: len(house.providers.requests) == 2)
    house.outcome(token)
    again = ask(house, token)
    assert (again.status, again.json["type"]) == (200, "message")
    assert len(house.providers.requests) == 2
    stands = budgets_of(house, session=house.session_of(token))["max_tokens_per_session"]
    assert (stands["used"], stands["reserved"], stands["granted"]) == (2 * CALL_TOKENS, 0, CALL_TOKENS)


@pytest.mark.req("L1", "S2")
def test_a_project_that_spent_its_day_is_paused_until_it_is_given_more_and_resumed(house: ModelHouse) -> None:
    token = house.begin("pauser")
    kinds = [ask(house, token).kind for _ in range(4)]
    assert kinds == ["", "", "budget-exceeded", "halted"]
    assert len(house.providers.requests) == 2
    status, refused = house.call("POST", "/v1/sessions", house.admin, {"agent": "pauser"})
    assert (status, refused["type"]) == (403, "urn:ostiary:problem:halted")
    assert alerts_of(house, "budget", "of-pauser", 1)
    key = budgets_of(house, project="of-pauser")["daily_tokens"]["key"]
    house.up.answer("budget", "grant", key, "--extra", str(CALL_TOKENS), "--reason", "worth it")
    assert ask(house, token).kind == "halted"
    house.up.answer("resume", "project", "of-pauser", "--reason", "it has more now")
    eventually(lambda: ask_once_lifted(house, token))
    assert len(house.providers.requests) == 3


def ask_once_lifted(house: ModelHouse, token: str) -> bool:
    answer = ask(house, token)
    assert answer.kind in {"", "halted"}
    return answer.status == 200


@pytest.mark.req("L1")
def test_the_third_session_of_a_day_for_two_is_not_started(house: ModelHouse) -> None:
    for _ in range(2):
        house.begin("starter")
    status, refused = house.call("POST", "/v1/sessions", house.admin, {"agent": "starter"})
    assert (status, refused["type"]) == (429, "urn:ostiary:problem:budget-exceeded")
    assert refused["budget"] == "max_sessions_per_day"
    assert budgets_of(house, agent="starter")["max_sessions_per_day"]["used"] == 2


async def spend(house: ModelHouse, agent: str, ports: list[int]) -> None:
    """Let a thousand calls of an agent come at once; what it may spend is spent, and no call more is made."""
    tokens = [house.begin(agent) for _ in range(SESSIONS)]
    each_port = CALLERS // len(ports)
    answers = await crowd({
        port: [written("/v1/messages", tokens[number % SESSIONS], ASK) for number in range(each_port)]
        for port in ports
    })  # fmt: skip
    done = [each for each in answers if each.status == 200]
    assert {(each.status, each.kind) for each in answers if each.status != 200} == {(429, "budget-exceeded")}
    assert (len(answers), len(done), len(house.providers.requests)) == (CALLERS, CROWD, CROWD)
    for stands in budgets_of(house, agent=agent).values():
        most = CROWD * CALL_TOKENS if stands["unit"] == "tokens" else CROWD
        assert (stands["cap"], stands["used"], stands["reserved"]) == (most, most, 0)
    spent: dict[str, Any] = house.up.answer("usage", "--agent", agent)["total"]
    assert (spent["calls"], spent["estimated_calls"]) == (CROWD, 0)
    assert spent["input_tokens"] + spent["output_tokens"] == CROWD * CALL_TOKENS


@pytest.mark.req("L1")
async def test_of_a_thousand_calls_at_once_exactly_the_hundred_that_fit_are_made(house: ModelHouse) -> None:
    await spend(house, "crowd", [house.port])


@pytest.mark.req("L1", "O1")
async def test_of_a_thousand_calls_at_four_processes_on_postgresql_exactly_a_hundred_are_made(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    agents = {"by-tokens": TOKENS, "crowd": BOTH}
    with (
        start_postgres(tmp_path_factory.mktemp("postgres")) as database,
        Providers() as providers,
        limits_house(providers, agents, settings={**MANY, "OSTIARY_DATABASE_URL": database}) as house,
        more_apis(house.up, 3) as ports,
    ):
        for agent in agents:
            fresh(house)
            await spend(house, agent, [house.port, *ports])
        assert house.up.answer("audit", "verify")["ok"]
