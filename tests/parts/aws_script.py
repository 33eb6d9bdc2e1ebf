"""What an agent does all day, with the AWS CLI and boto3: acts of commands, run directly and through the door.

Commands of one act follow each other and may use what an earlier one found; acts know nothing of each other and run at
the same time. Each command says what the policy below makes of it. One that is denied is not run directly: it would
succeed there, and what follows would differ.
"""

from __future__ import annotations

import json
import urllib.request
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jmespath

from tests.parts.aws_agent import Agent, Done
from tests.parts.aws_steps import MIB, content
from tests.parts.moto import Moto

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-central-1"


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Args:
        line: Of the AWS CLI, without ``aws``; ``$name`` stands for what an earlier command found.
        step: Instead, a function of `tests.parts.aws_steps`, with its arguments.
        code: Error code AWS answers with; empty when it succeeds.
        rule: Id of the rule that denies it, ``-`` when no rule allows it; empty when it is allowed.
        finds: Name by the JMESPath into what it printed.
        leaves: File it leaves behind.
        unsigned: Moto says no to its signature when boto3 made it: for a request without body that names no digest it
            hashes something else. Directly it is run last, while nothing is checked.
        whole: It is run in a process that begins with the interpreter, not a fork of one.
    """

    line: str = ""
    step: tuple[str, dict[str, Any]] = ("", {})
    code: str = ""
    rule: str = ""
    finds: dict[str, str] = field(default_factory=dict)
    leaves: str = ""
    unsigned: bool = False
    whole: bool = False


def aws(line: str, **how: Any) -> Command:
    """One command of the AWS CLI."""
    return Command(line, **how)


def boto(step: str, /, *, code: str = "", rule: str = "", unsigned: bool = False, **arguments: Any) -> Command:
    """One step with boto3."""
    return Command(step=(step, arguments), code=code, rule=rule, unsigned=unsigned)


POLICY: Final = """\
  - sts:GetCallerIdentity on *
  - allow:
      - s3:CreateBucket,s3:ListBucket,s3:ListBucketVersions,s3:ListBucketMultipartUploads on reports
      - s3:CreateBucket,s3:ListBucket,s3:ListBucketVersions,s3:PutBucketVersioning on calls
      - s3:CreateBucket,s3:ListBucket on tls
    description: Buckets
  - allow:
      - s3:GetObject*,s3:PutObject*,s3:DeleteObject,s3:AbortMultipartUpload,s3:ListMultipartUploadParts on reports/*
      - s3:GetObject*,s3:PutObject*,s3:DeleteObject*,s3:AbortMultipartUpload,s3:ListMultipartUploadParts on calls/*
      - s3:GetObject*,s3:PutObject,s3:AbortMultipartUpload,s3:ListMultipartUploadParts on tls/*
    description: What is in them
  - {deny: ["s3:* on reports/ledger/*", "s3:* on calls/ledger/*"], id: the-ledger-is-not-yours}
  - dynamodb:CreateTable,dynamodb:DescribeTable,dynamodb:PutItem,dynamodb:GetItem,dynamodb:Query on table/orders
  - dynamodb:UpdateItem,dynamodb:DeleteItem,dynamodb:BatchGetItem,dynamodb:BatchWriteItem on table/orders
  - dynamodb:ConditionCheckItem,dynamodb:Scan on table/orders
  - dynamodb:ListTables on *
  - {deny: "dynamodb:DeleteTable on **", id: tables-stay}
  - sqs:* on jobs
  - sqs:ListQueues on *
  - {deny: "sqs:PurgeQueue on **", id: no-purge}
  - sns:CreateTopic,sns:Publish,sns:GetTopicAttributes on alerts
  - sns:ListTopics on *
  - ecs:CreateCluster,ecs:DescribeClusters on cluster/side
  - ecs:RegisterTaskDefinition on **
  - ecs:UpdateService,ecs:DescribeServices on service/main/staging-*
  - {allow: "ecs:UpdateService on service/main/prod-*", id: prod-deploys, requires_approval: true}
  - ec2:CreateVpc,ec2:CreateSubnet,ec2:CreateTags,ec2:Describe* on **
  - {deny: "ec2:RunInstances on **", id: no-machines, when: {params.InstanceType: "p5.*"}}
  - iam:CreateRole,iam:PassRole on role/app-*
  - iam:GetRole,iam:ListRoles on **
  - {deny: ["iam:AttachRolePolicy on **", "iam:PutRolePolicy on **"], id: no-more-power}
  - lambda:CreateFunction,lambda:GetFunctionConfiguration on function:resize
  - lambda:ListFunctions on *
  - logs:CreateLogGroup,logs:CreateLogStream,logs:PutLogEvents,logs:GetLogEvents on **
  - logs:DescribeLogGroups,logs:DescribeLogStreams on **
  - kms:CreateKey,kms:DescribeKey,kms:Encrypt,kms:ListAliases on **
  - ssm:PutParameter,ssm:GetParametersByPath on parameter/app/*
  - ssm:DescribeParameters on *
  - secretsmanager:CreateSecret,secretsmanager:DescribeSecret on secret:app/*
  - secretsmanager:GetSecretValue on secret:app/*
  - secretsmanager:ListSecrets on *
  - cloudformation:CreateStack,cloudformation:Describe*,cloudformation:List* on arn:aws:cloudformation:*:*:stack/app-*
  - states:CreateStateMachine,states:StartExecution,states:DescribeStateMachine on **
  - states:ListStateMachines on *
  - events:PutRule,events:DescribeRule on arn:aws:events:*:*:rule/nightly
  - events:ListRules,events:PutEvents on **
  - cloudwatch:PutMetricData,cloudwatch:ListMetrics,cloudwatch:PutMetricAlarm,cloudwatch:DescribeAlarms on **
  - route53:CreateHostedZone,route53:ListHostedZones,route53:ListHostedZonesByName,route53:GetHostedZone on **
  - route53:ChangeResourceRecordSets,route53:ListResourceRecordSets on **
  - elasticloadbalancing:CreateTargetGroup,elasticloadbalancing:DescribeTargetGroups on **
  - apigateway:POST,apigateway:GET on **
"""

_TRUST: Final = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},'
    '"Action":"sts:AssumeRole"}]}'
)
_ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/app-runner"
_STATES: Final = '{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}'
_STACK: Final = '{"Resources":{"Q":{"Type":"AWS::SQS::Queue","Properties":{"QueueName":"stacked"}}}}'
_KEYS: Final = "AttributeName=id,KeyType=HASH AttributeName=at,KeyType=RANGE"
_TYPES: Final = "AttributeName=id,AttributeType=S AttributeName=at,AttributeType=N"

ACTS: Final[dict[str, tuple[Command, ...]]] = {
    "s3 files": (
        aws("s3 mb s3://reports", whole=True),
        aws("s3 cp small.txt s3://reports/in/small.txt --no-progress"),
        aws("s3 cp s3://reports/in/small.txt -"),
        aws("s3 cp big.bin s3://reports/big/big.bin --no-progress"),
        aws("s3 cp s3://reports/big/big.bin back.bin --no-progress", whole=True, leaves="back.bin"),
        aws("s3 sync tree s3://reports/tree --no-progress"),
        aws("s3 sync tree s3://reports/tree --no-progress"),
        aws("s3 ls s3://reports --recursive", whole=True),
        aws("s3 sync s3://reports/tree tree2 --no-progress", leaves="tree2/a b/é+x.txt"),
        aws("s3 mv s3://reports/in/small.txt s3://reports/in/moved.txt --no-progress"),
        aws("s3 rm s3://reports/tree --recursive"),
        aws("s3 ls s3://reports/in/"),
        aws("s3 cp s3://reports/in/moved.txt s3://reports/in/copy.txt --no-progress"),
        aws("s3 cp small.txt s3://reports/ledger/2027.txt", rule="the-ledger-is-not-yours"),
        aws("s3api get-object --bucket reports --key ledger/2026.txt no.txt", rule="the-ledger-is-not-yours"),
        aws("s3 mb s3://foreign", rule="-"),
        aws("s3 cp big.bin s3://foreign/big.bin --no-progress", rule="-"),
    ),
    "s3 calls": (
        boto("bucket", bucket="calls"),
        aws("s3api put-object --bucket calls --key a.txt --body small.txt --metadata origin=script,case=1"),
        aws("s3api head-object --bucket calls --key a.txt"),
        aws("s3api get-object --bucket calls --key a.txt --range bytes=2-5 part.txt", leaves="part.txt"),
        aws("s3api copy-object --bucket calls --key b.txt --copy-source calls/a.txt"),
        aws("s3api put-object-tagging --bucket calls --key a.txt --tagging 'TagSet=[{Key=team,Value=blue green}]'"),
        aws("s3api get-object-tagging --bucket calls --key a.txt"),
        aws("s3api put-bucket-versioning --bucket calls --versioning-configuration Status=Enabled"),
        boto("put", bucket="calls", key="v.txt", size=10),
        boto("put", bucket="calls", key="v.txt", size=20),
        aws("s3api list-object-versions --bucket calls --prefix v.txt", finds={"old": "Versions[1].VersionId"}),
        aws("s3api get-object --bucket calls --key v.txt --version-id $old old.txt", leaves="old.txt"),
        aws("s3api delete-object --bucket calls --key v.txt --version-id $old"),
        aws("s3api delete-objects --bucket calls --delete 'Objects=[{Key=b.txt},{Key=nope}]'"),
        aws("s3api put-object --bucket calls --key a.txt --body small.txt --if-none-match '*'",
            code="PreconditionFailed"),
        aws("s3api get-object --bucket calls --key nope nope.txt", code="NoSuchKey", whole=True),
        aws("s3api head-object --bucket calls --key nope", code="404"),
        aws("s3api put-object --bucket calls --key sum.txt --body small.txt --checksum-algorithm SHA256"),
        aws("s3api head-object --bucket calls --key sum.txt --checksum-mode ENABLED"),
        boto("checksums", bucket="calls", key="sums.bin"),
        boto("odd_keys", bucket="calls"),
        boto("multipart", bucket="calls", key="multi.bin"),
        boto("presigned", unsigned=True, bucket="calls", key="links/a.txt"),
        boto("call", service="s3", operation="get_object", rule="the-ledger-is-not-yours.2",
             params={"Bucket": "calls", "Key": "ledger/2026.txt"}),
    ),
    "dynamodb": (
        aws(f"dynamodb create-table --table-name orders --key-schema {_KEYS} --attribute-definitions {_TYPES}"
            " --billing-mode PAY_PER_REQUEST", whole=True),
        aws("""dynamodb put-item --table-name orders --item '{"id":{"S":"é*"},"at":{"N":"1"},"b":{"B":"AP8="}}'"""),
        aws("""dynamodb get-item --table-name orders --key '{"id":{"S":"é*"},"at":{"N":"1"}}'"""),
        aws("dynamodb query --table-name orders --key-condition-expression 'id = :i'"
            """ --expression-attribute-values '{":i":{"S":"é*"}}'"""),
        aws("""dynamodb batch-write-item --request-items '{"orders":[{"PutRequest":{"Item":{"id":{"S":"b"},"""
            """"at":{"N":"2"}}}}]}'"""),
        aws("""dynamodb batch-get-item --request-items '{"orders":{"Keys":[{"id":{"S":"b"},"at":{"N":"2"}}]}}'"""),
        boto("call", service="dynamodb", operation="transact_write_items", params={"TransactItems": [
            {"Put": {"TableName": "orders", "Item": {"id": {"S": "t"}, "at": {"N": "3"}}}},
            {"Delete": {"TableName": "orders", "Key": {"id": {"S": "b"}, "at": {"N": "2"}}}}]}),
        aws("""dynamodb put-item --table-name orders --item '{"id":{"S":"t"},"at":{"N":"3"}}'"""
            " --condition-expression 'attribute_not_exists(id)'", code="ConditionalCheckFailedException"),
        aws("dynamodb list-tables"),
        aws("""dynamodb get-item --table-name payroll --key '{"id":{"S":"x"}}'""", rule="-"),
        aws("dynamodb delete-table --table-name orders", rule="tables-stay", whole=True),
    ),
    "sqs and sns": (
        aws("sqs create-queue --queue-name jobs --endpoint-url $ENDPOINT", finds={"queue": "QueueUrl"}, whole=True),
        aws("sqs send-message --queue-url $queue --message-body 'a & b <c>' --endpoint-url $ENDPOINT"),
        aws("sqs receive-message --queue-url $queue --endpoint-url $ENDPOINT"),
        boto("call", service="sqs", operation="list_queues", params={"QueueNamePrefix": "jobs"}),
        aws("sqs purge-queue --queue-url $queue --endpoint-url $ENDPOINT", rule="no-purge"),
        aws("sns create-topic --name alerts --attributes 'DisplayName=a b'", finds={"topic": "TopicArn"}),
        aws("sns publish --topic-arn $topic --message 'x=1&y=é'"),
        aws("sns get-topic-attributes --topic-arn $topic"),
        aws("sns list-topics"),
        aws("sns delete-topic --topic-arn $topic", rule="-"),
    ),
    "ecs and elbv2": (
        aws("ecs create-cluster --cluster-name side"),
        aws("ecs register-task-definition --family web --container-definitions"
            """ '[{"name":"web","image":"web:1","memory":64}]'"""),
        aws("ecs update-service --cluster main --service staging-web --desired-count 3", whole=True),
        aws("ecs describe-services --cluster main --services staging-web"),
        aws("ecs delete-service --cluster main --service staging-web", rule="-"),
        aws("ec2 create-vpc --cidr-block 10.0.0.0/16", finds={"vpc": "Vpc.VpcId"}),
        aws("ec2 create-tags --resources $vpc --tags Key=team,Value='blue & green' Key=é,Value="),
        aws("ec2 describe-vpcs --filters Name=vpc-id,Values=$vpc"),
        aws("ec2 run-instances --image-id ami-1 --instance-type p5.48xlarge", rule="no-machines"),
        aws("elbv2 create-target-group --name web --protocol HTTP --port 80 --vpc-id $vpc"),
        aws("elbv2 describe-target-groups --names web"),
    ),
    "iam, lambda, states": (
        aws(f"iam create-role --role-name app-runner --assume-role-policy-document '{_TRUST}'"),
        aws("iam get-role --role-name app-runner"),
        aws("iam list-roles --path-prefix /"),
        aws("iam get-role --role-name app-nope", code="NoSuchEntity"),
        aws("iam attach-role-policy --role-name app-runner --policy-arn arn:aws:iam::aws:policy/AdministratorAccess",
            rule="no-more-power", whole=True),
        aws(f"lambda create-function --function-name resize --role {_ROLE} --runtime python3.11 --handler main.handler"
            " --zip-file fileb://code.zip"),
        aws("lambda get-function-configuration --function-name resize", unsigned=True),
        aws("lambda list-functions", unsigned=True),
        aws(f"stepfunctions create-state-machine --name nightly --definition '{_STATES}' --role-arn {_ROLE}",
            finds={"machine": "stateMachineArn"}),
        aws("stepfunctions start-execution --state-machine-arn $machine --input '{}'"),
        aws("stepfunctions list-state-machines"),
    ),
    "keys and secrets": (
        aws("sts get-caller-identity --query Account", whole=True),
        aws("kms create-key --description script", finds={"key": "KeyMetadata.KeyId"}),
        aws("kms encrypt --key-id $key --plaintext aGVsbG8="),
        aws("kms describe-key --key-id $key"),
        aws("ssm put-parameter --name /app/url --value blue --type String"),
        aws("ssm describe-parameters"),
        aws("secretsmanager create-secret --name app/db --secret-string s3cr3t-s3cr3t"),
        aws("secretsmanager describe-secret --secret-id app/db"),
        aws("secretsmanager list-secrets"),
        aws("secretsmanager get-secret-value --secret-id app/db", rule="-", whole=True),
        aws("iam create-access-key --user-name ostiary", rule="-"),
    ),
    "logs, events, numbers": (
        aws("logs create-log-group --log-group-name /app/x"),
        aws("logs create-log-stream --log-group-name /app/x --log-stream-name s"),
        aws("logs put-log-events --log-group-name /app/x --log-stream-name s"
            " --log-events timestamp=1772625600000,message=red"),
        aws("logs get-log-events --log-group-name /app/x --log-stream-name s"),
        aws("logs describe-log-groups"),
        aws("events put-rule --name nightly --schedule-expression 'rate(1 day)'"),
        aws("events describe-rule --name nightly"),
        aws("events put-rule --name other --schedule-expression 'rate(1 day)'", rule="-"),
        aws("cloudwatch put-metric-data --namespace app --metric-name load --value 0.5"
            " --timestamp 2026-03-04T12:00:00Z"),
        aws("cloudwatch list-metrics --namespace app"),
        boto("call", service="cloudwatch", operation="describe_alarms", params={}),
    ),
    "stacks, names, apis": (
        aws(f"cloudformation create-stack --stack-name app-base --template-body '{_STACK}'"),
        aws("cloudformation describe-stacks --stack-name app-base"),
        aws("cloudformation list-stack-resources --stack-name app-base"),
        aws("cloudformation delete-stack --stack-name app-base", rule="-"),
        aws("route53 create-hosted-zone --name example.test --caller-reference once",
            finds={"zone": "HostedZone.Id"}),
        aws("route53 list-hosted-zones", unsigned=True),
        aws("route53 list-resource-record-sets --hosted-zone-id $zone", unsigned=True),
        aws("apigateway create-rest-api --name shop --description 'a & b'", finds={"api": "id"}),
        aws("apigateway get-rest-apis", unsigned=True),
        aws("apigateway get-rest-api --rest-api-id $api", unsigned=True),
        aws("apigateway delete-rest-api --rest-api-id $api", rule="-", whole=True),
    ),
}  # fmt: skip
"""Acts by name; of a name that ends in a service each command is that service's."""


def run(agent: Agent, command: Command, found: dict[str, str], *, whole: bool) -> Done:
    """Run one command with what was found before it, in a process that begins with the interpreter if ``whole``."""
    step, arguments = command.step
    if step:
        return agent.boto(step, **arguments)
    line = command.line
    for name in sorted(found, key=len, reverse=True):
        line = line.replace(f"${name}", found[name])
    return agent.process(line) if whole else agent.aws(line)


@dataclass(frozen=True, slots=True)
class Ran:
    """A command and what became of it.

    Args:
        command: As written.
        done: Status and both streams.
        left: The file it leaves behind; None when it leaves none.
    """

    command: Command
    done: Done
    left: bytes | None


class Walk:
    """One act on one machine.

    Args:
        agent: Whose machine.
        commands: Of the act.
        through: Through the door; directly, what would be denied there is left out, and at
            first what moto cannot check.

    Attributes:
        ran: One entry per command, None for one that was left out.
    """

    def __init__(self, agent: Agent, commands: tuple[Command, ...], *, through: bool) -> None:
        self._agent = agent
        self._commands = commands
        self._through = through
        self._found = {"ENDPOINT": agent.environment["AWS_ENDPOINT_URL"]}
        self.ran: list[Ran | None] = [None] * len(commands)

    def go(self) -> Walk:
        """Run the commands in order."""
        for number, command in enumerate(self._commands):
            if self._through or not (command.rule or command.unsigned):
                self._run(number, command)
        return self

    def go_unchecked(self) -> None:
        """Run what was left out, now that no signature is looked at."""
        for number, command in enumerate(self._commands):
            if command.unsigned:
                self._run(number, command)

    def _run(self, number: int, command: Command) -> None:
        done = run(self._agent, command, self._found, whole=command.whole and self._through)
        if done.status == 0:
            for name, path in command.finds.items():
                self._found[name] = str(jmespath.search(path, json.loads(done.out)))
        left = self._agent.folder / command.leaves
        self.ran[number] = Ran(command, done, left.read_bytes() if left.is_file() else None)


def unchecked(endpoint: str) -> None:
    """Have a moto look at no signature any more."""
    url = f"{endpoint}/moto-api/reset-auth"
    header = {"Content-Type": "text/plain"}
    request = urllib.request.Request(url, data=b"1000000", headers=header, method="POST")  # noqa: S310 - loopback
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
        answer.read()


def deploy(moto: Moto) -> None:
    """Make the services that run already when the agent comes."""
    ecs = moto.client("ecs")
    ecs.create_cluster(clusterName="main")
    containers = [{"name": "app", "image": "app:1", "memory": 64}]
    ecs.register_task_definition(family="app", containerDefinitions=containers)
    for name in ("staging-web", "prod-api", "prod-late"):
        ecs.create_service(cluster="main", serviceName=name, taskDefinition="app", desiredCount=1)


def prepare(folder: Path) -> None:
    """Write the files the script uses."""
    (folder / "small.txt").write_text("hello world\n")
    (folder / "big.bin").write_bytes(content(20 * MIB))
    (folder / "tree" / "a b").mkdir(parents=True)
    for name in ("a b/é+x.txt", "plain.txt", "%41.txt", "q?x=1&y.txt", "~!*()'.txt"):
        (folder / "tree" / name).write_text(name)
    with zipfile.ZipFile(folder / "code.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("main.py"), "def handler(event, context): return event")
