"""Whatever is sent, it is read or refused: no other exception, and no reading of bytes nobody signed for."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from connectors.aws.wire_in.calls import Parsed, Scope
from connectors.aws.wire_in.parse import parse, takes_stream
from connectors.aws.wire_in.refusal import Refusal
from connectors.aws.wire_in.request import WireRequest, receive
from connectors.aws.wire_in.sigv4 import Claim, read_claim
from tests.unit.connectors.aws.wire_in.asking import FORM, HOSTS

SERVICES = st.sampled_from(["s3", "dynamodb", "ec2", "iam", "monitoring", "lambda", "rds", "lex", "nope", ""])
METHODS = st.sampled_from(["GET", "PUT", "POST", "HEAD", "DELETE", "PATCH"])
TARGETS = st.sampled_from(["DynamoDB_20120810.PutItem", "GraniteServiceVersion20100801.PutMetricData", ".", "", "x"])
HEADERS = st.dictionaries(
    st.sampled_from(
        [b"content-type", b"x-amz-target", b"smithy-protocol", b"x-amz-meta-a", b"range", b"user-agent", b"host",
         b"authorization", b"content-encoding", b"x-amz-date", b"x-amz-content-sha256", b"x-amz-copy-source"]
    ),
    st.one_of(st.binary(max_size=40), st.sampled_from([FORM.encode(), b"rpc-v2-cbor", b"DynamoDB_20120810.PutItem"])),
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Item", "M", "L", "S", "k"]), inner),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["Action", "Version", "ImageId", "SecurityGroupId.1", "Tag.1.Key", "Tags.member.1", "a..b", "."]
)


@given(
    method=METHODS,
    path=st.binary(max_size=40).map(lambda rest: b"/" + rest),
    query=st.binary(max_size=40),
    headers=HEADERS,
    body=st.binary(max_size=80) | st.none(),
    service=SERVICES,
)
def test_any_request_is_read_or_refused(
    method: str, path: bytes, query: bytes, headers: dict[bytes, bytes], body: bytes | None, service: str
) -> None:
    request = receive(method, path, query, headers=headers.items(), body=body)
    if isinstance(request, WireRequest):
        for presigned in (False, True):
            scope = Scope(service, "eu-west-1", presigned=presigned, hosts=HOSTS)
            assert isinstance(parse(request, scope), Parsed | Refusal)
            takes_stream(request, scope)
        assert isinstance(read_claim(request), Claim | Refusal)


def whole(method: str, target: str, headers: dict[str, str], body: bytes, service: str) -> Parsed | Refusal:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    request = receive(method, target.encode(), b"", headers=pairs, body=body)
    assert isinstance(request, WireRequest)
    return parse(request, Scope(service, "eu-west-1"))


@given(value=JSON)
def test_any_json_is_read_or_refused_and_what_is_read_is_json(value: object) -> None:
    body = json.dumps({"TableName": "t", "Item": value}).encode()
    found = whole("POST", "/", {"x-amz-target": "DynamoDB_20120810.PutItem"}, body, "dynamodb")
    if isinstance(found, Parsed):
        assert json.loads(json.dumps(found.params, allow_nan=False)) == found.params


@given(
    pairs=st.lists(
        st.tuples(NAMES, st.sampled_from(["", "1", "RunInstances", "2016-11-15", "%ff", "true"])), max_size=6
    )
)
def test_any_form_is_read_or_refused(pairs: list[tuple[str, str]]) -> None:
    body = "&".join(
        f"{name}={value}" for name, value in [("Action", "RunInstances"), ("Version", "2016-11-15"), *pairs]
    )
    for service in ("ec2", "iam"):
        assert isinstance(whole("POST", "/", {"content-type": FORM}, body.encode(), service), Parsed | Refusal)


@given(body=st.binary(max_size=60))
def test_any_cbor_is_read_or_refused(body: bytes) -> None:
    path = "/service/GraniteServiceVersion20100801/operation/PutMetricData"
    assert isinstance(whole("POST", path, {"smithy-protocol": "rpc-v2-cbor"}, body, "monitoring"), Parsed | Refusal)


@given(
    inner=st.lists(
        st.sampled_from(["<Tag>", "</Tag>", "<Key>", "</Key>", "a", "&lt;", "<", "&#0;", "<Value/>", " "]), max_size=12
    )
)
def test_any_xml_is_read_or_refused(inner: list[str]) -> None:
    body = f"<Tagging><TagSet>{''.join(inner)}</TagSet></Tagging>".encode()
    pairs = [(b"host", b"x")]
    request = receive("PUT", b"/b", b"tagging", headers=pairs, body=body)
    assert isinstance(request, WireRequest)
    assert isinstance(parse(request, Scope("s3", "eu-west-1")), Parsed | Refusal)
