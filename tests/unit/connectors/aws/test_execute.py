from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from connectors.aws.codec import parse_time
from connectors.errors import NotSentError, OutcomeUnknownError, UpstreamRefusedError
from connectors.streams import read_all
from tests.fakes import Answer, FakeLease, FakeTransport
from tests.unit.connectors.aws.desk import AWS, CONNECTOR, COPIED, PARAMS, SECRET, WRITES, error, plan_of, run


async def test_an_object_is_streamed_while_its_connection_is_held() -> None:
    transport = FakeTransport(
        Answer(
            headers={
                "ETag": '"e"',
                "Content-Type": "text/csv",
                "Content-Length": "4",
                "Last-Modified": "Wed, 04 Mar 2026 12:00:00 GMT",
                "x-amz-meta-a": "b",
                "x-amz-request-id": "R1",
            },
            chunks=(b"1,", b"2\n"),
        )
    )
    result = await CONNECTOR.execute(plan_of("GetObject"), AWS, FakeLease("A", SECRET), transport)
    assert result.data == {
        "ETag": '"e"',
        "ContentType": "text/csv",
        "ContentLength": 4,
        "LastModified": "2026-03-04T12:00:00Z",
        "Metadata": {"a": "b"},
    }
    assert (result.media_type, result.upstream_request_id, result.usage.response_bytes) == ("text/csv", "R1", 4)
    assert result.body is not None
    assert transport.open == 1
    assert await read_all(result.body, 10) == b"1,2\n"
    assert transport.open == 0


async def test_a_body_nobody_reads_lets_its_connection_go_when_closed() -> None:
    transport = FakeTransport(Answer(chunks=(b"x",)))
    result = await CONNECTOR.execute(plan_of("GetObject"), AWS, FakeLease("A", SECRET), transport)
    assert result.body is not None
    await result.body.aclose()
    await result.body.aclose()
    assert transport.open == 0


async def test_a_body_closed_or_broken_off_half_way_lets_its_connection_go() -> None:
    transport = FakeTransport(Answer(chunks=(b"x", b"y")), Answer(chunks=(b"x", b"y")))
    for how in ("close", "throw"):
        result = await CONNECTOR.execute(plan_of("GetObject"), AWS, FakeLease("A", SECRET), transport)
        assert result.body is not None
        assert await anext(result.body) == b"x"
        if how == "close":
            await result.body.aclose()
        else:
            with pytest.raises(KeyError):
                await result.body.athrow(KeyError("x"))
        assert transport.open == 0


async def test_a_body_that_is_cut_says_so_and_lets_its_connection_go() -> None:
    transport = FakeTransport(Answer(chunks=(b"x",), cut=OutcomeUnknownError("cut")))
    result = await CONNECTOR.execute(plan_of("GetObject"), AWS, FakeLease("A", SECRET), transport)
    assert result.body is not None
    with pytest.raises(OutcomeUnknownError):
        await read_all(result.body, 10)
    assert transport.open == 0


async def test_a_reader_that_is_cancelled_lets_the_connection_go() -> None:
    transport = FakeTransport(Answer(chunks=(b"x", b"y")))
    result = await CONNECTOR.execute(plan_of("GetObject"), AWS, FakeLease("A", SECRET), transport)
    assert result.body is not None
    task = asyncio.create_task(read_all(result.body, 10))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert transport.open == 0


async def test_a_head_has_no_body_and_an_odd_expires_header_is_kept_as_text() -> None:
    result = await run("HeadObject", Answer(headers={"Content-Length": "7", "Expires": "-1", "ETag": '"e"'}))
    assert result.body is None
    assert result.data == {"ContentLength": 7, "ETag": '"e"', "Metadata": {}, "ExpiresString": "-1"}


async def test_a_listing_comes_back_with_its_keys_decoded() -> None:
    document = b"""<?xml version="1.0" encoding="UTF-8"?>
    <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>data-lake</Name><Prefix>a%2B</Prefix>
    <EncodingType>url</EncodingType><IsTruncated>false</IsTruncated><KeyCount>1</KeyCount>
    <Contents><Key>a+b%2541%01</Key><Size>3</Size><LastModified>2026-03-04T12:00:00.000Z</LastModified></Contents>
    <CommonPrefixes><Prefix>x%2Fy%20/</Prefix></CommonPrefixes></ListBucketResult>"""
    result = await run("ListObjectsV2", Answer(chunks=(document[:50], document[50:])))
    assert result.data == {
        "Name": "data-lake",
        "Prefix": "a+",
        "IsTruncated": False,
        "KeyCount": 1,
        "Contents": [{"Key": "a b%41\x01", "Size": 3, "LastModified": "2026-03-04T12:00:00Z"}],
        "CommonPrefixes": [{"Prefix": "x/y /"}],
    }


async def test_a_copy_reports_its_result_after_blanks_that_kept_the_line_open() -> None:
    result = await run("CopyObject", Answer(chunks=(b"  \n ", COPIED)))
    assert result.data == {"CopyObjectResult": {"ETag": '"e"'}}


async def test_a_write_without_document_is_a_yes() -> None:
    result = await run("PutObject", Answer(headers={"ETag": '"e"', "x-amz-version-id": "v1"}))
    assert result.data == {"ETag": '"e"', "VersionId": "v1"}
    assert result.usage.request_bytes == 2
    assert (await run("DeleteObject", Answer(status=204))).data == {}


@pytest.mark.parametrize("operation", PARAMS)
async def test_a_4xx_is_a_definite_no_with_the_words_of_s3(operation: str) -> None:
    answer = Answer(403, {"x-amz-request-id": "R9"}, error("AccessDenied", "Access\nDenied " + "x" * 1000))
    with pytest.raises(UpstreamRefusedError) as caught:
        await run(operation, answer)
    assert (caught.value.code, caught.value.status, caught.value.upstream_request_id) == ("AccessDenied", 403, "R9")
    assert str(caught.value).startswith("Access Denied xxx")
    assert len(str(caught.value)) == 300


@pytest.mark.parametrize(
    ("status", "chunks", "code"),
    [
        (404, (b"\n ", *error("NoSuchKey")), "NoSuchKey"),
        (404, (), "NotFound"),
        (304, (), "NotModified"),
        (412, (b"<html>no</html>",), "PreconditionFailed"),
        (404, (b"\x00 not xml",), "NotFound"),
        (404, (b"<Error><Code>404</Code></Error>",), "NotFound"),
        (403, (b"<!DOCTYPE a [<!ENTITY b 'c'>]><Error><Code>&b;</Code></Error>",), "Forbidden"),
        (400, (b"<Error><Code><A/></Code></Error>",), "BadRequest"),
        (400, (b"x" * 100_000,), "BadRequest"),
        (499, (), "Status499"),
        (503, (b"<html>busy</html>",), "ServiceUnavailable"),
        (500, error("InternalError"), "InternalError"),
    ],
)
async def test_an_answer_without_words_is_named_after_its_status(
    status: int, chunks: tuple[bytes, ...], code: str
) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await run("GetObject", Answer(status, chunks=chunks))
    assert (caught.value.code, caught.value.status) == (code, status)


async def test_a_definite_status_counts_when_its_body_is_cut() -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await run("PutObject", Answer(403, cut=OutcomeUnknownError("cut")))
    assert caught.value.code == "Forbidden"


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize(
    ("status", "chunks"),
    [(500, error("InternalError")), (503, error("ServiceUnavailable")), (503, ()), (408, ()), (501, ()), (502, ())],
)
async def test_a_server_fault_after_a_write_is_unknown(operation: str, status: int, chunks: tuple[bytes, ...]) -> None:
    with pytest.raises(OutcomeUnknownError, match=f"answered {status}"):
        await run(operation, Answer(status, chunks=chunks))


@pytest.mark.parametrize("operation", WRITES)
async def test_slow_down_is_a_definite_no_to_a_write_too(operation: str) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await run(operation, Answer(503, chunks=error("SlowDown", "Reduce your request rate")))
    assert (caught.value.code, caught.value.status) == ("SlowDown", 503)


@pytest.mark.parametrize("status", [301, 307, 400])
async def test_the_wrong_region_is_refused_with_the_right_one(status: int) -> None:
    answer = Answer(status, {"x-amz-bucket-region": "us-west-2"}, error("PermanentRedirect", "Elsewhere"))
    with pytest.raises(UpstreamRefusedError) as caught:
        await run("GetObject", answer)
    assert str(caught.value) == (
        "Elsewhere; the bucket is in `us-west-2`: name it as `Region`, and in the connection's regions"
    )


async def test_an_error_inside_a_200_is_no_yes() -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await run("CopyObject", Answer(headers={"x-amz-request-id": "R"}, chunks=error("AccessDenied")))
    assert (caught.value.code, caught.value.upstream_request_id) == ("AccessDenied", "R")
    for chunks in (error("InternalError"), (b"<Error></Error>",)):
        with pytest.raises(OutcomeUnknownError, match="answered 200 and then"):
            await run("CopyObject", Answer(chunks=chunks))
    with pytest.raises(UpstreamRefusedError):
        await run("ListObjectsV2", Answer(chunks=error("InternalError")))


@pytest.mark.parametrize("chunks", [(), (b"  ",), (b"<html>hi</html>",), (b"plain",), (COPIED[:-5],)])
async def test_a_200_without_its_document_is_unknown(chunks: tuple[bytes, ...]) -> None:
    with pytest.raises(OutcomeUnknownError):
        await run("CopyObject", Answer(chunks=chunks))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(headers={"Last-Modified": "yesterday"}),
        Answer(headers={"Content-Length": "many"}),
        Answer(headers={"Last-Modified": "Wed, 99 Mar 2026 12:00:00 GMT"}),
    ],
)
async def test_an_answer_that_does_not_fit_the_model_is_unknown_and_lets_its_connection_go(answer: Answer) -> None:
    transport = FakeTransport(answer)
    with pytest.raises(OutcomeUnknownError, match="does not fit the model"):
        await CONNECTOR.execute(plan_of("GetObject"), AWS, FakeLease("A", SECRET), transport)
    assert transport.open == 0


async def test_a_document_type_is_not_parsed() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aa">]><ListBucketResult><Name>&a;</Name></ListBucketResult>'
    with pytest.raises(OutcomeUnknownError):
        await run("ListObjectsV2", Answer(chunks=(bomb,)))
    late = b"<ListBucketResult><Name>a</Name></ListBucketResult><!DOCTYPE x>"
    with pytest.raises(OutcomeUnknownError, match="document type"):
        await run("ListObjectsV2", Answer(chunks=(late,)))


async def test_a_document_over_the_cap_is_unknown() -> None:
    with pytest.raises(OutcomeUnknownError, match="larger than"):
        await run("ListObjectsV2", Answer(chunks=(b" " * (9 << 20), b" " * (9 << 20))))


@pytest.mark.parametrize("fault", [NotSentError("no"), OutcomeUnknownError("cut")])
async def test_what_the_transport_says_of_a_failure_stands(fault: Exception) -> None:
    with pytest.raises(type(fault)):
        await run("PutObject", fault)


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("Wed, 04 Mar 2026 12:00:07 GMT", 7),
        ("2026-03-04T12:00:07.000Z", 7),
        ("Wednesday, 04-Mar-26 12:00:07 GMT", 7),
        ("1772625607", 7),
    ],
)
def test_a_time_of_an_answer_is_read_in_every_form(text: str, second: int) -> None:
    assert parse_time(text).second == second


def test_nothing_is_left_for_the_collector_to_close(recwarn: Any) -> None:
    async def go() -> None:
        transport = FakeTransport(Answer(chunks=(b"x",)))
        result = await CONNECTOR.execute(plan_of("GetObject"), AWS, FakeLease("A", SECRET), transport)
        assert result.body is not None
        await anext(result.body)
        await result.body.aclose()

    asyncio.run(go())
    gc.collect()
    assert not list(recwarn)
