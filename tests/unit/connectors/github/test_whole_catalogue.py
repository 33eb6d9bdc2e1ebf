"""What must hold for every operation: its example plans, what it asks is of a type, its path leads back to it."""

from __future__ import annotations

from copy import deepcopy

import pytest

from connectors.base import JsonObject
from connectors.errors import InvalidParamsError
from connectors.git.resource_types import RESOURCE_TYPES as GIT
from connectors.github.catalogue import actions
from connectors.github.names import UNKNOWN
from connectors.github.routes import match
from connectors.github.verbs import why_unserved
from policies.resources.catalogue import build_catalogue
from tests.unit.connectors.github.desk import GITHUB, HEAD, OLD, connection

FOUND: JsonObject = {
    "pull": {
        "author": "octocat", "base": "main", "body": "", "draft": False, "fork": False, "head": "feature/login",
        "head_repo": "acme/app", "head_sha": HEAD, "labels": [], "state": "open", "title": "t",
    },
    "issue": {"author": "octocat", "body": "", "labels": [], "state": "open", "title": "t"},
    "is_pull": False, "default_branch": "main", "old": OLD, "tag_name": "v1", "workflow": "build.yml",
}  # fmt: skip
TAGS = sorted({action.partition(".")[0] for action in actions()})
CATALOGUE = build_catalogue([*GIT, *GITHUB.resource_types], GITHUB.operations.permissions)  # type: ignore[attr-defined] # it is a large one


@pytest.mark.parametrize("tag", TAGS)
def test_every_example_plans_and_asks_for_what_its_row_says(tag: str) -> None:
    for action in (each for each in actions() if each.partition(".")[0] == tag):
        row, example = GITHUB.operations[action], deepcopy(GITHUB.operations[action].example)
        if why_unserved(action, actions()[action]):
            with pytest.raises(InvalidParamsError, match="not served"):
                GITHUB.plan_on(action, example, connection(), FOUND)
            continue
        plan = GITHUB.plan_on(action, example, connection(), FOUND)
        assert plan.requirements, action
        assert {each.action for each in plan.requirements} <= set(row.permissions), action
        for need in plan.requirements:
            typed = CATALOGUE.type_of(need.action, need.resource) is not None
            assert typed or UNKNOWN in need.resource, need
        assert plan.summary.isprintable()
        assert plan.summary[0].islower(), plan.summary
        assert match(plan.call["method"], plan.call["path"].partition("?")[0]) is not None
