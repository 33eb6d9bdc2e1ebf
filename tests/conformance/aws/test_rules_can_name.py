"""What an operation asks for, a rule can name: the types policies are read against leave no exact resource out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from broker.config.loader import catalogue_of
from connectors.aws.catalogue.data import load
from connectors.aws.catalogue.model import UNBOUND
from connectors.aws.catalogue.overrides import OVERRIDES
from connectors.aws.catalogue.place import ANY, UNKNOWN
from connectors.registry import build_connectors
from policies.errors import PolicyError
from policies.language.rule_text import parse_rule
from policies.model import Effect
from tests.conformance.aws.cases import PLACE, cases, spelled
from tests.conformance.aws.rows import LIST

CATALOGUE = catalogue_of(build_connectors())
UNNAMED = {"s3:GetObject", "s3:GetStorageLensConfiguration", "s3:ListBucket"}
"""On access points and storage lenses: their short forms would be those of buckets and objects."""


def pairs() -> Iterator[tuple[str, str]]:
    """Yield actions with a resource each: of the compiled rows, of the hand-written ones and of their cases."""
    for service in load().services():
        for name in load().operations(service):
            entry = None if f"{service}:{name}" in OVERRIDES else load().entry(service, name)
            for pair in (each for each in (entry.pairs if entry else ()) if each.template != UNBOUND):
                placed = pair.template.replace("{partition}", PLACE.partition).replace("{region}", PLACE.region)
                yield pair.action, re.sub(r"\{[^}]*\}", "x", placed.replace("{account}", PLACE.account))
    for line in LIST.read_text("utf-8").splitlines():
        yield from map(spelled, line.split(" | ")[2].split(", "))
    for case in cases():
        yield from case.needs or ()


def nameable(action: str, resource: str) -> bool:
    try:
        parse_rule(f"{action} on {resource}", Effect.ALLOW, CATALOGUE)
    except PolicyError:
        return False
    return True


def test_every_exact_resource_of_an_action_whose_resources_have_types_can_be_named() -> None:
    asked = {(action, resource.replace(UNKNOWN, "x")) for action, resource in pairs() if resource not in {ANY, UNKNOWN}}
    typed = [each for each in asked if ":" in each[0] and CATALOGUE.types_for(each[0])]
    assert len(typed) > 500
    assert {action for action, resource in typed if not nameable(action, resource)} <= UNNAMED
