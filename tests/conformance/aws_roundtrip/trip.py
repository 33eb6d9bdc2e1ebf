"""One operation there and back: params, botocore's serialiser, a prepared request, our parser, params again."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import botocore.serialize
from botocore.awsrequest import create_request_object, prepare_request_dict

from connectors.aws import model
from connectors.aws.wire_in.calls import Call, Parsed, Scope
from connectors.aws.wire_in.parse import parse
from connectors.aws.wire_in.refusal import Refusal
from connectors.aws.wire_in.request import WireRequest, receive
from tests.conformance.aws_roundtrip.samples import Sampler, Variant

REGION = "eu-west-1"


@dataclass(slots=True)
class Figures:
    """What came back.

    Args:
        counts: ``operations``, ``found``, ``first`` (of the candidates), ``equal``, ``wire_equal``.
        failures: ``service:Operation`` and what was wrong.
    """

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def found(self) -> float:
        """Share of the operations that are among the candidates."""
        return self.counts["found"] / self.counts["operations"]

    @property
    def same(self) -> float:
        """Share of the operations whose params come back, or make the same request again."""
        return (self.counts["equal"] + self.counts["wire_equal"]) / self.counts["operations"]


def travel(
    services: Iterable[str], variants: Sequence[Variant], *, protocol: str = "", step: int = 1, offset: int = 0
) -> Figures:
    """Send operations there and back.

    Args:
        services: Names; with ``protocol`` only those that speak it.
        variants: Which params; the operations take turns.
        protocol: A protocol to force, "" for what botocore picks.
        step: Every how many-th operation.
        offset: The first one.
    """
    figures = Figures()
    number = offset
    for name in services:
        service = _loaded(name)
        listed = service.metadata.get("protocols") or [service.metadata["protocol"]]
        if protocol and protocol not in listed:
            continue
        operations: Sequence[str] = service.operation_names
        for operation in operations:
            number += 1
            if number % step == 0:
                _one(
                    figures,
                    service.operation_model(operation),
                    protocol or service.resolved_protocol,
                    variants[number // step % len(variants)],
                )
    return figures


def wire_request(operation: Any, params: dict[str, Any], protocol: str) -> WireRequest:
    """Return what botocore sends for an operation."""
    made = _serializer(protocol).serialize_to_request(params, operation)
    made.pop("host_prefix", None)
    prepare_request_dict(made, "https://aws.broker.test", context={"is_presign_request": False})
    prepared = create_request_object(made).prepare()
    body = prepared.body or b""
    target = urlsplit(prepared.url)
    headers = [(name.lower().encode(), _bytes(value)) for name, value in prepared.headers.items()]
    request = receive(
        prepared.method,
        (target.path or "/").encode(),
        target.query.encode(),
        headers=[*headers, (b"host", b"aws.broker.test")],
        body=_bytes(body if isinstance(body, str | bytes | bytearray) else body.read()),
    )
    assert isinstance(request, WireRequest), request
    return request


def native(shape: Any, value: Any) -> Any:
    """Return parsed params as botocore takes them."""
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            return {name: native(shape.members[name], each) for name, each in value.items()}
        case "list":
            return [native(shape.member, each) for each in value]
        case "map":
            return {name: native(shape.value, each) for name, each in value.items()}
        case "blob":
            return base64.b64decode(value)
        case "timestamp":
            return datetime.fromisoformat(value)
        case _:
            return value


def _one(figures: Figures, operation: Any, protocol: str, variant: Variant) -> None:
    figures.counts["operations"] += 1
    service = operation.service_model
    params = Sampler(variant).params(operation)
    request = wire_request(operation, params, protocol)
    parsed = parse(request, Scope(service.signing_name, REGION))
    label = f"{service.service_name}:{operation.name}"
    call = _mine(parsed, label)
    if call is None:
        what = parsed.message if isinstance(parsed, Refusal) else f"found {[each.action for each in parsed.candidates]}"
        figures.failures.append(f"{label} {what}")
        return
    figures.counts["found"] += 1
    figures.counts["first"] += call is parsed.candidates[0] if isinstance(parsed, Parsed) else 0
    figures.counts["ambiguous"] += len(parsed.candidates) > 1 if isinstance(parsed, Parsed) else 0
    shape = operation.input_shape
    back = {} if shape is None else native(shape, call.whole_params)
    if _bare(back) == _bare(params):
        figures.counts["equal"] += 1
    elif wire_request(operation, back, protocol) == request:
        figures.counts["wire_equal"] += 1
    else:
        wrong = [name for name in {*params, *back} if _bare(params.get(name)) != _bare(back.get(name))]
        figures.failures.append(f"{label} differs in {wrong}: {params.get(wrong[0])!r} {back.get(wrong[0])!r}"[:400])


def _mine(parsed: Parsed | Refusal, label: str) -> Call | None:
    if isinstance(parsed, Refusal):
        return None
    return next((call for call in parsed.candidates if call.action == label), None)


def _bare(value: Any) -> Any:
    """Leave out what has no bytes on the wire: empty structures, lists and maps."""
    if isinstance(value, dict):
        made = {name: _bare(each) for name, each in value.items()}
        return {name: each for name, each in made.items() if each not in ({}, [], None)}
    if isinstance(value, list):
        return [_bare(each) for each in value]
    return value


def _bytes(value: str | bytes | bytearray) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _loaded(name: str) -> Any:
    return model.service(name).model


@cache
def _serializer(protocol: str) -> Any:
    return botocore.serialize.create_serializer(protocol, include_validation=False)
