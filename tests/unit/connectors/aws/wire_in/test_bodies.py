"""JSON, CBOR, form and XML bodies: what they mean, and what is refused before it could mean two things."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from botocore.model import ServiceModel

from connectors.aws.wire_in.parse_cbor import Epoch, load_cbor
from connectors.aws.wire_in.parse_json import load_json, read_document
from connectors.aws.wire_in.parse_query import grow
from connectors.aws.wire_in.parse_xml import MAX_ELEMENTS, load_xml, read_root
from connectors.aws.wire_in.refusal import Reason, RefusedError
from connectors.aws.wire_in.shapes import MAX_DEPTH, ShapeTable
from tests.unit.connectors.aws.wire_in.asking import asked, form, read, refused, targeted

EC2 = "Action=RunInstances&Version=2016-11-15"
IAM = "Version=2010-05-08"
TOPIC = "Action=CreateTopic&Version=2010-03-31&Attributes.entry.1.key=a&Attributes.entry.1.value=b"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a":1,"a":1}', Reason.DECOY),
        (b'{"b":{"a":1,"\\u0061":2}}', Reason.DECOY),
        (b'{"a":1} ,', Reason.MALFORMED),
        (b'{"a":1}{}', Reason.MALFORMED),
        (b'{"a":NaN}', Reason.MALFORMED),
        (b'{"a":-Infinity}', Reason.MALFORMED),
        (b'{"a":' + b"9" * 5000 + b"}", Reason.MALFORMED),
        (b'\xef\xbb\xbf{"a":1}', Reason.MALFORMED),
        ('{"a":1}'.encode("utf-16"), Reason.MALFORMED),
        (b'{"a":"\xff"}', Reason.MALFORMED),
        (b"", Reason.MALFORMED),
        (b"{'a':1}", Reason.MALFORMED),
        (b"[" * 100_000, Reason.TOO_LARGE),
    ],
)
def test_json_with_two_readings_or_none_is_refused(body: bytes, reason: Reason) -> None:
    with pytest.raises(RefusedError) as caught:
        load_json(body)
    assert caught.value.refusal.reason is reason


@pytest.mark.parametrize("value", [b"a", float("inf"), "\ud800", {"\udfff": 1}, {1: 2}, ["\x00"]])
def test_a_document_holds_json_only(value: object) -> None:
    with pytest.raises(RefusedError):
        read_document(value)


def test_a_document_is_bounded_in_depth() -> None:
    deep: object = 1
    for _ in range(MAX_DEPTH):
        deep = [deep]
    assert read_document(deep) == deep
    with pytest.raises(RefusedError):
        read_document([deep])


def test_the_deepest_value_dynamodb_takes_is_read() -> None:
    deep = {"S": "x"}
    for _ in range(31):
        deep = {"M": {"k": deep}}  # type: ignore[dict-item]  # recursive by intention
    call = read(targeted("DynamoDB_20120810.PutItem", {"TableName": "t", "Item": {"a": deep}}), "dynamodb")
    assert call.params["Item"]["a"] == deep
    assert refused(targeted("DynamoDB_20120810.PutItem", {"Item": nested("M", 200)}), "dynamodb") is Reason.TOO_LARGE


def nested(name: str, depth: int) -> object:
    deep: object = {}
    for _ in range(depth):
        deep = {"k": {name: deep}}
    return deep


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"TableName": "t", "Key": {}, "Evil": 1}, Reason.UNKNOWN_INPUT),
        ({"tableName": "t"}, Reason.UNKNOWN_INPUT),
        ({"TableName": 1}, Reason.MALFORMED),
        ({"TableName": "t", "Key": {"k": {"S": "v", "X": 1}}}, Reason.UNKNOWN_INPUT),
        ({"TableName": "t", "Key": {"k": {"B": "not base64"}}}, Reason.MALFORMED),
        ({"TableName": "t", "Key": []}, Reason.MALFORMED),
        ({"TableName": "t", "Key": {"k": []}}, Reason.MALFORMED),
        ({"TableName": "t", "AttributesToGet": "a"}, Reason.MALFORMED),
        ({"TableName": "t", "AttributesToGet": [None]}, Reason.MALFORMED),
        (["TableName"], Reason.MALFORMED),
        (b'{"TableName":"a","TableName":"b"}', Reason.DECOY),
        (b'{"TableName":"\\ud83d"}', Reason.MALFORMED),
    ],
)
def test_a_json_body_that_does_not_fit_the_model_is_refused(body: object, reason: Reason) -> None:
    assert refused(targeted("DynamoDB_20120810.GetItem", body), "dynamodb") is reason


def test_null_is_a_member_that_is_not_given() -> None:
    request = targeted(
        "DynamoDB_20120810.GetItem", {"TableName": "t", "Key": {"k": {"S": "*"}}, "ConsistentRead": None}
    )
    assert read(request, "dynamodb").params == {"TableName": "t", "Key": {"k": {"S": "*"}}}


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("00", 0), ("17", 23), ("1818", 24), ("1903e8", 1000), ("1a000f4240", 1_000_000),
        ("1bffffffffffffffff", 2**64 - 1), ("20", -1), ("3903e7", -1000), ("f93c00", 1.0),
        ("fb3ff199999999999a", 1.1),
        ("fa47c35000", 100000.0), ("f4", False), ("f5", True), ("f6", None), ("f7", None),
        ("c11a514b67b0", Epoch(1363896240)),
        ("4401020304", b"\x01\x02\x03\x04"), ("6161", "a"), ("62c3bc", "ü"), ("80", []), ("83010203", [1, 2, 3]),
        ("a0", {}), ("a26161016162820203", {"a": 1, "b": [2, 3]}), ("5f42010243030405ff", b"\x01\x02\x03\x04\x05"),
        ("7f657374726561646d696e67ff", "streaming"), ("9fff", []), ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
        ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
    ],
)  # fmt: skip
def test_the_examples_of_rfc_8949_are_read(data: str, value: object) -> None:
    assert load_cbor(bytes.fromhex(data)) == value


@pytest.mark.parametrize(
    "data",
    [
        "", "18", "1c", "1f", "3f", "62c3", "62c328", "61ff", "8201", "9f01", "a16161", "a1616101616101",
        "a2616101616102",
        "a10101", "a1f601", "c074323031332d30332d32315432303a30343a30305a", "c16161", "c1f5", "d81800", "f8ff", "fc",
        "fe",
        "ff", "f90000ff", "0000", "5f6161ff", "5f5fffff", "7f4101ff", "9bffffffffffffffff", "5bffffffffffffffff",
    ],
)  # fmt: skip
def test_cbor_that_is_cut_followed_or_not_smithys_is_refused(data: str) -> None:
    with pytest.raises(RefusedError):
        load_cbor(bytes.fromhex(data))


def test_cbor_is_bounded_in_depth() -> None:
    assert load_cbor(b"\x81" * MAX_DEPTH + b"\x00")
    with pytest.raises(RefusedError):
        load_cbor(b"\x81" * (MAX_DEPTH + 1) + b"\x00")
    with pytest.raises(RefusedError):
        load_cbor(b"\x9f" * 1_000_000)


def test_an_infinite_time_in_cbor_is_refused() -> None:
    body = b"\xa1\x69StartTime\xc1\xfb" + struct.pack(">d", float("inf"))
    path = "/service/GraniteServiceVersion20100801/operation/GetMetricStatistics"
    assert refused(asked("POST", path, headers={"smithy-protocol": "rpc-v2-cbor"}, body=body), "monitoring")


@pytest.mark.parametrize(
    ("names", "tree"),
    [
        ([("a", "1"), ("b.c", "2"), ("b.d.1", "3")], {"a": "1", "b": {"c": "2", "d": {"1": "3"}}}),
        ([], {}),
    ],
)
def test_dotted_names_are_a_tree(names: list[tuple[str, str]], tree: dict[str, object]) -> None:
    assert grow(names) == tree


@pytest.mark.parametrize(
    "names", [["a", "a"], ["a.b", "a"], ["a", "a.b"], ["a.b.c", "a.b"], [".".join("a" * (MAX_DEPTH + 2))]]
)
def test_a_name_that_is_there_twice_or_too_long_is_refused(names: list[str]) -> None:
    with pytest.raises(RefusedError):
        grow([(name, "1") for name in names])


@pytest.mark.parametrize(
    ("body", "service", "params"),
    [
        (
            f"{EC2}&ImageId=ami-1&MinCount=1&MaxCount=2&SecurityGroupId.1=sg-1&SecurityGroupId.2=sg-2&DryRun=true",
            "ec2",
            {"ImageId": "ami-1", "MinCount": 1, "MaxCount": 2, "SecurityGroupIds": ["sg-1", "sg-2"], "DryRun": True},
        ),
        (
            f"Action=TagRole&{IAM}&RoleName=r&Tags.member.1.Key=k&Tags.member.1.Value=*",
            "iam",
            {"RoleName": "r", "Tags": [{"Key": "k", "Value": "*"}]},
        ),
        (f"Action=TagRole&{IAM}&RoleName=r&Tags=", "iam", {"RoleName": "r", "Tags": []}),
        (
            "Action=SetTopicAttributes&Version=2010-03-31&TopicArn=a&AttributeName=b",
            "sns",
            {"TopicArn": "a", "AttributeName": "b"},
        ),
        (
            "Action=CreateTopic&Version=2010-03-31&Name=n&Attributes.entry.1.key=a&Attributes.entry.1.value=b",
            "sns",
            {"Name": "n", "Attributes": {"a": "b"}},
        ),
        ("Action=GetCallerIdentity&Version=2011-06-15", "sts", {}),
        (
            "Action=GetAttributes&Version=2009-04-15&DomainName=d&AttributeName.1=a&AttributeName.2=b",
            "sdb",
            {"DomainName": "d", "AttributeNames": ["a", "b"]},
        ),
        ("Action=GetAttributes&Version=2009-04-15&AttributeNames=", "sdb", {"AttributeNames": []}),
    ],
)
def test_a_form_is_read(body: str, service: str, params: dict[str, object]) -> None:
    assert read(form(body), service).params == params


@pytest.mark.parametrize(
    ("body", "service", "reason"),
    [
        (f"{EC2}&ImageId=a&ImageId=b", "ec2", Reason.DECOY),
        (f"{EC2}&Action=TerminateInstances", "ec2", Reason.DECOY),
        (f"{EC2}&Evil=1", "ec2", Reason.UNKNOWN_INPUT),
        (f"{EC2}&imageId=1", "ec2", Reason.UNKNOWN_INPUT),
        (f"{EC2}&ImageId.1=a", "ec2", Reason.UNKNOWN_INPUT),
        (f"{EC2}&SecurityGroupId=a", "ec2", Reason.MALFORMED),
        (f"{EC2}&SecurityGroupId.2=a", "ec2", Reason.MALFORMED),
        (f"{EC2}&SecurityGroupId.0=a", "ec2", Reason.MALFORMED),
        (f"{EC2}&SecurityGroupId.01=a", "ec2", Reason.MALFORMED),
        (f"{EC2}&SecurityGroupId.x=a", "ec2", Reason.MALFORMED),
        (f"{EC2}&MinCount=1.5", "ec2", Reason.MALFORMED),
        (f"{EC2}&Placement=x", "ec2", Reason.MALFORMED),
        ("Action=RunInstances", "ec2", Reason.UNKNOWN_OPERATION),
        ("Action=RunInstances&Version=1999-01-01", "ec2", Reason.UNKNOWN_OPERATION),
        ("Version=2016-11-15", "ec2", Reason.UNKNOWN_OPERATION),
        ("Action.1=RunInstances&Version=2016-11-15", "ec2", Reason.UNKNOWN_OPERATION),
        ("Action=Nope&Version=2016-11-15", "ec2", Reason.UNKNOWN_OPERATION),
        (f"Action=TagRole&{IAM}&Tags.item.1.Key=k", "iam", Reason.MALFORMED),
        (f"Action=TagRole&{IAM}&Tags.member.1=k", "iam", Reason.MALFORMED),
        ("Action=CreateTopic&Version=2010-03-31&Attributes.entry.1.value=b", "sns", Reason.MALFORMED),
        (
            "Action=CreateTopic&Version=2010-03-31&Attributes.entry.1.key=a&Attributes.entry.1.x=b",
            "sns",
            Reason.MALFORMED,
        ),
        (f"{TOPIC}&Attributes.entry.2.key=a&Attributes.entry.2.value=c", "sns", Reason.DECOY),
        (
            "Action=GetAttributes&Version=2009-04-15&AttributeName.1=a&AttributeNames.1=b",
            "sdb",
            Reason.DECOY,
        ),
        ("Action=GetCallerIdentity&Version=2011-06-15&X=1", "sts", Reason.UNKNOWN_INPUT),
        ("Action=GetAccountSummary&Version=2010-05-08&X=1", "iam", Reason.UNKNOWN_INPUT),
    ],
)
def test_a_form_that_does_not_fit_the_model_is_refused(body: str, service: str, reason: Reason) -> None:
    assert refused(form(body), service) is reason


TAGGING = "/b/k?tagging"
TAGS = b"<Tagging><TagSet><Tag><Key>a</Key><Value>*</Value></Tag></TagSet></Tagging>"


def test_xml_is_read() -> None:
    body = b'<?xml version="1.0" encoding="UTF-16"?>\n<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    body += TAGS.removeprefix(b"<Tagging>").replace(b"><", b">\n  <")
    found = read(asked("PUT", TAGGING, body=body), "s3")
    assert found.operation == "PutObjectTagging"
    assert found.params == {"Bucket": "b", "Key": "k", "Tagging": {"TagSet": [{"Key": "a", "Value": "*"}]}}


def test_flattened_lists_and_attributes_of_xml_are_read() -> None:
    body = b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object><Quiet>true</Quiet></Delete>"
    found = read(asked("POST", "/b?delete", body=body), "s3")
    assert found.params["Delete"] == {"Objects": [{"Key": "a"}, {"Key": "b"}], "Quiet": True}
    grantee = (
        b'<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>i</ID></Grantee>'
    )
    acl = (
        b"<AccessControlPolicy><AccessControlList><Grant>"
        + grantee
        + b"</Grant></AccessControlList></AccessControlPolicy>"
    )
    grants = read(asked("PUT", "/b?acl", body=acl), "s3").params["AccessControlPolicy"]["Grants"]
    assert grants == [{"Grantee": {"Type": "CanonicalUser", "ID": "i"}}]


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY e "a">]><Tagging/>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><Tagging/>',
        b"<!DOCTYPE x><Tagging/>",
        b"<Tagging>&e;</Tagging>",
        b"<Tagging><!-- a --></Tagging>",
        b"<Tagging><?php?></Tagging>",
        b"<tagging/>",
        b"<s:Tagging xmlns:s='x'/>",
        b"<Tagging>text</Tagging>",
        b"<Tagging a='1'/>",
        b"<Tagging><Evil/></Tagging>",
        b"<Tagging><TagSet/><TagSet/></Tagging>",
        b"<Tagging><TagSet>text</TagSet></Tagging>",
        b"<Tagging><TagSet a='1'/></Tagging>",
        b"<Tagging><TagSet><Evil/></TagSet></Tagging>",
        b"<Tagging><TagSet><Tag><Key><b/></Key></Tag></TagSet></Tagging>",
        b"<Tagging/><Tagging/>",
        b"<Tagging/>x",
        b"<Tagging>",
        b"\xff",
        "<Tagging/>".encode("utf-16"),
        "<Tagging/>".encode("utf-16-le"),
    ],
)
def test_xml_with_entities_or_more_than_the_model_is_refused(body: bytes) -> None:
    assert refused(asked("PUT", TAGGING, body=body), "s3") in {Reason.MALFORMED, Reason.UNKNOWN_INPUT, Reason.DECOY}


def test_xml_is_bounded_in_depth_and_size() -> None:
    with pytest.raises(RefusedError):
        load_xml(b"<a>" * 1000 + b"</a>" * 1000)
    with pytest.raises(RefusedError):
        load_xml(b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>")


MAPS = ServiceModel(
    {
        "metadata": {},
        "operations": {},
        "shapes": {
            "S": {"type": "string"},
            "Map": {"type": "map", "key": {"shape": "S"}, "value": {"shape": "S"}},
            "Flat": {
                "type": "map", "key": {"shape": "S", "locationName": "K"}, "value": {"shape": "S", "locationName": "V"},
                "flattened": True,
            },
            "Input": {
                "type": "structure", "members": {"Map": {"shape": "Map"}, "Flat": {"shape": "Flat"}},
            },
        },
    }
)  # fmt: skip


def read_maps(inner: str) -> object:
    node = ShapeTable().node(MAPS.shape_for("Input"))
    named = replace(node, name="Input")
    return read_root(named, load_xml(f"<Input>{inner}</Input>".encode()))


def test_maps_of_xml_are_read() -> None:
    entry = "<entry><key>a</key><value>b</value></entry>"
    assert read_maps(f"<Map>{entry}</Map>") == {"Map": {"a": "b"}}
    assert read_maps("<Flat><K>a</K><V>b</V></Flat><Flat><K>c</K><V/></Flat>") == {"Flat": {"a": "b", "c": ""}}
    for inner in (
        f"<Map>{entry}{entry}</Map>",
        "<Map><entry><key>a</key></entry></Map>",
        "<Map><entry><key>a</key><key>b</key><value/></entry></Map>",
        "<Map><other/></Map>",
        "<Map>text</Map>",
        "<Map x='1'/>",
        "<Flat>text</Flat>",
    ):
        with pytest.raises(RefusedError):
            read_maps(inner)
