"""Small ways to an answer: an operation by its name, an answer in the protocol botocore picks."""

from __future__ import annotations

from typing import Any

from connectors.aws import model
from connectors.aws.model import ApiOperation
from connectors.aws.wire_in.services import Protocol
from connectors.aws.wire_out.answer import WireAnswer, render

REQUEST_ID = "r-1"


def operation(action: str) -> ApiOperation:
    service, _, name = action.partition(":")
    api = model.operation(service, name)
    assert api is not None
    return api


def answer(
    action: str, data: dict[str, Any], *, protocol: Protocol | None = None, body: bytes | None = None
) -> WireAnswer:
    api = operation(action)
    return render(api, protocol or Protocol(api.protocol), data, request_id=REQUEST_ID, body=body)
