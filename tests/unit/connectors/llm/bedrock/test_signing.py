"""The signature, compared with botocore's own."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from connectors.errors import InvalidParamsError
from connectors.llm.bedrock.signing import path_of, signed
from tests.fakes import FakeLease
from vault.model import SecretValue

KEY_ID, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session/token+=="
NOW = datetime(2026, 11, 20, 12, 30, 5, tzinfo=UTC)
HOST = "bedrock-runtime.eu-west-1.amazonaws.com"
MODELS = [
    "anthropic.claude-opus-4-8",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-6-v1",
]


class TemporaryLease(FakeLease):
    """A lease on a credential with a session token."""

    @property
    def security_token(self) -> SecretValue:
        return SecretValue(TOKEN.encode())


def theirs(path: str, body: bytes, headers: dict[str, str]) -> str:
    """Return the header botocore makes for the same request at the same time."""
    kept = {name: value for name, value in headers.items() if name not in {"authorization", "host"}}
    request = AWSRequest("POST", f"https://{HOST}{path}", headers=kept, data=body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(KEY_ID, SECRET), "bedrock", "eu-west-1")
    canonical = signer.canonical_request(request)
    to_sign = signer.string_to_sign(request, canonical)
    names = signer.signed_headers(signer.headers_to_sign(request))
    return (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={names}, "
        f"Signature={signer.signature(to_sign, request)}"
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("streaming", [True, False])
async def test_the_signature_is_the_one_botocore_makes(model: str, *, streaming: bool) -> None:
    path, body = path_of(model, streaming=streaming), b'{"max_tokens":1}'
    headers = await signed(
        FakeLease(KEY_ID, SECRET), url_host=HOST, path=path, region="eu-west-1", body=body, streaming=streaming, now=NOW
    )
    assert headers["authorization"] == theirs(path, body, headers)
    assert headers["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest()
    assert headers["host"] == HOST
    assert ("x-amzn-bedrock-accept" in headers) is streaming
    assert "x-amz-security-token" not in headers


async def test_the_token_of_a_temporary_credential_is_sent_and_left_for_the_vault_to_sign() -> None:
    lease = TemporaryLease(KEY_ID, SECRET)
    headers = await signed(
        lease,
        url_host=HOST,
        path=path_of(MODELS[0], streaming=False),
        region="eu-west-1",
        body=b"{}",
        streaming=False,
        now=NOW,
    )
    assert headers["x-amz-security-token"] == TOKEN
    assert "x-amz-security-token" not in lease.signed[0].headers


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (MODELS[0], "/model/anthropic.claude-opus-4-8/invoke"),
        (MODELS[1], "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke"),
        ("arn:aws:bedrock::x/y", "/model/arn%3Aaws%3Abedrock%3A%3Ax%2Fy/invoke"),
    ],
)
def test_a_model_is_one_segment_of_the_path(model: str, path: str) -> None:
    assert path_of(model, streaming=False) == path
    assert path_of(model, streaming=True) == f"{path}-with-response-stream"


@pytest.mark.parametrize("model", ["", "..", ".", "/etc", "a b", "a%2Fb", "a?x", "a#", "ä", "a\n", "x" * 2049, "a;b"])
def test_what_is_no_id_of_a_model_makes_no_path(model: str) -> None:
    with pytest.raises(InvalidParamsError):
        path_of(model, streaming=False)
