"""Requests to Bedrock are signed; its own clients' bytes go as they are, those of Anthropic's are translated."""

from __future__ import annotations

import json

import pytest

from connectors.base import JsonObject
from connectors.errors import OutcomeUnknownError, UpstreamRefusedError
from connectors.llm.bedrock.frames import encode
from connectors.llm.connector import LlmConnector
from connectors.llm.words import Dialect
from tests.fakes import Answer, FakeTransport
from tests.unit.connectors.llm.desk import (
    ANSWER,
    BEDROCK,
    JSON,
    MESSAGE,
    connection,
    lease,
    planned,
    raw,
    text_of,
)
from tests.unit.connectors.llm.wire import EVENTS_OF_AN_ANSWER, frame
from vault.model import CredentialKind

NOW_NS = 1_760_000_000_000_000_000
WHERE = connection(BEDROCK)
LLM = LlmConnector(lambda: NOW_NS)
INVOKE_BODY = b'{ "anthropic_version" : "bedrock-2023-05-31", "max_tokens":10, "messages":[] }'
FRAMES = {"content-type": "application/vnd.amazon.eventstream", "x-amzn-requestid": "aws-1"}
FRAMED = tuple(frame(each) for each in EVENTS_OF_AN_ANSWER)
URL = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/eu.anthropic.claude-opus-4-8"


async def test_a_client_of_bedrock_has_its_bytes_signed_and_sent() -> None:
    plan = planned(INVOKE_BODY, WHERE, dialect=Dialect.INVOKE, model="claude-opus-4-8")
    signer, transport = lease(CredentialKind.AWS), FakeTransport(Answer(200, JSON, (ANSWER,)))
    result = await LLM.execute(plan, WHERE, signer, transport)
    (sent,) = transport.sent
    assert (sent.url, sent.body) == (f"{URL}/invoke", INVOKE_BODY)
    assert sent.headers["authorization"].startswith(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20251009/eu-west-1/bedrock/"
    )
    assert not {"x-api-key", "anthropic-version"} & sent.headers.keys()
    assert [each.service for each in signer.signed] == ["bedrock"]
    assert await text_of(result) == ANSWER
    assert result.usage.output_tokens == 17


async def test_a_stream_of_frames_passes_byte_for_byte_and_is_metered() -> None:
    plan = planned(INVOKE_BODY, WHERE, dialect=Dialect.INVOKE, model="claude-opus-4-8", stream=True)
    transport = FakeTransport(Answer(200, FRAMES, FRAMED))
    result = await LLM.execute(plan, WHERE, lease(CredentialKind.AWS), transport)
    assert transport.sent[0].url == f"{URL}/invoke-with-response-stream"
    assert await text_of(result) == b"".join(FRAMED)
    assert (result.media_type, result.live) == ("application/vnd.amazon.eventstream", True)
    assert (result.usage.output_tokens, result.usage.estimated) == (17, False)


async def test_a_client_of_anthropic_gets_events_and_its_body_is_translated() -> None:
    plan = planned(raw(MESSAGE, stream=True, service_tier="auto"), WHERE)
    transport = FakeTransport(Answer(200, FRAMES, FRAMED))
    result = await LLM.execute(plan, WHERE, lease(CredentialKind.AWS), transport)
    sent: JsonObject = json.loads(transport.sent[0].body)
    assert "model" not in sent
    assert "stream" not in sent
    assert sent["anthropic_version"] == "bedrock-2023-05-31"
    text = await text_of(result)
    assert text.startswith(b"event: message_start\n")
    assert text.rstrip().splitlines()[-2] == b"event: message_stop"
    assert result.media_type == "text/event-stream; charset=utf-8"
    assert result.data["headers"] == {"x-amzn-requestid": "aws-1", "content-type": result.media_type}
    assert "service_tier" in result.facts["llm"].get("dropped", ["service_tier"])
    # A profile of a region costs a tenth more.
    direct = planned(raw(MESSAGE, stream=True))
    assert result.usage.nano_dollars > 0
    assert plan.estimate.output_nano_dollars > direct.estimate.output_nano_dollars


async def test_what_bedrock_has_no_words_for_is_not_sent_and_may_be_asked_elsewhere() -> None:
    body = raw(MESSAGE, mcp_servers=[{"type": "url", "url": "https://x.example", "name": "x"}])
    transport = FakeTransport()
    with pytest.raises(UpstreamRefusedError) as caught:
        await LLM.execute(planned(body, WHERE), WHERE, lease(CredentialKind.AWS), transport)
    error = caught.value
    assert (error.elsewhere, error.code, transport.sent) == (True, "untranslatable", [])
    assert json.loads(error.answer.data["body"]["text"])["error"]["type"] == "invalid_request_error"


async def test_an_error_of_bedrock_is_in_the_words_of_who_asked() -> None:
    step = Answer(429, {**JSON, "x-amzn-errortype": "ThrottlingException:http://x"}, (b'{"message":"Too many"}',))
    with pytest.raises(UpstreamRefusedError) as translated:
        await LLM.execute(planned(MESSAGE, WHERE), WHERE, lease(CredentialKind.AWS), FakeTransport(step))
    answer = translated.value.answer.data
    assert json.loads(answer["body"]["text"])["error"] == {"type": "rate_limit_error", "message": "Too many"}
    assert answer["headers"] == {"content-type": "application/json"}
    own = planned(INVOKE_BODY, WHERE, dialect=Dialect.INVOKE, model="claude-opus-4-8")
    with pytest.raises(UpstreamRefusedError) as verbatim:
        await LLM.execute(own, WHERE, lease(CredentialKind.AWS), FakeTransport(step))
    assert verbatim.value.code == "ThrottlingException"
    assert verbatim.value.answer.data["body"] == {"text": '{"message":"Too many"}'}
    assert verbatim.value.answer.data["headers"]["x-amzn-errortype"] == "ThrottlingException:http://x"


async def test_an_exception_in_the_frames_before_content_is_a_refusal_and_after_it_cuts() -> None:
    exception = encode(
        {":message-type": "exception", ":exception-type": "throttlingException", ":content-type": "application/json"},
        b'{"message":"slow down"}',
    )
    plan = planned(raw(MESSAGE, stream=True), WHERE)
    with pytest.raises(UpstreamRefusedError) as caught:
        await LLM.execute(
            plan, WHERE, lease(CredentialKind.AWS), FakeTransport(Answer(200, FRAMES, (FRAMED[0], exception)))
        )
    assert (caught.value.status, caught.value.elsewhere) == (429, True)
    transport = FakeTransport(Answer(200, FRAMES, (*FRAMED[:3], exception)))
    result = await LLM.execute(plan, WHERE, lease(CredentialKind.AWS), transport)
    with pytest.raises(OutcomeUnknownError):
        await text_of(result)
    assert result.usage.estimated


async def test_frames_are_frames_of_bedrock_only() -> None:
    plan = planned(raw(MESSAGE, stream=True))
    transport = FakeTransport(Answer(200, FRAMES, FRAMED))
    result = await LLM.execute(plan, connection(), lease(), transport)
    assert not result.live
    assert result.usage.estimated


async def test_a_private_endpoint_is_signed_for_as_it_is_called() -> None:
    where = connection({**BEDROCK, "url": "http://127.0.0.1:80"})
    signer = lease(CredentialKind.AWS)
    await LLM.execute(planned(MESSAGE, where), where, signer, FakeTransport(Answer(200, JSON, (ANSWER,))))
    assert signer.signed[0].headers["host"] == "127.0.0.1"
