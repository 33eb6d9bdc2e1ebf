"""Scalars on the wire to JSON: blobs in base64, times in RFC 3339, UTC. The form is that of an intent's params."""

from __future__ import annotations

import base64
import binascii
import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from connectors.aws.wire_in.refusal import malformed
from connectors.aws.wire_in.shapes import Kind, Node

Scalar = str | int | float | bool

ISO8601: Final = "iso8601"
UNIX: Final = "unixtimestamp"
RFC822: Final = "rfc822"

_INTEGER: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_NUMBER: Final = re.compile(r"-?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_SPECIAL_NUMBERS: Final = frozenset({"NaN", "Infinity", "-Infinity"})
"""Written as words by every protocol; JSON has no numbers for them."""
_BOOLEANS: Final = {"true": True, "false": False}
_ISO_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)
_HTTP_TIME: Final = re.compile(
    r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT", re.ASCII
)
"""IMF-fixdate, RFC 9110 5.6.7."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def from_text(node: Node, text: str, times: str) -> Scalar:
    """Return a scalar written as text, in a path, query, header, form or XML.

    Args:
        node: Of a scalar kind.
        text: As sent, decoded.
        times: Format of times when the model names none.

    Raises:
        RefusedError: it is not what the model says.
    """
    match node.kind:
        case Kind.STRING:
            return checked_text(text)
        case Kind.INTEGER:
            return _integer(text)
        case Kind.FLOAT:
            return _number(text)
        case Kind.BOOLEAN:
            return _boolean(text)
        case Kind.BLOB:
            return checked_base64(text)
        case Kind.TIMESTAMP:
            return _time(text, str(node.traits.get("timestampFormat", times)).lower())
        case Kind.STRUCTURE | Kind.DOCUMENT | Kind.LIST | Kind.MAP:
            raise malformed(f"a {node.kind.value} can't be written as text")


def from_json(node: Node, value: object) -> Scalar:
    """Return a scalar of a JSON body.

    Raises:
        RefusedError: it is not of the type the model says; a 1 is no true and a "1" is no 1.
    """
    kind = node.kind
    if isinstance(value, bool) and kind is not Kind.BOOLEAN:
        raise malformed(f"expected a {kind.value}, found a boolean")
    match kind, value:
        case Kind.STRING, str():
            return checked_text(value)
        case Kind.BOOLEAN, bool():
            return value
        case Kind.INTEGER, int():
            return value
        case Kind.FLOAT, int() | float():
            return finite(value)
        case Kind.FLOAT, str() if value in _SPECIAL_NUMBERS:
            return value
        case Kind.BLOB, str():
            return checked_base64(value)
        case Kind.TIMESTAMP, int() | float() if _time_format(node) == UNIX:
            return epoch_time(value)
        case Kind.TIMESTAMP, str() if _time_format(node) != UNIX:
            return _time(value, _time_format(node))
        case _:
            raise malformed(f"expected a {kind.value}, found another type")


def checked_text(text: str) -> str:
    """Return the text when it is Unicode.

    Raises:
        RefusedError: half a surrogate pair stands alone in it, or it holds a NUL, which stands for "unknown" elsewhere.
    """
    if "\x00" in text:
        raise malformed("a string holds a NUL")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise malformed("a string holds half a surrogate pair") from None
    return text


def checked_base64(text: str) -> str:
    """Return base64 in its canonical form.

    Raises:
        RefusedError: it is none.
    """
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode("ascii")
    except (binascii.Error, ValueError):
        raise malformed("a blob is not base64") from None


def finite(value: float) -> float:
    """Return the number when it is one.

    Raises:
        RefusedError: it is infinite (``1e999``) or not a number.
    """
    try:
        fits = math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        fits = False
    if not fits:
        raise malformed("a number is not finite")
    return value


def epoch_time(seconds: float) -> str:
    """Return seconds since the epoch as RFC 3339, to the microsecond.

    Raises:
        RefusedError: no calendar has it.
    """
    try:
        return rfc3339(_EPOCH + timedelta(seconds=finite(seconds)))
    except OverflowError:
        raise malformed("a timestamp is out of range") from None


def rfc3339(moment: datetime) -> str:
    """Return the one spelling of a time: UTC, ``Z``, microseconds only when there are some."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise malformed("expected an integer")
    return int(text)


def _number(text: str) -> float | str:
    if text in _SPECIAL_NUMBERS:
        return text
    if not _NUMBER.fullmatch(text):
        raise malformed("expected a number")
    return finite(float(text))


def _boolean(text: str) -> bool:
    value = _BOOLEANS.get(text)
    if value is None:
        raise malformed("expected `true` or `false`")
    return value


def _time_format(node: Node) -> str:
    return str(node.traits.get("timestampFormat", UNIX)).lower()


def _time(text: str, form: str) -> str:
    if form == UNIX:
        value = _number(text)
        if isinstance(value, str):
            raise malformed("a timestamp is not a number")
        return epoch_time(value)
    try:
        if form == RFC822 and _HTTP_TIME.fullmatch(text):
            return rfc3339(parsedate_to_datetime(text))
        if form == ISO8601 and _ISO_TIME.fullmatch(text):
            return rfc3339(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise malformed("a timestamp is out of range") from None
    raise malformed(f"a timestamp is not in the form {form}")
