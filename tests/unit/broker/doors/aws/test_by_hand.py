"""Signatures, hosts and connections by hand: nothing is taken for what it is not."""

from __future__ import annotations

import socket

import pytest

from broker.model import IntentState
from broker.outcome import Outcome, Problem, ProblemKind
from connectors.errors import UploadBrokenError
from tests.unit.broker.doors.aws.house import (
    Asked,
    Clients,
    WireWorld,
    fingerprint,
    gives,
    refuses,
    streams,
    takes,
)
from tests.unit.broker.doors.aws.raw import (
    EMPTY,
    Answer,
    ask,
    head_of,
    sign,
    talk,
)

Served = tuple[WireWorld, str, int]
BODY = b"abcdefgh" * 9000


@pytest.fixture
def address(served: Served) -> tuple[str, int]:
    return served[1], served[2]


OLD = {"authorization": "AWS AKIDEXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg="}
V4A = {"authorization": "AWS4-ECDSA-P256-SHA256 Credential=A/20261120/s3/aws4_request, SignedHeaders=host, Signature=0"}


@pytest.mark.parametrize(
    ("target", "headers", "code"),
    [
        ("/lake/k", OLD, "AuthorizationHeaderMalformed"),
        ("/lake/k", V4A, "AuthorizationHeaderMalformed"),
        ("/lake/k?AWSAccessKeyId=A&Signature=b&Expires=1", {}, "AuthorizationHeaderMalformed"),
        ("/lake/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=604801", {}, "IncompleteSignature"),
        ("/v1/intents?X-Amz-Signature=0", {"authorization": "Bearer x"}, "InvalidRequest"),
        ("/lake/k", {"authorization": "AWS4-HMAC-SHA256 nonsense"}, "IncompleteSignature"),
        ("/lake/k{}", OLD, "SerializationException"),
    ],
)
def test_signatures_of_another_kind_or_form_are_refused_as_aws_does_and_nothing_is_asked(
    world: WireWorld, address: tuple[str, int], target: str, headers: dict[str, str], code: str
) -> None:
    (answer,) = talk(address, head_of("GET", target, {"host": "x", "connection": "close", **headers}))
    assert answer.code == code
    assert answer.headers["x-amz-request-id"]
    assert world.drafts == []


@pytest.mark.parametrize("path", ["/lake/k", "/livez"])
def test_what_is_not_signed_at_all_is_not_for_this_door(world: WireWorld, address: tuple[str, int], path: str) -> None:
    (answer,) = talk(address, head_of("GET", path, {"host": "x", "connection": "close"}))
    assert "x-amz-request-id" not in answer.headers
    assert world.drafts == []


@pytest.mark.parametrize(
    ("method", "target", "options", "code"),
    [
        ("GET", "/lake/k", {"age_seconds": 901}, "RequestTimeTooSkewed"),
        ("GET", "/lake/k", {"age_seconds": -901}, "RequestTimeTooSkewed"),
        ("GET", "/lake/k?unheard=1", {}, "ValidationException"),
        ("GET", "/lake/k?acl&tagging", {}, "ValidationException"),
        ("GET", "/lake/k", {"unsigned": {"x-amz-copy-source": "lake/k"}}, "IncompleteSignature"),
        ("GET", "/", {"service": "nosuch"}, "UnknownOperationException"),
        ("POST", "/", {"service": "dynamodb", "headers": {"x-amz-target": "DynamoDB_20120810.Nonsense"}},
         "UnknownOperationException"),
        ("POST", "/?Action=ListQueues", {"service": "sqs", "headers": {"x-amz-target": "AmazonSQS.ListQueues"}}, ""),
        ("GET", "/key", {"host": "lake.elsewhere.test"}, "InvalidRequest"),
        ("PUT", "/lake/k", {"headers": {"x-amz-copy-source": "lake/a+b"}}, "ValidationException"),
        ("PUT", "/lake/k", {"headers": {"x-amz-copy-source": "lake"}}, "ValidationException"),
        ("PUT", "/lake/k", {"headers": {"x-amz-copy-source": "lake/%zz"}}, "SerializationException"),
        ("PUT", "/lake/k", {"headers": {"x-amz-copy-source": "lake/k?acl"}}, "ValidationException"),
    ],
)  # fmt: skip
def test_what_is_not_one_clear_request_is_refused_in_the_form_of_its_protocol(
    world: WireWorld, address: tuple[str, int], method: str, target: str, options: dict[str, object], code: str
) -> None:
    signed = sign(world, method, target, **options)  # type: ignore[arg-type]  # cases of one call
    answer = ask(address, signed)
    assert 400 <= answer.status < 500
    assert not code or answer.code == code
    assert world.drafts == []


def test_a_signature_holds_for_one_secret_only(world: WireWorld, address: tuple[str, int]) -> None:
    signed = sign(world, "GET", "/lake/k")
    world.wire_session = world.session_of(world.session("reader"))
    other = world.key()[0]
    taken = signed.headers["authorization"]
    signed.headers["authorization"] = taken.replace(taken.split("Credential=")[1].split("/")[0], other)
    assert ask(address, signed).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("host", "target", "bucket"),
    [
        ("lake.broker.test", "/a/b", "lake"),
        ("my.lake.broker.test:8700", "/a/b", "my.lake"),
        ("lake.localhost:1", "/a/b", "lake"),
        ("broker.test", "/lake/a/b", "lake"),
        ("broker", "/lake/a/b", "lake"),
        ("[::1]:8700", "/lake/a/b", "lake"),
    ],
)
def test_a_bucket_in_the_host_is_told_from_one_in_the_path(
    world: WireWorld, address: tuple[str, int], host: str, target: str, bucket: str
) -> None:
    world.acts["s3:GetObject"] = gives({"ContentLength": 1}, body=b"x")
    assert ask(address, sign(world, "GET", target, host=host)).status == 200
    assert (world.only.params["Bucket"], world.only.params["Key"]) == (bucket, "a/b")


def test_an_account_in_the_host_of_s3_control_is_no_bucket(world: WireWorld, address: tuple[str, int]) -> None:
    signed = sign(
        world, "GET", "/v20180820/accesspoint", host="123456789012.broker.test",
        headers={"x-amz-account-id": "123456789012"},
    )  # fmt: skip
    ask(address, signed)
    assert world.only.action == "s3control:ListAccessPoints"


def test_the_approval_is_linked_at_the_doors_own_name(world: WireWorld, address: tuple[str, int]) -> None:
    async def act(asked: Asked) -> Outcome:
        return Outcome(asked.intent_id, IntentState.PENDING_APPROVAL, approval_id="apr_7")

    world.acts["s3:GetObject"] = act
    answer = ask(address, sign(world, "GET", "/a", host="lake.broker.test:8700"))
    assert "http://broker.test:8700/v1/approvals/apr_7" in answer.message


DENIED = refuses(Problem(ProblemKind.DENIED, "policy denies it"), IntentState.DENIED)


@pytest.mark.parametrize("expecting", [True, False])
def test_what_follows_a_denied_upload_is_never_taken_for_a_request(
    world: WireWorld, address: tuple[str, int], expecting: bool
) -> None:
    world.acts["s3:PutObject"] = DENIED
    hidden = sign(world, "GET", "/lake/hidden")
    signed = sign(world, "PUT", "/lake/k", payload="UNSIGNED-PAYLOAD")
    extra = {"content-length": str(5 << 20), **({"expect": "100-continue"} if expecting else {})}
    sent = b"" if expecting else head_of("GET", hidden.target, hidden.headers)
    answers = talk(address, head_of("PUT", signed.target, {**signed.headers, **extra}) + sent)
    assert [answer.status for answer in answers] == [403]
    assert answers[0].headers["connection"] == "close"
    assert [draft.action for draft in world.drafts] == ["s3:PutObject"]


def test_a_client_goes_on_after_a_denied_upload_of_five_megabytes(world: WireWorld, clients: Clients) -> None:
    world.acts["s3:PutObject"] = DENIED
    world.acts["s3:GetObject"] = gives({"ContentLength": 1}, body=b"x")
    s3 = clients("s3", world)
    for _ in range(2):
        with pytest.raises(s3.exceptions.ClientError) as caught:
            s3.put_object(Bucket="lake", Key="k", Body=b"x" * (5 << 20))
        assert caught.value.response["Error"]["Code"] == "AccessDenied"
        assert s3.get_object(Bucket="lake", Key="k")["Body"].read() == b"x"
    assert len(world.drafts) == 4


def test_an_allowed_upload_is_asked_to_go_on_and_the_connection_stays(
    world: WireWorld, address: tuple[str, int]
) -> None:
    world.acts["s3:PutObject"] = takes(world)
    signed = sign(world, "PUT", "/lake/k", payload="UNSIGNED-PAYLOAD")
    extra = {"content-length": "4", "expect": "100-continue"}
    after = sign(world, "DELETE", "/lake/k")
    answers = talk(
        address,
        head_of("PUT", signed.target, {**signed.headers, **extra}) + b"body",
        head_of("DELETE", after.target, {**after.headers, "connection": "close"}),
    )
    assert [answer.status for answer in answers] == [100, 200, 204]
    assert world.uploads == [fingerprint(b"body")]


def test_an_upload_whose_client_goes_away_is_broken(world: WireWorld, address: tuple[str, int]) -> None:
    broken: list[bool] = []

    async def act(asked: Asked) -> Outcome:
        try:
            return await takes(world)(asked)
        except UploadBrokenError:
            broken.append(True)
            raise

    world.acts["s3:PutObject"] = act
    signed = sign(world, "PUT", "/lake/k", payload="UNSIGNED-PAYLOAD")
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(head_of("PUT", signed.target, {**signed.headers, "content-length": "9000"}) + b"x" * 100)
    while not broken:
        assert ask(address, sign(world, "GET", "/")).status == 200
    assert world.uploads == []


def test_a_download_ends_when_its_client_goes_away(world: WireWorld, address: tuple[str, int]) -> None:
    ended: list[bool] = []

    async def act(asked: Asked) -> Outcome:
        try:
            return await streams({}, 100_000)(asked)
        finally:
            ended.append(True)

    world.acts["s3:GetObject"] = act
    signed = sign(world, "GET", "/lake/big")
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(head_of("GET", signed.target, signed.headers))
        assert connection.recv(1000)
    while not ended:
        assert ask(address, sign(world, "HEAD", "/lake/k")).status == 200
    assert world.drafts[0].action == "s3:GetObject"


def test_answers_to_head_and_of_not_modified_have_no_body(world: WireWorld, address: tuple[str, int]) -> None:
    world.acts["s3:HeadObject"] = DENIED
    problem = Problem(ProblemKind.UPSTREAM_REFUSED, "x", "NotModified", extra={"upstream_status": 304})
    world.acts["s3:GetObject"] = refuses(problem)
    first, second = sign(world, "HEAD", "/lake/k"), sign(world, "GET", "/lake/k")
    answers = talk(
        address,
        head_of("HEAD", first.target, first.headers),
        head_of("GET", second.target, {**second.headers, "connection": "close"}),
    )
    assert [(answer.status, answer.body) for answer in answers] == [(403, b""), (304, b"")]


@pytest.mark.parametrize("payload", [EMPTY, "UNSIGNED-PAYLOAD"])
def test_a_request_without_a_body_needs_no_length(world: WireWorld, address: tuple[str, int], payload: str) -> None:
    answer: Answer = ask(address, sign(world, "GET", "/", payload=payload))
    assert answer.status == 200


@pytest.mark.parametrize("own", ["", "max-age=60"])
def test_how_an_object_may_be_cached_is_said_by_its_owner_alone_and_no_cache_keeps_it(
    world: WireWorld, address: tuple[str, int], own: str
) -> None:
    world.acts["s3:HeadObject"] = gives({"CacheControl": own, "Metadata": {"empty": ""}} if own else {})
    headers = ask(address, sign(world, "HEAD", "/lake/k")).headers
    assert headers.get("cache-control", "") == own
    assert (headers["vary"], headers["x-content-type-options"]) == ("*", "nosniff")
    assert headers.get("x-amz-meta-empty") == ("" if own else None)
