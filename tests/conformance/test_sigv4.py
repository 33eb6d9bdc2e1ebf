"""The vault's signatures are AWS's: its published examples, and botocore on requests of many services."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from vault.credential import Credential, check_fields
from vault.model import CredentialKind, CredentialRef, SigningRequest
from vault.sigv4 import SigningKeys, sign

EMPTY = hashlib.sha256(b"").hexdigest()
STAMP = "20261120T120000Z"
ACCESS_KEY, SECRET_KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def nanoseconds(stamp: str) -> int:
    moment = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000


def vault_signs(request: SigningRequest, access_key: str, secret_key: str, token: str = "") -> str:
    fields = {"access_key_id": access_key.encode(), "secret_access_key": secret_key.encode()}
    if token:
        fields["session_token"] = token.encode()
    host = request.headers["host"]
    credential = Credential(
        CredentialRef("aws/test"), CredentialKind.AWS, 1, (host,), 0, check_fields(CredentialKind.AWS, fields)
    )
    now_ns = nanoseconds(request.headers["x-amz-date"])
    return sign(request, credential, SigningKeys(), now_ns=now_ns).authorization


# Amazon S3 API reference, "Signature Calculations for the Authorization Header" (payload in a single chunk).
S3_HOST = "examplebucket.s3.amazonaws.com"
S3_DATE = "20130524T000000Z"
PUT_BODY = hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()
PUBLISHED = [
    (
        "GET", "/test.txt", "", {"range": "bytes=0-9"}, EMPTY,
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    (
        "PUT", "/test%24file.text", "",
        {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}, PUT_BODY,
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    (
        "GET", "/", "lifecycle=", {}, EMPTY,
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    (
        "GET", "/", "max-keys=2&prefix=J", {}, EMPTY,
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
]  # fmt: skip


@pytest.mark.req("A1")
@pytest.mark.parametrize(("method", "path", "query", "headers", "payload", "signature"), PUBLISHED)
def test_the_published_examples_of_s3_are_signed_as_published(
    method: str, path: str, query: str, headers: dict[str, str], payload: str, signature: str
) -> None:
    every = {"host": S3_HOST, "x-amz-date": S3_DATE, "x-amz-content-sha256": payload, **headers}
    request = SigningRequest(method, path, query, every, payload, "us-east-1", "s3")
    assert vault_signs(request, ACCESS_KEY, SECRET_KEY).endswith(f", Signature={signature}")


@pytest.mark.req("A1")
def test_the_vanilla_example_of_the_signature_test_suite_is_signed_as_published() -> None:
    headers = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"}
    request = SigningRequest("GET", "/", "", headers, EMPTY, "us-east-1", "service")
    assert vault_signs(request, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY") == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


def both(method: str, url: str, service: str, headers: dict[str, str], body: bytes, token: str = "") -> tuple[str, str]:
    """Sign one request with botocore and with the vault."""
    kind = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    signer: Any = kind(Credentials(ACCESS_KEY, SECRET_KEY, token or None), service, "eu-west-1")
    request: Any = AWSRequest(method, url, headers=headers, data=body)
    request.context["timestamp"] = STAMP
    request.context["payload_signing_enabled"] = True
    signer._modify_request_before_signing(request)
    del request.headers["X-Amz-Date"]
    request.headers["X-Amz-Date"] = STAMP
    canonical = signer.canonical_request(request)
    path = signer._normalize_url_path(urlsplit(request.url).path)
    signed = {name: value.strip() for name, value in signer.headers_to_sign(request).items()}
    signed = {name.lower(): value for name, value in signed.items() if name.lower() != "x-amz-security-token"}
    wanted = SigningRequest(
        method, path, signer.canonical_query_string(request), signed, signer.payload(request), "eu-west-1", service
    )
    signer._inject_signature_to_request(request, signer.signature(signer.string_to_sign(request, canonical), request))
    return request.headers["Authorization"], vault_signs(wanted, ACCESS_KEY, SECRET_KEY, token)


S3 = "https://s3.eu-west-1.amazonaws.com"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
REQUESTS = [
    ("GET", "https://data-lake.s3.eu-west-1.amazonaws.com/raw/x.csv", "s3", {}, b""),
    ("GET", f"{S3}/b/a%20b/%C3%BC/x//y/../z~!%2A%27%28%29", "s3", {"Range": "bytes=0-9"}, b""),
    ("PUT", f"{S3}/b/k", "s3", {"Content-Type": "text/plain", "x-amz-meta-a": " a   b "}, b"hi"),
    ("PUT", f"{S3}/b/k", "s3", {"x-amz-copy-source": "/src/a%20b?versionId=1"}, b""),
    ("DELETE", "https://b.s3.eu-west-1.amazonaws.com/k?versionId=a.b_c", "s3", {}, b""),
    ("GET", f"{S3}/b?list-type=2&prefix=a%2Fb%20c&delimiter=%2F&max-keys=5", "s3", {}, b""),
    ("HEAD", "http://127.0.0.1:9000/b/k", "s3", {}, b""),
    ("POST", "https://ec2.eu-west-1.amazonaws.com/", "ec2", {"Content-Type": FORM}, b"Action=DescribeInstances"),
    ("POST", "https://dynamodb.eu-west-1.amazonaws.com/", "dynamodb", {"X-Amz-Target": "DynamoDB.PutItem"}, b"{}"),
    ("POST", "https://iam.amazonaws.com/", "iam", {"Content-Type": FORM}, b"Action=ListUsers&Version=2010-05-08"),
    ("POST", "https://sts.eu-west-1.amazonaws.com/", "sts", {"Content-Type": FORM}, b"Action=GetCallerIdentity"),
    ("POST", "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/f/invocations", "lambda", {}, b"{}"),
    ("POST", "https://ecs.eu-west-1.amazonaws.com/", "ecs", {"X-Amz-Target": "ECS.UpdateService"}, b'{"a":"\xc3\xbc"}'),
    ("GET", "https://api.eu-west-1.amazonaws.com/a%20b/%252F/c?b=2&a=1&a=0&empty=", "execute-api", {}, b""),
]  # fmt: skip


@pytest.mark.req("A1")
@pytest.mark.parametrize("token", ["", "FwoGZXIvYXdzEXAMPLETOKEN/with+signs="])
@pytest.mark.parametrize(("method", "url", "service", "headers", "body"), REQUESTS)
def test_the_vault_signs_as_botocore_does(
    method: str, url: str, service: str, headers: dict[str, str], body: bytes, token: str
) -> None:
    expected, found = both(method, url, service, headers, body, token)
    assert found == expected


@pytest.mark.req("A1")
@given(
    key=st.lists(st.sampled_from(["a", "B", "0", "%20", "~", "_", "-", ".", "/", "%C3%BC", "%25"]), max_size=20),
    query=st.dictionaries(st.sampled_from(["prefix", "marker", "acl", "versionId"]), st.sampled_from(["", "a", "%2F"])),
    value=st.text("abc  :;,=%/\"'", max_size=20),
    body=st.binary(max_size=20),
)
def test_the_vault_signs_any_s3_request_as_botocore_does(
    key: list[str], query: dict[str, str], value: str, body: bytes
) -> None:
    text = "&".join(f"{name}={given}" for name, given in query.items())
    url = f"https://b.s3.eu-west-1.amazonaws.com/{''.join(key)}" + (f"?{text}" if text else "")
    expected, found = both("PUT", url, "s3", {"x-amz-meta-a": value}, body)
    assert found == expected
