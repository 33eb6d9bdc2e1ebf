"""From a wire request to (service, operation, params): one reading, or a refusal, or every reading there is.

1. The protocol is told by one sign: ``smithy-protocol``, ``X-Amz-Target``, ``Action``, or none of them (REST). Two
   signs are a decoy.
2. The signing name gives the services it can be for, the sign narrows them, the operation is looked up in each.
3. The input is read strictly. A candidate whose input does not fit is none.
4. What is left are the candidates, more than one where services share names and the wire does not tell. The ``api/``
   part of the User-Agent puts one first, and a deprecated twin comes after its heir; whether that is enough is for the
   caller to say.

What is NOT checked: required members (planning does), and whether the request is signed at all (`sigv4` does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from connectors.aws.wire_in.calls import Call, Parsed, Scope
from connectors.aws.wire_in.parse_cbor import cbor_scalar, load_cbor
from connectors.aws.wire_in.parse_json import EMPTY_OBJECT, load_json, read_structure
from connectors.aws.wire_in.parse_query import grow, read_form
from connectors.aws.wire_in.parse_rest import OPERATION_NAME, read_rest, refuse_dots
from connectors.aws.wire_in.plain import plain
from connectors.aws.wire_in.refusal import Reason, Refusal, RefusedError, shown, unknown_input
from connectors.aws.wire_in.request import WireRequest, split_form, split_query
from connectors.aws.wire_in.route import Match
from connectors.aws.wire_in.services import S3, Protocol, Summary, bucket_of, hinted_service, signed_as
from connectors.aws.wire_in.shapes import Naming, Node
from connectors.aws.wire_in.wires import wire_of

_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_CBOR_SIGN: Final = "rpc-v2-cbor"
_CBOR_PATH_PARTS: Final = 5


def parse(request: WireRequest, scope: Scope) -> Parsed | Refusal:
    """Return what a request says.

    Args:
        request: Its body is whole and decoded (of ``aws-chunked``: what the chunks hold), or None where `takes_stream`.
        scope: From its signature.
    """
    try:
        return _parse(plain(request, scope), scope)
    except RefusedError as error:
        return error.refusal


def takes_stream(request: WireRequest, scope: Scope) -> bool:
    """Tell whether the body is a stream that need not be read before `parse`; False for what `parse` will refuse.

    Args:
        request: Its body is not looked at.
        scope: From its signature.
    """
    try:
        bare = plain(request, scope)
        services = signed_as(scope.service)
        if not services or _protocol(bare, services) is not None:
            return False
        inputs = [
            wire_of(summary.name).rest(match.route.operation) for summary, match in _routed(bare, scope, services)
        ]
    except RefusedError:
        return False
    return bool(inputs) and all(place is not None and place.streams for place in inputs)


def _parse(request: WireRequest, scope: Scope) -> Parsed:
    services = signed_as(scope.service)
    if not services:
        raise RefusedError(Reason.UNKNOWN_OPERATION, f"no service is signed for as `{shown(scope.service)}`")
    protocol = _protocol(request, services)  # 1
    match protocol:
        case Protocol.CBOR:
            calls = _cbor(request, services)
        case Protocol.JSON:
            calls = _json(request, services)
        case Protocol.QUERY | Protocol.EC2:
            calls = _form(request, services)
        case _:
            protocol, calls = _rest(request, scope, services)
    hint = hinted_service(request.headers.get("user-agent", ""))  # 4
    ids = {summary.name: summary.service_id for summary in services}
    ordered = sorted(calls, key=lambda call: (ids[call.service] != hint, call.deprecated, call.action))
    return Parsed(tuple(ordered), protocol, hinted=bool(hint) and ids[ordered[0].service] == hint)


def _protocol(request: WireRequest, services: tuple[Summary, ...]) -> Protocol | None:
    """Return the protocol a request shows, None for REST.

    Raises:
        RefusedError: it shows two, or one that none of the services speaks.
    """
    signs = []
    if request.header("smithy-protocol") is not None:
        signs.append(Protocol.CBOR)
    if request.header("x-amz-target") is not None:
        signs.append(Protocol.JSON)
    forms = [service.form for service in services if service.form is not None]
    if forms and (_is_form(request) or "Action=" in request.query):
        signs.append(forms[0])
    if len(signs) > 1:
        raise RefusedError(Reason.DECOY, "the request names its operation in two ways")
    if signs and not any(signs[0] in service.protocols for service in services):
        raise RefusedError(Reason.UNKNOWN_OPERATION, f"the service is not spoken to in {signs[0].value}")
    return signs[0] if signs else None


def _is_form(request: WireRequest) -> bool:
    return (request.header("content-type") or "").partition(";")[0].strip().lower() == _FORM_TYPE


def _at_root(request: WireRequest, path: str = "/") -> None:
    if request.path != path or request.query or request.method != "POST":
        raise RefusedError(Reason.UNKNOWN_OPERATION, "this protocol is a POST to one path, without a query")


def _whole(request: WireRequest) -> bytes:
    if request.body is None:
        raise RefusedError(Reason.UNSUPPORTED, "the body of this operation must be read before it is parsed")
    return request.body


def _json(request: WireRequest, services: tuple[Summary, ...]) -> list[Call]:
    _at_root(request)
    prefix, _, operation = (request.header("x-amz-target") or "").rpartition(".")
    found = [each for each in services if prefix and each.target_prefix == prefix and Protocol.JSON in each.protocols]
    document = load_json(_whole(request) or EMPTY_OBJECT)
    return _each(found, operation, lambda node: _structure(node, document))


def _cbor(request: WireRequest, services: tuple[Summary, ...]) -> list[Call]:
    parts = request.path.split("/")
    named = len(parts) == _CBOR_PATH_PARTS and (parts[0], parts[1], parts[3]) == ("", "service", "operation")
    if request.header("smithy-protocol") != _CBOR_SIGN or not named:
        raise RefusedError(Reason.UNKNOWN_OPERATION, "expected the path `/service/…/operation/…` of rpc-v2-cbor")
    _at_root(request, request.path)
    # Clients write the service's shape, botocore its target prefix, which has a namespace before it.
    shape = parts[2].rpartition(".")[2]
    found = [
        each
        for each in services
        if Protocol.CBOR in each.protocols and each.target_prefix.rpartition(".")[2] in {shape, ""}
    ]
    body = _whole(request)
    document = load_cbor(body) if body else {}
    return _each(
        found, parts[4], lambda node: {} if node is None and not document else _structure(node, document, cbor=True)
    )


def _structure(node: Node | None, document: object, *, cbor: bool = False) -> dict[str, Any]:
    if node is None:
        if document != {}:
            raise unknown_input("member", "body")
        return {}
    return read_structure(node, document, cbor_scalar) if cbor else read_structure(node, document)


def _form(request: WireRequest, services: tuple[Summary, ...]) -> list[Call]:
    body = _whole(request)
    if request.method == "GET" and not body:
        pairs = split_query(request.query)
        _at_root(replace(request, method="POST", query=""))
    else:
        _at_root(request)
        pairs = split_form(body)
    tree = grow(pairs)
    action, version = tree.pop("Action", None), tree.pop("Version", None)
    found = [each for each in services if each.form is not None and each.api_version == version]
    if not isinstance(action, str) or not found:
        raise RefusedError(Reason.UNKNOWN_OPERATION, "expected `Action` and the `Version` of the service")
    naming = Naming.EC2 if found[0].form is Protocol.EC2 else Naming.QUERY
    return _each(found, action, lambda node: read_form(node, tree, naming))


def _each(services: Iterable[Summary], operation: str, read: Callable[[Node | None], dict[str, Any]]) -> list[Call]:
    """Read the input as that of each service that has the operation."""
    having = [wire for wire in ((each.name, wire_of(each.name)) for each in services) if wire[1].has(operation)]
    if not having:
        raise RefusedError(Reason.UNKNOWN_OPERATION, f"the service has no operation `{shown(operation)}`")
    return _readings(partial(_read_call, name, operation, wire.input(operation), read) for name, wire in having)


def _read_call(service: str, operation: str, node: Node | None, read: Callable[[Node | None], dict[str, Any]]) -> Call:
    return Call(service, operation, read(node))


def _readings(attempts: Iterable[Callable[[], Call]]) -> list[Call]:
    """Return the readings that fit.

    Raises:
        RefusedError: none does; why the first did not.
    """
    calls: list[Call] = []
    first: RefusedError | None = None
    for attempt in attempts:
        try:
            calls.append(attempt())
        except RefusedError as error:
            first = first or error
    if not calls:
        raise first or RefusedError(Reason.UNKNOWN_OPERATION, "no operation has this method and path")
    return calls


def _rest(request: WireRequest, scope: Scope, services: tuple[Summary, ...]) -> tuple[Protocol, list[Call]]:
    routed = _routed(request, scope, services)
    query = _grouped(request.query)
    calls = _readings(partial(_rest_call, request, summary, match, query) for summary, match in routed)
    protocols = {summary.name: summary.rest for summary in services}
    return protocols[calls[0].service] or Protocol.REST_JSON, calls


def _routed(request: WireRequest, scope: Scope, services: tuple[Summary, ...]) -> list[tuple[Summary, Match]]:
    """Return the equally good matches of all services."""
    query = _grouped(request.query)
    bucket = bucket_of(request.host, scope.hosts) if scope.service == S3 else ""
    routed = []
    for summary in services:
        if summary.rest is not None:
            path = f"/{bucket}{request.path}" if bucket and summary.name == S3 else request.path
            found = wire_of(summary.name).routes.match(request.method, path, query, request.headers)
            routed += [(summary, match) for match in found]
    named = query.get(OPERATION_NAME, [])
    best = min((match.strength for _, match in routed), default=None)
    kept = [each for each in routed if each[1].strength == best]
    if named and any(each[1].route.operation == named[0] for each in kept):
        kept = [each for each in kept if each[1].route.operation == named[0]]
    elif named and kept:
        raise RefusedError(Reason.DECOY, f"`{OPERATION_NAME}` names another operation than the path")
    return kept


def _rest_call(request: WireRequest, summary: Summary, match: Match, query: Mapping[str, list[str]]) -> Call:
    refuse_dots(match, summary.name)
    wire = wire_of(summary.name)
    operation = match.route.operation
    protocol = summary.rest or Protocol.REST_JSON
    read = read_rest(wire.rest(operation), match, query, request=request, protocol=protocol)
    return Call(
        service=summary.name,
        operation=operation,
        params=read.params,
        payload_member=read.payload_member,
        payload=read.payload,
        checksums=read.checksums,
        deprecated=match.route.deprecated,
    )


def _grouped(query: str) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in split_query(query):
        grouped.setdefault(name, []).append(value)
    return grouped
