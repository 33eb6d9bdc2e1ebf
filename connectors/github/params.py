"""From flat params to the parts of one request: what stands in the path, the query, the headers and the body.

Params are flat, as octokit takes them: ``{owner, repo, pull_number, …}``. Besides those of the operation there are
`accept`, `api_version` and, for reads, `if_none_match` and `if_modified_since`, which become headers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from connectors.base import JsonObject
from connectors.errors import InvalidParamsError
from connectors.github.catalogue import Entry, Schema
from connectors.github.names import (
    check_account,
    check_branch,
    check_part,
    check_path,
    check_repository,
    encoded,
    is_visible,
    shown,
)
from connectors.github.values import check_value, refuse_unknown

MEDIA: Final = re.compile(
    r"(\*/\*|application/(json|octet-stream|vnd\.github(\.[a-z0-9-]{1,40}){0,3}(\+json)?)|text/(plain|html))"
    r"( *; *q=[01](\.[0-9]{1,3})?)?"
)
"""One media type of `accept`."""
_MAX_MEDIA: Final = 8
_MAX_HEADER_CHARS: Final = 512
_TEXT: Final[Schema] = {"type": "string"}
HEADERS: Final[Mapping[str, str]] = {
    "accept": "accept",
    "api_version": "x-github-api-version",
    "if_none_match": "if-none-match",
    "if_modified_since": "if-modified-since",
}
"""Param -> the header it becomes."""
_CONDITIONAL: Final = frozenset({"if_none_match", "if_modified_since"})
_API_VERSION: Final = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_ACCOUNTS: Final = frozenset({"owner", "org", "username", "template_owner"})
_REPOSITORIES: Final = frozenset({"repo", "template_repo", "repo_name"})
MULTIPLE: Final = frozenset({"basehead", "branch", "dir", "path", "ref"})
"""Params of the path that may hold `/`."""
_UPPER: Final = ("/secrets/{secret_name}", "/variables/{name}")
"""What GitHub keeps in upper case, whatever case it is asked for in."""
_LOWER: Final = frozenset({"environment_name", "team_slug"})
"""What GitHub takes in any case."""
_MIN_ID: Final = 0


@dataclass(frozen=True, slots=True)
class Checked:
    """Params that fit, each in its one form.

    Args:
        path: Values of the path by name, folded where GitHub takes any case.
        query: Of the query.
        headers: Lower-case names.
        body: Members of the body by the name of the param; with ``Entry.whole``, the one member ``body``.
    """

    path: Mapping[str, str]
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    body: JsonObject

    @property
    def repo(self) -> str:
        """``owner/name`` of the repository in the path; empty when there is none."""
        return f"{self.path['owner']}/{self.path['repo']}" if {"owner", "repo"} <= self.path.keys() else ""


def extras_of(entry: Entry, *, secret: bool = False) -> tuple[str, ...]:
    """Return the params that become headers of an operation; none of a body whose secrets must be found as JSON."""
    if secret:
        return ("api_version",)
    return tuple(name for name in HEADERS if entry.method == "GET" or name not in _CONDITIONAL)


def check_params(action: str, entry: Entry, params: JsonObject, *, secret: bool = False) -> Checked:
    """Return the params of an operation in their one form.

    Args:
        action: Its name, for messages.
        entry: Its row.
        params: As received.
        secret: Its answer holds secrets.

    Raises:
        InvalidParamsError: one is unknown or missing, or does not fit.
    """
    known = {**entry.in_body, **entry.in_query, **entry.in_path}
    extras = extras_of(entry, secret=secret)
    refuse_unknown(params, {*known, *extras}, action)
    missing = [name for name in entry.required if name not in params]
    if missing:
        raise InvalidParamsError(f"`{action}` needs `{'`, `'.join(missing)}`")
    for name in params.keys() & known.keys():
        check_value(known[name], params[name], name)
    return Checked(
        path={name: _path_value(name, params[name], entry.path) for name in sorted(entry.in_path)},
        query={name: _query_value(name, params[name]) for name in sorted(entry.in_query) if name in params},
        headers={HEADERS[name]: _header(name, params[name]) for name in extras if name in params},
        body={name: params[name] for name in sorted(entry.in_body) if name in params},
    )


def target_of(entry: Entry, checked: Checked) -> str:
    """Return path and query of a request, encoded."""
    path = entry.path
    for name, value in checked.path.items():
        path = path.replace(f"{{{name}}}", encoded(value, parts=name in MULTIPLE and name != "branch"))
    query = urlencode([(name, _word(value)) for name, value in checked.query.items()], doseq=True)
    return f"{path}?{query}" if query else path


def body_of(entry: Entry, checked: Checked) -> Any:  # noqa: ANN401 - JSON of any type
    """Return the JSON body as it is sent; None for none."""
    if entry.whole:
        return checked.body.get("body")
    return {entry.renamed.get(name, name): value for name, value in checked.body.items()} or None


def params_of(entry: Entry, path: Mapping[str, str], query: JsonObject, body: Any) -> JsonObject:  # noqa: ANN401 - JSON
    """Return flat params of the parts of a request, as a door gets them; the rest is for `check_params` to judge.

    A list in place of an object is taken for its only member that is a list, as GitHub takes ``["bug"]`` for
    ``{"labels": ["bug"]}``.

    Raises:
        InvalidParamsError: a name stands in two parts, or the body is no object where one is needed.
    """
    members: JsonObject = {}
    if entry.whole:
        members = {} if body is None else {"body": body}
    elif isinstance(body, dict):
        renamed = {sent: name for name, sent in entry.renamed.items()}
        members = {renamed.get(str(name), str(name)): value for name, value in body.items()}
    elif isinstance(body, list):
        lists = [name for name, schema in entry.in_body.items() if schema.get("type") == "array"]
        if len(lists) != 1:
            raise InvalidParamsError("the body must be an object, found a list")
        members = {lists[0]: body}
    elif body is not None:
        raise InvalidParamsError("the body must be an object")
    numbers = {name: _number(path[name], entry.in_path[name]) for name in path}
    twice = (members.keys() & query.keys()) | (members.keys() & path.keys()) | (query.keys() & path.keys())
    if twice:
        raise InvalidParamsError(f"`{shown(min(twice))}` is given twice")
    return {**members, **query, **numbers}


def _number(text: str, schema: Schema) -> Any:  # noqa: ANN401 - JSON
    """Return a part of a path as the type it has; what is no number stays text and is refused later."""
    plain = schema.get("type") == "integer" and text.isascii() and text.isdecimal() and len(text) < 19  # noqa: PLR2004
    return int(text) if plain and str(int(text)) == text else text


def _path_value(name: str, value: Any, template: str) -> str:  # noqa: ANN401 - JSON, checked against its schema
    if type(value) is int:
        if value < _MIN_ID:
            raise InvalidParamsError(f"`{name}` must not be negative")
        return str(value)
    check = _check_of(name)
    text = check(str(value), name)
    if name in _LOWER:
        return text.lower()
    upper = any(template.endswith(end) or f"{end}/" in template for end in _UPPER) and name in {"secret_name", "name"}
    return text.upper() if upper else text


def _check_of(name: str) -> Callable[[str, str], str]:
    if name in _ACCOUNTS:
        return check_account
    if name in _REPOSITORIES:
        return check_repository
    if name == "branch":
        return check_branch
    return check_path if name in MULTIPLE else check_part


def _query_value(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON, checked against its schema
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, (dict, list)) or not is_visible(str(each)):
            raise InvalidParamsError(f"`{name}` cannot stand in a query")
    return value


def _header(name: str, value: Any) -> str:  # noqa: ANN401 - JSON as received
    check_value(_TEXT, value, name)
    text = str(value)
    fits = len(text) <= _MAX_HEADER_CHARS and text.isascii() and text.isprintable() and text.strip() == text != ""
    if name == "accept":
        kinds = [each.strip() for each in text.split(",")]
        fits = fits and len(kinds) <= _MAX_MEDIA and all(map(MEDIA.fullmatch, kinds))
    elif name == "api_version":
        fits = fits and _API_VERSION.fullmatch(text) is not None
    if not fits:
        raise InvalidParamsError(f"`{name}` cannot be sent, found `{shown(text)}`")
    return text


def _word(value: Any) -> Any:  # noqa: ANN401 - JSON, checked
    """Return a value as it is written in a query."""
    if isinstance(value, list):
        return [_word(each) for each in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
