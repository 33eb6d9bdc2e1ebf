"""Unmodified SDKs of Anthropic and OpenAI through the whole of Ostiary, against providers that fail as real ones do.

What a request costs stands on the ledger as its client was told it; no provider ever sees a session token, no client a
provider's key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.parts.llm_house import ModelHouse, model_house
from tests.parts.llm_providers import KEYS, Providers
from tests.parts.llm_script import Fault, Provider, Reply, Step
from tests.parts.up import eventually

pytestmark = pytest.mark.req("A5")

MODEL = "claude-opus-4-8"
ASK: Any = [{"role": "user", "content": "hi"}]
BASH = {"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}
TEXT = "hello from the fake provider"


@pytest.fixture(scope="module")
def running() -> Iterator[ModelHouse]:
    with Providers() as providers, model_house(providers) as house:
        yield house


@pytest.fixture
def house(running: ModelHouse) -> Iterator[ModelHouse]:
    providers = running.providers
    providers.requests.clear()
    providers.reply, providers.command = Reply(), ""
    yield running
    seen = b"".join(json.dumps(dict(each.headers)).encode() + each.body for each in providers.requests)
    assert b"ost_s_" not in seen, "a session token went to a provider"
    assert running.up.process.poll() is None


@pytest.fixture
def token(house: ModelHouse) -> str:
    return house.begin()


@pytest.fixture
def claude(house: ModelHouse, token: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=token, base_url=house.url, max_retries=2) as client:
        yield client


@pytest.fixture
def gpt(house: ModelHouse, token: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=token, base_url=f"{house.url}/v1", max_retries=2) as client:
        yield client


def ask(claude: anthropic.Anthropic, model: str = MODEL, **more: Any) -> Any:
    return claude.messages.create(model=model, max_tokens=64, messages=ASK, **more)


def streamed(claude: anthropic.Anthropic, **more: Any) -> Any:
    with claude.messages.stream(model=MODEL, max_tokens=64, messages=ASK, **more) as stream:
        return stream.get_final_message()


def usage_of(house: ModelHouse, token: str) -> dict[str, Any]:
    return dict(house.outcome(token)["data"]["usage"])


def test_claude_answers_and_what_it_cost_is_on_the_ledger(
    house: ModelHouse, claude: anthropic.Anthropic, token: str
) -> None:
    answer = ask(claude)
    assert answer.content[0].text == TEXT
    spent = usage_of(house, token)
    assert (spent["model"], spent["upstream"]) == ("anthropic/claude-opus-4-8", "anthropic")
    assert (spent["input_tokens"], spent["output_tokens"], spent["cache_read_tokens"]) == (1242, 17, 1000)
    assert spent["nano_dollars"] == 2_385_000
    assert spent["prices"]
    (sent,) = house.providers.requests
    assert sent.headers["x-api-key"] == KEYS[Provider.ANTHROPIC]
    assert "authorization" not in sent.headers


def test_a_stream_arrives_event_by_event_and_is_metered(
    house: ModelHouse, claude: anthropic.Anthropic, token: str
) -> None:
    gate = house.providers.gate()
    house.providers.script(Provider.ANTHROPIC, Step(drip=gate))
    gate.release(4)  # what stands before content is held back, and comes with the first pieces of it
    with claude.messages.create(model=MODEL, max_tokens=64, messages=ASK, stream=True) as stream:
        got = [event.type for event in _released(stream, gate)]
    assert got[0] == "message_start"
    assert got[-1] == "message_stop"
    assert usage_of(house, token)["nano_dollars"] == 2_385_000


def _released(stream: Any, gate: Any) -> Iterator[Any]:
    """Let one event of the provider go after each that arrived."""
    for event in stream:
        gate.release()
        yield event


def test_an_agents_loop_with_a_tool_runs_to_its_end(house: ModelHouse, claude: anthropic.Anthropic) -> None:
    house.providers.command = "echo proof"
    tools: Any = [BASH]
    first = streamed(claude, tools=tools)
    call = first.content[-1]
    assert (call.name, call.input["command"], first.stop_reason) == ("Bash", "echo proof", "tool_use")
    result = [{"type": "tool_result", "tool_use_id": call.id, "content": "proof"}]
    turns: Any = [*ASK, {"role": "assistant", "content": first.content}, {"role": "user", "content": result}]
    second = claude.messages.create(model=MODEL, max_tokens=64, messages=turns, tools=tools)
    assert second.stop_reason == "end_turn"


def test_tokens_are_counted_for_nothing_and_models_listed_as_far_as_policy_allows(
    house: ModelHouse, claude: anthropic.Anthropic, gpt: openai.OpenAI, token: str
) -> None:
    assert claude.messages.count_tokens(model=MODEL, messages=ASK).input_tokens > 1
    assert "usage" not in house.outcome(token)["data"]
    names = [model.id for model in claude.models.list()]
    assert MODEL in names
    assert not [name for name in names if name.startswith("claude-haiku")]
    assert "gpt-5" in [model.id for model in gpt.models.list()]


def test_batches_and_other_unmetered_roads_are_closed(
    house: ModelHouse, claude: anthropic.Anthropic, gpt: openai.OpenAI
) -> None:
    batch: Any = [{"custom_id": "a", "params": {"model": MODEL, "max_tokens": 5, "messages": ASK}}]
    with pytest.raises(anthropic.APIStatusError):
        claude.messages.batches.create(requests=batch)
    with pytest.raises(openai.APIStatusError):
        gpt.embeddings.create(model="text-embedding-3-small", input="hi")
    with pytest.raises(openai.APIStatusError):
        gpt.files.list()
    assert house.providers.requests == []


def test_a_denied_model_is_one_request_with_the_rule_and_nothing_upstream(
    house: ModelHouse, claude: anthropic.Anthropic, gpt: openai.OpenAI
) -> None:
    with pytest.raises(anthropic.PermissionDeniedError) as denied:
        ask(claude, "claude-haiku-4-5")
    assert "no-haiku" in str(denied.value)
    with pytest.raises(openai.APIStatusError) as refused:
        gpt.chat.completions.create(model="gpt-4.1", messages=ASK)
    assert "gpt-4.1" in str(refused.value)
    assert house.providers.requests == []


def test_a_token_that_is_none_is_refused_before_anything_is_read(house: ModelHouse) -> None:
    with (
        anthropic.Anthropic(api_key="ost_s_wrong", base_url=house.url, max_retries=3) as client,
        pytest.raises(anthropic.AuthenticationError),
    ):
        ask(client)
    assert house.providers.requests == []


@pytest.mark.parametrize("step", [
    Step(status=529), Step(status=500), Step(status=401), Step(status=404), Step(status=429),
    Step(fault=Fault.NO_ANSWER), Step(fault=Fault.ERROR_BEFORE_CONTENT), Step(fault=Fault.CUT_BEFORE_CONTENT),
], ids=str)  # fmt: skip
def test_bedrock_answers_when_anthropic_gives_nothing_worth_having(
    house: ModelHouse, claude: anthropic.Anthropic, token: str, step: Step
) -> None:
    house.providers.script(Provider.ANTHROPIC, step)
    answer = streamed(claude)
    assert answer.content[0].text == TEXT
    assert [each.path.partition("?")[0].rsplit("/", 1)[-1] for each in house.providers.requests] == [
        "messages", "invoke-with-response-stream",
    ]  # fmt: skip
    event = house.outcome(token)
    assert event["data"]["usage"]["upstream"] == "bedrock"
    assert len(event["data"]["tried"]) == 1


def test_an_error_after_content_is_the_clients_to_see_and_nobody_else_is_asked(
    house: ModelHouse, claude: anthropic.Anthropic, token: str
) -> None:
    for fault in (Fault.ERROR_AMID_CONTENT, Fault.CUT_AMID_CONTENT, Fault.TRUNCATED):
        house.providers.requests.clear()
        house.providers.script(Provider.ANTHROPIC, Step(fault=fault))
        with pytest.raises(Exception) as seen:  # noqa: PT011 - an error of the SDK's or of the connection below it
            streamed(claude)
        assert not isinstance(seen.value, AssertionError)
        assert len(house.providers.requests) == 1
        event = house.outcome(token)
        assert event["type"] == "intent.failed"
        assert event["data"]["usage"]["usage_estimated"] is True
        assert event["data"]["usage"]["nano_dollars"] > 0


def test_when_all_upstreams_are_down_the_client_is_told_to_come_again(
    house: ModelHouse, claude: anthropic.Anthropic
) -> None:
    house.providers.script(Provider.ANTHROPIC, Step(status=529))
    house.providers.script(Provider.BEDROCK, Step(status=503))
    with pytest.raises(anthropic.APIStatusError) as seen:
        ask(claude.with_options(max_retries=0))
    assert seen.value.status_code in (503, 529)


def test_an_error_of_the_request_is_the_providers_own_word_for_word(
    house: ModelHouse, claude: anthropic.Anthropic
) -> None:
    house.providers.script(
        Provider.ANTHROPIC, Step(status=400, error=("invalid_request_error", "max_tokens: too large"))
    )
    with pytest.raises(anthropic.BadRequestError) as seen:
        ask(claude)
    assert seen.value.body["error"]["message"] == "max_tokens: too large"  # type: ignore[index]
    assert len(house.providers.requests) == 1


def test_an_alias_is_resolved_and_everything_else_of_the_body_is_as_it_was(
    house: ModelHouse, claude: anthropic.Anthropic, token: str
) -> None:
    ask(claude, "sonnet", extra_headers={"anthropic-beta": "b-2,a-1"}, metadata={"user_id": "u"})
    (sent,) = house.providers.requests
    assert sent.json["model"] == "claude-sonnet-5"
    assert sent.headers["anthropic-beta"] == "b-2,a-1"
    assert usage_of(house, token)["model"] == "anthropic/claude-sonnet-5"


@pytest.mark.parametrize("include", [False, True])
def test_openai_chat_streams_and_is_metered_whether_the_client_asked_for_usage_or_not(
    house: ModelHouse, gpt: openai.OpenAI, token: str, include: bool
) -> None:
    more: Any = {"stream_options": {"include_usage": True}} if include else {}
    chunks = list(gpt.chat.completions.create(model="gpt-5", messages=ASK, stream=True, **more))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert any(chunk.usage for chunk in chunks) is include
    assert all(chunk.choices for chunk in chunks) is not include
    assert usage_of(house, token)["output_tokens"] == 17


def test_openai_chat_and_responses_answer_at_once_and_in_events(
    house: ModelHouse, gpt: openai.OpenAI, token: str
) -> None:
    chat = gpt.chat.completions.create(model="gpt-5", messages=ASK)
    assert chat.choices[0].message.content == TEXT
    first = usage_of(house, token)
    assert gpt.responses.create(model="gpt-5", input="hi").output_text == TEXT
    assert usage_of(house, token)["nano_dollars"] == first["nano_dollars"]
    with gpt.responses.stream(model="gpt-5", input="hi") as stream:
        kinds = [event.type for event in stream]
    assert kinds[-1] == "response.completed"
    assert usage_of(house, token)["nano_dollars"] == first["nano_dollars"]


def test_azure_answers_when_openai_is_down(house: ModelHouse, gpt: openai.OpenAI, token: str) -> None:
    house.providers.script(Provider.OPENAI, Step(status=503))
    chat = gpt.chat.completions.create(model="gpt-5", messages=ASK)
    assert chat.choices[0].message.content == TEXT
    assert usage_of(house, token)["upstream"] == "azure"
    assert house.providers.requests[-1].headers["api-key"] == KEYS[Provider.AZURE]


def test_a_response_in_the_background_would_not_be_metered_and_is_refused(
    house: ModelHouse, gpt: openai.OpenAI
) -> None:
    with pytest.raises(openai.BadRequestError):
        gpt.responses.create(model="gpt-5", input="hi", background=True)
    assert house.providers.requests == []


def test_an_intent_runs_the_same_plan(house: ModelHouse, token: str) -> None:
    body = {"model": MODEL, "max_tokens": 64, "messages": ASK}
    intent = {"action": "llm:InvokeModel", "params": {"dialect": "messages", "body": body}}
    status, done = house.call("POST", "/v1/intents", token, intent)
    assert (status, done["state"]) == (200, "succeeded")
    assert usage_of(house, token)["nano_dollars"] == 2_385_000
    lied = {
        "action": "llm:InvokeModel",
        "params": {"dialect": "messages", "body": {**body, "model": "claude-haiku-4-5"}},
    }
    assert house.call("POST", "/v1/intents", token, lied)[0] == 403


def test_a_client_that_leaves_is_billed_for_what_it_saw_and_the_provider_is_left(
    house: ModelHouse, claude: anthropic.Anthropic, token: str
) -> None:
    gate = house.providers.gate()
    house.providers.script(Provider.ANTHROPIC, Step(drip=gate, reply=Reply(text="word " * 400)))
    gate.release(12)
    with claude.messages.create(model=MODEL, max_tokens=4096, messages=ASK, stream=True) as stream:
        for _ in range(8):
            next(stream)

    def left() -> bool:
        gate.release(1)
        return house.providers.requests[0].gone.is_set()

    eventually(left)
    event = house.outcome(token)
    assert event["data"]["usage"]["usage_estimated"] is True
    assert 0 < event["data"]["usage"]["output_tokens"] < 400


def test_a_model_that_people_are_asked_about_waits_for_them_and_then_answers(
    house: ModelHouse, gpt: openai.OpenAI, token: str
) -> None:
    with pytest.raises(openai.APIStatusError) as waiting:
        gpt.chat.completions.create(model="o3", messages=ASK)
    assert "apr_" in str(waiting.value)
    assert house.providers.requests == []
    _, found = house.call("GET", "/v1/approvals?state=pending", token)
    (approval,) = found["approvals"]
    assert house.call("POST", f"/v1/approvals/{approval['id']}/approve", house.alice, {"reason": ""})[0] == 200
    eventually(lambda: house.providers.requests)
    house.outcome(token)
    assert gpt.chat.completions.create(model="o3", messages=ASK).choices[0].message.content == TEXT
    assert len(house.providers.requests) == 1


def test_usage_answers_what_this_agent_spent(house: ModelHouse, claude: anthropic.Anthropic, token: str) -> None:
    ask(claude)
    house.outcome(token)
    session = house.session_of(token)
    found = house.up.answer("usage", "--session", session, "--by", "model", OSTIARY_TOKEN=house.admin)
    assert [(row["key"]["model"], row["spent"]["dollars"]) for row in found["rows"]] == [
        ("anthropic/claude-opus-4-8", "0.002385000")
    ]
