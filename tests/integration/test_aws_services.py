"""Fifteen services of all six protocols against a server that checks every signature and every action."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from typing import Any

import pytest

from connectors.errors import UpstreamRefusedError
from tests.fakes import FakeLease
from tests.parts.aws_desk import Desk, open_desk
from tests.parts.moto import Moto, moto_server

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with moto_server({"data-lake": {}}, actions=("*",)) as server:
        yield server


class Services(Desk):
    """A desk that names actions whole."""

    async def do(self, action: str, /, **params: Any) -> dict[str, Any]:
        data, _ = await self.ask(action, params)
        return data

    async def with_body(self, action: str, /, **params: Any) -> tuple[dict[str, Any], bytes]:
        return await self.ask(action, params)


@pytest.fixture
async def desk(moto: Moto) -> AsyncIterator[Services]:
    async with open_desk(moto, Services) as opened:
        yield opened


async def test_sts_says_who_asks(desk: Services) -> None:
    who = await desk.do("sts:GetCallerIdentity")
    assert who["Account"] == desk.moto.account


async def test_dynamodb_keeps_an_item_with_bytes_and_numbers(desk: Services) -> None:
    await desk.do(
        "dynamodb:CreateTable",
        TableName="customers",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"id": {"S": "é*"}, "photo": {"B": base64.b64encode(b"\x00\xff").decode()}, "age": {"N": "42"}}
    await desk.do("dynamodb:PutItem", TableName="customers", Item=item)
    found = await desk.do("dynamodb:GetItem", TableName="customers", Key={"id": {"S": "é*"}})
    assert found["Item"] == item
    table = (await desk.do("dynamodb:DescribeTable", TableName="customers"))["Table"]
    assert table["CreationDateTime"].endswith("Z")


async def test_sqs_takes_a_message_and_gives_it_back(desk: Services) -> None:
    url = (await desk.do("sqs:CreateQueue", QueueName="orders"))["QueueUrl"]
    await desk.do("sqs:SendMessage", QueueUrl=url, MessageBody="a & b\n<c>")
    messages = (await desk.do("sqs:ReceiveMessage", QueueUrl=url))["Messages"]
    assert [each["Body"] for each in messages] == ["a & b\n<c>"]


async def test_sns_makes_a_topic_and_publishes(desk: Services) -> None:
    topic = (await desk.do("sns:CreateTopic", Name="alerts", Attributes={"DisplayName": "a b"}))["TopicArn"]
    assert (await desk.do("sns:Publish", TopicArn=topic, Message="x=1&y=é"))["MessageId"]
    assert (await desk.do("sns:GetTopicAttributes", TopicArn=topic))["Attributes"]["DisplayName"] == "a b"


async def test_ecs_updates_a_service(desk: Services) -> None:
    await desk.do("ecs:CreateCluster", clusterName="main")
    await desk.do(
        "ecs:RegisterTaskDefinition",
        family="web",
        containerDefinitions=[{"name": "web", "image": "web:1", "memory": 64}],
    )
    await desk.do("ecs:CreateService", cluster="main", serviceName="prod-web", taskDefinition="web", desiredCount=1)
    changed = await desk.do("ecs:UpdateService", cluster="main", service="prod-web", desiredCount=3)
    assert changed["service"]["desiredCount"] == 3


async def test_ec2_lists_makes_and_tags(desk: Services) -> None:
    vpc = (await desk.do("ec2:CreateVpc", CidrBlock="10.0.0.0/16"))["Vpc"]["VpcId"]
    tags = [{"Key": "team", "Value": "blue & green"}, {"Key": "é", "Value": ""}]
    await desk.do("ec2:CreateTags", Resources=[vpc], Tags=tags)
    found = await desk.do("ec2:DescribeVpcs", Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    assert sorted(each["Key"] for each in found["Vpcs"][0]["Tags"]) == ["team", "é"]


async def test_iam_is_signed_for_its_own_region(desk: Services) -> None:
    await desk.do("iam:CreateRole", RoleName="runner", AssumeRolePolicyDocument=TRUST)
    assert (await desk.do("iam:GetRole", RoleName="runner"))["Role"]["RoleName"] == "runner"
    assert (await desk.do("iam:ListRoles"))["IsTruncated"] is False


async def test_lambda_keeps_code_that_came_as_bytes(desk: Services) -> None:
    code = BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("main.py", "def handler(event, context): return event")
    await desk.do("iam:CreateRole", RoleName="lambda-runner", AssumeRolePolicyDocument=TRUST)
    made = await desk.do(
        "lambda:CreateFunction",
        FunctionName="resize",
        Role=f"arn:aws:iam::{desk.moto.account}:role/lambda-runner",
        Runtime="python3.11",
        Handler="main.handler",
        Code={"ZipFile": base64.b64encode(code.getvalue()).decode()},
    )
    assert made["CodeSize"] == len(code.getvalue())
    assert (await desk.do("lambda:ListFunctions"))["Functions"][0]["FunctionName"] == "resize"
    await desk.do("lambda:TagResource", Resource=made["FunctionArn"], Tags={"team": "blue"})
    assert (await desk.do("lambda:ListTags", Resource=made["FunctionArn"]))["Tags"] == {"team": "blue"}
    assert await desk.do("lambda:DeleteFunction", FunctionName="resize") is not None


async def test_logs_take_events_with_any_text(desk: Services) -> None:
    names = {"logGroupName": "/aws/x", "logStreamName": "s"}
    await desk.do("logs:CreateLogGroup", logGroupName="/aws/x")
    await desk.do("logs:CreateLogStream", **names)
    await desk.do("logs:PutLogEvents", **names, logEvents=[{"timestamp": 1772625600000, "message": "\x1b[31mred"}])
    assert (await desk.do("logs:DescribeLogStreams", logGroupName="/aws/x"))["logStreams"][0]["logStreamName"] == "s"


async def test_kms_encrypts_bytes(desk: Services) -> None:
    key = (await desk.do("kms:CreateKey"))["KeyMetadata"]["KeyId"]
    sealed = await desk.do("kms:Encrypt", KeyId=key, Plaintext=base64.b64encode(b"hi").decode())
    assert base64.b64decode(sealed["CiphertextBlob"])


async def test_ssm_and_secretsmanager_write_what_they_do_not_hand_out(desk: Services) -> None:
    await desk.do("ssm:PutParameter", Name="/prod/url", Value="https://x", Type="String")
    found = await desk.do("ssm:DescribeParameters")
    assert [each["Name"] for each in found["Parameters"]] == ["/prod/url"]
    made = await desk.do("secretsmanager:CreateSecret", Name="prod/db", SecretString="s")
    again = await desk.do("secretsmanager:DescribeSecret", SecretId=made["ARN"])
    assert again["Name"] == "prod/db"


async def test_cloudformation_makes_a_stack(desk: Services) -> None:
    template = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "stacked"}}}})
    await desk.do("cloudformation:CreateStack", StackName="base", TemplateBody=template)
    stacks = (await desk.do("cloudformation:DescribeStacks", StackName="base"))["Stacks"]
    assert [each["StackStatus"] for each in stacks] == ["CREATE_COMPLETE"]


async def test_stepfunctions_are_found_under_the_name_iam_gives_them(desk: Services) -> None:
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    await desk.do("iam:CreateRole", RoleName="states-runner", AssumeRolePolicyDocument=TRUST)
    role = f"arn:aws:iam::{desk.moto.account}:role/states-runner"
    made = await desk.do("stepfunctions:CreateStateMachine", name="nightly", definition=definition, roleArn=role)
    started = await desk.do("states:StartExecution", stateMachineArn=made["stateMachineArn"], input="{}")
    assert started["startDate"].endswith("Z")


async def test_cloudwatch_takes_numbers(desk: Services) -> None:
    data = [{"MetricName": "load", "Value": 0.5, "Timestamp": "2026-03-04T12:00:00Z"}]
    await desk.do("cloudwatch:PutMetricData", Namespace="app", MetricData=data)
    found = await desk.do("cloudwatch:ListMetrics", Namespace="app")
    assert [each["MetricName"] for each in found["Metrics"]] == ["load"]


async def test_s3_configures_buckets_deletes_in_bulk_and_uploads_in_parts(desk: Services) -> None:
    where = {"Bucket": "parts"}
    await desk.do("s3:CreateBucket", **where, CreateBucketConfiguration={"LocationConstraint": desk.moto.region})
    assert (await desk.do("s3:GetBucketLocation", **where))["LocationConstraint"] == desk.moto.region
    await desk.do("s3:PutBucketVersioning", **where, VersioningConfiguration={"Status": "Enabled"})
    assert (await desk.do("s3:GetBucketVersioning", **where))["Status"] == "Enabled"
    await desk.do("s3:PutBucketTagging", **where, Tagging={"TagSet": [{"Key": "a", "Value": "b & c"}]})
    assert (await desk.do("s3:GetBucketTagging", **where))["TagSet"] == [{"Key": "a", "Value": "b & c"}]
    upload = (await desk.do("s3:CreateMultipartUpload", **where, Key="big/é x"))["UploadId"]
    body = base64.b64encode(b"x" * 1000).decode()
    part = await desk.do("s3:UploadPart", **where, Key="big/é x", UploadId=upload, PartNumber=1, Body=body)
    done = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    await desk.do("s3:CompleteMultipartUpload", **where, Key="big/é x", UploadId=upload, MultipartUpload=done)
    data, content = await desk.with_body("s3:GetObject", **where, Key="big/é x")
    assert (data["ContentLength"], content) == (1000, b"x" * 1000)
    listed = await desk.do("s3:ListObjectVersions", **where)
    assert [each["Key"] for each in listed["Versions"]] == ["big/é x"]
    gone = await desk.do("s3:DeleteObjects", **where, Delete={"Objects": [{"Key": "big/é x"}]})
    assert gone["Deleted"][0]["Key"] == "big/é x"
    assert "data-lake" in [each["Name"] for each in (await desk.do("s3:ListBuckets"))["Buckets"]]


@pytest.mark.parametrize(
    ("action", "params", "code"),
    [
        ("dynamodb:DescribeTable", {"TableName": "nope"}, "ResourceNotFoundException"),
        ("sqs:GetQueueUrl", {"QueueName": "nope"}, "AWS.SimpleQueueService.NonExistentQueue"),
        ("iam:GetRole", {"RoleName": "nope"}, "NoSuchEntity"),
        ("ec2:DescribeVpcs", {"VpcIds": ["vpc-nope"]}, "InvalidVpcID.NotFound"),
        ("lambda:GetFunctionConfiguration", {"FunctionName": "nope"}, "ResourceNotFoundException"),
        ("s3:GetBucketTagging", {"Bucket": "data-lake"}, "NoSuchTagSet"),
        ("cloudwatch:GetDashboard", {"DashboardName": "nope"}, "ResourceNotFound"),
    ],
)
async def test_a_no_has_the_code_of_its_service_in_every_protocol(
    desk: Services, action: str, params: dict[str, Any], code: str
) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await desk.do(action, **params)
    assert caught.value.code == code


@pytest.mark.parametrize("action", ["sts:GetCallerIdentity", "dynamodb:ListTables", "lambda:ListFunctions"])
async def test_a_wrong_secret_is_refused_by_every_protocol(desk: Services, action: str) -> None:
    desk.lease = FakeLease(desk.moto.access_key, "wrong-secret-wrong-secret")
    with pytest.raises(UpstreamRefusedError) as caught:
        await desk.do(action)
    assert caught.value.status == 403


def lines(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines()]


async def test_a_bucket_a_table_and_instances_are_listed_page_by_page(desk: Services) -> None:
    where = {"Bucket": "paged"}
    await desk.do("s3:CreateBucket", **where, CreateBucketConfiguration={"LocationConstraint": desk.moto.region})
    keys = [f"é {number}/x+y" for number in range(5)]
    for key in keys:
        await desk.do("s3:PutObject", **where, Key=key, Body="")
    data, body = await desk.with_body("s3:ListObjectsV2", **where, MaxKeys=2, Paginate=True)
    assert data == {"pages": "streamed"}
    assert [[each["Key"] for each in page["Contents"]] for page in lines(body)] == [keys[:2], keys[2:4], keys[4:]]
    _, body = await desk.with_body("s3:ListObjects", **where, MaxKeys=2, Paginate=True)
    assert [each["Key"] for page in lines(body) for each in page["Contents"]] == keys
    table = {"TableName": "paged"}
    await desk.do(
        "dynamodb:CreateTable",
        **table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "B"}],
        BillingMode="PAY_PER_REQUEST",
    )
    ids = {base64.b64encode(bytes([255, number])).decode() for number in range(4)}
    for each in ids:
        await desk.do("dynamodb:PutItem", **table, Item={"id": {"B": each}})
    _, body = await desk.with_body("dynamodb:Scan", **table, Limit=1, Paginate={"max_items": 3})
    pages = lines(body)
    assert len(pages) == 3
    _, body = await desk.with_body("dynamodb:Scan", **table, Limit=1, Paginate=True)
    assert {each["id"]["B"] for page in lines(body) for each in page["Items"]} == ids
    image = (await desk.do("ec2:DescribeImages"))["Images"][0]["ImageId"]
    await desk.do("ec2:RunInstances", ImageId=image, MinCount=7, MaxCount=7)
    _, body = await desk.with_body("ec2:DescribeInstances", MaxResults=5, Paginate=True)
    found = [each for page in lines(body) for one in page.get("Reservations", []) for each in one["Instances"]]
    assert len(found) >= 7


async def test_a_bucket_and_an_instance_are_waited_for(desk: Services) -> None:
    here = await desk.do("s3:HeadBucket", Bucket="data-lake", WaitFor="bucket_exists")
    assert here == {"WaitFor": "bucket_exists", "state": "success", "attempts": 1}
    gone = await desk.do("s3:HeadBucket", Bucket="nowhere-1", WaitFor={"name": "bucket_exists", "max_seconds": 0})
    assert (gone["state"], gone["attempts"]) == ("waiting", 1)
    image = (await desk.do("ec2:DescribeImages"))["Images"][0]["ImageId"]
    made = (await desk.do("ec2:RunInstances", ImageId=image, MinCount=1, MaxCount=1))["Instances"][0]["InstanceId"]
    running = await desk.do("ec2:DescribeInstances", InstanceIds=[made], WaitFor="instance_running")
    assert running["state"] == "success"
    await desk.do("ec2:TerminateInstances", InstanceIds=[made])
    never = await desk.do("ec2:DescribeInstances", InstanceIds=[made], WaitFor="instance_running")
    assert never["state"] == "failure"
