"""Listings page by page, and waiting: what is planned, what is sent, and how it ends."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema  # type: ignore[import-untyped]  # has no types
import pytest

from broker.catalog import plan_digest_of
from connectors.aws import pages, waiters
from connectors.aws.connector import AwsConnector
from connectors.base import CallResult, JsonObject, Plan
from connectors.errors import InvalidParamsError, NotSentError, OutcomeUnknownError, UpstreamRefusedError
from connectors.streams import read_all
from tests.fakes import Answer, FakeLease, FakeTransport
from tests.unit.connectors.aws.desk import AWS, CONNECTOR, NOW_NS, SECRET, error

LIST = {"Bucket": "data-lake"}
TABLES = "dynamodb:ListTables"
INSTANCES = "ec2:DescribeInstances"
HEAD = "s3:HeadBucket"


def listing(*keys: str, token: str = "") -> Answer:
    """A page of a bucket, with the token of the next one."""
    items = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    truncated = str(bool(token)).lower()
    root = f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{items}{more}</ListBucketResult>"
    return Answer(headers={"x-amz-request-id": "R1"}, chunks=(root.encode(),))


def document(data: JsonObject) -> Answer:
    return Answer(chunks=(json.dumps(data).encode(),))


def instance(state: str) -> Answer:
    item = f"<item><instanceId>i-1</instanceId><instanceState><name>{state}</name></instanceState></item>"
    root = f"<reservationSet><item><instancesSet>{item}</instancesSet></item></reservationSet>"
    return Answer(chunks=(f"<DescribeInstancesResponse>{root}</DescribeInstancesResponse>".encode(),))


@dataclass
class Run:
    """One execution against a script of answers."""

    transport: FakeTransport
    paused: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, *script: Answer | Exception) -> Run:
        return cls(FakeTransport(*script))

    async def execute(self, action: str, /, **params: Any) -> CallResult:
        return await self.do(CONNECTOR.plan(action, params, AWS))

    async def do(self, plan: Plan) -> CallResult:
        async def pause(seconds: float) -> None:
            self.paused.append(seconds)

        connector = AwsConnector(lambda: NOW_NS, pause=pause)
        return await connector.execute(plan, AWS, FakeLease("AKIAEXAMPLE", SECRET), self.transport)

    async def lines(self, action: str, /, **params: Any) -> list[JsonObject]:
        result = await self.execute(action, **params)
        assert result.body is not None
        body = await read_all(result.body, 1 << 20)
        assert self.transport.open == 0
        return [json.loads(line) for line in body.splitlines()]

    @property
    def queries(self) -> list[dict[str, list[str]]]:
        return [parse_qs(urlsplit(each.url).query) for each in self.transport.sent]


async def test_every_page_is_one_line_and_only_the_token_differs() -> None:
    run = Run.of(listing("a", "b", token="t/1+"), listing(token="t2"), listing("c"))
    found = await run.lines("s3:ListObjectsV2", **LIST, Prefix="x/", Paginate=True)
    assert [[item["Key"] for item in page.get("Contents", [])] for page in found] == [["a", "b"], [], ["c"]]
    assert [query.get("continuation-token") for query in run.queries] == [None, ["t/1+"], ["t2"]]
    rest = [{name: value for name, value in query.items() if name != "continuation-token"} for query in run.queries]
    assert rest[0] == rest[1] == rest[2]
    signed = {each.headers["authorization"] for each in run.transport.sent}
    assert len(signed) == 3


async def test_the_result_tells_what_streams_before_it_has_ended() -> None:
    run = Run.of(listing("a", token="t"), listing("b"))
    result = await run.execute("s3:ListObjectsV2", **LIST, Paginate=True)
    assert (result.data, result.media_type) == ({"pages": "streamed"}, "application/x-ndjson")
    assert result.upstream_request_id == "R1"
    assert len(run.transport.sent) == 1
    assert result.body is not None
    await result.body.aclose()
    assert (len(run.transport.sent), run.transport.open) == (1, 0)


async def test_a_token_of_several_members_replaces_the_one_that_was_given() -> None:
    def versions(key: str, version: str) -> Answer:
        markers = f"<NextKeyMarker>{key}</NextKeyMarker>" if key else ""
        markers += f"<NextVersionIdMarker>{version}</NextVersionIdMarker>" if version else ""
        more = str(bool(key)).lower()
        root = f"<ListVersionsResult><IsTruncated>{more}</IsTruncated>{markers}</ListVersionsResult>"
        return Answer(chunks=(root.encode(),))

    run = Run.of(versions("k1", "v1"), versions("k2", ""), versions("", ""))
    await run.lines("s3:ListObjectVersions", **LIST, KeyMarker="k0", VersionIdMarker="v0", Paginate=True)
    assert [(each["key-marker"], each.get("version-id-marker")) for each in run.queries] == [
        (["k0"], ["v0"]),
        (["k1"], ["v1"]),
        (["k2"], None),
    ]


async def test_a_token_that_is_a_structure_goes_back_as_it_came() -> None:
    key = {"id": {"B": "AP8="}, "n": {"N": "4"}}
    page = {"Items": [{"id": {"S": "a"}}], "Count": 1, "ScannedCount": 1}
    run = Run.of(document({**page, "LastEvaluatedKey": key}), document(page))
    assert len(await run.lines("dynamodb:Scan", TableName="t", Paginate=True)) == 2
    assert [json.loads(each.body).get("ExclusiveStartKey") for each in run.transport.sent] == [None, key]


@pytest.mark.parametrize(
    ("limits", "pages_read"),
    [
        ({"max_pages": 1}, 1),
        ({"max_pages": 3}, 3),
        ({"max_items": 1}, 1),
        ({"max_items": 3}, 2),
        ({"max_items": 4, "max_pages": 1}, 1),
        ({"max_items": 100}, 4),
    ],
)
async def test_a_limit_ends_the_listing_after_a_whole_page(limits: JsonObject, pages_read: int) -> None:
    script = [document({"TableNames": ["a", "b"], "LastEvaluatedTableName": f"table-{number}"}) for number in range(3)]
    run = Run.of(*script, document({"TableNames": ["c"]}))
    found = await run.lines(TABLES, Paginate=limits)
    assert len(found) == len(run.transport.sent) == pages_read
    assert ("LastEvaluatedTableName" in found[-1]) is (pages_read < 4)


async def test_a_listing_ends_after_the_page_that_fills_the_bound_of_bytes() -> None:
    big = "x" * (pages.MAX_BYTES // 8)
    script = [document({"TableNames": [big], "LastEvaluatedTableName": f"table-{number}"}) for number in range(20)]
    run = Run.of(*script)
    result = await run.execute(TABLES, Paginate=True)
    assert result.body is not None
    sizes = [len(line) async for line in result.body]
    assert sum(sizes[:-1]) < pages.MAX_BYTES <= sum(sizes)
    assert len(run.transport.sent) == len(sizes) < 20


@pytest.mark.parametrize("tokens", [["one", "one"], ["one", "two", "one"], ["start"]])
async def test_a_listing_that_leads_back_to_a_page_before_it_ends_as_unknown(tokens: list[str]) -> None:
    run = Run.of(*(document({"TableNames": [], "LastEvaluatedTableName": token}) for token in tokens))
    result = await run.execute(TABLES, ExclusiveStartTableName="start", Paginate=True)
    assert result.body is not None
    with pytest.raises(OutcomeUnknownError):
        await read_all(result.body, 1 << 20)
    assert len(run.transport.sent) == len(tokens)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Answer(400, chunks=(b'{"__type": "x#ThrottlingException", "message": "slow"}',)), UpstreamRefusedError),
        (NotSentError("gone"), NotSentError),
        (OutcomeUnknownError("cut"), OutcomeUnknownError),
        (Answer(chunks=(b'{"TableNames"',)), OutcomeUnknownError),
    ],
)
async def test_a_fault_on_the_third_page_breaks_the_body_off_after_the_second(
    fault: Answer | Exception, kind: type[Exception]
) -> None:
    script = [document({"TableNames": [name], "LastEvaluatedTableName": name}) for name in ("one", "two")]
    run = Run.of(*script, fault)
    result = await run.execute(TABLES, Paginate=True)
    assert result.body is not None
    assert [json.loads(await anext(result.body))["TableNames"] for _ in range(2)] == [["one"], ["two"]]
    with pytest.raises(kind):
        await anext(result.body)
    assert run.transport.open == 0


async def test_a_refusal_of_the_first_page_is_a_refusal_of_the_whole() -> None:
    with pytest.raises(UpstreamRefusedError):
        await Run.of(Answer(403, chunks=error("AccessDenied"))).execute("s3:ListObjectsV2", **LIST, Paginate=True)


async def test_a_token_the_operation_does_not_take_is_not_sent() -> None:
    run = Run.of(document({"TableNames": [], "LastEvaluatedTableName": {"odd": 1}}))
    result = await run.execute(TABLES, Paginate=True)
    assert result.body is not None
    with pytest.raises((NotSentError, OutcomeUnknownError)):
        await read_all(result.body, 1 << 20)


async def test_a_page_that_json_cannot_say_ends_the_body_as_unknown() -> None:
    run = Run.of(document({"Items": [], "ConsumedCapacity": {"CapacityUnits": float("nan")}}))
    result = await run.execute("dynamodb:Scan", TableName="table", Paginate=True)
    assert result.body is not None
    with pytest.raises(OutcomeUnknownError):
        await anext(result.body)


@pytest.mark.parametrize("action", ["pinpoint:GetApps", "iam:GetAccountSummary"])
def test_an_operation_that_nothing_is_known_of_takes_no_params_of_ours(action: str) -> None:
    assert not {pages.PARAM, waiters.PARAM} & CONNECTOR.operations[action].params_schema["properties"].keys()


async def test_without_pages_the_answer_is_the_plain_one() -> None:
    run = Run.of(document({"TableNames": ["a"], "LastEvaluatedTableName": "a"}))
    result = await run.execute(TABLES)
    assert result.data == {"TableNames": ["a"], "LastEvaluatedTableName": "a"}


@pytest.mark.parametrize(
    ("action", "params", "words"),
    [
        (TABLES, {"Paginate": 1}, "must be true or limits"),
        (TABLES, {"Paginate": False}, "must be true or limits"),
        (TABLES, {"Paginate": {}}, "must be true or limits"),
        (TABLES, {"Paginate": {"pages": 1}}, "must be true or limits"),
        (TABLES, {"Paginate": {"max_pages": 0}}, "from 1 to"),
        (TABLES, {"Paginate": {"max_pages": pages.MAX_PAGES + 1}}, "from 1 to"),
        (TABLES, {"Paginate": {"max_items": True}}, "from 1 to"),
        (TABLES, {"WaitFor": "table_exists"}, "does not take `WaitFor`"),
        ("dynamodb:CreateTable", {"Paginate": True}, "does not take `Paginate`"),
        ("s3:GetObject", {"Bucket": "data-lake", "Key": "k", "Paginate": True}, "does not take `Paginate`"),
        ("ssm:GetParametersByPath", {"Path": "/x", "Paginate": True}, "does not take `Paginate`"),
        (HEAD, {**LIST, "WaitFor": "nope"}, "no waiter `nope`"),
        (HEAD, {**LIST, "WaitFor": "instance_running"}, "no waiter"),
        (HEAD, {**LIST, "WaitFor": True}, "must be the name of a waiter"),
        (HEAD, {**LIST, "WaitFor": {"max_seconds": 5}}, "must be the name of a waiter"),
        (HEAD, {**LIST, "WaitFor": {"name": 5}}, "must be the name of a waiter"),
        (HEAD, {**LIST, "WaitFor": {"name": "bucket_exists", "delay": 5}}, "must be the name of a waiter"),
        (HEAD, {**LIST, "WaitFor": {"name": "bucket_exists", "max_seconds": -1}}, "from 0 to 3600"),
        (HEAD, {**LIST, "WaitFor": {"name": "bucket_exists", "max_seconds": 3601}}, "from 0 to 3600"),
        (INSTANCES, {"WaitFor": "instance_running", "Paginate": True}, "do not go together"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_planned(action: str, params: JsonObject, words: str) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        CONNECTOR.plan(action, params, AWS)
    assert words in str(caught.value)


def test_what_is_repeated_is_in_the_digest_the_summary_and_the_estimate() -> None:
    asked: list[JsonObject] = [
        {},
        {"Paginate": True},
        {"Paginate": {"max_pages": 5}},
        {"Paginate": {"max_items": 5}},
        {"WaitFor": "instance_running"},
        {"WaitFor": "instance_stopped"},
        {"WaitFor": {"name": "instance_running", "max_seconds": 90}},
    ]
    plans = [CONNECTOR.plan(INSTANCES, params, AWS) for params in asked]
    assert len({plan_digest_of(plan) for plan in plans}) == len(plans)
    assert {plan.requirements for plan in plans} == {plans[0].requirements}
    assert [plan.estimate.calls for plan in plans] == [1, 100, 5, pages.MAX_PAGES, 4, 4, 7]
    assert plans[2].summary.endswith("page by page, at most 5")
    assert plans[6].summary.endswith("until instance_running, asking at most 7 times")


def test_the_schema_says_what_is_taken_besides_the_members_of_the_api() -> None:
    schema = CONNECTOR.operations[INSTANCES].params_schema
    checked = jsonschema.Draft202012Validator(schema)
    good: list[JsonObject] = [
        {"Paginate": True},
        {"Paginate": {"max_items": 5}},
        {"WaitFor": "instance_running"},
        {"WaitFor": {"name": "instance_running", "max_seconds": 5}},
    ]
    assert all(checked.is_valid(params) for params in good)
    bad: list[JsonObject] = [{"Paginate": {}}, {"WaitFor": "bucket_exists"}, {"WaitFor": {"max_seconds": 5}}]
    assert not any(checked.is_valid(params) for params in bad)
    assert "Paginate" not in CONNECTOR.operations["ec2:RunInstances"].params_schema["properties"]


async def test_a_waiter_looks_until_the_answer_is_the_one() -> None:
    run = Run.of(instance("pending"), instance("pending"), instance("running"))
    result = await run.execute(INSTANCES, InstanceIds=["i-1"], WaitFor="instance_running")
    assert result.data == {"WaitFor": "instance_running", "state": "success", "attempts": 3}
    assert run.paused == [15, 15]
    assert len({each.body for each in run.transport.sent}) == 1


NOT_FOUND = Answer(404)


@pytest.mark.parametrize(
    ("waiter", "script", "expected"),
    [
        ("bucket_exists", (Answer(),), ("success", 1, "")),
        ("bucket_exists", (NOT_FOUND, NOT_FOUND, Answer()), ("success", 3, "")),
        ("bucket_exists", (Answer(403),), ("success", 1, "Forbidden")),
        ("bucket_exists", (Answer(503), Answer()), ("success", 2, "")),
        ("bucket_not_exists", (Answer(), NOT_FOUND), ("success", 2, "NotFound")),
        ("bucket_exists", (NOT_FOUND,) * 9, ("waiting", 9, "NotFound")),
    ],
)
async def test_a_refusal_can_be_what_is_waited_for(
    waiter: str, script: tuple[Answer, ...], expected: tuple[str, int, str]
) -> None:
    run = Run.of(*script)
    result = await run.execute(HEAD, **LIST, WaitFor={"name": waiter, "max_seconds": 40})
    assert (result.data["state"], result.data["attempts"], result.data.get("code", "")) == expected
    assert run.paused == [5] * (expected[1] - 1)


async def test_a_state_that_never_becomes_the_one_ends_the_waiting() -> None:
    run = Run.of(instance("pending"), instance("terminated"))
    result = await run.execute(INSTANCES, WaitFor="instance_running")
    assert (result.data["state"], result.data["attempts"]) == ("failure", 2)


async def test_time_that_is_up_is_an_answer_and_no_time_is_one_look() -> None:
    run = Run.of(instance("pending"))
    result = await run.execute(INSTANCES, WaitFor={"name": "instance_running", "max_seconds": 0})
    assert (result.data["state"], result.data["attempts"], run.paused) == ("waiting", 1, [])


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Answer(400, chunks=error("MalformedThing")), UpstreamRefusedError),
        (OutcomeUnknownError("cut"), OutcomeUnknownError),
        (NotSentError("gone"), NotSentError),
    ],
)
async def test_an_answer_no_waiter_knows_is_the_answer(fault: Answer | Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await Run.of(NOT_FOUND, fault).execute(HEAD, **LIST, WaitFor="bucket_exists")


async def test_a_service_that_is_busy_is_asked_again() -> None:
    busy = Answer(400, chunks=(b'{"__type": "x#ThrottlingException", "message": "slow"}',))
    run = Run.of(busy, document({"Table": {"TableStatus": "ACTIVE"}}))
    result = await run.execute("dynamodb:DescribeTable", TableName="t", WaitFor="table_exists")
    assert (result.data["state"], result.data["attempts"]) == ("success", 2)


@pytest.mark.parametrize(
    "call", [{"pages": {"max_pages": 1, "max_items": 1}}, {"wait_for": {"name": "bucket_exists", "attempts": 1}}]
)
async def test_a_plan_nobody_made_here_is_not_sent(call: JsonObject) -> None:
    plan = CONNECTOR.plan("s3:GetBucketTagging", LIST, AWS)
    run = Run.of()
    with pytest.raises(NotSentError):
        await run.do(replace(plan, call={**plan.call, **call}))
    assert run.transport.sent == []
