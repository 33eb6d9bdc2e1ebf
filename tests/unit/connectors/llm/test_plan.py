"""From a request to plans: who is asked in which order, what policy must allow, what it may cost."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson
import pytest

from broker.catalog import plan_digest_of
from connectors.base import Connection, JsonObject
from connectors.errors import InvalidParamsError
from connectors.llm import prices
from connectors.llm.bodies import Whole
from connectors.llm.connector import LlmConnector
from connectors.llm.words import Dialect
from tests.unit.connectors.llm.desk import (
    ANTHROPIC,
    AZURE,
    BEDROCK,
    CHAT,
    MESSAGE,
    MISTRAL,
    OPENAI,
    RESPONSES,
    SECOND,
    connection,
    planned,
    raw,
)

LLM = LlmConnector()
INVOKE_BODY = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 10, "messages": []}
EVERY = connection(ANTHROPIC, SECOND, BEDROCK, OPENAI, AZURE, MISTRAL)


def plan_of(params: JsonObject, where: Connection = EVERY, action: str = "llm:InvokeModel") -> Any:
    return LLM.plan(action, params, where)


def urls(plan: Any) -> list[str]:
    return [each.call["url"] for each in (plan, *plan.fallbacks)]


def test_every_upstream_that_speaks_the_dialect_and_serves_the_provider_is_asked_in_order() -> None:
    assert urls(planned(MESSAGE, EVERY)) == [
        "https://api.anthropic.com/v1/messages",
        "https://second.example/api/v1/messages",
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/eu.anthropic.claude-opus-4-8/invoke",
    ]
    assert urls(planned(CHAT, EVERY, dialect=Dialect.CHAT)) == [
        "https://api.openai.com/v1/chat/completions",
        "https://acme.openai.azure.com/openai/v1/chat/completions",
    ]
    assert urls(planned(RESPONSES, EVERY, dialect=Dialect.RESPONSES)) == [
        "https://api.openai.com/v1/responses",
        "https://acme.openai.azure.com/openai/v1/responses",
    ]
    invoked = planned(INVOKE_BODY, EVERY, dialect=Dialect.INVOKE, model="claude-opus-4-8", stream=True)
    assert urls(invoked) == [
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/eu.anthropic.claude-opus-4-8/invoke-with-response-stream"
    ]


def test_each_plan_has_its_own_host_credential_and_name_of_the_model() -> None:
    plan = planned(MESSAGE, EVERY)
    plans = (plan, *plan.fallbacks)
    assert [each.credential for each in plans] == ["llm/anthropic", "llm/other", "aws/prod"]
    assert [each.host for each in plans] == [
        "api.anthropic.com", "second.example", "bedrock-runtime.eu-west-1.amazonaws.com",
    ]  # fmt: skip
    assert [each.call["sent"] for each in plans] == [
        "claude-opus-4-8", "claude-opus-4-8", "eu.anthropic.claude-opus-4-8",
    ]  # fmt: skip
    assert [each.call["change"] for each in plans] == ["nothing", "nothing", "translated"]
    assert {need.resource for each in plans for need in each.requirements} == {"models/anthropic/claude-opus-4-8"}
    assert {need.action for each in plans for need in each.requirements} == {"llm:InvokeModel"}
    assert [each.fallbacks for each in plan.fallbacks] == [(), ()]


def test_the_first_route_that_covers_a_model_says_who_is_asked() -> None:
    routes = [
        {"models": "anthropic/claude-opus*", "upstreams": ["second", "openai"], "instead": {"openai": "openai/gpt-5"}},
        {"models": "*", "upstreams": ["anthropic"]},
    ]
    where = connection(ANTHROPIC, SECOND, OPENAI, routes=routes)
    assert urls(planned(MESSAGE, where)) == ["https://second.example/api/v1/messages"]
    assert urls(planned({**MESSAGE, "model": "claude-haiku-4-5"}, where)) == ["https://api.anthropic.com/v1/messages"]


def test_another_model_in_its_place_is_what_policy_must_allow() -> None:
    routes = [
        {"models": "openai/gpt-5*", "upstreams": ["openai", "mistral"], "instead": {"mistral": "mistral/mistral-large"}}
    ]
    plan = planned(CHAT, connection(OPENAI, MISTRAL, routes=routes), dialect=Dialect.CHAT)
    (other,) = plan.fallbacks
    assert plan.requirements[0].resource == "models/openai/gpt-5"
    assert other.requirements[0].resource == "models/mistral/mistral-large"
    assert (other.call["sent"], other.call["change"]) == ("mistral-large", "members")
    assert other.credential == "llm/anthropic"


def test_aliases_written_forms_and_ids_of_bedrock_ask_policy_for_the_same() -> None:
    where = connection(ANTHROPIC, BEDROCK, aliases={"sonnet": "anthropic/claude-opus-4-8"})
    for written in ("sonnet", "anthropic/claude-opus-4-8", "us.anthropic.claude-opus-4-8-v1:0"):
        plan = planned({**MESSAGE, "model": written}, where)
        assert plan.requirements[0].resource == "models/anthropic/claude-opus-4-8"
        assert (plan.call["asked"], plan.call["sent"], plan.call["change"]) == (written, "claude-opus-4-8", "members")


def test_the_operator_and_not_the_client_says_in_which_region_bedrock_computes() -> None:
    for profile, start in (("eu", "eu."), ("", "")):
        where = connection({**BEDROCK, "profile": profile})
        for written in ("us.anthropic.claude-opus-4-6-v1", "anthropic.claude-opus-4-6-v1"):
            plan = planned(INVOKE_BODY, where, dialect=Dialect.INVOKE, model=written)
            assert plan.call["sent"] == f"{start}anthropic.claude-opus-4-6-v1"
    own = connection({**BEDROCK, "models": {"claude-opus-4-8": "arn:aws:bedrock:eu-west-1:1:inference-profile/x"}})
    plan = planned(INVOKE_BODY, own, dialect=Dialect.INVOKE, model="us.anthropic.claude-opus-4-8-v1:0")
    assert plan.call["url"].endswith("/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Fx/invoke")


def test_azure_is_asked_for_deployments_in_the_body_or_in_the_path() -> None:
    plan = planned(CHAT, connection(AZURE), dialect=Dialect.CHAT)
    assert (plan.call["sent"], plan.call["change"]) == ("prod-gpt5", "members")
    dated = connection({**AZURE, "api_version": "2025-04-01-preview"})
    plan = planned(CHAT, dated, dialect=Dialect.CHAT)
    start = "https://acme.openai.azure.com/openai"
    assert urls(plan) == [f"{start}/deployments/prod-gpt5/chat/completions?api-version=2025-04-01-preview"]
    assert plan.call["change"] == "nothing"
    plan = planned(RESPONSES, dated, dialect=Dialect.RESPONSES)
    assert urls(plan) == [f"{start}/responses?api-version=2025-04-01-preview"]
    assert plan.call["change"] == "members"


def test_a_vendor_that_speaks_as_openai_does_gives_bare_names_its_own_provider() -> None:
    plan = planned({**CHAT, "model": "mistral-large"}, connection(MISTRAL), dialect=Dialect.CHAT)
    assert plan.requirements[0].resource == "models/mistral/mistral-large"
    both = planned({**CHAT, "model": "gpt-5"}, connection(MISTRAL, OPENAI), dialect=Dialect.CHAT)
    assert both.requirements[0].resource == "models/openai/gpt-5"


def test_usage_is_asked_for_in_a_stream_of_chat_that_does_not_ask_itself() -> None:
    where = connection(OPENAI)
    asks = planned(raw(CHAT, stream=True, stream_options={"include_usage": True}), where, dialect=Dialect.CHAT)
    silent = planned(raw(CHAT, stream=True), where, dialect=Dialect.CHAT)
    whole = planned(CHAT, where, dialect=Dialect.CHAT)
    assert [each.call["change"] for each in (asks, silent, whole)] == ["nothing", "members", "nothing"]


def test_tokens_are_counted_at_anthropic_only_and_cost_nothing() -> None:
    plan = planned(raw(MESSAGE, stream=True), EVERY, action="llm:CountTokens")
    assert urls(plan) == [
        "https://api.anthropic.com/v1/messages/count_tokens",
        "https://second.example/api/v1/messages/count_tokens",
    ]
    assert plan.requirements[0].action == "llm:InvokeModel"
    assert not plan.estimate.metered
    assert plan.call["stream"] is False
    assert plan.summary.startswith("count tokens for anthropic/claude-opus-4-8 at anthropic")


def test_what_nobody_serves_is_refused() -> None:
    for where, dialect, body in (
        (connection(OPENAI), Dialect.MESSAGES, MESSAGE),
        (connection(ANTHROPIC), Dialect.CHAT, CHAT),
        (connection(OPENAI), Dialect.CHAT, {**CHAT, "model": "mistral/large"}),
    ):
        with pytest.raises(InvalidParamsError, match="no upstream"):
            planned(body, where, dialect=dialect)
    with pytest.raises(InvalidParamsError, match="counts tokens"):
        planned(MESSAGE, connection(BEDROCK), action="llm:CountTokens")


def test_the_estimate_is_that_of_the_dearest_upstream() -> None:
    body = raw(MESSAGE, tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}])
    plan = planned(body, EVERY)
    read, written = prices.worst_case("anthropic", "claude-opus-4-8", regional=True)
    estimate = plan.estimate
    assert estimate.metered
    assert (estimate.input_tokens, estimate.output_tokens) == (len(body) // 3 + 1, 1024)
    assert (estimate.input_nano_dollars, estimate.output_nano_dollars) == (read, written)
    assert estimate.extra_nano_dollars == 30_000_000
    assert {each.estimate for each in plan.fallbacks} == {estimate}


def test_faster_tiers_and_places_cost_more_and_no_limit_means_all_the_model_can_write() -> None:
    plain = planned(MESSAGE).estimate
    fast = planned(raw(MESSAGE, speed="fast")).estimate
    placed = planned(raw(MESSAGE, inference_geo="us")).estimate
    assert fast.output_nano_dollars >= 2 * plain.output_nano_dollars
    assert plain.output_nano_dollars < placed.output_nano_dollars < fast.output_nano_dollars
    priority = planned(raw(CHAT, service_tier="priority"), connection(OPENAI), dialect=Dialect.CHAT).estimate
    usual = planned(CHAT, connection(OPENAI), dialect=Dialect.CHAT).estimate
    assert priority.output_nano_dollars > usual.output_nano_dollars
    assert usual.output_tokens == prices.rates("openai", "gpt-5").max_output_tokens


def advised(model: str, where: Connection = EVERY) -> Any:
    return planned(raw(MESSAGE, tools=[{"type": "advisor_20260301", "name": "advisor", "model": model}]), where)


def test_a_model_that_a_tool_asks_is_policys_to_allow_and_its_price_counts_as_well() -> None:
    plan = planned({**MESSAGE, "model": "claude-haiku-4-5"})
    body = raw({**MESSAGE, "model": "claude-haiku-4-5"}, tools=[{"type": "advisor_1", "model": "claude-opus-4-8"}])
    asking = planned(body)
    assert [each.resource for each in asking.requirements] == [
        "models/anthropic/claude-haiku-4-5", "models/anthropic/claude-opus-4-8",
    ]  # fmt: skip
    assert {each.requirements for each in asking.fallbacks} <= {asking.requirements}
    assert asking.estimate.output_nano_dollars > plan.estimate.output_nano_dollars
    assert len(advised(MESSAGE["model"]).requirements) == 1


@pytest.mark.parametrize(
    "model", ["anthropic/claude-opus-4-8", "anthropic.claude-opus-4-8-v1:0", "Claude-Opus-4-8", "sonnet/", "arn:aws:x"]
)
def test_a_tool_that_names_a_model_otherwise_than_its_provider_is_refused(model: str) -> None:
    with pytest.raises(InvalidParamsError):
        advised(model)


def test_an_alias_is_none_in_a_tool() -> None:
    where = connection(ANTHROPIC, aliases={"claude-haiku-4-5": "anthropic/claude-opus-4-8"})
    names = [each.resource for each in advised("claude-haiku-4-5", where).requirements]
    assert "models/anthropic/claude-haiku-4-5" in names


def test_an_unknown_model_costs_what_the_dearest_does_or_is_refused() -> None:
    unknown = {**MESSAGE, "model": "claude-nobody-knows"}
    assert planned(unknown).estimate.output_nano_dollars >= planned(MESSAGE).estimate.output_nano_dollars
    with pytest.raises(InvalidParamsError, match="price"):
        planned(unknown, connection(unknown_models="deny"))
    routes = [{"models": "openai/*", "upstreams": ["openai", "mistral"], "instead": {"mistral": "mistral/unheard-of"}}]
    denying = connection(OPENAI, MISTRAL, routes=routes, unknown_models="deny")
    assert planned(CHAT, denying, dialect=Dialect.CHAT).fallbacks == ()


def test_patience_is_that_of_all_upstreams_together_and_bounded() -> None:
    where = connection(ANTHROPIC, {**SECOND, "first_byte_seconds": 7}, first_byte_seconds=5)
    assert planned(raw(MESSAGE, stream=True), where).patience_seconds == 12
    assert planned(MESSAGE, where).patience_seconds == 1200
    assert planned(MESSAGE, connection(answer_seconds=3600)).patience_seconds == 3600
    assert planned(MESSAGE, connection(ANTHROPIC, SECOND, answer_seconds=3600)).patience_seconds == 3600


def test_a_door_and_an_intent_in_json_make_the_same_plan_but_for_the_way_of_the_body() -> None:
    # As an intent is planned: names in order, no blanks.
    text = orjson.dumps(MESSAGE, option=orjson.OPT_SORT_KEYS)
    by_door = planned(text, EVERY)
    by_intent = plan_of({"dialect": "messages", "body": deepcopy(MESSAGE)})
    assert by_intent.payload == text
    assert by_intent.call.pop("payload_sha256") == by_door.call["body"]["sha256"]
    assert by_intent.call == by_door.call
    assert by_door.upload is not None
    assert (by_door.upload.size_bytes, by_door.upload.sha256) == (len(text), by_door.call["body"]["sha256"])
    assert by_intent.upload is None


def test_the_same_request_has_one_digest_and_another_one_another() -> None:
    first = planned(MESSAGE, EVERY, headers={"x-stainless-retry-count": "0", "traceparent": "a"})
    again = planned(MESSAGE, EVERY, headers={"x-stainless-retry-count": "1", "authorization": "Bearer other"})
    assert plan_digest_of(first) == plan_digest_of(again)
    others = [
        planned(raw(MESSAGE, max_tokens=1025), EVERY),
        planned(MESSAGE, EVERY, headers={"anthropic-beta": "x"}),
        planned(MESSAGE, connection(ANTHROPIC, SECOND)),
        planned(raw(MESSAGE) + b" ", EVERY),
    ]
    assert len({plan_digest_of(each) for each in (first, *others)}) == 5


def test_an_intent_whose_names_were_put_in_order_meanwhile_is_still_the_same() -> None:
    params = {"dialect": "messages", "body": MESSAGE, "headers": {"b": "1", "a": "2"}}
    stored = orjson.loads(orjson.dumps(params, option=orjson.OPT_SORT_KEYS))
    assert plan_digest_of(plan_of(params)) == plan_digest_of(plan_of(stored))


@pytest.mark.parametrize(
    "change",
    [
        {"dialect": None},
        {"dialect": "english"},
        {"dialect": ["messages"]},
        {"body": None},
        {"body": []},
        {"body": "x"},
        {"body": {}},
        {"body": {**MESSAGE, "x": float("1e400")}, "dialect": "responses", "headers": []},
        {"body": {**MESSAGE, "system": "\ud800"}},
        {"body": {"upload": {}}},
        {"body": {"upload": {"bytes": 5}}},
        {"body": {"upload": {"bytes": True, "sha256": "a" * 64}}, "peeked": {}},
        {"body": {"upload": {"bytes": 0, "sha256": "a" * 64}}, "peeked": {}},
        {"body": {"upload": {"bytes": 33 << 20, "sha256": "a" * 64}}, "peeked": {}},
        {"body": {"upload": {"bytes": 5, "sha256": "A" * 64}}, "peeked": {}},
        {"body": {"upload": {"bytes": 5, "sha256": "a" * 64}}},
        {"body": {"upload": {"bytes": 5, "sha256": "a" * 64}}, "peeked": {"model": "Claude"}},
        {"peeked": {}},
        {"model": "claude-opus-4-8"},
        {"stream": True},
        {"dialect": "invoke"},
        {"dialect": "invoke", "model": 1},
        {"dialect": "invoke", "model": "claude-opus-4-8", "stream": "true"},
        {"dialect": "invoke", "model": "../x"},
        {"url": "https://evil.example"},
    ],
    ids=range(25),
)
def test_params_that_do_not_fit_are_refused(change: JsonObject) -> None:
    params = {"dialect": "messages", "body": MESSAGE, **change}
    with pytest.raises(InvalidParamsError):
        plan_of(params)


def test_a_body_that_is_nested_too_deep_is_refused() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(InvalidParamsError):
        plan_of({"dialect": "messages", "body": {**MESSAGE, "system": deep}})


def test_an_unknown_action_or_dialect_of_counting_is_refused() -> None:
    with pytest.raises(InvalidParamsError):
        plan_of({"dialect": "messages", "body": MESSAGE}, action="llm:Embed")
    with pytest.raises(InvalidParamsError):
        plan_of({"dialect": "chat", "body": CHAT}, action="llm:CountTokens")


def test_who_asks_is_in_the_plan_and_not_among_what_goes_on() -> None:
    plan = planned(MESSAGE, headers={"x-claude-code-session-id": "s-1", "x-claude-code-agent-id": "a-1"})
    assert plan.call["client"] == {"session": "s-1", "agent": "a-1"}
    assert plan.call["headers"] == {"anthropic-version": "2023-06-01"}


def test_planning_is_for_facts_and_does_not_look_at_the_body() -> None:
    whole = Whole(Dialect.MESSAGES, raw(MESSAGE))
    lie = {**whole.params({}), "peeked": {"model": "claude-haiku-4-5", "max_output_tokens": 1}}
    assert plan_of(lie).requirements[0].resource == "models/anthropic/claude-haiku-4-5"
