"""From the params of an intent to checked JSON: exact types, closed names, nothing a name or a header could hide in.

Object keys stay literal: ``*``, ``../`` and look-alike letters are just characters of one key. Only control characters
and lone surrogates are refused there, because neither XML nor a person can tell them apart.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Final

from connectors.aws.model import member_shape
from connectors.aws.operations import BUCKET_PATTERN, MAX_KEY_BYTES, RANGES, Spec, param_schema
from connectors.base import JsonObject
from connectors.errors import InvalidParamsError

_BUCKET: Final = re.compile(BUCKET_PATTERN)
_RANGE: Final = re.compile(r"bytes=([0-9]{1,19}-[0-9]{0,19}|-[0-9]{1,19})")
_META_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,126}")
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(Z|z|[+-][0-9]{2}:[0-9]{2})")
_MAX_META_BYTES: Final = 2048
"""All user metadata of an object, names and values, Amazon S3 User Guide, "Working with object metadata"."""
_EPOCH_YEAR: Final = 1970
_SHOWN: Final = 60
_BAD_BUCKET_STARTS: Final = ("xn--", "sthree-", "amzn-s3-demo-")
_BAD_BUCKET_ENDS: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
"""Aliases, directory buckets and the like: they resolve to other things than a bucket of that name."""
_FORMS: Final[dict[str, tuple[re.Pattern[str], str]]] = {
    "Range": (_RANGE, "one byte range as `bytes=0-1023`"),
    "ExpectedBucketOwner": (_ACCOUNT, "an account id of 12 digits"),
    "ExpectedSourceBucketOwner": (_ACCOUNT, "an account id of 12 digits"),
}


@dataclass(frozen=True, slots=True)
class Checked:
    """Params that fit.

    Args:
        params: JSON form for the plan, times in UTC, without ``Body`` and ``Region``.
        region: Region the call goes to.
        payload: The decoded ``Body``; None when the operation has none.
    """

    params: JsonObject
    region: str
    payload: bytes | None


def check_params(spec: Spec, params: JsonObject, regions: list[str]) -> Checked:
    """Return the params in their one canonical form.

    Args:
        spec: The operation.
        params: As received.
        regions: The connection's regions, at least one.

    Raises:
        InvalidParamsError: an unknown or missing param, or a value that does not fit.
    """
    unknown = sorted(str(name) for name in params if name not in spec.accepts and name != "Region")
    if unknown:
        raise InvalidParamsError(
            f"`{spec.action}` does not take {', '.join(f'`{shown(name)}`' for name in unknown[:5])}",
            fix=f"it takes {', '.join(sorted({*spec.accepts, 'Region'}))}",
        )
    missing = [name for name in spec.required if name not in params]
    if missing:
        raise InvalidParamsError(f"`{spec.action}` needs `{'`, `'.join(missing)}`")
    region = _region(params.get("Region", regions[0]), regions)
    checked = {name: _check(spec.name, name, value) for name, value in params.items() if name not in {"Region", "Body"}}
    _refuse_contradictions(checked)
    payload = _decode(params.get("Body", "")) if "Body" in spec.accepts else None
    return Checked(checked, region, payload)


def shown(text: str) -> str:
    """Return text for people: clipped, with everything that prints nothing or turns writing around escaped."""
    clipped = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return "".join(char if char.isprintable() and char != "`" else f"\\u{ord(char):04x}" for char in clipped)


def _check(operation: str, name: str, value: Any) -> Any:  # noqa: ANN401 - JSON in, JSON out
    if name == "CopySource":
        return _copy_source(value)
    shape = member_shape(operation, name)
    kind: str = shape.type_name
    expected, words = _TYPES[kind]
    if type(value) is not expected:  # bool is an int to isinstance, and 1 is not true to S3
        raise InvalidParamsError(f"`{name}` must be {words}, found {_json_type(value)}")
    return _CHECKS[kind](operation, name, value)


def _text(operation: str, name: str, value: str) -> str:
    if name == "Bucket":
        return _bucket(value)
    schema = param_schema(operation, name)
    allowed = schema.get("enum")
    if allowed is not None:
        if value not in allowed:
            raise InvalidParamsError(f"`{name}` is `{shown(value)}`", fix=f"one of {', '.join(allowed)}")
        return value
    if not schema["minLength"] <= len(value) <= schema["maxLength"]:
        raise InvalidParamsError(
            f"`{name}` must have {schema['minLength']} to {schema['maxLength']} characters, found {len(value)}"
        )
    if name == "Key" and len(value.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
        raise InvalidParamsError(f"`Key` must have at most {MAX_KEY_BYTES} bytes in UTF-8")
    _refuse_controls(name, value)
    if member_shape(operation, name).serialization.get("location") == "header":
        _header_text(name, value)
    pattern, words = _FORMS.get(name, (None, ""))
    if pattern is not None and pattern.fullmatch(value) is None:
        raise InvalidParamsError(f"`{name}` must be {words}, found `{shown(value)}`")
    return value


def _bucket(value: str) -> str:
    wrong = (
        _BUCKET.fullmatch(value) is None
        or ".." in value
        or ".-" in value
        or "-." in value
        or value.startswith(_BAD_BUCKET_STARTS)
        or value.endswith(_BAD_BUCKET_ENDS)
        or _is_address(value)
    )
    if wrong:
        raise InvalidParamsError(
            f"`{shown(value)}` is not a bucket name",
            fix="3 to 63 lower-case letters, digits, dots and hyphens; no ARN, no access point, no alias",
        )
    return value


def _is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def _number(_operation: str, name: str, value: int) -> int:
    low, high = RANGES[name]
    if not low <= value <= high:
        raise InvalidParamsError(
            f"`{name}` must be from {low} to {high}, found {value if abs(value) < 1 << 63 else '…'}"
        )
    return value


def _flag(_operation: str, _name: str, value: bool) -> bool:
    return value


def _time(_operation: str, name: str, value: str) -> str:
    """Return the time in UTC; HTTP dates have whole seconds, so a fraction would be lost between plan and request."""
    problem = InvalidParamsError(
        f"`{name}` must be a time with whole seconds and a zone, found `{shown(value)}`",
        fix="as `2026-03-04T12:00:00Z`",
    )
    if _TIME.fullmatch(value) is None:
        raise problem
    try:
        moment = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise problem from None
    if moment.year < _EPOCH_YEAR:
        raise problem
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _metadata(_operation: str, name: str, value: JsonObject) -> JsonObject:
    total = 0
    for key, text in value.items():
        if not isinstance(text, str):
            raise InvalidParamsError(f"`{name}` must hold strings, found {_json_type(text)}")
        if _META_NAME.fullmatch(key) is None:
            raise InvalidParamsError(
                f"`{name}` has the name `{shown(key)}`", fix="lower-case letters, digits, `.`, `_` and `-`"
            )
        _header_text(name, text)
        total += len(key) + len(text)
    if total > _MAX_META_BYTES:
        raise InvalidParamsError(f"`{name}` must have at most {_MAX_META_BYTES} bytes, found {total}")
    return dict(sorted(value.items()))


def _copy_source(value: Any) -> JsonObject:  # noqa: ANN401 - JSON as received
    if type(value) is not dict:
        raise InvalidParamsError(
            f"`CopySource` must be an object, found {_json_type(value)}",
            fix='as {"Bucket": "…", "Key": "…", "VersionId": "…"}; text forms are ambiguous about encoding',
        )
    unknown = [name for name in value if name not in {"Bucket", "Key", "VersionId"}]
    if unknown or not {"Bucket", "Key"} <= value.keys():
        raise InvalidParamsError("`CopySource` has `Bucket` and `Key`, and may have `VersionId`, and nothing else")
    return {name: _check("GetObject", name, part) for name, part in sorted(value.items())}


def _refuse_contradictions(params: JsonObject) -> None:
    if params.get("TaggingDirective") == "COPY" and "Tagging" in params:
        raise InvalidParamsError("`Tagging` and `TaggingDirective=COPY` contradict each other")


def _refuse_controls(name: str, value: str) -> None:
    for char in value:
        if unicodedata.category(char) in {"Cc", "Cs"}:
            raise InvalidParamsError(f"`{name}` holds the control character \\u{ord(char):04x}")


def _header_text(name: str, value: str) -> None:
    # The signature is over values with runs of spaces folded to one, so such a run would not be bound by it.
    if not value.isascii() or not value.isprintable() or value != " ".join(value.split(" ")).strip() or "  " in value:
        raise InvalidParamsError(
            f"`{name}` travels in a header: printable ASCII without leading, trailing or double spaces"
        )


def _decode(value: Any) -> bytes:  # noqa: ANN401 - JSON as received
    if type(value) is not str:
        raise InvalidParamsError(f"`Body` must be a string in base64, found {_json_type(value)}")
    try:
        payload = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidParamsError(
            "`Body` is not base64", fix="standard alphabet, with padding, no line breaks"
        ) from None
    return payload


def _region(value: Any, regions: list[str]) -> str:  # noqa: ANN401 - JSON as received
    for region in regions:
        if value == region:
            return region
    found = f"`{shown(value)}`" if isinstance(value, str) else _json_type(value)
    raise InvalidParamsError(f"`Region` must be one of the connection's, found {found}", fix=", ".join(regions))


def _json_type(value: object) -> str:
    names = {bool: "a boolean", str: "a string", dict: "an object", list: "an array", type(None): "null"}
    return names.get(type(value), "a number")


_TYPES: Final[dict[str, tuple[type, str]]] = {
    "string": (str, "a string"),
    "integer": (int, "a whole number"),
    "boolean": (bool, "true or false"),
    "timestamp": (str, "a string"),
    "map": (dict, "an object"),
}
_CHECKS: Final[dict[str, Callable[[str, str, Any], Any]]] = {
    "string": _text,
    "integer": _number,
    "boolean": _flag,
    "timestamp": _time,
    "map": _metadata,
}
