"""Params on the command line: ``KEY=text``, ``KEY:=json``, ``KEY=@file`` (the file's bytes in base64)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from broker.cli.output import ExitCode, fail

JsonObject = dict[str, Any]

_PARAM: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)(:=|=@|=)(.*)", re.DOTALL)


def params_of(words: Iterable[str], params_file: Path | None) -> JsonObject:
    """Return the params: those of the file, then those of the words; ends the command when one cannot be read."""
    params = _from_file(params_file) if params_file else {}
    named: set[str] = set()
    for word in words:
        found = _PARAM.fullmatch(word)
        if found is None:
            fail(f"`{word}` is no param", ExitCode.USAGE, fix="write `KEY=text`, `KEY:=json` or `KEY=@file`")
        key, operator, text = found.groups()
        if key in named:
            fail(f"param `{key}` stands twice", ExitCode.USAGE)
        named.add(key)
        params[key] = _value(key, operator, text)
    return params


def _value(key: str, operator: str, text: str) -> Any:  # noqa: ANN401 - JSON
    match operator:
        case ":=":
            return _parse(text, f"param `{key}`")
        case "=@":
            return base64.b64encode(_read(Path(text))).decode()
        case _:
            return text


def _from_file(path: Path) -> JsonObject:
    found = _parse(_read(path).decode("utf-8", "replace"), f"`{path}`")
    if not isinstance(found, dict):
        fail(f"`{path}` holds no JSON object", ExitCode.USAGE)
    return found


def _parse(text: str, what: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        fail(f"{what} is no JSON", ExitCode.USAGE)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fail(f"cannot read `{path}`: {(error.strerror or 'unknown').lower()}", ExitCode.USAGE)
