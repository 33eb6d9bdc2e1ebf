"""What paginators and waiters build on, over botocore's own data."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.loaders import Loader

from connectors.aws import pages, waiters
from connectors.aws.catalogue.data import load
from connectors.aws.catalogue.model import AccessClass
from connectors.aws.catalogue.overrides import OVERRIDES
from connectors.aws.model import load_data
from connectors.aws.operations import known
from connectors.base import JsonObject


def rows(kind: str, key: str, *, sampled: int = 1) -> Iterator[tuple[str, JsonObject]]:
    """Rows of botocore's data of one kind, of one service in so many, each with its operation."""
    found = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    for name in found.list_available_services(kind)[::sampled]:
        for each, row in load_data(name, kind)[key].items():
            yield f"{name}:{row.get('operation', each)}", row


def test_no_requirement_depends_on_a_token_and_no_member_has_the_name_of_our_params() -> None:
    seen = 0
    for action, row in rows("paginators-1", "pagination", sampled=16):
        entry = load().entry(*action.split(":"))
        assert entry is not None
        if entry.access is not AccessClass.READ:
            continue
        tokens = [row["input_token"]] if isinstance(row["input_token"], str) else row["input_token"]
        places = repr((entry.pairs, entry.role_members, OVERRIDES.get(action)))
        assert not [token for token in tokens if f":{token}}}" in places or f"'{token}'" in places], action
        seen += 1
    assert seen > 100


@pytest.mark.parametrize("action", ["s3:ListParts", "logs:FilterLogEvents", "iam:ListRoles", "lambda:ListFunctions"])
def test_an_operation_with_pages_has_a_paginator_and_no_payload(action: str) -> None:
    found = known(action)
    assert found is not None
    api = found[0]
    assert pages.paginator_of(api) is not None
    assert (api.payload, api.streams) == ("", False)
    assert not {pages.PARAM, waiters.PARAM} & api.members.keys()


def test_the_waiters_that_look_at_a_number_expect_one_this_connector_tells_them() -> None:
    expected = {
        each["expected"]
        for _, row in rows("waiters-2", "waiters", sampled=4)
        for each in row["acceptors"]
        if each["matcher"] == "status"
    }
    assert {number for number in expected if 200 <= number < 300} == {200}
