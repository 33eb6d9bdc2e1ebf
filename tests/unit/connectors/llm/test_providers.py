"""The connector over real sockets, against providers that speak the real formats and fail as they do."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import pytest

from connectors.base import CallResult, Connection, Plan
from connectors.errors import ConnectorError, OutcomeUnknownError
from connectors.guard import AddressGuard
from connectors.llm.connector import LlmConnector
from connectors.llm.words import Dialect
from connectors.transport import HttpTransport
from tests.fakes import FakeLease
from tests.parts.llm_providers import AWS_KEYS, KEYS, Providers
from tests.parts.llm_script import Fault, Provider, Step
from tests.unit.connectors.llm.desk import AZURE, CHAT, MESSAGE, RESPONSES, connection, planned, raw, text_of
from vault.model import CredentialKind

LLM = LlmConnector(time.time_ns)


@pytest.fixture
def providers() -> Iterator[Providers]:
    with Providers() as running:
        yield running


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    made = HttpTransport(AddressGuard(allow_private=True))
    yield made
    await made.aclose()


def everyone(url: str) -> Connection:
    """A connection to all four; each lends its own key."""
    return connection(
        {"name": "anthropic", "speaks": "anthropic", "url": url, "credential": "llm/anthropic"},
        {"name": "bedrock", "speaks": "bedrock", "url": url, "region": "eu-west-1", "profile": "eu",
         "credential": "llm/bedrock"},
        {"name": "openai", "speaks": "openai", "url": url, "credential": "llm/openai"},
        {**AZURE, "url": url},
    )  # fmt: skip


def lent(plan: Plan) -> FakeLease:
    """The key of the upstream a plan is for."""
    if plan.credential == "llm/bedrock":
        return FakeLease(*AWS_KEYS, CredentialKind.AWS)
    key = KEYS[Provider(plan.credential.removeprefix("llm/"))]
    return FakeLease("", f"Bearer {key}", CredentialKind.BEARER)


async def asked(plan: Plan, where: Connection, transport: HttpTransport) -> tuple[CallResult, list[ConnectorError]]:
    """The first answer worth having, as the broker asks for it, and what came before it."""
    before: list[ConnectorError] = []
    *others, last = (plan, *plan.fallbacks)
    for each in others:
        try:
            return await LLM.execute(each, where, lent(each), transport), before
        except ConnectorError as error:
            assert error.elsewhere  # noqa: PT017 - what is looked at is whether another one is asked
            before.append(error)
    return await LLM.execute(last, where, lent(last), transport), before


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("dialect", "body"), [(Dialect.MESSAGES, MESSAGE), (Dialect.CHAT, CHAT), (Dialect.RESPONSES, RESPONSES)]
)
async def test_every_dialect_is_answered_and_metered_whoever_answers(
    providers: Providers, transport: HttpTransport, dialect: Dialect, body: dict[str, object], *, stream: bool
) -> None:
    where = everyone(providers.url)
    plan = planned(raw(body, stream=stream), where, dialect=dialect)
    for each in (plan, *plan.fallbacks):
        result = await LLM.execute(each, where, lent(each), transport)
        text = await text_of(result)
        assert providers.reply.text.split()[0].encode() in text
        assert result.live is stream
        assert not result.usage.estimated
        assert result.usage.output_tokens == providers.reply.output_tokens
        assert result.usage.nano_dollars > 0
        shows_usage = b"completion_tokens" in text
        assert not (shows_usage and stream), "a client of chat did not ask for it"


async def test_the_format_of_bedrock_is_answered_by_bedrock(providers: Providers, transport: HttpTransport) -> None:
    where = everyone(providers.url)
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 10, "messages": MESSAGE["messages"]}
    for stream in (False, True):
        plan = planned(body, where, dialect=Dialect.INVOKE, model="us.anthropic.claude-opus-4-8", stream=stream)
        result, _ = await asked(plan, where, transport)
        await text_of(result)
        assert result.usage.output_tokens == providers.reply.output_tokens
        assert not result.usage.estimated
    assert all("eu.anthropic.claude-opus-4-8" in path for path in providers.paths)


@pytest.mark.parametrize(
    "step",
    [
        Step(status=529),
        Step(status=429),
        Step(status=500),
        Step(status=401),
        Step(status=403),
        Step(status=404),
        Step(fault=Fault.NO_ANSWER),
        Step(fault=Fault.ERROR_BEFORE_CONTENT),
        Step(fault=Fault.CUT_BEFORE_CONTENT),
    ],
    ids=range(9),
)
async def test_before_any_content_bedrock_is_asked_in_place_of_anthropic(
    providers: Providers, transport: HttpTransport, step: Step
) -> None:
    providers.script(Provider.ANTHROPIC, step)
    where = everyone(providers.url)
    result, before = await asked(planned(raw(MESSAGE, stream=True), where), where, transport)
    text = await text_of(result)
    assert len(before) == 1
    assert text.startswith(b"event: message_start")
    assert b"event: message_stop" in text
    assert result.usage.upstream == "bedrock"
    assert len(providers.requests) == 2


@pytest.mark.parametrize("fault", [Fault.ERROR_AMID_CONTENT, Fault.CUT_AMID_CONTENT, Fault.TRUNCATED])
async def test_after_content_nobody_else_is_asked_and_nothing_ends_cleanly(
    providers: Providers, transport: HttpTransport, fault: Fault
) -> None:
    providers.script(Provider.ANTHROPIC, Step(fault=fault))
    where = everyone(providers.url)
    result, before = await asked(planned(raw(MESSAGE, stream=True), where), where, transport)
    assert before == []
    with pytest.raises(OutcomeUnknownError):
        await text_of(result)
    assert result.usage.estimated
    assert len(providers.requests) == 1


async def test_a_byte_that_changed_in_a_frame_is_noticed(providers: Providers, transport: HttpTransport) -> None:
    providers.script(Provider.BEDROCK, Step(fault=Fault.BAD_SUM))
    where = everyone(providers.url)
    plan = planned(raw(MESSAGE, stream=True), where).fallbacks[0]
    result = await LLM.execute(plan, where, lent(plan), transport)
    with pytest.raises(OutcomeUnknownError):
        await text_of(result)
