"""Where the members of an operation's output go in an HTTP answer, planned once for each operation and protocol."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from connectors.aws.model import MAX_MODELS, ApiOperation
from connectors.aws.wire_in.services import REST, S3, Protocol
from connectors.aws.wire_in.shapes import Node
from connectors.aws.wire_out.documents import Body, Documents
from connectors.aws.wire_out.errors import RenderError, unfit
from connectors.aws.wire_out.scalars import Text, header_writer, scalar_text
from connectors.base import JsonObject

_HEAD: Final = frozenset({"header", "headers", "statusCode"})
"""Locations outside the body; others are about requests and mean nothing here."""
_EXPIRES: Final = "ExpiresString"
_BAD_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
"""Names of headers, RFC 9110 5.1."""
_FRAMING: Final = frozenset(
    {
        "connection", "content-encoding", "content-length", "date", "keep-alive", "proxy-authenticate", "server", "te",
        "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""Headers of the upstream's connection, which a map of all headers holds too; ours is another one."""


@dataclass(frozen=True, slots=True)
class Output:
    """One operation's output in one protocol.

    Args:
        status: HTTP status, when no member says another one.
        status_member: Member that says it; empty when there is none.
        headers: Member to the name of its header, lower case, and what writes it.
        prefixes: Member that is a map to the prefix of its headers, lower case.
        names: Members in the body.
        bodiless: The answer has no body whatever the result is, as that to HEAD.
        body: How the body is written.
        media_type: Content type of a body; empty when a member says it, or nothing does.
        shape: The output; None when there is none.
    """

    status: int
    status_member: str
    headers: Mapping[str, tuple[str, Text]]
    prefixes: Mapping[str, str]
    names: frozenset[str]
    bodiless: bool
    body: Body
    media_type: str
    shape: Node | None


def output_of(api: ApiOperation, protocol: Protocol) -> Output:
    """Return the plan of an operation's answers.

    Args:
        api: The operation.
        protocol: One its service speaks.
    """
    return _service(api.service).output(api, protocol)


def shape_of(api: ApiOperation) -> Node | None:
    """Return the output of an operation, None when it has none."""
    return _service(api.service).documents.output(api)


def read_headers(output: Output, data: JsonObject, headers: dict[str, str]) -> None:
    """Put the members of a result that are headers into those of its answer.

    Args:
        output: Plan of the answer.
        data: The result.
        headers: Are added to.

    Raises:
        RenderError: a value is no header, or would be more than one.
    """
    for member, value in data.items():
        place = output.headers.get(member)
        if value is None:
            continue
        if place is not None:
            headers[place[0]] = _checked(place[1](value))
        elif member in output.prefixes:
            _spread(output.prefixes[member], value, headers)


class _Service:
    """The plans of one service's operations."""

    def __init__(self) -> None:
        self.documents = Documents()
        self._outputs: dict[tuple[str, Protocol], Output] = {}

    def output(self, api: ApiOperation, protocol: Protocol) -> Output:
        made = self._outputs.get((api.name, protocol))
        if made is None:
            made = self._outputs[api.name, protocol] = self._plan(api, protocol)
        return made

    def _plan(self, api: ApiOperation, protocol: Protocol) -> Output:
        node = self.documents.output(api)
        members = {} if node is None else node.members
        located = {name: each for name, each in members.items() if protocol in REST and each.location in _HEAD}
        names = frozenset(members.keys() - located.keys())
        of_kind = {kind: [name for name, each in located.items() if each.location == kind] for kind in _HEAD}
        headers = {name: (_name(name, members[name]), header_writer(members[name])) for name in of_kind["header"]}
        if api.service == S3 and "Expires" in headers:
            # As whoever wrote the object spelled it, which need not be a date.
            headers[_EXPIRES] = ("expires", scalar_text)
        http = api.model.http
        body = self.documents.body(api, protocol, names)
        says_type = any(name == "content-type" for name, _ in headers.values())
        return Output(
            status=http.get("responseCode", 200) if protocol in REST else 200,
            status_member=next(iter(of_kind["statusCode"]), ""),
            headers=headers,
            prefixes={name: members[name].name.lower() for name in of_kind["headers"]},
            names=names,
            bodiless=protocol in REST and http["method"] == "HEAD",
            body=body,
            media_type="" if says_type else body.media_type,
            shape=node,
        )


@lru_cache(maxsize=MAX_MODELS)
def _service(name: str) -> _Service:  # noqa: ARG001 - the key
    return _Service()


def _name(member: str, node: Node) -> str:
    return (node.name or member).lower()


def _checked(text: str) -> str:
    if _BAD_VALUE.search(text) is not None:
        raise RenderError("a header can't hold a control character")
    return text


def _spread(prefix: str, value: object, headers: dict[str, str]) -> None:
    """Write a map: one header for each entry."""
    if not isinstance(value, dict):
        raise unfit("a map")
    for key, text in value.items():
        name = f"{prefix}{key}".lower()
        if _TOKEN.fullmatch(name) is None:
            raise RenderError("a name can't be that of a header")
        if prefix or (name not in _FRAMING and name not in headers):
            headers[name] = _checked(scalar_text(text))
