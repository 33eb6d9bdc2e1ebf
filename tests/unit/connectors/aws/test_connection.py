from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.aws.connection import AwsConnection
from connectors.aws.s3 import target_of

GOOD: dict[str, Any] = {"account": "123456789012", "regions": ["eu-central-1", "us-east-1"]}


def test_a_plain_connection_is_in_the_aws_partition_without_endpoint() -> None:
    connection = AwsConnection.model_validate(GOOD)
    assert (connection.partition, connection.endpoint) == ("aws", None)


@pytest.mark.parametrize(
    "change",
    [
        {"account": 123456789012},
        {"account": "12345678901"},
        {"account": "１２３４５６７８９０１２"},  # noqa: RUF001 - full-width digits
        {"regions": []},
        {"regions": ["eu-central-1", "eu-central-1"]},
        {"regions": ["eu-central-1.evil.test/"]},
        {"regions": ["cn-north-1"]},
        {"regions": ["us-gov-west-1"]},
        {"partition": "aws-cn"},
        {"partition": "aws-iso"},
        {"profile": "default"},
        {"credential": "aws/prod"},
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AwsConnection.model_validate({**GOOD, **change})


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("https://MinIO.example.com/", "https://minio.example.com"),
        ("https://minio.example.com:443", "https://minio.example.com"),
        ("https://minio.example.com:9000", "https://minio.example.com:9000"),
        ("http://minio.example.com", "http://minio.example.com:80"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("http://[::1]:9000", "http://[::1]:9000"),
    ],
)
def test_an_endpoint_is_kept_as_its_origin(endpoint: str, origin: str) -> None:
    assert AwsConnection.model_validate({**GOOD, "endpoint": endpoint}).endpoint == origin


@pytest.mark.parametrize(
    "endpoint",
    [
        "ftp://a",
        "minio:9000",
        "https://",
        "https://a/path",
        "https://a/?q",
        "https://a?",
        "https://user:word@a",
        "https://a#b",
        "https://a:0",
        "https://a:99999",
        "https://exámple.com",
        "https://a b",
        "https://a\\@b",
        "https://" + "a" * 600,
    ],
)
def test_an_endpoint_that_is_no_origin_is_refused(endpoint: str) -> None:
    with pytest.raises(ValidationError):
        AwsConnection.model_validate({**GOOD, "endpoint": endpoint})


def test_another_implementation_may_name_its_regions_as_it_likes() -> None:
    AwsConnection.model_validate({**GOOD, "regions": ["cn-north-1"], "endpoint": "https://minio.test"})


@pytest.mark.parametrize(
    ("options", "bucket", "target"),
    [
        ({"partition": "aws"}, "data-lake", ("https://data-lake.s3.eu-west-1.amazonaws.com", False)),
        ({}, "data.lake", ("https://s3.eu-west-1.amazonaws.com", True)),
        ({"partition": "aws-cn"}, "data-lake", ("https://data-lake.s3.eu-west-1.amazonaws.com.cn", False)),
        ({"endpoint": "http://10.0.0.1:9000"}, "data-lake", ("http://10.0.0.1:9000", True)),
        ({}, "", ("https://s3.eu-west-1.amazonaws.com", True)),
    ],
)
def test_the_bucket_is_in_the_host_on_aws_and_in_the_path_elsewhere(
    options: dict[str, Any], bucket: str, target: tuple[str, bool]
) -> None:
    assert target_of(options, "eu-west-1", bucket) == target
