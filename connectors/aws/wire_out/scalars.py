"""Scalars of a result as text: what stands in headers and in XML."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

from connectors.aws.wire_in.scalars import ISO8601, RFC822, UNIX
from connectors.aws.wire_in.shapes import Kind, Node
from connectors.aws.wire_out.errors import RenderError, unfit

Text = Callable[[Any], str]
"""Writes one value; raises `RenderError` for a value that is none of its kind."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_YEAR_DIGITS: Final = 4


def text_writer(node: Node, times: str) -> Text:
    """Return what writes values of a scalar shape as text.

    Args:
        node: Of a scalar kind.
        times: Format of times when the model names none.

    Raises:
        RenderError: no text can hold such a shape.
    """
    match node.kind:
        case Kind.STRING | Kind.INTEGER | Kind.FLOAT | Kind.BOOLEAN:
            return scalar_text
        case Kind.BLOB:
            return blob_text
        case Kind.TIMESTAMP:
            return _TIMES[time_form(node, times)]
        case Kind.STRUCTURE | Kind.DOCUMENT | Kind.LIST | Kind.MAP:
            raise RenderError(f"a {node.kind.value} can't be written as text")


def header_writer(node: Node) -> Text:
    """Return what writes values of a shape into a header."""
    if node.traits.get("jsonvalue"):
        return _json_text
    if node.kind is not Kind.LIST:
        return text_writer(node, RFC822)
    item = text_writer(node.item, RFC822)

    def joined(value: Any) -> str:  # noqa: ANN401 - JSON
        if not isinstance(value, list):
            raise unfit("a list")
        return ", ".join(map(item, value))

    return joined


def time_form(node: Node, times: str) -> str:
    """Return the format of a time: the model's own, or that of its protocol."""
    return str(node.traits.get("timestampFormat", times)).lower()


def scalar_text(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return a scalar as text, of whichever type the upstream said it in: services are not strict about it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else special_word(value)
    raise unfit("a scalar")


def blob_text(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return a blob as base64; what is none was sealed or masked on its way here and is handed out as that text."""
    if not isinstance(value, str):
        raise unfit("a blob in base64")
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return base64.b64encode(value.encode("utf-8", "surrogatepass")).decode("ascii")
    return value


def special_word(value: float) -> str:
    """Return the word every protocol has for a number that JSON has not."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def moment_of(value: Any) -> datetime:  # noqa: ANN401 - JSON
    """Return a time of a result, which is RFC 3339.

    Raises:
        RenderError: it is none.
    """
    if not isinstance(value, str):
        raise unfit("a timestamp")
    year = value.partition("-")[0]
    try:
        # strftime writes years before 1000 without zeros on some systems.
        moment = datetime.fromisoformat(value if len(year) >= _YEAR_DIGITS else value.zfill(len(value) + 4 - len(year)))
    except ValueError:
        raise unfit("a timestamp") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def epoch_seconds(value: Any) -> float:  # noqa: ANN401 - JSON
    """Return a time as seconds since the epoch; whole ones as an integer."""
    since = moment_of(value) - _EPOCH
    return since / _SECOND if since.microseconds else since // _SECOND


def iso_time(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return a time as RFC 3339, UTC."""
    return moment_of(value).isoformat().replace("+00:00", "Z")


def _http_time(value: Any) -> str:  # noqa: ANN401 - JSON
    """IMF-fixdate, RFC 9110 5.6.7."""
    return format_datetime(moment_of(value), usegmt=True)


def _unix_time(value: Any) -> str:  # noqa: ANN401 - JSON
    return repr(epoch_seconds(value))


def _json_text(value: Any) -> str:  # noqa: ANN401 - JSON
    return base64.b64encode(json.dumps(value, allow_nan=False).encode()).decode("ascii")


_TIMES: Final[dict[str, Text]] = {ISO8601: iso_time, RFC822: _http_time, UNIX: _unix_time}
