"""Every operation of botocore there and back, its answer too, and what one costs.

``python -m tests.bench.aws_roundtrip``
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from connectors.aws import model
from connectors.aws.model import ApiOperation
from connectors.aws.wire_in.calls import Scope
from connectors.aws.wire_in.parse import parse
from connectors.aws.wire_in.request import WireRequest, receive
from connectors.aws.wire_in.services import Protocol
from connectors.aws.wire_out.answer import head, render
from tests.bench.timing import Result, in_turns, median
from tests.conformance.aws_answers.samples import OutputSampler
from tests.conformance.aws_answers.trip import Answers, answers_of
from tests.conformance.aws_roundtrip.samples import Variant
from tests.conformance.aws_roundtrip.trip import Figures, travel

SHARE = 0.999
"""Of all operations that must be found, and of all whose params must come back."""
PARSE_MICROS = 150.0
HEAD_MICROS = 40.0
"""Microseconds of the head of a GetObject."""
_OBJECT = {
    "AcceptRanges": "bytes",
    "LastModified": "2024-03-05T06:07:08Z",
    "ContentLength": 1024,
    "ETag": '"d41d8cd98f00b204e9800998ecf8427e"',
    "ContentType": "text/plain",
    "ServerSideEncryption": "AES256",
    "ChecksumCRC32": "AAAAAA==",
    "Metadata": {"a": "b", "c": "d"},
}
_CBOR = "smithy-rpc-v2-cbor"
_AGENT = b"Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11 cfg/retry-mode#legacy"


def measure() -> list[Result]:
    """Return shares per variant, and microseconds of a parse."""
    names = sorted(model.service_names())
    results = []
    for variant in Variant:
        results += _shares(variant.value, travel(names, [variant]))
    results += _shares("rpc-v2-cbor", travel(names, [Variant.FULL], protocol=_CBOR))
    return results + _costs() + answers()


def answers() -> list[Result]:
    """Return the same of the answers: shares per variant, and microseconds of an answer."""
    names = sorted(model.service_names())
    results = []
    for variant in Variant:
        results += _share_of_answers(variant.value, answers_of(names, [variant]))
    results += _share_of_answers("other protocols", answers_of(names, list(Variant), others=True))
    return results + _costs_of_answers()


def _share_of_answers(name: str, figures: Answers) -> list[Result]:
    for failure in figures.failures:
        sys.stderr.write(f"  {name}: {failure[:160]}\n")
    return [_share(f"{name}: answers equal, of {figures.counts['answers']:,}", figures.same)]


def _costs_of_answers() -> list[Result]:
    get, item, instances = map(_operation, ("s3:GetObject", "dynamodb:GetItem", "ec2:DescribeInstances"))
    row = {f"k{number}": {"S": "value"} for number in range(10)}
    held = OutputSampler(Variant.FULL).result(instances.model)
    taken = in_turns(
        {
            "s3 GetObject": lambda: head(get, _OBJECT, request_id="r"),
            "dynamodb GetItem": lambda: render(item, Protocol.JSON, {"Item": row}, request_id="r"),
            "ec2 DescribeInstances, 10 kB": lambda: render(instances, Protocol.EC2, held, request_id="r"),
        },
        rounds=5,
        calls=500,
    )
    micros = {name: median(values) * 1e6 for name, values in taken.items()}
    bars = {"s3 GetObject": HEAD_MICROS}
    return [
        Result(f"answer {name}", value, "us", f"<= {bars[name]:g}", value <= bars[name])
        if name in bars
        else Result(f"answer {name}", value, "us")
        for name, value in micros.items()
    ]


def _operation(action: str) -> ApiOperation:
    service, _, name = action.partition(":")
    found = model.operation(service, name)
    if found is None:
        raise LookupError(action)
    return found


def _shares(name: str, figures: Figures) -> list[Result]:
    for failure in figures.failures:
        sys.stderr.write(f"  {name}: {failure[:160]}\n")
    count = figures.counts["operations"]
    return [
        _share(f"{name}: found, of {count:,} operations", figures.found),
        _share(f"{name}: params or request equal, of {count:,}", figures.same),
        Result(f"{name}: with more than one candidate", figures.counts["ambiguous"], "operations"),
    ]


def _share(name: str, value: float) -> Result:
    return Result(name, value * 100, "%", f">= {SHARE * 100:g}", value >= SHARE)


def _costs() -> list[Result]:
    base = [(b"host", b"aws.broker.test"), (b"user-agent", _AGENT), (b"x-amz-date", b"20261120T120000Z")]
    item = b'{"TableName": "orders", "Key": {"id": {"S": "42"}}, "ConsistentRead": true}'
    form = (
        b"Action=RunInstances&Version=2016-11-15&ImageId=ami-1&MinCount=1&MaxCount=2&InstanceType=t3.micro"
        b"&SecurityGroupId.1=sg-1&SecurityGroupId.2=sg-2&TagSpecification.1.ResourceType=instance"
        b"&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=web&ClientToken=t"
    )
    asks = {
        "s3 GetObject": _ask("s3", "GET", b"/bucket/some/key.txt", base, b""),
        "s3 PutObject": _ask("s3", "PUT", b"/bucket/some/key.txt", [*base, (b"content-type", b"text/plain")], None),
        "dynamodb GetItem": _ask(
            "dynamodb", "POST", b"/", [*base, (b"x-amz-target", b"DynamoDB_20120810.GetItem")], item
        ),
        "ec2 RunInstances": _ask(
            "ec2", "POST", b"/", [*base, (b"content-type", b"application/x-www-form-urlencoded")], form
        ),
        "lambda Invoke": _ask("lambda", "POST", b"/2015-03-31/functions/f/invocations", base, b"{}"),
    }
    taken = in_turns(asks, rounds=5, calls=500)
    micros = {name: median(values) * 1e6 for name, values in taken.items()}
    return [
        Result(f"receive and parse {name}", value, "us", f"<= {PARSE_MICROS:g}", value <= PARSE_MICROS)
        for name, value in micros.items()
    ]


def _ask(
    service: str, method: str, path: bytes, headers: list[tuple[bytes, bytes]], body: bytes | None
) -> Callable[[], object]:
    scope = Scope(service, "eu-west-1", hosts=frozenset({"aws.broker.test"}))

    def ask() -> object:
        request = receive(method, path, b"", headers=headers, body=body)
        return parse(request, scope) if isinstance(request, WireRequest) else request

    return ask


if __name__ == "__main__":
    for each in measure():
        sys.stdout.write(f"{each.name:60} {each.value:12.3f} {each.unit:10} {each.goal:10} {each.met}\n")
