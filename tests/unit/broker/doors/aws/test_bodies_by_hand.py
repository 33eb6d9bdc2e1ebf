"""Bodies no SDK sends, or not over plain HTTP: in chunks, spoilt, too large, and read before they are checked."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import zlib
from pathlib import Path

import pytest

from broker.doors.app import create_app
from broker.model import IntentState
from broker.outcome import Outcome
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.aws.house import (
    Asked,
    WireWorld,
    fingerprint,
    make_wire_world,
    takes,
)
from tests.unit.broker.doors.aws.raw import (
    FIRST,
    TRAILING,
    UNSIGNED_TRAILING,
    ask,
    chunks,
    head_of,
    sign,
    talk,
)

Served = tuple[WireWorld, str, int]
BODY = b"abcdefgh" * 9000


@pytest.fixture
def address(served: Served) -> tuple[str, int]:
    return served[1], served[2]


def crc32(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def chunk_headers(size: int, trailer: str = "") -> dict[str, str]:
    named = {"x-amz-trailer": trailer} if trailer else {}
    return {"x-amz-decoded-content-length": str(size), "content-encoding": "aws-chunked", **named}


def test_a_body_in_signed_chunks_is_decoded_and_each_of_them_checked(
    world: WireWorld, address: tuple[str, int]
) -> None:
    world.acts["s3:PutObject"] = takes(world)
    signed = sign(world, "PUT", "/lake/k", payload=FIRST, headers=chunk_headers(len(BODY)))
    answer = ask(address, signed, chunks(signed, [BODY[:65536], BODY[65536:]]))
    assert answer.status == 200
    assert world.uploads == [fingerprint(BODY)]
    assert world.only.params == {
        "Bucket": "lake", "Key": "k", "Body": {"upload": {"bytes": len(BODY)}}, "Region": "eu-west-1",
    }  # fmt: skip


@pytest.mark.parametrize("mode", [TRAILING, UNSIGNED_TRAILING])
def test_a_checksum_after_the_body_is_declared_before_and_told_after_it(
    world: WireWorld, address: tuple[str, int], mode: str
) -> None:
    name, value = "x-amz-checksum-crc32", crc32(BODY)
    world.acts["s3:PutObject"] = takes(world, trailers={name: value})
    signed = sign(world, "PUT", "/lake/k", payload=mode, headers=chunk_headers(len(BODY), name))
    if mode == TRAILING:
        sent = chunks(signed, [BODY], {name: value})
    else:
        sent = b"%x\r\n%s\r\n0\r\n%s:%s\r\n\r\n" % (len(BODY), BODY, name.encode(), value.encode())
    assert ask(address, signed, sent).status == 200
    assert world.uploads == [fingerprint(BODY)]
    assert world.only.params["Body"] == {"upload": {"bytes": len(BODY), "trailer": name}}


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda sent: sent.replace(b"abcdefgh", b"abcdefgx", 1), "SignatureDoesNotMatch"),
        (lambda sent: sent[: -len("\r\n")], "SerializationException"),
        (lambda sent: sent.replace(b"0;chunk-signature", b"1;chunk-signature"), "SerializationException"),
        (lambda sent: sent + b"x", "SerializationException"),
    ],
)
def test_a_spoilt_chunk_breaks_the_upload_with_the_code_of_its_fault(
    world: WireWorld, address: tuple[str, int], spoil: object, code: str
) -> None:
    world.acts["s3:PutObject"] = takes(world)
    signed = sign(world, "PUT", "/lake/k", payload=FIRST, headers=chunk_headers(len(BODY)))
    assert callable(spoil)
    answer = ask(address, signed, spoil(chunks(signed, [BODY])))
    assert (answer.code, world.uploads) == (code, [])
    assert answer.headers["x-amz-request-id"].startswith("int_")


@pytest.mark.parametrize(
    ("payload", "headers", "status"),
    [
        (FIRST, {}, 400),
        (FIRST, chunk_headers(-1), 400),
        (TRAILING, chunk_headers(5, "x-amz-checksum-crc32,x-amz-checksum-sha1"), 501),
        ("UNSIGNED-PAYLOAD", {"transfer-encoding": "chunked"}, 411),
    ],
)
def test_a_body_whose_length_or_trailers_are_not_clear_is_refused_unread(
    world: WireWorld, address: tuple[str, int], payload: str, headers: dict[str, str], status: int
) -> None:
    body = b"5\r\nhello\r\n0\r\n\r\n"
    framing = {} if "transfer-encoding" in headers else {"content-length": str(len(body))}
    signed = sign(world, "PUT", "/lake/k", payload=payload, headers=headers)
    assert ask(address, signed, body, **framing).status == status
    assert world.drafts == []


def test_an_empty_body_in_chunks_is_no_upload(world: WireWorld, address: tuple[str, int]) -> None:
    signed = sign(world, "PUT", "/lake/k", payload=FIRST, headers=chunk_headers(0))
    assert ask(address, signed, chunks(signed, [])).status == 200
    assert "Body" not in world.only.params


def test_a_body_other_than_the_signed_one_never_becomes_whole(world: WireWorld, address: tuple[str, int]) -> None:
    world.acts["s3:PutObject"] = takes(world)
    signed = sign(world, "PUT", "/lake/k", payload=hashlib.sha256(BODY).hexdigest())
    assert ask(address, signed, BODY[:-1] + b"x").code == "XAmzContentSHA256Mismatch"
    assert world.uploads == []


def document(world: WireWorld, body: bytes, **headers: str) -> tuple[object, bytes]:
    return sign(world, "PUT", "/lake?tagging", payload=hashlib.sha256(body).hexdigest(), headers=headers), body


TAGS = b"<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"


@pytest.mark.parametrize(
    ("of", "code"), [(TAGS, ""), (b"other", "BadDigest")]
)  # fmt: skip
def test_the_md5_of_a_document_is_checked_and_not_sent_on(
    world: WireWorld, address: tuple[str, int], of: bytes, code: str
) -> None:
    md5 = base64.b64encode(hashlib.md5(of, usedforsecurity=False).digest()).decode()
    signed = sign(world, "PUT", "/lake?tagging", payload=hashlib.sha256(TAGS).hexdigest(), headers={"content-md5": md5})
    assert ask(address, signed, TAGS).code == code
    assert [draft.params for draft in world.drafts] == (
        [] if code else [{"Bucket": "lake", "Tagging": {"TagSet": [{"Key": "k", "Value": "v"}]}, "Region": "eu-west-1"}]
    )


@pytest.mark.parametrize("size", [2, 70_000])
def test_a_document_whose_digest_is_not_said_is_read_first_and_then_checked(
    world: WireWorld, address: tuple[str, int], size: int
) -> None:
    body = json.dumps({"TableName": "t" * size}).encode()
    signed = sign(
        world, "POST", "/", service="dynamodb", payload=hashlib.sha256(body).hexdigest(),
        headers={"x-amz-target": "DynamoDB_20120810.DescribeTable"},
    )  # fmt: skip
    ask(address, signed, body)
    assert world.only.params["TableName"] == "t" * size
    assert ask(address, signed, body.replace(b"t", b"u")).code == "SignatureDoesNotMatch"
    world.end()
    assert ask(address, signed, body).code == "ExpiredTokenException"
    assert len(world.drafts) == 1


def test_a_large_document_under_a_key_that_is_not_ours_is_not_even_read(
    world: WireWorld, address: tuple[str, int]
) -> None:
    signed = sign(world, "POST", "/", service="dynamodb", headers={"x-amz-target": "DynamoDB_20120810.ListTables"})
    signed.headers["authorization"] = signed.headers["authorization"].replace("Credential=OST", "Credential=AKI")
    (answer,) = talk(address, head_of("POST", "/", {**signed.headers, "content-length": "1000000"}))
    assert answer.code == "UnrecognizedClientException"
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("right", [True, False])
def test_a_document_in_chunks_is_read_whole_and_checked_before_it_is_asked_for(
    world: WireWorld, address: tuple[str, int], right: bool
) -> None:
    signed = sign(world, "PUT", "/lake?tagging", payload=FIRST, headers=chunk_headers(len(TAGS)))
    sent = chunks(signed, [TAGS])
    answer = ask(address, signed, sent if right else sent.replace(b"Value", b"Walue"))
    assert (answer.code, len(world.drafts)) == (("", 1) if right else ("SignatureDoesNotMatch", 0))


def test_a_document_over_the_bound_is_not_read_to_check_its_signature(
    world: WireWorld, address: tuple[str, int]
) -> None:
    signed = sign(world, "POST", "/", service="dynamodb", headers={"x-amz-target": "DynamoDB_20120810.ListTables"})
    (answer,) = talk(address, head_of("POST", "/", {**signed.headers, "content-length": str(33 << 20)}))
    assert answer.code == "RequestEntityTooLarge"


def test_an_operation_with_a_region_of_its_own_is_refused_outside_the_first_region(
    world: WireWorld, address: tuple[str, int]
) -> None:
    body = b'{"Region": "x", "CatalogId": "1", "DatabaseName": "d", "Name": "t", "SupportedPermissionTypes": []}'
    signed = sign(
        world, "POST", "/", service="glue", payload=hashlib.sha256(body).hexdigest(),
        headers={"x-amz-target": "AWSGlue.GetUnfilteredTableMetadata"},
    )  # fmt: skip
    assert ask(address, signed, body).code == "ValidationException"
    assert world.drafts == []


def test_the_approval_is_linked_where_people_reach_the_api(tmp_path: Path) -> None:
    async def act(asked: Asked) -> Outcome:
        return Outcome(asked.intent_id, IntentState.PENDING_APPROVAL, approval_id="apr_7")

    world = make_wire_world(tmp_path, public_url="https://ostiary.example.com/")
    world.acts["s3:GetObject"] = act
    signed = sign(world, "GET", "/lake/k")
    reply = asyncio.run(Client(create_app(world)).call("GET", "/lake/k", headers=signed.headers))
    assert b"https://ostiary.example.com/v1/approvals/apr_7" in reply.body


@pytest.mark.parametrize("length", [33 << 20, None])
def test_a_document_over_the_bound_is_refused(world: WireWorld, address: tuple[str, int], length: int | None) -> None:
    signed = sign(world, "POST", "/lake?delete", payload="UNSIGNED-PAYLOAD")
    if length is not None:
        (answer,) = talk(address, head_of("POST", signed.target, {**signed.headers, "content-length": str(length)}))
    else:
        piece = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
        head = head_of("POST", signed.target, {**signed.headers, "transfer-encoding": "chunked"})
        (answer,) = talk(address, head, *[piece] * 32, b"1\r\nx\r\n")
    assert (answer.status, answer.code) == (413, "RequestEntityTooLarge")
    assert world.drafts == []
