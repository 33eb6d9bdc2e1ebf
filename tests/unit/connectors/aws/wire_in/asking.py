"""Requests for the tests of the inbound wire, written as a client sends them."""

from __future__ import annotations

import json
from typing import Any

from connectors.aws.wire_in.calls import Parsed, Scope
from connectors.aws.wire_in.parse import parse
from connectors.aws.wire_in.refusal import Reason, Refusal
from connectors.aws.wire_in.request import WireRequest, receive

OWN_HOST = "aws.broker.test"
HOSTS = frozenset({OWN_HOST, "broker.test"})
FORM = "application/x-www-form-urlencoded; charset=utf-8"


def asked(
    method: str = "GET",
    target: str = "/",
    *,
    headers: dict[str, str] | None = None,
    body: bytes | None = b"",
    more: tuple[tuple[str, str], ...] = (),
) -> WireRequest:
    """Build a request that `receive` takes; ``more`` are headers sent again."""
    path, _, query = target.partition("?")
    pairs = {"host": OWN_HOST, **(headers or {})}
    sent = [(name.encode(), value.encode("latin-1")) for name, value in (*pairs.items(), *more)]
    request = receive(method, path.encode(), query.encode(), headers=sent, body=body)
    assert isinstance(request, WireRequest), request
    return request


def form(body: str, *, target: str = "/", **headers: str) -> WireRequest:
    return asked("POST", target, headers={"content-type": FORM, **headers}, body=body.encode())


def targeted(target: str, body: Any, **headers: str) -> WireRequest:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return asked("POST", "/", headers={"x-amz-target": target, **headers}, body=data)


def read(request: WireRequest, service: str, **more: Any) -> Parsed:
    parsed = parse(request, Scope(service, "eu-west-1", hosts=HOSTS, **more))
    assert isinstance(parsed, Parsed), parsed
    return parsed


def refused(request: WireRequest, service: str, **more: Any) -> Reason:
    parsed = parse(request, Scope(service, "eu-west-1", hosts=HOSTS, **more))
    assert isinstance(parsed, Refusal), parsed
    return parsed.reason
