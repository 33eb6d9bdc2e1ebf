"""The aws connector against a server that checks every signature, through the real transport."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from connectors.errors import InvalidParamsError, NotSentError, UpstreamRefusedError
from connectors.guard import AddressGuard
from connectors.transport import HttpTransport
from tests.fakes import FakeLease
from tests.parts.aws_desk import Desk, open_desk
from tests.parts.moto import Moto, moto_server

BUCKET = "data-lake"
ODD_KEYS = [
    "a b",
    "a+b",
    "é/ñ",
    "x//y",
    "a/../b",
    "%41",
    "q?x=1&y",
    "~!*()'",
    "/lead",
    "trail/",
    "..",
    "./x",
    "*",
    "a#b",
    "a\\b",
    "r\u0430w",
    "a\u202eb",
    "日本",
    "😀",
    "a;b=c,d:e@f$g",
    "k" * 1000,
]


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with moto_server({BUCKET: {"raw/x.csv": b"1,2\n"}, "other-lake": {}}) as server:
        yield server


class Bucket(Desk):
    """A desk for one bucket."""

    async def do(self, operation: str, **params: Any) -> tuple[dict[str, Any], bytes]:
        return await self.ask(f"s3:{operation}", {"Bucket": BUCKET, **params})


@pytest.fixture
async def desk(moto: Moto) -> AsyncIterator[Bucket]:
    async with open_desk(moto, Bucket) as opened:
        yield opened


@pytest.mark.req("A1")
async def test_an_object_is_written_looked_at_read_listed_copied_and_deleted(desk: Bucket) -> None:
    body = bytes(range(256)) * 40
    put, _ = await desk.do(
        "PutObject",
        Key="life/a.bin",
        Body=base64.b64encode(body).decode(),
        ContentType="application/x-thing",
        Metadata={"origin": "test case"},
    )
    head, nothing = await desk.do("HeadObject", Key="life/a.bin")
    assert nothing == b""
    assert (head["ETag"], head["ContentLength"]) == (put["ETag"], len(body))
    assert (head["ContentType"], head["Metadata"]) == ("application/x-thing", {"origin": "test case"})
    data, content = await desk.do("GetObject", Key="life/a.bin", IfMatch=put["ETag"])
    assert content == body
    assert data["LastModified"].endswith("Z")
    part, content = await desk.do("GetObject", Key="life/a.bin", Range="bytes=1-3")
    assert (content, part["ContentRange"]) == (body[1:4], f"bytes 1-3/{len(body)}")
    copied, _ = await desk.do("CopyObject", Key="life/b.bin", CopySource={"Bucket": BUCKET, "Key": "life/a.bin"})
    assert copied["CopyObjectResult"]["ETag"] == put["ETag"]
    listed, _ = await desk.do("ListObjectsV2", Prefix="life/")
    assert [item["Key"] for item in listed["Contents"]] == ["life/a.bin", "life/b.bin"]
    assert await desk.do("DeleteObject", Key="life/b.bin") == ({}, b"")
    listed, _ = await desk.do("ListObjectsV2", Prefix="life/")
    assert [item["Key"] for item in listed["Contents"]] == ["life/a.bin"]


@pytest.mark.parametrize("key", ODD_KEYS)
async def test_an_odd_key_is_the_same_key_to_every_operation_and_to_boto3(desk: Bucket, key: str) -> None:
    body = key.encode()
    await desk.do("PutObject", Key=key, Body=base64.b64encode(body).decode())
    client = desk.moto.client()
    assert client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
    assert (await desk.do("GetObject", Key=key))[1] == body
    await desk.do("CopyObject", Bucket="other-lake", Key=key, CopySource={"Bucket": BUCKET, "Key": key})
    assert client.get_object(Bucket="other-lake", Key=key)["Body"].read() == body
    listed, _ = await desk.do("ListObjectsV2", Bucket="other-lake", Prefix=key)
    assert key in [item["Key"] for item in listed["Contents"]]
    await desk.do("DeleteObject", Bucket="other-lake", Key=key)
    assert client.list_objects_v2(Bucket="other-lake")["KeyCount"] == 0
    await desk.do("DeleteObject", Key=key)


async def test_pages_of_a_listing_follow_each_other(desk: Bucket) -> None:
    for name in "abc":
        await desk.do("PutObject", Key=f"page/{name}/x")
    first, _ = await desk.do("ListObjectsV2", Prefix="page/", MaxKeys=2)
    assert first["IsTruncated"] is True
    rest, _ = await desk.do(
        "ListObjectsV2", Prefix="page/", MaxKeys=2, ContinuationToken=first["NextContinuationToken"]
    )
    assert [item["Key"] for item in first["Contents"] + rest["Contents"]] == [f"page/{name}/x" for name in "abc"]
    folders, _ = await desk.do("ListObjectsV2", Prefix="page/", Delimiter="/")
    assert [item["Prefix"] for item in folders["CommonPrefixes"]] == ["page/a/", "page/b/", "page/c/"]


async def test_a_copy_leaves_the_tags_of_its_source_behind_unless_asked_for(desk: Bucket) -> None:
    await desk.do("PutObject", Key="tags/a", Tagging="team=blue")
    source = {"Bucket": BUCKET, "Key": "tags/a"}
    await desk.do("CopyObject", Key="tags/plain", CopySource=source)
    await desk.do("CopyObject", Key="tags/full", CopySource=source, TaggingDirective="COPY")
    client = desk.moto.client()
    assert client.get_object_tagging(Bucket=BUCKET, Key="tags/plain")["TagSet"] == []
    assert client.get_object_tagging(Bucket=BUCKET, Key="tags/full")["TagSet"] == [{"Key": "team", "Value": "blue"}]


@pytest.mark.parametrize(
    ("operation", "params", "code", "status"),
    [
        ("GetObject", {"Key": "nope"}, "NoSuchKey", 404),
        ("HeadObject", {"Key": "nope"}, "NotFound", 404),
        ("GetObject", {"Key": "k", "Bucket": "no-such-bucket"}, "NoSuchBucket", 404),
        ("GetObject", {"Key": "raw/x.csv", "IfMatch": '"other"'}, "PreconditionFailed", 412),
        ("GetObject", {"Key": "raw/x.csv", "IfModifiedSince": "2037-01-01T00:00:00Z"}, "NotModified", 304),
        ("CopyObject", {"Key": "k", "CopySource": {"Bucket": BUCKET, "Key": "nope"}}, "NoSuchKey", 404),
    ],
)
async def test_a_no_of_the_server_is_a_refusal_with_its_code(
    desk: Bucket, operation: str, params: dict[str, Any], code: str, status: int
) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await desk.do(operation, **params)
    assert (caught.value.code, caught.value.status) == (code, status)


@pytest.mark.parametrize(
    ("operation", "params"), [("GetObject", {"Key": "raw/x.csv"}), ("PutObject", {"Key": "raw/x.csv", "Body": "eA=="})]
)
async def test_a_wrong_secret_is_refused_and_changes_nothing(
    desk: Bucket, operation: str, params: dict[str, Any]
) -> None:
    desk.lease = FakeLease(desk.moto.access_key, "wrong-secret-wrong-secret")
    with pytest.raises(UpstreamRefusedError) as caught:
        await desk.do(operation, **params)
    assert (caught.value.code, caught.value.status) == ("SignatureDoesNotMatch", 403)
    assert "wrong-secret" not in str(caught.value)
    assert desk.moto.client().get_object(Bucket=BUCKET, Key="raw/x.csv")["Body"].read() == b"1,2\n"


async def test_an_unknown_key_id_is_refused(desk: Bucket) -> None:
    desk.lease = FakeLease("AKIAUNKNOWNUNKNOWN00", desk.moto.secret_key)
    with pytest.raises(UpstreamRefusedError) as caught:
        await desk.do("GetObject", Key="raw/x.csv")
    assert caught.value.code == "InvalidAccessKeyId"


async def test_without_an_explicit_endpoint_loopback_is_not_reached(desk: Bucket) -> None:
    transport = HttpTransport(AddressGuard())
    desk.transport, kept = transport, desk.transport
    with pytest.raises(NotSentError, match="address guard"):
        await desk.do("DeleteObject", Key="raw/x.csv")
    await transport.aclose()
    desk.transport = kept
    assert (await desk.do("GetObject", Key="raw/x.csv"))[1] == b"1,2\n"


async def test_what_does_not_plan_never_reaches_the_server(desk: Bucket) -> None:
    with pytest.raises(InvalidParamsError):
        await desk.do("GetObject", Key="raw/\x00")
