from __future__ import annotations

import pytest
from botocore.model import ServiceModel

from connectors.aws import model
from connectors.aws.wire_in.route import RouteTable
from connectors.aws.wire_in.services import bucket_of, hinted_service, signed_as, summaries
from connectors.aws.wire_in.shapes import Kind, ShapeTable
from tests.unit.connectors.aws.wire_in.asking import asked, read, targeted

SAMPLED = ("s3", "s3control", "cloudwatch", "sqs", "ec2", "rds", "lex-models", "apigateway", "stepfunctions")


def test_every_service_of_botocore_is_known() -> None:
    assert summaries().keys() == model.service_names()


@pytest.mark.parametrize("name", SAMPLED)
def test_the_head_of_a_model_says_what_the_model_says(name: str) -> None:
    found, service = summaries()[name], model.service(name).model
    assert isinstance(service, ServiceModel)
    assert found.signing_name == service.signing_name
    assert found.api_version == service.api_version
    assert found.target_prefix == service.metadata.get("targetPrefix", "")
    assert set(found.protocols) == set(service.metadata["protocols"])


def test_a_signing_name_can_be_that_of_several_services() -> None:
    assert [each.name for each in signed_as("rds")] == ["docdb", "neptune", "rds"]
    assert signed_as("nope") == ()


def test_reading_one_request_loads_no_other_service() -> None:
    model.read_model.cache_clear()
    read(targeted("DynamoDB_20120810.ListTables", {}), "dynamodb")
    assert model.read_model.cache_info().currsize <= 2


@pytest.mark.parametrize(
    ("agent", "service"),
    [
        ("aws-sdk-go-v2/1.30 os/linux lang/go#1.22 api/s3#1.58.0", "s3"),
        ("api/Lex_Model-Building.Service#1", "lexmodelbuildingservice"),
        ("api/s3", "s3"),
        ("Boto3/1.44 md/Botocore#1.44 ua/2.1", ""),
        ("xapi/s3#1", ""),
        ("", ""),
    ],
)
def test_a_user_agent_may_name_the_service(agent: str, service: str) -> None:
    assert hinted_service(agent) == service


@pytest.mark.parametrize(
    ("host", "bucket"),
    [("a.b.test", "a"), ("x.a.b.test", "x"), ("b.test", ""), ("ab.test", ""), ("evil.test", ""), ("", "")],
)
def test_a_bucket_is_what_stands_before_the_longest_of_our_names(host: str, bucket: str) -> None:
    assert bucket_of(host, frozenset({"b.test", "a.b.test"} if host.startswith("x") else {"b.test"})) == bucket


def test_a_recursive_shape_is_one_node() -> None:
    table = ShapeTable()
    shape = model.service("dynamodb").model.shape_for("AttributeValue")
    node = table.node(shape)
    assert node.members["M"].members["value"] is node
    assert node.members["L"].item is node
    assert node.members["S"].members == {}
    assert node.members["B"].kind is Kind.BLOB


def test_the_more_specific_path_wins_whatever_its_query() -> None:
    api = model.service("s3control").model
    table = RouteTable(api.operation_model(name) for name in api.operation_names)
    path = "/v20180820/mrap/instances/a/b/policy"
    found = table.match("GET", path, {}, {"x-amz-account-id": "1"})
    assert [match.route.operation for match in found] == ["GetMultiRegionAccessPointPolicy"]
    assert found[0].values == {"name": "a/b"}
    assert table.match("GET", path, {}, {}) == ()
    assert table.match("GET", "/nope", {}, {}) == ()


@pytest.mark.parametrize("target", ["/2015-03-31/functions", "/2015-03-31/functions/"])
def test_a_slash_at_the_end_does_not_matter(target: str) -> None:
    assert read(asked("GET", target), "lambda").operation == "ListFunctions"
