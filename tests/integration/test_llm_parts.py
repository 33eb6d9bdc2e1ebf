"""The providers our tests talk to answer and fail as the real ones do; tests of the gateway build on that.

Unmodified clients of the providers talk to the fakes, without Ostiary in between.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from anthropic.lib.bedrock import AnthropicBedrock

from tests.parts.llm_providers import AWS_KEYS, KEYS, Providers
from tests.parts.llm_script import Fault, Provider, Reply, Step

MODEL = "claude-opus-4-8"
ASK: Any = [{"role": "user", "content": "hi"}]
BASH = {"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}
TEXT = "hello from the fake provider"
SECONDS = 10


@pytest.fixture
def providers() -> Iterator[Providers]:
    with Providers() as running:
        yield running


@pytest.fixture
def claude(providers: Providers) -> Iterator[anthropic.Anthropic]:
    key = KEYS[Provider.ANTHROPIC]
    with anthropic.Anthropic(api_key=key, base_url=providers.url, max_retries=0) as client:
        yield client


@pytest.fixture
def bedrock(providers: Providers) -> Iterator[AnthropicBedrock]:
    with AnthropicBedrock(
        aws_access_key=AWS_KEYS[0],
        aws_secret_key=AWS_KEYS[1],
        aws_region="eu-west-1",
        base_url=providers.url,
        max_retries=0,
    ) as client:
        yield client


@pytest.fixture
def gpt(providers: Providers) -> Iterator[openai.OpenAI]:
    key = KEYS[Provider.OPENAI]
    with openai.OpenAI(api_key=key, base_url=f"{providers.url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def azure(providers: Providers) -> Iterator[openai.AzureOpenAI]:
    with openai.AzureOpenAI(
        api_key=KEYS[Provider.AZURE], azure_endpoint=providers.url, api_version="2025-04-01-preview", max_retries=0
    ) as client:
        yield client


def stream_of(client: anthropic.Anthropic | AnthropicBedrock, **more: Any) -> list[Any]:
    return list(client.messages.create(model=MODEL, max_tokens=64, messages=ASK, stream=True, **more))


def text_of(events: list[Any]) -> str:
    return "".join(event.delta.text for event in events if getattr(getattr(event, "delta", None), "text", None))


def test_claude_answers_at_once_and_in_events(providers: Providers, claude: anthropic.Anthropic) -> None:
    providers.reply = Reply(thinking="let me see", deltas=3, cache_write_1h=50)
    whole = claude.messages.create(model=MODEL, max_tokens=64, messages=ASK)
    assert [block.type for block in whole.content] == ["thinking", "text"]
    usage = whole.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens) == (42, 17, 1000)
    with claude.messages.stream(model=MODEL, max_tokens=64, messages=ASK) as stream:
        told = stream.get_final_message()
    assert [block.type for block in told.content] == ["thinking", "text"]
    assert "let me see" in told.content[0].to_json()
    assert TEXT in told.content[1].to_json()
    assert (told.usage.output_tokens, told.stop_reason) == (17, "end_turn")
    assert providers.paths == ["/v1/messages"] * 2
    assert [request.json["model"] for request in providers.requests] == [MODEL] * 2


def test_claude_counts_tokens_and_lists_models(claude: anthropic.Anthropic) -> None:
    assert claude.messages.count_tokens(model=MODEL, messages=ASK).input_tokens > 1
    assert MODEL in [model.id for model in claude.models.list()]


def test_an_agents_loop_has_a_turn_with_a_tool_and_one_without(
    providers: Providers, claude: anthropic.Anthropic
) -> None:
    providers.command = "echo proof"
    tools: Any = [BASH]
    with claude.messages.stream(model=MODEL, max_tokens=64, messages=ASK, tools=tools) as stream:
        first = stream.get_final_message()
    call = first.content[-1]
    assert call.type == "tool_use"
    assert (call.name, call.input["command"], first.stop_reason) == ("Bash", "echo proof", "tool_use")
    result = [{"type": "tool_result", "tool_use_id": call.id, "content": "proof"}]
    turns: Any = [*ASK, {"role": "assistant", "content": first.content}, {"role": "user", "content": result}]
    second = claude.messages.create(model=MODEL, max_tokens=64, messages=turns, tools=tools)
    assert second.stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (403, anthropic.PermissionDeniedError),
        (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.InternalServerError),
    ],
)
def test_claude_refuses_in_its_own_envelope(
    providers: Providers, claude: anthropic.Anthropic, status: int, error: type[anthropic.APIStatusError]
) -> None:
    providers.script(Provider.ANTHROPIC, Step(status=status, headers={"retry-after": "7"}))
    with pytest.raises(error) as caught:
        claude.messages.create(model=MODEL, max_tokens=64, messages=ASK)
    assert caught.value.status_code == status
    assert caught.value.response.headers["retry-after"] == "7"
    body: Any = caught.value.body
    assert body["type"] == "error"
    assert stream_of(claude)[-1].type == "message_stop"


@pytest.mark.parametrize(
    ("fault", "content"),
    [
        (Fault.ERROR_BEFORE_CONTENT, False),
        (Fault.ERROR_AMID_CONTENT, True),
        (Fault.CUT_BEFORE_CONTENT, False),
        (Fault.CUT_AMID_CONTENT, True),
    ],
)
@pytest.mark.parametrize("provider", [Provider.ANTHROPIC, Provider.BEDROCK])
def test_a_stream_of_claudes_fails_where_the_script_says(
    providers: Providers,
    claude: anthropic.Anthropic,
    bedrock: AnthropicBedrock,
    provider: Provider,
    fault: Fault,
    *,
    content: bool,
) -> None:
    providers.script(provider, Step(fault=fault))
    client = claude if provider is Provider.ANTHROPIC else bedrock
    seen: list[str] = []
    stream = client.messages.create(model=MODEL, max_tokens=64, messages=ASK, stream=True)
    with pytest.raises((anthropic.APIError, httpx2.HTTPError)):
        seen.extend(event.type for event in stream)
    assert "message_start" in seen
    assert ("content_block_start" in seen) is content
    assert "message_stop" not in seen


def test_a_truncated_stream_ends_as_if_that_were_all(providers: Providers, claude: anthropic.Anthropic) -> None:
    providers.script(Provider.ANTHROPIC, Step(fault=Fault.TRUNCATED))
    kinds = [event.type for event in stream_of(claude)]
    assert kinds[-1] == "content_block_delta"


def test_no_answer_and_half_an_answer_are_errors_of_the_connection(
    providers: Providers, claude: anthropic.Anthropic
) -> None:
    providers.script(Provider.ANTHROPIC, Step(fault=Fault.NO_ANSWER), Step(fault=Fault.CUT_AMID_CONTENT))
    for _ in range(2):
        with pytest.raises((anthropic.APIConnectionError, httpx2.HTTPError)):
            claude.messages.create(model=MODEL, max_tokens=64, messages=ASK)
    assert len(providers.requests) == 2


def test_a_bedrock_client_is_let_in_by_its_signature(providers: Providers, bedrock: AnthropicBedrock) -> None:
    whole = bedrock.messages.create(model="us.anthropic.claude-opus-4-6-v1:0", max_tokens=64, messages=ASK)
    assert whole.usage.output_tokens == 17
    events = stream_of(bedrock)
    assert text_of(events) == TEXT
    assert events[-1].type == "message_stop"
    assert [path.rpartition("/")[2] for path in providers.paths] == ["invoke", "invoke-with-response-stream"]


def test_a_bedrock_client_with_another_key_is_not_let_in(providers: Providers) -> None:
    with (
        AnthropicBedrock(
            aws_access_key=AWS_KEYS[0],
            aws_secret_key="another",
            aws_region="eu-west-1",
            base_url=providers.url,
            max_retries=0,
        ) as client,
        pytest.raises(anthropic.PermissionDeniedError),
    ):
        client.messages.create(model=MODEL, max_tokens=64, messages=ASK)


def test_a_frame_with_a_wrong_sum_is_not_read_by_a_bedrock_client(
    providers: Providers, bedrock: AnthropicBedrock
) -> None:
    providers.script(Provider.BEDROCK, Step(fault=Fault.BAD_SUM))
    with pytest.raises(Exception, match="Checksum mismatch"):
        stream_of(bedrock)


@pytest.mark.parametrize("provider", [Provider.OPENAI, Provider.AZURE])
def test_gpt_answers_at_once_and_in_chunks(
    providers: Providers, gpt: openai.OpenAI, azure: openai.AzureOpenAI, provider: Provider
) -> None:
    client = gpt if provider is Provider.OPENAI else azure
    whole = client.chat.completions.create(model="gpt-5", messages=ASK)
    assert whole.choices[0].message.content == TEXT
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (1042, 17)
    silent = list(client.chat.completions.create(model="gpt-5", messages=ASK, stream=True))
    assert all(chunk.usage is None for chunk in silent)
    asked = client.chat.completions.create(
        model="gpt-5", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(asked)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT
    assert chunks[-1].usage is not None
    assert (chunks[-1].choices, chunks[-1].usage.prompt_tokens) == ([], 1042)
    assert chunks[0].choices == [] or provider is Provider.OPENAI


def test_azure_wants_a_version_and_its_own_header(providers: Providers, azure: openai.AzureOpenAI) -> None:
    azure.chat.completions.create(model="gpt-5", messages=ASK)
    (request,) = providers.requests
    assert request.headers["api-key"] == KEYS[Provider.AZURE]
    assert (request.path, request.query) == (
        "/openai/deployments/gpt-5/chat/completions",
        "api-version=2025-04-01-preview",
    )
    with httpx2.Client(headers={"api-key": KEYS[Provider.AZURE]}) as plain:
        assert plain.post(providers.url + request.path, json=request.json).status_code == 404
        assert plain.post(f"{providers.url}/openai/v1/responses", json={"model": "gpt-5"}).status_code == 200


def test_gpt_calls_a_tool_and_goes_on(providers: Providers, gpt: openai.OpenAI) -> None:
    providers.command = "echo proof"
    tools: Any = [{"type": "function", "function": {"name": "Bash", "parameters": BASH["input_schema"]}}]
    first = gpt.chat.completions.create(model="gpt-5", messages=ASK, tools=tools).choices[0]
    calls: Any = first.message.tool_calls
    assert json.loads(calls[0].function.arguments)["command"] == "echo proof"
    turns: Any = [*ASK, first.message, {"role": "tool", "tool_call_id": calls[0].id, "content": "proof"}]
    assert gpt.chat.completions.create(model="gpt-5", messages=turns, tools=tools).choices[0].finish_reason == "stop"
    flat: Any = [{"type": "function", "name": "Bash", "parameters": BASH["input_schema"], "strict": False}]
    with gpt.responses.stream(model="gpt-5", input="hi", tools=flat) as stream:
        call = stream.get_final_response().output[-1]
    assert call.type == "function_call"
    assert json.loads(call.arguments)["command"] == "echo proof"


@pytest.mark.parametrize(
    ("reply", "status"),
    [(Reply(), "completed"), (Reply(incomplete=True), "incomplete"), (Reply(failed=True), "failed")],
)
def test_responses_end_as_the_script_says(gpt: openai.OpenAI, providers: Providers, reply: Reply, status: str) -> None:
    providers.reply = reply
    assert gpt.responses.create(model="gpt-5", input="hi").status == status
    events: list[Any] = list(gpt.responses.create(model="gpt-5", input="hi", stream=True))
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-1].type == f"response.{status}"
    assert events[-1].response.usage.input_tokens == 1042


def test_gpt_refuses_and_fails_in_its_own_envelope(providers: Providers, gpt: openai.OpenAI) -> None:
    providers.script(
        Provider.OPENAI,
        Step(status=429, error=("insufficient_quota", "no money")),
        Step(fault=Fault.ERROR_AMID_CONTENT),
        Step(fault=Fault.ERROR_BEFORE_CONTENT),
    )
    with pytest.raises(openai.RateLimitError) as caught:
        gpt.chat.completions.create(model="gpt-5", messages=ASK)
    assert caught.value.code == "insufficient_quota"
    with pytest.raises(openai.APIError):
        list(gpt.chat.completions.create(model="gpt-5", messages=ASK, stream=True))
    told: list[Any] = list(gpt.responses.create(model="gpt-5", input="hi", stream=True))
    assert [event.type for event in told] == ["response.created", "response.in_progress", "error"]


def test_a_wrong_key_is_refused_by_each_provider_in_its_own_words(providers: Providers) -> None:
    with httpx2.Client(base_url=providers.url) as plain:
        answers = [
            plain.post("/v1/messages", json={}, headers={"x-api-key": "wrong"}),
            plain.post("/v1/messages", json={}, headers={"x-api-key": KEYS[Provider.ANTHROPIC], "authorization": "B"}),
            plain.post("/v1/chat/completions", json={}),
            plain.post("/openai/v1/chat/completions", json={}, headers={"api-key": "wrong"}),
            plain.post("/model/x/invoke", json={}, headers={"authorization": "AWS4-HMAC-SHA256 Credential=x"}),
        ]
        assert plain.head("/").status_code == 200
        assert (
            plain.post("/v1/embeddings", headers={"authorization": f"Bearer {KEYS[Provider.OPENAI]}"}).status_code
            == 404
        )
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 403]
    assert answers[0].json()["error"]["type"] == "authentication_error"
    assert answers[2].json()["error"]["code"] == "invalid_api_key"
    assert answers[4].headers["x-amzn-errortype"] == "UnrecognizedClientException"


def test_a_gate_holds_the_first_byte_and_each_event(providers: Providers, claude: anthropic.Anthropic) -> None:
    first, drip = providers.gate(), providers.gate()
    providers.script(Provider.ANTHROPIC, Step(first_byte=first, drip=drip))
    first.release()
    drip.release(3)
    events = iter(claude.messages.create(model=MODEL, max_tokens=64, messages=ASK, stream=True))
    assert next(events).type == "message_start"
    assert drip.reached.wait(SECONDS)
    (request,) = providers.requests
    assert not request.finished.is_set()
    drip.release(100)
    assert [event.type for event in events][-1] == "message_stop"
    assert request.finished.wait(SECONDS)
    assert not request.gone.is_set()


def test_a_client_that_goes_is_noticed_while_an_answer_waits(providers: Providers, claude: anthropic.Anthropic) -> None:
    drip = providers.gate()
    providers.script(Provider.ANTHROPIC, Step(drip=drip))
    drip.release(4)
    stream = claude.messages.create(model=MODEL, max_tokens=64, messages=ASK, stream=True)
    assert next(iter(stream)).type == "message_start"
    stream.close()
    (request,) = providers.requests
    assert request.finished.wait(SECONDS)
    assert request.gone.is_set()
    assert request.events <= 4
