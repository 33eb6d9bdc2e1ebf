"""Names are compared by what they are about, not by how they are spelt."""

from __future__ import annotations

import pytest

from deploy.catalogue.words import is_generic, noun, singular, stem, verb


@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("ClusterName", "cluster"),
        ("clusterArn", "cluster"),
        ("Clusters", "cluster"),
        ("RoleNameWithPath", "role"),
        ("AgentIds", "agent"),
        ("dbInstanceIdentifier", "dbinstance"),
        ("Id", "id"),
        ("Access", "access"),
    ],
)
def test_a_name_is_about_a_thing(name: str, about: str) -> None:
    assert stem(name) == about


@pytest.mark.parametrize(("name", "one"), [("tables", "table"), ("access", "access"), ("dns", "dns"), ("keys", "key")])
def test_a_plural_loses_its_s_and_a_word_does_not(name: str, one: str) -> None:
    assert singular(name) == one


@pytest.mark.parametrize(
    ("operation", "first", "thing"),
    [
        ("DeleteCluster", "Delete", "cluster"),
        ("BatchGetItem", "Get", "item"),
        ("AdminDeleteUser", "Delete", "deleteuser"),
        ("ListTables", "List", "table"),
        ("invoke", "invoke", "invoke"),
    ],
)
def test_an_operation_has_a_verb_and_a_noun(operation: str, first: str, thing: str) -> None:
    assert verb(operation) == first
    assert noun(operation) == thing


@pytest.mark.parametrize(("name", "says_nothing"), [("Id", True), ("resourceId", True), ("ClusterId", False)])
def test_a_name_without_a_thing_is_generic(name: str, says_nothing: bool) -> None:
    assert is_generic(name) is says_nothing
