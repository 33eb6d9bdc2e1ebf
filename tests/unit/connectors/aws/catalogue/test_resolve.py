"""From params to pairs: what is named is exact, what is not named is unknown, what is passed is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.aws.catalogue.data import head_of, load
from connectors.aws.catalogue.model import AccessClass, Entry, Pair
from connectors.aws.catalogue.paths import values_at
from connectors.aws.catalogue.place import UNKNOWN, Place
from connectors.aws.catalogue.resolve import resolve
from connectors.errors import InvalidParamsError
from policies.model import Requirement
from policies.patterns.pattern import compile_pattern

HERE = Place("aws", "eu-west-1", "123456789012")
HEAD = "arn:aws:svc:eu-west-1:123456789012:"
OTHER = "arn:aws:svc:us-east-1:999999999999:"
TEMPLATE = "arn:{partition}:svc:{region}:{account}:"


def pair(
    template: str, *arns: str, heads: tuple[str, ...] = (), optional: bool = False, action: str = "svc:Do"
) -> Pair:
    """A pair whose template is of our service unless it is no ARN."""
    text = template if template in {"*", "{?}"} else TEMPLATE + template
    return Pair(action, text, arns, heads or (head_of(text),), optional)


def resolved(
    params: dict[str, Any], *pairs: Pair, roles: tuple[str, ...] = (), place: Place = HERE
) -> list[tuple[str, str]]:
    """The requirements of an operation nobody wrote an override for."""
    entry = Entry("unheard", "Do", pairs, AccessClass.WRITE, role_members=roles)
    return [(found.action, found.resource) for found in resolve(entry, params, place)]


def resources(params: dict[str, Any], *pairs: Pair) -> list[str]:
    """The resources alone."""
    return [resource.replace(HEAD, "") for _, resource in resolved(params, *pairs)]


THING = pair("thing/{param:Name}")
TWO = pair("group/{param:Group}/{param:Name}")
EITHER = pair("thing/{param:Name}", "ThingArn")


@pytest.mark.parametrize(
    ("params", "given", "expected"),
    [
        ({"Name": "a"}, THING, ["thing/a"]),
        ({"Name": ["a", "b"]}, THING, ["thing/a", "thing/b"]),
        ({"Name": 7}, THING, ["thing/7"]),
        ({}, THING, [f"thing/{UNKNOWN}"]),
        ({"Name": None}, THING, [f"thing/{UNKNOWN}"]),
        ({"Name": ""}, THING, [f"thing/{UNKNOWN}"]),
        ({"Name": []}, THING, [f"thing/{UNKNOWN}"]),
        ({"Name": True}, THING, [f"thing/{UNKNOWN}"]),
        ({"Name": {"a": 1}}, THING, [f"thing/{UNKNOWN}"]),
        ({"Name": "*"}, THING, ["thing/*"]),
        ({"Name": "../a"}, THING, ["thing/../a"]),
        ({"Name": "ñ/ü:é"}, THING, ["thing/ñ/ü:é"]),
        ({"Name": "a{region}"}, THING, ["thing/a{region}"]),
        ({"Group": "g", "Name": "n"}, TWO, ["group/g/n"]),
        ({"Name": "n"}, TWO, [f"group/{UNKNOWN}/n"]),
        ({"Group": "g/x", "Name": "n"}, TWO, [f"group/{UNKNOWN}/n"]),
        ({"Group": "g:x", "Name": "n"}, TWO, [f"group/{UNKNOWN}/n"]),
        ({"Group": ["g", "h"], "Name": ["n", "m"]}, TWO, ["group/g/n", "group/g/m", "group/h/n", "group/h/m"]),
        ({"Group": ["g"] * 40, "Name": ["n"] * 40}, TWO, [UNKNOWN]),
        ({}, pair("thing/{?}"), [f"thing/{UNKNOWN}"]),
        ({}, pair("*"), ["*"]),
        ({}, pair("{?}"), [UNKNOWN]),
        ({"Name": "a"}, pair("thing/{param:Name|Id}"), ["thing/a"]),
        ({"Name": "a", "Id": "b"}, pair("thing/{param:Name|Id}"), [f"thing/{UNKNOWN}"]),
        ({"Id": "b"}, pair("thing/{param:Name|Id}"), [f"thing/{UNKNOWN}"]),
        ({"Id": "b"}, pair("thing/{param:Name|Id}", optional=True), [f"thing/{UNKNOWN}"]),
        ({"At": {"Name": "deep"}}, pair("thing/{param:At.Name}"), ["thing/deep"]),
    ],
)
def test_params_fill_the_template(params: dict[str, Any], given: Pair, expected: list[str]) -> None:
    assert resources(params, given) == expected


@pytest.mark.parametrize(
    ("params", "given", "expected"),
    [
        ({"ThingArn": HEAD + "thing/a"}, EITHER, ["thing/a"]),
        ({"ThingArn": OTHER + "thing/a"}, EITHER, [OTHER + "thing/a"]),
        ({"ThingArn": HEAD + "thing/a", "Name": "b"}, EITHER, ["thing/a", "thing/b"]),
        ({"ThingArn": [HEAD + "thing/a", HEAD + "thing/b"]}, EITHER, ["thing/a", "thing/b"]),
        ({"ThingArn": HEAD + "other/a"}, EITHER, [UNKNOWN]),
        ({"ThingArn": "arn:aws:s3:::thing/a"}, EITHER, [UNKNOWN]),
        ({"ThingArn": "arn:aws:svc"}, EITHER, [UNKNOWN]),
        ({"ThingArn": "arn:aws::::"}, pair("{?}", "ThingArn", heads=("",)), [UNKNOWN]),
        ({"ThingArn": "a"}, EITHER, [UNKNOWN]),
        ({"ThingArn": 7}, EITHER, [UNKNOWN]),
        ({"Name": OTHER + "thing/a"}, THING, [OTHER + "thing/a"]),
        ({"Name": OTHER + "other/a"}, THING, [UNKNOWN]),
        ({"Group": HEAD + "group/g", "Name": "n"}, TWO, [f"group/{UNKNOWN}/n"]),
        ({"Group": OTHER + "group/g", "Name": "n"}, TWO, [UNKNOWN]),
        ({"Group": "arn:", "Name": "n"}, TWO, [UNKNOWN]),
        (
            {"R": HEAD + "b/1"},
            pair("{?}", "R", heads=("svc:a/", "svc:b/")),
            ["b/1"],
        ),
    ],
)
def test_a_whole_arn_is_used_as_it_is_when_it_is_of_the_kind(
    params: dict[str, Any], given: Pair, expected: list[str]
) -> None:
    assert resources(params, given) == expected


@pytest.mark.parametrize("value", ["a\x00b", "a\nb", "a\u200bb", "\x7f"])
@pytest.mark.parametrize("member", ["Name", "ThingArn", "Role"])
def test_a_name_with_an_invisible_character_is_refused(member: str, value: str) -> None:
    start = "arn:aws:iam::1:role/" if member == "Role" else ""
    with pytest.raises(InvalidParamsError):
        resolved({member: start + value}, EITHER, roles=("Role",))


def test_an_optional_pair_counts_when_the_params_name_its_resource() -> None:
    listener = pair("listener/{param:Name}/{param:Listener}", optional=True)
    assert resources({"Name": "a"}, THING, listener) == ["thing/a"]
    assert resources({"Name": "a", "Listener": "b"}, THING, listener) == ["thing/a", "listener/a/b"]
    tagged = pair("{?}", "Arn", heads=("svc:",), optional=True)
    assert resources({"Name": "a", "Arn": HEAD + "x/y"}, THING, tagged) == ["thing/a", "x/y"]


def test_an_action_for_which_nothing_is_named_is_asked_for_on_the_unknown() -> None:
    optional = pair("thing/{param:Name}", optional=True, action="svc:Other")
    assert resolved({}, pair("*"), optional) == [("svc:Do", "*"), ("svc:Other", UNKNOWN)]
    assert resolved({}, pair("fixed", optional=True)) == [("svc:Do", UNKNOWN)]


def test_a_pair_is_asked_for_once() -> None:
    assert resources({"Name": ["a", "a"]}, THING, THING) == ["thing/a"]


def test_a_part_that_is_unknown_is_covered_by_a_wildcard_only() -> None:
    [asked] = [resource for _, resource in resolved({"Name": "web"}, TWO)]
    assert not compile_pattern(HEAD + "group/prod/*").matches(asked)
    assert compile_pattern(HEAD + "group/*").matches(asked)
    assert compile_pattern(HEAD + "group/prod/*").may_match(asked)


def test_a_star_of_the_agent_is_a_letter() -> None:
    [asked] = [resource for _, resource in resolved({"Name": "*"}, THING)]
    assert not compile_pattern(HEAD + "thing/prod").matches(asked)


def test_the_place_is_that_of_the_connection() -> None:
    china = Place("aws-cn", "cn-north-1", "1")
    assert resolved({"Name": "a"}, THING, place=china) == [("svc:Do", "arn:aws-cn:svc:cn-north-1:1:thing/a")]


ROLE = "arn:aws:iam::999999999999:role/path/deployer"
PASSED = "arn:aws:iam::123456789012:role/" + UNKNOWN


@pytest.mark.parametrize(
    ("params", "member", "expected"),
    [
        ({"RoleArn": ROLE}, "RoleArn", [ROLE]),
        ({"Targets": [{"RoleArn": ROLE}, {}]}, "Targets[].RoleArn", [ROLE]),
        ({"Roles": {"a": ROLE}}, "Roles{}", [ROLE]),
        ({"Role": "deployer"}, "Role", [PASSED + "deployer"]),
        ({"Role": "arn:aws:sts::1:assumed-role/x/y"}, "Role", [PASSED]),
        ({"Role": ""}, "Role", []),
        ({"Role": None}, "Role", []),
        ({}, "Role", []),
        ({"Profile": {"Name": "web"}}, "Profile!", [PASSED]),
        ({"Profile": ROLE}, "Profile!", [PASSED]),
        ({"Profile": {}}, "Profile!", []),
        ({"Value": "anything"}, "Value?", []),
        ({"Value": ROLE}, "Value?", [ROLE]),
        ({"Value": {"a": 1}}, "Value?", []),
    ],
)
def test_every_role_that_is_passed_needs_pass_role(params: dict[str, Any], member: str, expected: list[str]) -> None:
    found = resolved(params, pair("*"), roles=(member,))
    assert found == [("svc:Do", "*"), *(("iam:PassRole", role) for role in expected)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", [{"b": [1, 2], "c": {"x": 3, "y": None}}]),
        ("a.b[]", [1, 2]),
        ("a.c{}", [3]),
        ("a.c.x", [3]),
        ("a.b.c", []),
        ("a.c[]", []),
        ("a.b{}", []),
        ("z.y", []),
    ],
)
def test_a_path_leads_to_values_or_nowhere(path: str, expected: list[Any]) -> None:
    assert list(values_at({"a": {"b": [1, 2], "c": {"x": 3, "y": None}}}, path)) == expected


@pytest.mark.parametrize(
    ("service", "operation", "params", "expected"),
    [
        ("eks", "DeleteCluster", {"name": "c"}, [("eks:DeleteCluster", "eks", "cluster/c")]),
        (
            "batch",
            "TerminateJobs",
            {"jobs": ["1", "2"]},
            [("batch:TerminateJob", "batch", "job/1"), ("batch:TerminateJob", "batch", "job/2")],
        ),
        ("athena", "GetWorkGroup", {"WorkGroup": "w"}, [("athena:GetWorkGroup", "athena", "workgroup/w")]),
        (
            "cognito-idp",
            "AdminGetUser",
            {"UserPoolId": "p", "Username": "u"},
            [("cognito-idp:AdminGetUser", "cognito-idp", "userpool/p")],
        ),
        (
            "elasticbeanstalk",
            "RebuildEnvironment",
            {"EnvironmentName": "mine", "EnvironmentId": "e-other"},
            [("elasticbeanstalk:RebuildEnvironment", "elasticbeanstalk", f"environment/{UNKNOWN}/{UNKNOWN}")],
        ),
        ("acm", "ListCertificates", {}, [("acm:ListCertificates", "", "*")]),
        (
            "backup",
            "StartBackupJob",
            {"BackupVaultName": "v", "ResourceArn": "arn:aws:ec2:eu-west-1::volume/v", "IamRoleArn": ROLE},
            [("backup:StartBackupJob", "backup", "backup-vault:v"), ("iam:PassRole", "", ROLE)],
        ),
    ],
)
def test_operations_of_aws_ask_for_what_iam_checks(
    service: str, operation: str, params: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    entry = load().entry(service, operation)
    assert entry is not None
    here = [
        Requirement(action, f"arn:aws:{owner}:eu-west-1:123456789012:{tail}" if owner else tail)
        for action, owner, tail in expected
    ]
    assert list(resolve(entry, params, HERE)) == here


def test_every_operation_without_params_asks_for_something() -> None:
    catalogue = load()
    for service in ("ecs", "eks", "athena", "glue", "sagemaker", "apigateway"):
        for name in catalogue.operations(service):
            entry = catalogue.entry(service, name)
            assert entry is not None
            try:
                assert resolve(entry, {}, HERE)
            except InvalidParamsError:
                continue  # an override that needs a name
