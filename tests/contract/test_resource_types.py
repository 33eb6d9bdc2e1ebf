"""What must hold for the types of resources of every connector; `test_connector` holds plans against them."""

from __future__ import annotations

import pytest

from connectors.base import LargeCatalogue, Operation, permissions_of
from connectors.registry import build_connectors
from policies.language.rule_text import parse_rule
from policies.model import Effect, ResourceType
from policies.resources.catalogue import build_catalogue
from policies.resources.templates import compile_template

CONNECTORS = build_connectors()
ROWS = [
    row
    for connector in CONNECTORS.values()
    # A large catalogue names most of its resources as its upstream does, without a type of ours.
    if not isinstance(connector.operations, LargeCatalogue)
    for row in connector.operations.values()
]
TYPES = [each for connector in CONNECTORS.values() for each in connector.resource_types]
# Building it refuses templates with two readings and types of one action that share a resource.
CATALOGUE = build_catalogue(
    TYPES, {name: asked for one in CONNECTORS.values() for name, asked in permissions_of(one.operations).items()}
)
LETTERS = build_catalogue(TYPES, {})

every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.action)
every_type = pytest.mark.parametrize("declared", TYPES, ids=lambda each: each.name)


@every_row
def test_everything_an_operation_asks_for_has_a_type(row: Operation) -> None:
    for action in row.permissions or (row.action,):
        own = {each.name for each in CONNECTORS[owner_of(row)].resource_types}
        assert own & {each.name for each in CATALOGUE.types_for(action)}


@every_type
def test_a_type_has_a_word_for_each_part_and_reads_its_own_example(declared: ResourceType) -> None:
    template = compile_template(declared.template)
    assert declared.words.keys() == set(template.variables)
    assert template.parse(template.format(declared.words)) == declared.words
    for form in map(compile_template, declared.short_forms):
        words = {variable: declared.words[variable] for variable in form.variables}
        assert form.parse(form.format(words)) == words


@every_type
def test_a_rule_can_name_the_example_in_full_and_in_every_short_form(declared: ResourceType) -> None:
    name = compile_template(declared.template).format(declared.words)
    for pattern in declared.actions:
        action = pattern.replace("*", "Thing")
        assert name in parse_rule(f"{action} on {name}", Effect.ALLOW, LETTERS).resources
        for form in map(compile_template, declared.short_forms):
            short = form.format({variable: declared.words[variable] for variable in form.variables})
            assert parse_rule(f"{action} on {short}", Effect.DENY, LETTERS).resources


def owner_of(row: Operation) -> str:
    return next(name for name, each in CONNECTORS.items() if row.action in each.operations)
