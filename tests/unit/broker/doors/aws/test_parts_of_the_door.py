from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from broker.doors.aws.bodies import Buffers, IncomingBody, has_body, length_of, read_whole
from broker.doors.aws.exchange import WireExchange
from broker.doors.aws.gate import MAX_SECRETS, Gate
from broker.doors.aws.hosts import Hosts
from broker.doors.aws.reading import Body, Where, draft_of, likeliest_first, where_of
from broker.doors.aws.recognition import is_signed_for_aws
from broker.doors.aws.refusals import Cause, No
from broker.doors.aws.s3 import copy_source
from broker.doors.aws.turn import Models
from broker.exchange import ClientGoneError
from broker.ids import IntentId, SessionId
from connectors.aws.model import ApiOperation, operation, service
from connectors.aws.wire_in.calls import Call, Parsed
from connectors.aws.wire_in.payload import PlainBody
from connectors.aws.wire_in.request import WireRequest, receive
from connectors.aws.wire_in.services import Protocol
from connectors.aws.wire_in.sigv4 import Claim, read_claim
from connectors.base import Connection
from connectors.errors import UploadBrokenError
from tests.unit.broker.doors.aws.house import MAIN, make_wire_world
from tests.unit.broker.doors.aws.raw import sign
from tests.unit.broker.doors.parts import FakeAgent, FakeConfiguration, FakeProject
from vault.model import SecretValue


class Wire:
    """Gives messages one after the other, and then nothing any more."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self._messages = list(messages)

    async def __call__(self) -> Message:
        if self._messages:
            return self._messages.pop(0)
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # never done


GONE: Message = {"type": "http.disconnect"}


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    ("headers", "query", "ours"),
    [
        ({"authorization": "AWS4-HMAC-SHA256 x"}, "", True),
        ({"authorization": "AWS4-ECDSA-P256-SHA256 x"}, "", True),
        ({"authorization": "AWS AKID:sig"}, "", True),
        ({"authorization": "Bearer AWS4-"}, "", False),
        ({"authorization": "AWSX x"}, "", False),
        ({}, "X-Amz-Signature=1", True),
        ({}, "a=1&X-Amz-Algorithm=x", True),
        ({}, "AWSAccessKeyId=A&Signature=b", True),
        ({}, "a=X-Amz-Signature", False),
        ({}, "", False),
    ],
)
def test_the_door_takes_what_is_signed_for_aws(headers: dict[str, str], query: str, ours: bool) -> None:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert is_signed_for_aws({"headers": pairs, "query_string": query.encode()}) is ours


@pytest.mark.parametrize(
    ("host", "known", "own"),
    [
        ("s3.a.test", True, "s3.a.test"),
        ("b.s3.a.test", True, "s3.a.test"),
        ("x.a.test", True, "a.test"),
        ("xa.test", False, "xa.test"),
        ("elsewhere.test", False, "elsewhere.test"),
        ("localhost", True, "localhost"),
        ("b.localhost", True, "localhost"),
        ("ostiary", True, "ostiary"),
        ("10.0.0.1", True, "10.0.0.1"),
        ("[::1]", True, "[::1]"),
        ("", True, ""),
    ],
)
def test_hosts_are_ours_or_have_no_room_for_a_bucket(host: str, known: bool, own: str) -> None:
    hosts = Hosts({"a.test", "s3.a.test"})
    assert (hosts.knows(host), hosts.own(host)) == (known, own)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("lake/a", {"Bucket": "lake", "Key": "a"}),
        ("/lake/a/b", {"Bucket": "lake", "Key": "a/b"}),
        ("lake%2Fa%20b%2Bc", {"Bucket": "lake", "Key": "a b+c"}),
        ("lake//a", {"Bucket": "lake", "Key": "/a"}),
        ("lake/a?versionId=v%2F1", {"Bucket": "lake", "Key": "a", "VersionId": "v/1"}),
        ("lake/a%3FversionId=x", {"Bucket": "lake", "Key": "a?versionId=x"}),
        ("lake/a?versionId=v?versionId=w", {"Bucket": "lake", "Key": "a", "VersionId": "v?versionId=w"}),
    ],
)
def test_the_source_of_a_copy_is_read_as_s3_reads_it(text: str, source: dict[str, str]) -> None:
    assert copy_source(text) == source


@pytest.mark.parametrize("text", ["", "lake", "lake/", "/", "//k", "lake/a+b", "lake/a?x=1", "lake/a?", "lake/%c3"])
def test_a_source_that_can_be_read_in_two_ways_is_refused(text: str) -> None:
    assert isinstance(copy_source(text), No)


@pytest.mark.parametrize(
    ("text", "length"), [("0", 0), ("12", 12), ("", None), ("-1", None), ("+1", None), ("٣", None), ("9" * 16, None)]
)
def test_a_length_is_digits(text: str, length: int | None) -> None:
    assert length_of(text) == length


def test_a_body_is_announced_by_a_length_or_an_encoding() -> None:
    cases = [((b"content-length", b"0"), False), ((b"content-length", b"1"), True),
             ((b"transfer-encoding", b"chunked"), True), ((b"host", b"x"), False)]  # fmt: skip
    assert [has_body({"headers": [header]}) for header, _ in cases] == [expected for _, expected in cases]


async def test_bodies_of_all_requests_share_one_bound_and_give_it_back() -> None:
    buffers = Buffers(10)
    with buffers.hold() as first:
        assert await read_whole(Wire([part(b"123456"), part(b"", more=False)]), first, None) == b"123456"
        with buffers.hold() as second:
            refused = await read_whole(Wire([part(b"123456", more=False)]), second, None)
            assert isinstance(refused, No)
            assert refused.cause is Cause.BUSY
        assert buffers.used_bytes == 6
    assert buffers.used_bytes == 0


async def test_a_client_that_goes_away_is_answered_nothing() -> None:
    with Buffers(10).hold() as hold, pytest.raises(ClientGoneError):
        await read_whole(Wire([part(b"1"), GONE]), hold, None)


async def test_an_upload_that_stalls_or_is_left_is_broken() -> None:
    for messages, cause in (([part(b"1")], Cause.SLOW_BODY), ([part(b"1"), GONE], None)):
        body = IncomingBody(Wire(messages), PlainBody(), idle_seconds=0.001)
        with pytest.raises(UploadBrokenError):
            [piece async for piece in body]
        assert (body.no.cause if body.no else None) is cause


async def test_an_upload_is_read_no_faster_than_it_is_used() -> None:
    wire = Wire([part(b"1"), part(b"2"), part(b"3", more=False)])
    pieces = aiter(IncomingBody(wire, PlainBody(hashlib.sha256(b"123").hexdigest())))
    assert await anext(pieces) == b"1"
    assert len(wire._messages) == 1


async def test_a_server_that_takes_all_it_is_given_is_heard_when_its_client_is_gone() -> None:
    async def send(_message: Message) -> None:
        """Take it at once, as uvicorn does when the connection is lost."""

    wire = Wire([part(b"", more=False), GONE])
    exchange = WireExchange(api_of("s3:GetObject"), wire, send, upload=None)
    await exchange.begin(IntentId("int_1"), {}, "text/plain")

    async def go_on() -> None:
        for _ in range(10):
            await exchange.write(b"x")

    with pytest.raises(ClientGoneError):
        await go_on()
    exchange.close()


async def test_nothing_is_written_before_an_answer_is_begun() -> None:
    async def send(_message: Message) -> None:
        raise AssertionError

    exchange = WireExchange(api_of("s3:GetObject"), Wire([]), send, upload=None)
    with pytest.raises(ClientGoneError):
        await exchange.write(b"x")


def parsed(*actions: str, hinted: bool = False) -> Parsed:
    calls = [Call(action.partition(":")[0], action.partition(":")[2], {}) for action in actions]
    return Parsed(tuple(calls), Protocol.QUERY, hinted=hinted)


def test_the_service_that_signs_under_its_own_name_comes_first_unless_the_client_says_another() -> None:
    actions = ("docdb:X", "neptune:X", "rds:X")
    assert likeliest_first(parsed(*actions), "rds").service == "rds"
    assert likeliest_first(parsed(*actions, hinted=True), "rds").service == "docdb"
    assert len(likeliest_first(parsed(*actions), "rds").candidates) == 3


def api_of(action: str) -> ApiOperation:
    found = operation(*action.split(":"))
    assert found is not None
    return found


def configured(**regions: list[str]) -> FakeConfiguration:
    connections = {name: replace(MAIN, name=name, options={"regions": each}) for name, each in regions.items()}
    others = {"git": Connection("git", "git", MAIN.credential, {})}
    project = FakeProject((*connections, "git", "gone"))
    return FakeConfiguration({"p": project}, {**connections, **others}, {"a": FakeAgent("p")}, {})


@pytest.mark.parametrize(
    ("action", "regions", "region", "where"),
    [
        ("sqs:ListQueues", {"a": ["eu-west-1"]}, "eu-west-1", Where("", {"Region": "eu-west-1"})),
        ("sqs:ListQueues", {"a": ["eu-west-1"]}, "us-east-1", Where("", {"Region": "us-east-1"})),
        ("sqs:ListQueues", {"a": ["eu-west-1"], "b": ["us-east-1"]}, "us-east-1", Where("b", {"Region": "us-east-1"})),
        ("sqs:ListQueues", {"a": ["x"], "b": ["x"]}, "x", Where("", {"Region": "x"})),
        ("sqs:ListQueues", {}, "x", Where("", {"Region": "x"})),
        ("sqs:ListQueues", {"a": []}, "x", Where("", {"Region": "x"})),
        ("iam:ListUsers", {"a": ["eu-west-1"]}, "us-east-1", Where("", {})),
        ("iam:ListUsers", {"a": ["eu-west-1"]}, "us-west-2", Where("", {"Region": "us-west-2"})),
        ("iam:ListUsers", {"a": ["cn-north-1"]}, "cn-north-1", Where("", {"Region": "cn-north-1"})),
        ("s3:ListBuckets", {"a": ["no where"]}, "us-east-1", Where("", {"Region": "us-east-1"})),
        ("glue:CreateGlueIdentityCenterConfiguration", {"a": ["eu-west-1"]}, "eu-west-1", None),
    ],
)
def test_the_region_of_the_signature_names_region_and_connection(
    action: str, regions: dict[str, list[str]], region: str, where: Where | None
) -> None:
    expected = where or Where("", {"Region": region})
    assert where_of(configured(**regions), "p", api_of(action), {}, region) == expected


def glue_with_region() -> ApiOperation:
    model = service("glue")
    for name in sorted(model.model.operation_names):
        api = model.operation(name)
        if api is not None and "Region" in api.members:
            return api
    raise AssertionError


def test_an_operation_with_a_region_of_its_own_is_served_in_the_first_region_only() -> None:
    api, two = glue_with_region(), configured(a=["eu-west-1", "eu-west-2"])
    assert where_of(two, "p", api, {}, "eu-west-1") == Where("", {})
    assert isinstance(where_of(two, "p", api, {}, "eu-west-2"), No)


def test_a_body_that_must_be_there_is_there_though_it_is_empty() -> None:
    required = next(
        api_of(f"{service}:{name}")
        for service, name in (("s3", "PutObject"), ("lex-runtime", "PostContent"), ("ebs", "PutSnapshotBlock"))
        if api_of(f"{service}:{name}").payload in api_of(f"{service}:{name}").required
    )
    call = Call(required.service, required.name, {}, payload_member=required.payload)
    asked = Parsed((call,), Protocol.REST_JSON)
    draft = draft_of(asked, Body(b""), required, where=Where("", {}), source_ip="")
    assert not isinstance(draft, No)
    assert draft.params == {required.payload: ""}


async def test_models_are_read_in_a_thread_until_a_service_was_spoken_to() -> None:
    models, here = Models(), threading.get_ident()
    await models.names()
    assert await models.using("sqs", threading.get_ident) != here
    models.read("sqs")
    models.read("nosuch")
    assert await models.using("sqs", threading.get_ident) == here
    assert await models.using("nosuch", threading.get_ident) != here


def claimed(world: Any) -> tuple[Claim, WireRequest]:
    signed = sign(world, "GET", "/")
    pairs = [(name.encode(), value.encode()) for name, value in signed.headers.items()]
    request = receive("GET", b"/", b"", headers=pairs, body=b"")
    assert isinstance(request, WireRequest)
    claim = read_claim(request)
    assert isinstance(claim, Claim)
    return claim, request


async def test_secrets_are_remembered_of_those_who_signed_rightly_and_of_so_many_only(tmp_path: Path) -> None:
    world = make_wire_world(tmp_path)
    gate = Gate(world)
    wrong, request = claimed(world)
    await gate.admit(replace(wrong, signature="0" * 64), request)
    assert len(gate._secrets) == 0
    for _ in range(3):
        world.begin()
        claim, request = claimed(world)
        assert not isinstance(await gate.admit(claim, request), No)
    assert len(gate._secrets) == 3 < MAX_SECRETS
    oldest = next(iter(gate._secrets))
    for number in range(MAX_SECRETS - 2):
        gate._remember(SessionId(f"ses_{number}"), SecretValue(b"x"))
    assert oldest not in gate._secrets
    assert len(gate._secrets) == MAX_SECRETS


@pytest.mark.parametrize("known", [True, False])
async def test_before_a_large_body_is_read_the_session_must_live(tmp_path: Path, known: bool) -> None:
    world = make_wire_world(tmp_path)
    claim, _ = claimed(world)
    if not known:
        del world.sessions_by_id[world.wire_session.id]
    assert (await Gate(world).refuse_stranger(claim) is None) is known
