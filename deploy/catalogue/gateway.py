"""API Gateway's control plane: the HTTP method is the IAM action and the path of the request is the resource."""

from __future__ import annotations

import re
from typing import Any, Final

from deploy.catalogue.pairs import Draft

SERVICES: Final = frozenset({"apigateway", "apigatewayv2"})
_ARN: Final = "arn:{partition}:apigateway:{region}::"


def drafts(operation: Any) -> tuple[Draft, ...]:  # noqa: ANN401 - botocore has no types
    """Return what an operation of API Gateway asks for.

    Args:
        operation: botocore's model of it.
    """
    members = operation.input_shape.members if operation.input_shape else {}
    names = {
        shape.serialization.get("name", name): name
        for name, shape in members.items()
        if shape.serialization.get("location") == "uri"
    }
    path = operation.http["requestUri"].partition("?")[0].removeprefix("/v2")
    resource = re.sub(r"\{(\w+)\+?\}", lambda match: f"{{param:{names[match[1]]}}}", path)
    return (Draft(f"apigateway:{operation.http['method']}", _ARN + resource),)
