"""Unmodified clients of boto3, one protocol after the other, against a real server."""

from __future__ import annotations

import io
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError, ConnectionClosedError, IncompleteReadError, ResponseStreamingError
from botocore.httpsession import URLLib3Session

from broker.outcome import Outcome, Problem, ProblemKind
from tests.unit.broker.doors.aws.house import (
    PIECE,
    Asked,
    Clients,
    WireWorld,
    fingerprint,
    gives,
    refuses,
    streams,
    takes,
)

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs"
CALLS: list[tuple[str, str, dict[str, Any], str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (
        "dynamodb", "get_item", {"TableName": "orders", "Key": {"id": {"S": "7"}}}, "dynamodb:GetItem",
        {"TableName": "orders", "Key": {"id": {"S": "7"}}, "Region": "eu-west-1"},
        {"Item": {"id": {"S": "7"}, "raw": {"B": "AAE="}}}, {"Item": {"id": {"S": "7"}, "raw": {"B": b"\0\1"}}},
    ),
    (
        "sqs", "send_message", {"QueueUrl": QUEUE, "MessageBody": "x"},
        "sqs:SendMessage", {"MessageBody": "x"},
        {"MessageId": "m1", "MD5OfMessageBody": "9dd4e461268c8034f5c8564e155c67a6"}, {"MessageId": "m1"},
    ),
    (
        "ecs", "list_clusters", {"maxResults": 3}, "ecs:ListClusters", {"maxResults": 3},
        {"clusterArns": ["arn:aws:ecs:eu-west-1:123456789012:cluster/a"]},
        {"clusterArns": ["arn:aws:ecs:eu-west-1:123456789012:cluster/a"]},
    ),
    (
        "lambda", "list_functions", {"MaxItems": 2}, "lambda:ListFunctions", {"MaxItems": 2},
        {"Functions": [{"FunctionName": "f"}]}, {"Functions": [{"FunctionName": "f"}]},
    ),
    (
        "sts", "get_caller_identity", {}, "sts:GetCallerIdentity", {}, {"Account": "123456789012"},
        {"Account": "123456789012"},
    ),
    (
        "ec2", "describe_instances", {"InstanceIds": ["i-1"]}, "ec2:DescribeInstances", {"InstanceIds": ["i-1"]},
        {"Reservations": [{"Instances": [{"InstanceId": "i-1", "State": {"Code": 16, "Name": "running"}}]}]},
        {"Reservations": [{"Instances": [{"InstanceId": "i-1", "State": {"Code": 16, "Name": "running"}}]}]},
    ),
    (
        "cloudwatch", "list_metrics", {"Namespace": "N"}, "cloudwatch:ListMetrics", {"Namespace": "N"},
        {"Metrics": [{"Namespace": "N", "MetricName": "m"}]}, {"Metrics": [{"Namespace": "N", "MetricName": "m"}]},
    ),
    (
        "route53", "list_hosted_zones", {}, "route53:ListHostedZones", {},
        {"HostedZones": [], "IsTruncated": False, "MaxItems": "100", "Marker": ""}, {"HostedZones": []},
    ),
    (
        "s3", "list_objects_v2", {"Bucket": "lake", "Prefix": "a b/"}, "s3:ListObjectsV2",
        {"Bucket": "lake", "Prefix": "a b/"},
        {"Name": "lake", "Prefix": "a b/", "KeyCount": 1, "Contents": [{"Key": "a b/+%é\x01", "Size": 3}]},
        {"Prefix": "a b/", "Contents": [{"Key": "a b/+%é\x01", "Size": 3}]},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("service", "method", "given", "action", "params", "result", "answer"), CALLS, ids=[call[3] for call in CALLS]
)
def test_a_call_in_each_protocol_becomes_an_intent_and_its_result_the_answer(
    world: WireWorld, clients: Clients, service: str, method: str, given: Any, action: str, params: Any, result: Any,
    answer: Any,
) -> None:  # fmt: skip
    world.acts[action] = gives(result)
    told = getattr(clients(service, world), method)(**given)
    assert told.items() >= answer.items()
    assert world.only.action == action
    assert world.only.params.items() >= params.items()
    assert world.only.source_ip == "127.0.0.1"
    assert told["ResponseMetadata"]["RequestId"].startswith("int_")
    assert world.waits == [45.0]


def test_a_service_of_the_whole_partition_is_asked_in_the_connections_own_region(
    world: WireWorld, clients: Clients
) -> None:
    clients("iam", world, region="us-east-1").get_user(UserName="ada")
    assert world.only.params == {"UserName": "ada"}


def test_a_region_of_no_connection_is_refused_by_planning(world: WireWorld, clients: Clients) -> None:
    with pytest.raises(ClientError) as caught:
        clients("dynamodb", world, region="us-west-2").list_tables()
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert "eu-central-1, eu-west-1" in caught.value.response["Error"]["Message"]


def test_a_small_object_comes_whole_and_a_large_one_as_it_comes_in(world: WireWorld, clients: Clients) -> None:
    s3 = clients("s3", world)
    world.acts["s3:GetObject"] = gives({"ContentLength": 4, "ContentType": "text/csv", "ETag": '"x"'}, body=b"tiny")
    small = s3.get_object(Bucket="lake", Key="a b/é", Range="bytes=0-9")
    assert (small["Body"].read(), small["ContentType"], small["ETag"]) == (b"tiny", "text/csv", '"x"')
    assert world.only.params["Key"] == "a b/é"
    assert world.only.params["Range"] == "bytes=0-9"
    world.acts["s3:GetObject"] = streams({"ContentRange": "bytes 0-2621439/9999999"}, 40)
    large = s3.get_object(Bucket="lake", Key="big")
    assert large["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert large["Body"].read() == PIECE * 40


CUT = (ResponseStreamingError, IncompleteReadError, ConnectionClosedError)


@pytest.mark.parametrize("sized", [True, False])
def test_a_body_that_is_cut_reaches_the_client_as_cut(world: WireWorld, clients: Clients, sized: bool) -> None:
    world.acts["s3:GetObject"] = streams({}, 40, sized=sized)
    assert clients("s3", world).get_object(Bucket="lake", Key="big")["Body"].read() == PIECE * 40
    world.acts["s3:GetObject"] = streams({}, 40, whole=False, sized=sized)
    body = clients("s3", world).get_object(Bucket="lake", Key="big")["Body"]
    with pytest.raises(CUT):
        body.read()


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("sized", [True, False])
def test_what_a_worker_kept_is_sent_on_whole_or_cut(world: WireWorld, clients: Clients, kept: int, sized: bool) -> None:
    async def act(asked: Asked) -> Outcome:
        world.outputs.chunks[asked.intent_id] = [b"k" * 50_000] * kept
        size = min(kept, 3) and 150_000
        return asked.done({"ContentLength": size} if sized else {}, output_bytes=size)

    world.acts["s3:GetObject"] = act
    body = clients("s3", world).get_object(Bucket="lake", Key="kept")["Body"]
    if kept in {0, 3}:
        assert len(body.read()) == kept * 50_000
        return
    with pytest.raises(CUT):
        body.read()


def test_what_a_worker_put_into_the_result_is_the_body(world: WireWorld, clients: Clients) -> None:
    world.acts["s3:GetObject"] = gives({"ContentLength": 4, "body": {"encoding": "base64", "data": "dGlueQ=="}})
    assert clients("s3", world).get_object(Bucket="lake", Key="k")["Body"].read() == b"tiny"


def test_a_kept_body_that_is_gone_is_said_to_be_gone(world: WireWorld, clients: Clients) -> None:
    world.acts["s3:GetObject"] = gives({"ContentLength": 4}, output_bytes=4)
    with pytest.raises(ClientError) as caught:
        clients("s3", world).get_object(Bucket="lake", Key="k")
    assert caught.value.response["Error"]["Code"] == "OstiaryAnswerWithheld"


def test_head_has_the_length_and_no_body(world: WireWorld, clients: Clients) -> None:
    world.acts["s3:HeadObject"] = gives({"ContentLength": 12_345, "Metadata": {"owner": "ada"}})
    found = clients("s3", world).head_object(Bucket="lake", Key="k")
    assert (found["ContentLength"], found["Metadata"]) == (12_345, {"owner": "ada"})
    world.acts["s3:HeadObject"] = refuses(
        Problem(ProblemKind.UPSTREAM_REFUSED, "Not Found", "NotFound", extra={"upstream_status": 404})
    )
    with pytest.raises(ClientError) as caught:
        clients("s3", world).head_object(Bucket="lake", Key="k")
    assert caught.value.response["Error"]["Code"] == "404"


def test_an_upload_is_declared_and_then_streamed(world: WireWorld, clients: Clients) -> None:
    world.acts["s3:PutObject"] = takes(world, {"ETag": '"e"'})
    body = PIECE * 80
    told = clients("s3", world).put_object(Bucket="lake", Key="k", Body=io.BytesIO(body), ContentType="text/csv")
    assert told["ETag"] == '"e"'
    assert world.uploads == [fingerprint(body)]
    upload = world.only.params["Body"]["upload"]
    assert upload == {"bytes": len(body), "sha256": fingerprint(body).split()[1].decode()}
    assert world.only.params["ContentType"] == "text/csv"
    assert "ContentLength" not in world.only.params


def test_an_empty_upload_is_no_upload(world: WireWorld, clients: Clients) -> None:
    clients("s3", world).put_object(Bucket="lake", Key="k", Body=b"")
    assert "Body" not in world.only.params


def test_a_multipart_upload_goes_through_part_by_part(world: WireWorld, clients: Clients) -> None:
    world.acts["s3:CreateMultipartUpload"] = gives({"Bucket": "lake", "Key": "k", "UploadId": "u1"})
    world.acts["s3:UploadPart"] = takes(world, {"ETag": '"p"'})
    world.acts["s3:CompleteMultipartUpload"] = gives({"Bucket": "lake", "Key": "k", "ETag": '"w"'})
    clients("s3", world).upload_fileobj(io.BytesIO(b"m" * (9 << 20)), "lake", "k")
    assert sorted(world.uploads) == sorted([fingerprint(b"m" * (8 << 20)), fingerprint(b"m" * (1 << 20))])
    last = world.drafts[-1]
    assert last.action == "s3:CompleteMultipartUpload"
    assert [part["PartNumber"] for part in last.params["MultipartUpload"]["Parts"]] == [1, 2]


def test_the_source_of_a_copy_becomes_an_object_and_tags_come_along_as_with_s3(
    world: WireWorld, clients: Clients
) -> None:
    world.acts["s3:CopyObject"] = gives({"CopyObjectResult": {"ETag": '"c"'}})
    source = {"Bucket": "lake", "Key": "a b+c?versionId=x/é", "VersionId": "v1"}
    told = clients("s3", world).copy_object(Bucket="other", Key="k", CopySource=source)
    assert told["CopyObjectResult"]["ETag"] == '"c"'
    assert world.only.params["CopySource"] == source
    assert world.only.params["TaggingDirective"] == "COPY"


def test_a_key_of_the_customer_is_refused_before_anything_is_asked(world: WireWorld, clients: Clients) -> None:
    with pytest.raises(ClientError) as caught:
        clients("s3", world).get_object(Bucket="lake", Key="k", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32)
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert world.drafts == []


def test_twins_that_the_wire_cannot_tell_apart_are_all_asked_for(world: WireWorld, clients: Clients) -> None:
    world.acts["rds:DescribeDBInstances"] = gives({"DBInstances": []})
    clients("rds", world).describe_db_instances()
    assert world.only.action == "rds:DescribeDBInstances"
    assert {action for action, _ in world.only.alternatives} >= {"neptune:DescribeDBInstances"}
    assert all(params["Region"] == "eu-west-1" for _, params in world.only.alternatives)


def test_a_secret_is_derived_once_for_a_session(world: WireWorld, clients: Clients) -> None:
    s3 = clients("s3", world)
    s3.list_buckets()
    world.vault_away = True
    s3.list_buckets()
    assert len(world.drafts) == 2


def test_a_presigned_url_is_an_intent_like_any_other(world: WireWorld, clients: Clients) -> None:
    s3 = clients("s3", world, signed="s3v4")
    world.acts["s3:GetObject"] = gives({"ContentLength": 4}, body=b"tiny")
    world.acts["s3:PutObject"] = takes(world)
    session = URLLib3Session()
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "lake", "Key": "k"}, ExpiresIn=60)
    assert session.send(AWSRequest("GET", url).prepare()).content == b"tiny"
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "lake", "Key": "k"}, ExpiresIn=60)
    assert session.send(AWSRequest("PUT", url, data=b"body").prepare()).status_code == 200
    assert world.uploads == [fingerprint(b"body")]
    assert world.drafts[-1].params["Body"] == {"upload": {"bytes": 4}}
    session.close()
