"""Values of a path that would make it the path of another operation."""

from __future__ import annotations

import pytest

from connectors.aws.model import operation
from connectors.aws.routes import refuse_other_route
from connectors.base import JsonObject
from connectors.errors import InvalidParamsError

PORTAL = "arn:aws:workspaces-web:eu-west-1:123456789012:portal/p"


@pytest.mark.parametrize(
    ("action", "params", "other"),
    [
        (
            "workspaces-web:DeletePortal",
            {"portalArn": f"{PORTAL}/browserSettings"},
            "workspaces-web:DisassociateBrowserSettings",
        ),
        ("wickr:GetUser", {"networkId": "1", "userId": "count"}, "wickr:GetUsersCount"),
        (
            "bedrock-agent:PrepareFlow",
            {"flowIdentifier": "validate-definition"},
            "bedrock-agent:ValidateFlowDefinition",
        ),
        (
            "s3control:GetMultiRegionAccessPoint",
            {"AccountId": "123456789012", "Name": "m/policy"},
            "s3control:GetMultiRegionAccessPointPolicy",
        ),
    ],
)
def test_a_path_of_another_operation_is_refused(action: str, params: JsonObject, other: str) -> None:
    api = operation(*action.split(":"))
    assert api is not None
    with pytest.raises(InvalidParamsError, match=other):
        refuse_other_route(api, params)


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("workspaces-web:DeletePortal", {"portalArn": PORTAL}),
        ("workspaces-web:DisassociateBrowserSettings", {"portalArn": PORTAL}),
        ("wickr:GetUser", {"networkId": "1", "userId": "a/count"}),
        ("bedrock-agent:ValidateFlowDefinition", {"definition": {}}),
        ("lambda:DeleteFunction", {"FunctionName": "count"}),
        ("ecs:ListTasks", {}),
    ],
)
def test_any_other_path_is_left_alone(action: str, params: JsonObject) -> None:
    api = operation(*action.split(":"))
    assert api is not None
    refuse_other_route(api, params)
