"""botocore's S3 model, loaded once from the package's own data: never from ``~/.aws`` or ``AWS_DATA_PATH``."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import ResponseParserFactory
from botocore.serialize import create_serializer
from botocore.utils import parse_timestamp

PROTOCOL: Final = "rest-xml"
_MONTH_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS: Final = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_HTTP_DATE: Final = re.compile(
    rf"[A-Z][a-z]{{2}}, (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII
)
"""IMF-fixdate, RFC 9110 5.6.7."""


@cache
def service_model() -> Any:  # noqa: ANN401 - botocore has no types
    """Return the model of S3; the first call reads about 1 MB, 60 ms."""
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    return ServiceModel(loader.load_service_model("s3", "service-2"), "s3")


@cache
def operation_model(name: str) -> Any:  # noqa: ANN401 - botocore has no types
    """Return the model of one operation, which must exist."""
    return service_model().operation_model(name)


@cache
def member_shape(operation: str, member: str) -> Any:  # noqa: ANN401 - botocore has no types
    """Return the shape of one input member, which must exist."""
    return operation_model(operation).input_shape.members[member]


@cache
def serializer() -> Any:  # noqa: ANN401 - botocore has no types
    """Return the serialiser; it validates against the model first."""
    return create_serializer(PROTOCOL, include_validation=True)


@cache
def header_spelling(operation: str) -> dict[str, str]:
    """Return lower-case header name to the spelling the model of the output looks it up by."""
    members = operation_model(operation).output_shape.members.values()
    names = [shape.serialization["name"] for shape in members if shape.serialization.get("location") == "header"]
    return {name.lower(): name for name in names}


@cache
def parser() -> Any:  # noqa: ANN401 - botocore has no types
    """Return the parser of answers."""
    factory = ResponseParserFactory()
    factory.set_parser_defaults(timestamp_parser=parse_time)
    return factory.create_parser(PROTOCOL)


def parse_time(text: str) -> datetime:
    """Return a time of an answer; the two forms S3 sends are read here, 20 times faster than by botocore.

    Raises:
        ValueError: it is no time.
    """
    match = _HTTP_DATE.fullmatch(text)
    if match is not None:
        day, month, year, hour, minute, second = match.groups()
        return datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    if text.endswith("Z"):
        return datetime.fromisoformat(text)
    moment: datetime = parse_timestamp(text)
    return moment
