"""Whatever hands a role to AWS is found, however deep it lies."""

from __future__ import annotations

from typing import Any

from botocore.model import DenormalizedStructureBuilder, ServiceModel

from deploy.catalogue.roles import EXTRA, role_members
from deploy.catalogue.traits import members_of, output_names, token_member


def shape(**members: Any) -> Any:
    """A request of botocore."""
    return DenormalizedStructureBuilder().with_members(members).build_model()


def structure(**members: Any) -> dict[str, Any]:
    """A member that is a structure."""
    return {"type": "structure", "members": members}


TEXT = {"type": "string"}


def test_roles_are_found_by_name_in_structures_lists_and_maps() -> None:
    request = shape(
        RoleArn=TEXT,
        Targets={"type": "list", "member": structure(roleArn=TEXT, name=TEXT)},
        Roles={"type": "map", "key": TEXT, "value": TEXT},
        executionRoleArns={"type": "list", "member": TEXT},
        Nested={"type": "map", "key": TEXT, "value": structure(ServiceRole=TEXT)},
        RoleName=TEXT,
        Count={"type": "integer"},
    )
    assert role_members("svc", "Do", request) == (
        "Nested{}.ServiceRole",
        "RoleArn",
        "Roles{}",
        "Targets[].roleArn",
        "executionRoleArns[]",
    )


def test_a_role_out_of_a_fixed_list_is_no_role_of_iam() -> None:
    assert role_members("svc", "Do", shape(role={"type": "string", "enum": ["user", "assistant"]})) == ()


def test_services_that_are_about_roles_pass_none() -> None:
    assert role_members("sts", "AssumeRole", shape(RoleArn=TEXT)) == ()


def test_members_that_do_not_tell_by_name_come_from_the_table() -> None:
    assert role_members("ec2", "AssociateIamInstanceProfile", None) == EXTRA["ec2:AssociateIamInstanceProfile"]


def test_a_shape_inside_itself_is_looked_through_once() -> None:
    model = ServiceModel(
        {
            "metadata": {},
            "shapes": {
                "Node": {"type": "structure", "members": {"Next": {"shape": "Node"}, "RoleArn": {"shape": "Text"}}},
                "Text": {"type": "string"},
            },
        }
    )
    assert role_members("svc", "Do", model.shape_for("Node")) == ("RoleArn",)
    assert output_names(model.shape_for("Node")) == {"Next", "RoleArn"}


def test_members_that_can_name_a_thing_are_texts_numbers_and_lists_of_texts() -> None:
    request = shape(
        Name=TEXT,
        Ids={"type": "list", "member": TEXT},
        Version={"type": "integer"},
        Numbers={"type": "list", "member": {"type": "integer"}},
        Options=structure(Id=TEXT),
    )
    assert [member.name for member in members_of(request)] == ["Name", "Ids", "Version"]
    assert members_of(None) == ()


def test_the_token_is_the_member_botocore_would_fill() -> None:
    model = ServiceModel(
        {
            "metadata": {},
            "shapes": {
                "In": {"type": "structure", "members": {"Token": {"shape": "Text", "idempotencyToken": True}}},
                "Text": {"type": "string"},
            },
        }
    )
    assert token_member(model.shape_for("In")) == "Token"
    assert token_member(shape(Token=TEXT)) == ""
    assert token_member(None) == ""


def test_names_of_an_answer_are_found_in_lists_and_maps() -> None:
    answer = shape(
        Keys={"type": "list", "member": structure(Secret=TEXT)},
        ByName={"type": "map", "key": TEXT, "value": structure(Password=TEXT)},
    )
    assert {"Secret", "Password", "ByName"} <= output_names(answer)
