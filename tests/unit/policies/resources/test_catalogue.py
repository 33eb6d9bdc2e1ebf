from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.aws.resource_types import RESOURCE_TYPES as AWS
from connectors.git.resource_types import RESOURCE_TYPES as GIT
from connectors.github.resource_types import RESOURCE_TYPES as GITHUB
from policies.model import ResourceType
from policies.patterns.pattern import UNKNOWN
from policies.resources.catalogue import UNCHECKED, CatalogueError, build_catalogue

OPERATIONS = {
    "git:read": ("git:read",),
    "git:push": ("git:push",),
    "s3:GetObject": ("s3:GetObject", "s3:GetObjectVersion"),
    "s3:HeadObject": ("s3:GetObject",),
    "s3:ListObjectsV2": ("s3:ListBucket",),
}
CATALOGUE = build_catalogue((*GIT, *GITHUB, *AWS), OPERATIONS)
SHEET = ResourceType("paper/sheet", "sheets/{name}", ("paper:*",))


def names(action_pattern: str) -> set[str]:
    return {each.name for each in CATALOGUE.types_for(action_pattern)}


def test_the_actions_are_those_the_operations_ask_for() -> None:
    assert CATALOGUE.actions is not None
    assert set(CATALOGUE.actions) == {"git:read", "git:push", "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"}
    assert UNCHECKED.actions is None


@pytest.mark.parametrize(
    ("action_pattern", "types"),
    [
        ("git:push", {"git/branch", "git/tag"}),
        ("git:comment", {"github/pull-request", "github/issue", "github/commit"}),
        ("git:p*", {"git/branch", "git/tag"}),
        ("git:merge", set()),
        ("s3:GetObject", {"s3/object"}),
        ("s3:Get*", {"s3/object"}),
        ("s3:*", {"s3/object", "s3/bucket"}),
        ("ecs:UpdateService", {"ecs/service"}),
        ("ecs:Update*", {"ecs/cluster", "ecs/service", "ecs/task"}),
        ("iam:*Role", {"iam/role", "iam/user", "iam/policy", "iam/group", "iam/instance-profile"}),
        ("rds-data:ExecuteStatement", {"rds/cluster"}),
        ("llm:InvokeModel", set()),
        ("nonsense", set()),
    ],
)
def test_a_pattern_touches_the_types_its_actions_can_name(action_pattern: str, types: set[str]) -> None:
    # Of a served service the known actions decide; `*Role` may also mean an action that names a user or a group.
    assert names(action_pattern) == types


def test_a_pattern_of_every_service_touches_what_its_operation_can_name() -> None:
    found = names("*:read")
    assert {name for name in found if name.startswith(("git/", "s3"))} == {"git/repository"}
    assert "sqs/queue" in found  # nobody serves it, and its type takes any operation


def test_every_action_touches_every_type_of_what_is_asked() -> None:
    assert names("*") >= {"git/branch", "s3/object", "ecs/service"}
    assert "git/tag" not in names("git:read")


def test_a_concrete_resource_has_one_type_and_its_parts() -> None:
    found = CATALOGUE.type_of("git:push", "repos/acme/app/branches/x/branches/y")
    assert found is not None
    assert found[0].name == "git/branch"
    assert found[1] == {"repo": "acme/app", "branch": "x/branches/y"}
    assert CATALOGUE.type_of("git:push", "repos/acme/app") is None
    assert CATALOGUE.type_of("llm:InvokeModel", "models/a/b") is None
    assert UNCHECKED.type_of("git:push", "repos/acme/app/branches/main") is None


@pytest.mark.parametrize(
    ("action", "typed", "full"),
    [
        ("s3:GetObject", "data-lake/raw/x", "arn:aws:s3:::data-lake/raw/x"),
        ("s3:GetObject", "data-lake/a*", "arn:aws:s3:::data-lake/a*"),
        ("s3:GetObject", "arn:aws-cn:s3:::b/k", "arn:aws-cn:s3:::b/k"),
        ("s3:ListBucket", "data-lake", "arn:aws:s3:::data-lake"),
        ("git:read", "repos/a/b", "repos/a/b"),
        ("git:read", "something else", "something else"),
        ("ecs:UpdateService", "service/main/web", f"arn:aws:ecs:{UNKNOWN}:{UNKNOWN}:service/main/web"),
        ("ecs:UpdateService", "service/web", f"arn:aws:ecs:{UNKNOWN}:{UNKNOWN}:service/{UNKNOWN}/web"),
        (
            "ecs:UpdateService",
            "arn:aws:ecs:eu-west-1:123456789012:service/web",
            f"arn:aws:ecs:eu-west-1:123456789012:service/{UNKNOWN}/web",
        ),
        ("nonsense", "x", "x"),
    ],
)
def test_a_short_name_is_written_out(action: str, typed: str, full: str) -> None:
    assert CATALOGUE.full_name(action, typed) == full
    assert CATALOGUE.full_name(action, full) == full


@pytest.mark.parametrize(
    "types",
    [
        (SHEET, SHEET),
        (SHEET, replace(SHEET, name="paper/other", template="{kind}/{name}")),
        (replace(SHEET, template="sheets/{a}{b}"),),
    ],
)
def test_types_that_contradict_each_other_are_refused(types: tuple[ResourceType, ...]) -> None:
    with pytest.raises(CatalogueError):
        build_catalogue(types, {})


def test_types_of_different_actions_may_share_names() -> None:
    other = replace(SHEET, name="print/sheet", actions=("print:*",))
    assert [each.name for each in build_catalogue((SHEET, other), {}).types_for("print:Page")] == ["print/sheet"]


def test_a_broad_pattern_of_a_type_is_held_against_a_broad_pattern_of_a_rule() -> None:
    kinds = build_catalogue((replace(SHEET, actions=("paper:Get*Sheet*", "*")),), {})
    assert kinds.types_for("else:Thing")
    kinds = build_catalogue((replace(SHEET, actions=("paper:Get*Sheet*",)),), {})
    assert kinds.types_for("paper:*Sheets")
    assert kinds.types_for("paper:G*")
    assert not kinds.types_for("paper:Put*")
    assert not kinds.types_for("other:*")


def test_what_is_no_action_touches_nothing() -> None:
    assert CATALOGUE.kinds_for("s3:Get***") == ()
