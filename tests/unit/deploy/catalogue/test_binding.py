"""A variable of an ARN gets the one member that names it, or none."""

from __future__ import annotations

import pytest

from deploy.catalogue.binding import Binding, Member, bind, heads_of, nameless_arns
from deploy.catalogue.sources import Kind

ARN = "arn:${Partition}:svc:${Region}:${Account}:"
HEAD = "arn:{partition}:svc:{region}:{account}:"


def bound(kind: str, tail: str, operation: str, members: str) -> Binding:
    """Bind one type; a ``!`` behind a member makes it required."""
    parsed = tuple(Member(name.rstrip("!"), name.endswith("!")) for name in members.split())
    found = bind(Kind(kind, required=True, templates=(ARN + tail,)), operation, parsed)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("kind", "tail", "operation", "members", "expected"),
    [
        ("cluster", "cluster/${ClusterName}", "DeleteCluster", "clusterName!", "cluster/{param:clusterName}"),
        ("cluster", "cluster/${ClusterName}", "DeleteCluster", "cluster", "cluster/{param:cluster}"),
        ("instance", "instance/${InstanceId}", "StopInstances", "InstanceIds!", "instance/{param:InstanceIds}"),
        ("domain", "domain/${ResourceId}", "GetDomain", "DomainId!", "domain/{param:DomainId}"),
        ("agent", "agent/${Id}", "GetAgent", "id!", "agent/{param:id}"),
        ("cluster", "cluster/${ClusterName}", "DeleteCluster", "name!", "cluster/{param:name}"),
        (
            "service",
            "service/${ClusterName}/${ServiceName}",
            "UpdateService",
            "cluster service!",
            "service/{param:cluster}/{param:service}",
        ),
        ("account", "account/${AccountId}", "MoveAccount", "AccountId!", "account/{param:AccountId}"),
        ("quota", "${ServiceCode}/*", "GetQuota", "ServiceCode!", "{param:ServiceCode}/{?}"),
    ],
)
def test_a_member_that_names_the_thing_is_bound(
    kind: str, tail: str, operation: str, members: str, expected: str
) -> None:
    assert bound(kind, tail, operation, members).template == HEAD + expected


@pytest.mark.parametrize(
    ("kind", "tail", "operation", "members"),
    [
        ("app", "app/${AppId}", "CreateApp", "name!"),
        ("app", "app/${AppId}", "CreateApp", "appName!"),
        ("agent", "agent/${Id}", "GetVersion", "id!"),
        ("cluster", "cluster/${ClusterName}", "DeleteService", "name!"),
        ("table", "table/${TableName}", "ListTables", "tableArn"),
        ("key", "key/${KeyId}", "ListKeys", ""),
    ],
)
def test_a_member_that_may_name_another_thing_is_not_bound(kind: str, tail: str, operation: str, members: str) -> None:
    found = bound(kind, tail, operation, members)
    assert "{param:" not in found.template
    assert not found.named


def test_a_member_gives_one_variable_only() -> None:
    found = bound("child", "parent/${Id}/child/${ChildId}", "GetChild", "childId!")
    assert found.template == HEAD + "parent/{?}/child/{param:childId}"
    assert not found.complete


def test_a_member_that_fits_two_variables_gives_the_first_only() -> None:
    found = bound("part", "thing/${ThingId}/part/${Thing}", "GetPart", "thingId!")
    assert found.template == HEAD + "thing/{param:thingId}/part/{?}"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ("StreamName StreamId", "{param:StreamName|StreamId}"),
        ("StreamId StreamName", "{param:StreamName|StreamId}"),
        ("StreamName StreamNames", "{param:StreamName|StreamNames}"),
        ("StreamName! StreamId!", "{param:StreamName|StreamId}"),
        ("StreamName! StreamId", "{param:StreamName}"),
    ],
)
def test_a_member_that_says_the_same_is_a_rival_unless_the_better_one_is_always_given(
    members: str, expected: str
) -> None:
    assert bound("stream", "stream/${StreamName}", "DeleteStream", members).template == HEAD + "stream/" + expected


def test_a_required_member_is_taken_before_an_optional_one_that_fits_as_well() -> None:
    assert "{param:ClusterId}" in bound("cluster", "c/${Cluster}", "GetCluster", "ClusterName ClusterId!").template


def test_a_member_with_the_whole_arn_of_the_type_completes_it() -> None:
    found = bound("connector", "connector/${Name}/${UUID}", "DeleteConnector", "connectorArn!")
    assert found.arns == ("connectorArn",)
    assert found.complete
    assert not found.named


def test_an_arn_of_no_named_type_is_told_apart() -> None:
    members = (Member("resourceArn", required=True), Member("Arn", required=False), Member("roleArn", required=False))
    assert nameless_arns(members) == ("resourceArn", "Arn")


def test_the_account_of_somebody_else_is_not_ours() -> None:
    found = bind(
        Kind("vpc", required=True, templates=("arn:${Partition}:ec2:${Region}:${OwnerAccount}:vpc",)), "Get", ()
    )
    assert found is not None
    assert found.template == "arn:{partition}:ec2:{region}:{?}:vpc"


def test_a_type_without_an_arn_is_not_bound() -> None:
    assert bind(Kind("thing", required=True, templates=()), "GetThing", ()) is None


def test_each_spelling_of_a_type_has_its_head() -> None:
    kind = Kind("bot", required=True, templates=(ARN + "bot/${BotId}", ARN + "bot:${Name}", "arn:${P}:${V}:::${x}"))
    assert heads_of(kind) == ("svc:bot/", "svc:bot:", "")
