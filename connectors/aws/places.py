"""What may travel where: values of the path, the query, headers and the host name, none of which can be another's.

A path that a server would normalise is another operation on another thing: ``DELETE /functions/..`` and
``DELETE /buckets/`` with an empty key. So outside S3, which takes paths byte for byte, dot segments and empty segments
are refused, and a value of the path is never empty anywhere.
"""

from __future__ import annotations

import re
from typing import Any, Final

from connectors.aws.model import ApiOperation
from connectors.aws.words import json_type, refuse_controls, refuse_header_text, shown
from connectors.errors import InvalidParamsError

MAX_TEXT: Final = 8192
"""Characters of one value in a header, a path or a query; servers take 8 KB of headers and more of a path seldom."""
_LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
"""One label of a host name, RFC 1123 2.1."""
_FIELD: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,126}", re.ASCII)
_ARGUMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,126}", re.ASCII)
_RAW_PATHS: Final = "s3"


def refuse_misplaced(api: ApiOperation, name: str, value: Any) -> None:  # noqa: ANN401 - canonical JSON
    """Refuse a value that cannot stand where its member travels.

    Args:
        api: The operation.
        name: Input member.
        value: Its canonical value.

    Raises:
        InvalidParamsError: it cannot.
    """
    shape = api.members[name]
    if shape.serialization.get("hostLabel") and _LABEL.fullmatch(str(value)) is None:
        raise InvalidParamsError(f"`{name}` becomes a part of the host name: letters, digits and hyphens")
    match shape.serialization.get("location"):
        case "uri":
            _path_value(api, name, value)
        case "querystring":
            _query_value(api, name, value)
        case "header" if not shape.serialization.get("jsonvalue"):
            for text in value if isinstance(value, list) else [value]:
                _header_value(name, text)
        case "headers":
            _fields(name, value)
        case None if api.protocol == "rest-xml":
            _refuse_xml_controls(name, value)
        case _:
            return


def _path_value(api: ApiOperation, name: str, value: Any) -> None:  # noqa: ANN401 - canonical JSON
    if not isinstance(value, str):
        return
    _refuse_length(name, value)
    refuse_controls(name, value)
    if api.service == _RAW_PATHS:
        return
    parts = value.split("/")
    greedy = f"{{{api.members[name].serialization.get('name', name)}+}}" in api.model.http["requestUri"]
    if {".", ".."}.intersection(parts) or (greedy and "" in parts):
        raise InvalidParamsError(
            f"`{name}` is a part of the path and must not hold `.`, `..` or empty segments, found `{shown(value)}`"
        )


def _query_value(api: ApiOperation, name: str, value: Any) -> None:  # noqa: ANN401 - canonical JSON
    if isinstance(value, dict):
        _arguments(api, name, value)
    elif isinstance(value, list):
        for item in value:
            _query_value(api, name, item)
    elif isinstance(value, str):
        _refuse_length(name, value, least=0)
        refuse_controls(name, value)


def _arguments(api: ApiOperation, name: str, value: dict[str, Any]) -> None:
    """Check a map that becomes query arguments of any name: none may pose as an argument of the model."""
    taken = {
        shape.serialization.get("name", member).lower()
        for member, shape in api.members.items()
        if shape.serialization.get("location") == "querystring"
    }
    fixed = api.model.http["requestUri"].partition("?")[2]
    taken |= {pair.partition("=")[0].lower() for pair in fixed.split("&") if pair}
    for key, item in value.items():
        if _ARGUMENT.fullmatch(key) is None or key.lower() in taken or key.lower().startswith("x-amz-"):
            raise InvalidParamsError(f"`{name}` has the name `{shown(key)}`, which cannot be a query argument here")
        _query_value(api, name, item)


def _header_value(name: str, value: Any) -> None:  # noqa: ANN401 - canonical JSON
    if isinstance(value, str):
        _refuse_length(name, value)
        refuse_controls(name, value)
        refuse_header_text(name, value)


def _fields(name: str, value: dict[str, Any]) -> None:
    """Check a map that becomes headers."""
    for key, text in value.items():
        if _FIELD.fullmatch(key) is None:
            raise InvalidParamsError(
                f"`{name}` has the name `{shown(key)}`", fix="lower-case letters, digits, `.`, `_` and `-`"
            )
        if not isinstance(text, str):  # no model has such a map
            raise InvalidParamsError(f"`{name}` must hold strings, found {json_type(text)}")
        refuse_header_text(name, text)


def _refuse_xml_controls(name: str, value: Any) -> None:  # noqa: ANN401 - canonical JSON
    """Refuse characters XML 1.0 cannot hold; tabs and ends of lines are escaped when it is written."""
    if isinstance(value, dict):
        for key, item in value.items():
            refuse_controls(name, key)
            _refuse_xml_controls(name, item)
    elif isinstance(value, list):
        for item in value:
            _refuse_xml_controls(name, item)
    elif isinstance(value, str):
        refuse_controls(name, value.translate(_BLANKS))


_BLANKS: Final = dict.fromkeys(map(ord, "\t\r\n"))


def _refuse_length(name: str, value: str, least: int = 1) -> None:
    if not least <= len(value) <= MAX_TEXT:
        raise InvalidParamsError(f"`{name}` must have {least} to {MAX_TEXT} characters, found {len(value)}")
