from __future__ import annotations

import json

import pytest

from connectors.llm.bedrock.errors import anthropic_error, message_of, to_anthropic


@pytest.mark.parametrize(
    ("name", "status", "expected"),
    [
        ("ThrottlingException", 429, (429, "rate_limit_error")),
        ("ServiceQuotaExceededException", 400, (429, "rate_limit_error")),
        ("ModelTimeoutException", 408, (408, "timeout_error")),
        ("ServiceUnavailableException", 503, (529, "overloaded_error")),
        ("ModelNotReadyException", 429, (529, "overloaded_error")),
        ("ValidationException", 400, (400, "invalid_request_error")),
        ("AccessDeniedException", 403, (403, "permission_error")),
        ("ResourceNotFoundException", 404, (404, "not_found_error")),
        ("UnrecognizedClientException", 403, (401, "authentication_error")),
        ("InternalServerException", 500, (500, "api_error")),
        ("ModelErrorException", 424, (500, "api_error")),
        ("ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/", 429, (429, "rate_limit_error")),
        ("com.amazon.bedrock#ValidationException", 400, (400, "invalid_request_error")),
        ("throttlingException", 0, (429, "rate_limit_error")),
        ("NobodyKnowsException", 503, (529, "overloaded_error")),
        ("NobodyKnowsException", 413, (413, "request_too_large")),
        ("NobodyKnowsException", 418, (418, "api_error")),
        ("NobodyKnowsException", 302, (502, "api_error")),
        ("NobodyKnowsException", 0, (500, "api_error")),
        ("", 401, (401, "authentication_error")),
    ],
)
def test_an_exception_becomes_the_error_a_client_of_anthropic_knows(
    name: str, status: int, expected: tuple[int, str]
) -> None:
    assert anthropic_error(name, status) == expected


def test_the_message_passes_in_the_envelope_of_anthropic() -> None:
    status, body = to_anthropic(
        429, {"x-amzn-errortype": "ThrottlingException"}, b'{"message":"Too many \\"tokens\\""}'
    )
    assert status == 429
    assert json.loads(body) == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": 'Too many "tokens"'},
    }


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"message": 7}', b'"x"', b"\xff\xfe"])
def test_any_body_becomes_an_error(body: bytes) -> None:
    status, answer = to_anthropic(503, {}, body)
    error = json.loads(answer)["error"]
    assert (status, error["type"]) == (529, "overloaded_error")
    assert error["message"]


def test_the_body_may_name_the_exception_where_no_header_does() -> None:
    found = to_anthropic(400, {}, b'{"__type":"com.amazon.coral#ThrottlingException","Message":"slow"}')
    assert found[0] == 429
    assert json.loads(found[1])["error"]["message"] == "slow"


def test_a_message_is_bounded() -> None:
    _, body = to_anthropic(400, {}, json.dumps({"message": "x" * 50_000}).encode())
    assert len(body) < 5000
    assert len(message_of(json.dumps({"originalMessage": "y" * 50_000}).encode())) == 4096
