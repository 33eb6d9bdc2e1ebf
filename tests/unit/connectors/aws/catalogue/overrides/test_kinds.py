from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, PATH, Kind, Scope, anything, as_given, read_arn, segment
from connectors.aws.catalogue.overrides.passing import passes, passes_any, passes_some_role, with_path
from connectors.aws.catalogue.overrides.table import Need, Refused, Row, Service, merged
from connectors.aws.catalogue.place import ANY, UNKNOWN, Params, Place
from connectors.errors import InvalidParamsError
from policies.patterns import pattern as patterns

HERE = Place("aws-cn", "cn-north-1", "123456789012")
TABLE = Kind("dynamodb", "table/{}")
OBJECT = Kind("s3", "{}", Scope.BARE, PATH)
HEAD = "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/"
ROLE = "arn:aws-cn:iam::123456789012:role/"


def test_the_mark_of_unknown_parts_is_the_one_policies_know() -> None:
    assert UNKNOWN == patterns.UNKNOWN


@pytest.mark.parametrize(
    ("params", "resources"),
    [
        ({"T": "a"}, [f"{HEAD}a"]),
        ({}, [f"{HEAD}{UNKNOWN}"]),
        ({"T": ""}, [f"{HEAD}{UNKNOWN}"]),
        ({"T": "*"}, [f"{HEAD}*"]),
        ({"T": "ü{}"}, [f"{HEAD}ü{{}}"]),
        ({"T": "arn:aws:dynamodb:eu-west-1:999999999999:table/b"}, ["arn:aws:dynamodb:eu-west-1:999999999999:table/b"]),
    ],
)
def test_a_param_names_a_resource_of_the_call_or_a_whole_one(params: Params, resources: list[str]) -> None:
    assert list(TABLE.at("T")(params, HERE)) == resources


@pytest.mark.parametrize(
    "value",
    [
        "a/b",
        "a:b",
        "/",
        "a\x00",
        7,
        "arn:",
        "arn:aws:dynamodb:eu-west-1:999999999999",
        "arn:aws:dynamodb:eu-west-1:999999999999:table/",
        "arn:aws:dynamodb:eu-west-1:999999999999:backup/b",
        "arn:aws:sqs:eu-west-1:999999999999:table/b",
        "arn:aws:dynamodb::999999999999:table/b",
        "arn:aws:dynamodb:eu-west-1::table/b",
        "arn:aws:dynamodb:eu-west-1:99:table/b",
        "arn:AWS:dynamodb:eu-west-1:999999999999:table/b",
        "arn:*:dynamodb:*:*:table/b",
    ],
)
def test_a_param_that_could_reach_another_resource_is_refused(value: object) -> None:
    with pytest.raises(InvalidParamsError):
        list(TABLE.at("T")({"T": value}, HERE))


@given(st.text())
def test_any_name_is_refused_or_stands_alone_behind_its_type(name: str) -> None:
    try:
        (resource,) = TABLE.at("T")({"T": name}, HERE)
    except InvalidParamsError:
        return
    assert resource in {f"{HEAD}{name}", f"{HEAD}{UNKNOWN}"}
    assert resource.count("/") == HEAD.count("/")
    assert resource.count(":") == HEAD.count(":")


def test_a_missing_param_takes_the_default_of_aws() -> None:
    assert list(TABLE.at("T", "default")({}, HERE)) == [f"{HEAD}default"]
    assert list(TABLE.at("T", f"default.{UNKNOWN}")({}, HERE)) == [f"{HEAD}default.{UNKNOWN}"]


def test_an_optional_param_names_nothing_when_it_is_missing() -> None:
    assert list(TABLE.where("T")({}, HERE)) == []
    assert list(TABLE.where("T")({"T": "a"}, HERE)) == [f"{HEAD}a"]


def test_what_a_call_makes_and_what_it_does_not_tell_are_two_things() -> None:
    assert list(TABLE.new()({}, HERE)) == [f"{HEAD}{ANY}"]
    assert list(TABLE.some()({}, HERE)) == [f"{HEAD}{UNKNOWN}"]


def test_a_path_may_hold_separators_and_only_an_arn_is_no_name() -> None:
    assert list(OBJECT.at("K")({"K": "a/b:c"}, HERE)) == ["arn:aws-cn:s3:::a/b:c"]
    with pytest.raises(InvalidParamsError):
        list(Kind("sns", "{}", form=ARN_ONLY).at("T")({"T": "a"}, HERE))


def test_names_and_whole_arns_are_spelled_one_way() -> None:
    kind = Kind("rds", "db:{}", spell=str.lower, settle=str.lower, types=("old:",), also=(Scope.GLOBAL,))
    arns = [
        "A",
        "arn:aws:rds:eu-west-1:999999999999:db:A",
        "arn:aws:rds::999999999999:db:A",
        "arn:aws:rds::999999999999:old:A",
    ]
    assert list(kind.at("D[]")({"D": arns}, HERE)) == [
        "arn:aws-cn:rds:cn-north-1:123456789012:db:a",
        "arn:aws:rds:eu-west-1:999999999999:db:a",
        "arn:aws:rds::999999999999:db:a",
        "arn:aws:rds::999999999999:old:a",
    ]


@pytest.mark.parametrize(
    ("value", "scope"),
    [
        ("arn:aws:x:r:123456789012:y", Scope.REGIONAL),
        ("arn:aws:x::aws:y", Scope.GLOBAL),
        ("arn:aws:x:r::y", Scope.SHARED),
        ("arn:aws:x:::y", Scope.BARE),
    ],
)
def test_an_arn_tells_which_of_its_fields_are_filled(value: str, scope: Scope) -> None:
    arn = read_arn(value, "A")
    assert arn is not None
    assert (arn.scope, arn.rest, arn.head + arn.rest) == (scope, "y", value)


def test_a_segment_is_unknown_when_missing_and_never_two() -> None:
    assert segment(None, "A") == segment("", "A") == UNKNOWN
    assert segment("*", "A") == "*"
    with pytest.raises(InvalidParamsError):
        segment("a/b", "A")


def test_arns_of_any_type_are_of_one_service() -> None:
    arn = "arn:aws:rds:eu-west-1:999999999999:db:a"
    assert list(as_given("rds", "A")({"A": arn}, HERE)) == [arn]
    assert list(as_given("rds", "A")({}, HERE)) == [UNKNOWN]
    for value in ("a", "arn:aws:s3:::a"):
        with pytest.raises(InvalidParamsError):
            list(as_given("rds", "A")({"A": value}, HERE))


def test_a_role_by_name_has_an_unknown_path_unless_it_carries_one() -> None:
    assert with_path("r") == f"{UNKNOWN}r"
    assert with_path("/team/r") == with_path("team/r") == "team/r"


def test_roles_are_found_wherever_they_stand() -> None:
    role = "arn:aws:iam::999999999999:role/p/r"
    params = {"A": role, "B": [{"C": role.replace("/r", "/s")}], "D": "arn:aws:iam::999999999999:user/u", "E": 1}
    needed = Row((*passes("A"), passes_any(), passes_any("B"), passes_some_role()))(params, HERE)
    assert [need.resource for need in needed] == [role, role.replace("/r", "/s"), f"{ROLE}{UNKNOWN}"]
    assert {need.action for need in needed} == {"iam:PassRole"}


def test_a_row_asks_for_each_pair_once_in_its_order_and_only_when_it_applies() -> None:
    row = Row((Need("b:B"), Need("a:A", TABLE.at("T")), Need("b:B"), Need("c:C", anything, lambda _params: False)))
    assert [(need.action, need.resource) for need in row({"T": "t"}, HERE)] == [("b:B", ANY), ("a:A", f"{HEAD}t")]


def test_a_row_that_needs_nothing_is_refused() -> None:
    with pytest.raises(InvalidParamsError):
        Row((Need("a:A", TABLE.where("T")),))({}, HERE)
    with pytest.raises(InvalidParamsError):
        Refused("no")({}, HERE)


def test_rows_are_named_after_the_folder_and_ask_for_iams_names() -> None:
    table = Service("stepfunctions", "states").each("Start Stop=Halt")
    assert list(table) == ["stepfunctions:Start", "stepfunctions:Stop"]
    assert [need.action for row in table.values() for need in row({}, HERE)] == ["states:Start", "states:Halt"]


def test_an_operation_has_one_row() -> None:
    table = Service("a", "a").each("B")
    with pytest.raises(ValueError, match="a:B"):
        merged(table, table)
