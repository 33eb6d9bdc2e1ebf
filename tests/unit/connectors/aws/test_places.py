"""Values of paths, queries, headers and host names: none can pose as another operation, argument or host."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.aws.model import ApiOperation, operation
from connectors.aws.params import check_members
from connectors.aws.places import MAX_TEXT
from connectors.base import JsonObject
from connectors.errors import InvalidParamsError


def api(action: str) -> ApiOperation:
    found = operation(*action.split(":"))
    assert found is not None
    return found


def check(action: str, params: JsonObject) -> JsonObject:
    return check_members(api(action), params, payload=b"")


@pytest.mark.parametrize("value", [".", "..", "../functions", "a/../../b", "", "a\nb", "\u0085", "x" * (MAX_TEXT + 1)])
def test_a_path_cannot_be_walked_out_of(value: str) -> None:
    with pytest.raises(InvalidParamsError, match="FunctionName"):
        check("lambda:DeleteFunction", {"FunctionName": value})


@pytest.mark.parametrize("value", ["a", "a.b", "..a", "a b", "é", "*", "a%2F..%2Fb", "arn:aws:lambda:x:1:function:a"])
def test_a_name_in_a_path_may_be_anything_else(value: str) -> None:
    assert check("lambda:DeleteFunction", {"FunctionName": value}) == {"FunctionName": value}


@pytest.mark.parametrize("value", ["a//b", "/a", "a/", "a/../b", "."])
def test_a_part_of_a_path_that_holds_slashes_has_no_empty_and_no_dot_segments(value: str) -> None:
    with pytest.raises(InvalidParamsError, match="empty segments"):
        check("mediastore-data:GetObject", {"Path": value})


@pytest.mark.parametrize(
    ("action", "params", "words"),
    [
        ("apigateway:GetExport", {"parameters": {"X-Amz-Signature": "x"}}, "X-Amz-Signature"),
        ("apigateway:GetExport", {"parameters": {"a=b&c": "x"}}, "cannot be a query argument"),
        ("apigateway:GetExport", {"parameters": {"a": "x\ny"}}, "control character"),
        ("apigateway:ImportRestApi", {"parameters": {"failonwarnings": "x"}}, "cannot be a query argument"),
        ("apigateway:ImportRestApi", {"parameters": {"Mode": "x"}}, "cannot be a query argument"),
        ("amp:ListScrapers", {"filters": {"maxResults": ["1"]}}, "cannot be a query argument"),
        ("amp:ListScrapers", {"filters": {"status": ["a\x1b"]}}, "control character"),
    ],
)
def test_a_map_in_a_query_brings_no_argument_of_another_name(action: str, params: JsonObject, words: str) -> None:
    rest = {"restApiId": "a", "stageName": "b", "exportType": "swagger"} if action.endswith("GetExport") else {}
    with pytest.raises(InvalidParamsError, match=words):
        check(action, {**rest, **params})


def test_a_map_in_a_query_may_bring_others() -> None:
    params: JsonObject = {"filters": {"status": ["ACTIVE"]}}
    assert check("amp:ListScrapers", params) == params


@pytest.mark.parametrize(
    "headers", [{"A": "b"}, {"a b": "c"}, {"a": "b\r\nc: d"}, {"a": " b"}, {"a": "é"}, {"a:": "b"}]
)
def test_a_map_of_headers_brings_no_second_header(headers: dict[str, str]) -> None:
    params = {"AssetId": "a", "DataSetId": "b", "RevisionId": "c", "RequestHeaders": headers}
    with pytest.raises(InvalidParamsError, match="RequestHeaders"):
        check("dataexchange:SendApiAsset", params)


@pytest.mark.parametrize("value", ["", "a\r\nb", "é", "a  b", "x" * (MAX_TEXT + 1)])
def test_a_header_is_printable_text(value: str) -> None:
    with pytest.raises(InvalidParamsError, match="ClientContext"):
        check("lambda:Invoke", {"FunctionName": "f", "ClientContext": value})


@pytest.mark.parametrize("value", ["g.evil", "g/", "-g", "g@x", "g" * 64, "*"])
def test_a_part_of_the_host_name_is_one_label(value: str) -> None:
    with pytest.raises(InvalidParamsError, match="host name"):
        check("neptune-graph:ExecuteQuery", {"graphIdentifier": value, "queryString": "q", "language": "OPEN_CYPHER"})


@pytest.mark.parametrize("text", ["a\x1b", "a\x08"])
def test_what_xml_cannot_hold_is_refused_at_any_depth(text: str) -> None:
    tagging: dict[str, Any] = {"TagSet": [{"Key": "k", "Value": text}]}
    with pytest.raises(InvalidParamsError, match="control character"):
        check("s3:PutBucketTagging", {"Bucket": "data-lake", "Tagging": tagging})
    tagging["TagSet"][0]["Value"] = "line\r\n\tline"
    assert check("s3:PutBucketTagging", {"Bucket": "data-lake", "Tagging": tagging})["Tagging"] == tagging


def test_an_id_that_came_out_of_a_listing_goes_into_a_path() -> None:
    assert check("route53:GetHostedZone", {"Id": "/hostedzone/Z1"}) == {"Id": "Z1"}
    with pytest.raises(InvalidParamsError):
        check("route53:GetHostedZone", {"Id": "/hostedzone/.."})


def test_json_in_a_header_is_any_json() -> None:
    params: JsonObject = {"botName": "b", "botAlias": "a", "userId": "user", "contentType": "text/plain"}
    kept = check("lex-runtime:PostContent", {**params, "sessionAttributes": {"k": "é"}})
    assert kept["sessionAttributes"] == {"k": "é"}
