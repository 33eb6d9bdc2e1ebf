"""Bodies that stream into S3: how they are declared, bound to the signature, framed, and held to what was said."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import zlib
from typing import Any

import pytest

from connectors.aws.connection import AwsConnection
from connectors.aws.upload import CHUNK_BYTES, CHUNKED, MAX_BYTES, UNSIGNED
from connectors.base import CallResult, Connection, Plan
from connectors.errors import InvalidParamsError, NotSentError, UploadBrokenError
from tests.fakes import Answer, FakeLease, FakeTransport, Sent
from tests.parts.streams import PaperUpload
from tests.unit.connectors.aws.desk import AWS, CONNECTOR, MINIO, OBJECT
from vault.model import MintRequest

BODY = b"0123456789" * 20_000
DIGEST = hashlib.sha256(BODY).hexdigest()
CRC = base64.b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode()
TRAILER = "x-amz-checksum-crc32"


def plan(params: dict[str, Any] | None = None, connection: Connection = AWS, **said: Any) -> Plan:
    body = {"upload": {"bytes": len(BODY), **said}}
    return CONNECTOR.plan("s3:PutObject", {**OBJECT, "Body": body, **(params or {})}, connection)


async def sent(made: Plan, upload: PaperUpload | None) -> Sent:
    transport = FakeTransport(Answer(headers={"ETag": '"e"'}))
    result = await CONNECTOR.execute(dataclasses.replace(made, stream=upload), AWS, FakeLease("A", "secret"), transport)
    assert isinstance(result, CallResult)
    return transport.sent[0]


def dechunked(body: bytes) -> tuple[bytes, list[int], str]:
    whole = b""
    sizes: list[int] = []
    while True:
        head, _, body = body.partition(b"\r\n")
        size = int(head, 16)
        if size == 0:
            return whole, sizes, body.decode()
        sizes.append(size)
        whole, body = whole + body[:size], body[size + 2 :]


async def test_a_declared_digest_is_signed() -> None:
    request = await sent(plan(sha256=DIGEST), PaperUpload(BODY[:5], BODY[5:]))
    assert request.body == BODY
    assert request.headers["x-amz-content-sha256"] == DIGEST
    assert request.headers["content-length"] == str(len(BODY))


async def test_a_body_nobody_knows_the_digest_of_is_signed_as_unsigned() -> None:
    request = await sent(plan(), PaperUpload(BODY))
    assert (request.body, request.headers["x-amz-content-sha256"]) == (BODY, UNSIGNED)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 200_000])
async def test_a_checksum_said_after_the_body_goes_on_as_a_trailer_in_chunks_of_one_size(size: int) -> None:
    body = BODY[:size]
    made = plan({"ContentEncoding": "gzip", "ChecksumAlgorithm": "CRC32"}, bytes=size, trailer=TRAILER)
    pieces = [body[at : at + 7000] for at in range(0, size, 7000)]
    request = await sent(made, PaperUpload(*pieces, trailers={TRAILER: CRC}))
    whole, sizes, rest = dechunked(request.body)
    assert (whole, rest) == (body, f"{TRAILER}:{CRC}\r\n\r\n")
    assert set(sizes[:-1]) <= {CHUNK_BYTES}
    headers = request.headers
    assert headers["x-amz-content-sha256"] == CHUNKED
    assert headers["content-encoding"] == "aws-chunked,gzip"
    assert (headers["x-amz-decoded-content-length"], headers["x-amz-trailer"]) == (str(size), TRAILER)
    assert headers["content-length"] == str(len(request.body))


async def test_a_checksum_that_was_kept_with_the_body_is_a_header() -> None:
    request = await sent(plan(sha256=DIGEST, trailer=TRAILER, trailing=CRC), PaperUpload(BODY))
    assert (request.headers[TRAILER], request.headers["x-amz-content-sha256"]) == (CRC, DIGEST)
    assert request.body == BODY


@pytest.mark.parametrize(
    ("said", "upload"),
    [
        ({}, PaperUpload(BODY[:-1])),
        ({}, PaperUpload(BODY, b"x")),
        ({"trailer": TRAILER}, PaperUpload(BODY)),
        ({"trailer": TRAILER}, PaperUpload(BODY, trailers={TRAILER: "AAAA\r\nx: y"})),
        ({"trailer": TRAILER}, PaperUpload(BODY, trailers={TRAILER: "AAAA"})),
        ({"sha256": DIGEST}, PaperUpload(BODY, broken="not what was signed")),
    ],
    ids=["short", "long", "no trailer", "strange trailer", "short trailer", "broken"],
)
async def test_a_body_that_is_not_the_declared_one_is_never_whole(said: dict[str, Any], upload: PaperUpload) -> None:
    with pytest.raises(UploadBrokenError):
        await sent(plan(**said), upload)


async def test_a_plan_whose_body_did_not_come_is_not_sent() -> None:
    with pytest.raises(NotSentError):
        await sent(plan(), None)


def test_the_declaration_is_part_of_the_plan_and_the_body_is_not() -> None:
    made = plan(sha256=DIGEST)
    assert made.call["upload"] == {"bytes": len(BODY), "sha256": DIGEST}
    assert (made.payload, made.estimate.request_bytes) == (b"", len(BODY))
    assert made.summary == f"put {len(BODY)} bytes to s3://data-lake/raw/x.csv (eu-central-1)"
    assert plan().call != made.call


@pytest.mark.parametrize(
    "body",
    [
        {}, {"upload": 5}, {"upload": {}}, {"upload": {"bytes": 1, "more": 1}}, {"upload": {"bytes": True}},
        {"upload": {"bytes": -1}}, {"upload": {"bytes": MAX_BYTES + 1}}, {"upload": {"bytes": 1.0}},
        {"upload": {"bytes": 1}, "x": 1}, {"upload": {"bytes": 1, "sha256": "abc"}},
        {"upload": {"bytes": 1, "sha256": 5}}, {"upload": {"bytes": 1, "trailer": "x-amz-meta-a"}},
        {"upload": {"bytes": 1, "trailer": "x-amz-checksum-md5"}},
        {"upload": {"bytes": 1, "trailer": TRAILER, "trailing": "a b"}},
    ],
)  # fmt: skip
def test_what_declares_no_body_is_refused(body: Any) -> None:
    with pytest.raises(InvalidParamsError):
        CONNECTOR.plan("s3:PutObject", {**OBJECT, "Body": body}, AWS)


@pytest.mark.parametrize(
    "params", [{"ContentLength": 1}, {"ChecksumAlgorithm": "CRC32"}, {"ChecksumAlgorithm": "SHA256"}]
)
def test_members_that_contradict_the_body_or_need_it_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParamsError):
        plan(params)


def test_only_bodies_of_objects_stream() -> None:
    with pytest.raises(InvalidParamsError):
        CONNECTOR.plan("lambda:Invoke", {"FunctionName": "f", "Payload": {"upload": {"bytes": 1}}}, AWS)


ROLE = "arn:aws:iam::123456789012:role/agents"
OPTIONS = {"role": ROLE, "external_id": None, "duration_seconds": 900, "also": ["kms:Decrypt"]}


@pytest.mark.req("V1")
def test_a_connection_with_a_role_mints_for_each_plan_what_it_requires() -> None:
    minting = dataclasses.replace(AWS, options={**AWS.options, "assume_role": OPTIONS})
    mint = plan(connection=minting).mint
    assert isinstance(mint, MintRequest)
    assert (mint.role, mint.duration_seconds, mint.region) == (ROLE, 900, "eu-central-1")
    assert mint.endpoint == "https://sts.eu-central-1.amazonaws.com"
    assert "arn:aws:s3:::data-lake/raw/x.csv" in mint.policy
    assert "kms:Decrypt" in mint.policy
    elsewhere = dataclasses.replace(MINIO, options={**MINIO.options, "assume_role": OPTIONS})
    assert (plan(connection=elsewhere).mint or mint).endpoint == "http://127.0.0.1:9000"
    assert plan().mint is None


@pytest.mark.parametrize(
    "role",
    [
        {"role": "arn:aws:iam::999999999999:role/agents"},
        {"role": "agents"},
        {"role": ROLE, "duration_seconds": 60},
        {"role": ROLE, "also": ["*"]},
        {"role": ROLE, "unknown": 1},
    ],
)
def test_a_role_that_cannot_be_taken_is_refused_with_the_configuration(role: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"assume_role|account"):
        AwsConnection(account="123456789012", regions=["eu-central-1"], assume_role=role)  # type: ignore[arg-type]


async def test_a_body_without_bytes_is_looked_at_before_anything_is_sent() -> None:
    empty = hashlib.sha256(b"").hexdigest()
    assert (await sent(plan(bytes=0, sha256=empty), PaperUpload())).body == b""
    transport = FakeTransport(Answer())
    broken = dataclasses.replace(plan(bytes=0), stream=PaperUpload(broken="not what was signed"))
    with pytest.raises(UploadBrokenError):
        await CONNECTOR.execute(broken, AWS, FakeLease("A", "secret"), transport)
    assert transport.sent == []
