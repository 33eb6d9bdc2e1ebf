"""What the loader writes out matches the whole name as a string exactly where each part matches by itself."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.aws.resource_types import RESOURCE_TYPES as AWS
from connectors.git.resource_types import RESOURCE_TYPES as GIT
from connectors.github.resource_types import RESOURCE_TYPES as GITHUB
from policies.language.rule_text import parse_rule
from policies.model import Effect, ResourceType
from policies.patterns.pattern import compile_pattern
from policies.resources.catalogue import build_catalogue
from policies.resources.templates import Shape, compile_template

STREAM = ResourceType("log/stream", "group:{group=**}:stream:{stream}", ("log:Read",))
TYPES = (*GIT, *GITHUB, *AWS, STREAM)
CATALOGUE = build_catalogue(TYPES, {})

NAME = st.text("ab", min_size=1, max_size=3)
HOSTILE = st.sampled_from(["branches", "tags", "index", "service", "a*", "**", "${agent.id}", "feature", "arn", "a b"])
NAME_GLOB = st.text("ab*", min_size=1, max_size=3).filter(lambda text: "**" not in text)
VALUES = {
    Shape.ONE: NAME | HOSTILE,
    Shape.PAIR: st.builds("{}/{}".format, NAME | HOSTILE, NAME | HOSTILE),
    Shape.REST: st.lists(NAME | HOSTILE | st.just(""), min_size=1, max_size=4).map("/".join).filter(bool)
    | st.just("x/branches/a")
    | st.just("a:b"),
}
GLOBS = {
    Shape.ONE: NAME_GLOB,
    Shape.PAIR: st.builds("{}/{}".format, NAME_GLOB, NAME_GLOB) | st.just("*"),
    Shape.REST: st.lists(NAME_GLOB | st.just("**"), min_size=1, max_size=3).map("/".join),
}


@dataclass(frozen=True)
class Case:
    """A rule and a name of one type, part by part."""

    rule: str
    resource: str
    pairs: tuple[tuple[str, str], ...]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    declared = draw(st.sampled_from(TYPES))
    template = compile_template(declared.template)
    shapes = {part.text: part.shape for part in template.parts if part.shape is not Shape.LITERAL}
    values = {name: draw(VALUES[shape]) for name, shape in shapes.items()}
    if template.stop is not None:
        values = {name: value.replace(template.stop, "a") for name, value in values.items()}
    # Every second part names the very value, or hardly any case would match.
    globs = {
        name: values[name]
        if draw(st.booleans()) and values[name].replace("/", "").isalpha() and "//" not in values[name]
        else draw(GLOBS[shape])
        for name, shape in shapes.items()
    }
    if template.parts[-1].shape is Shape.PAIR and globs[template.parts[-1].text] == "*":
        globs[template.parts[-1].text] = "*/*"
    action = declared.actions[0].replace("*", "Thing")
    pairs = tuple((globs[name], values[name]) for name in template.variables)
    return Case(f"{action} on {template.render(globs)}", template.format(values), pairs)


def part_matches(glob: str, value: str) -> bool:
    """Tell, the slow and obvious way, whether a part's pattern covers its value."""
    if glob == "*":
        return True
    if not glob:
        return not value
    if glob.startswith("**"):
        return any(part_matches(glob[2:], value[end:]) for end in range(len(value) + 1))
    if glob[0] == "*":
        reach = next((place for place, char in enumerate(value) if char in "/:"), len(value))
        return any(part_matches(glob[1:], value[end:]) for end in range(reach + 1))
    return value.startswith(glob[0]) and part_matches(glob[1:], value[1:])


@settings(max_examples=1000, deadline=None)
@given(case=cases(), effect=st.sampled_from(Effect))
def test_matching_the_string_is_matching_the_parts(case: Case, effect: Effect) -> None:
    expected = all(part_matches(glob, value) for glob, value in case.pairs)
    patterns = parse_rule(case.rule, effect, CATALOGUE).resources
    assert any(compile_pattern(pattern).matches(case.resource) for pattern in patterns) is expected


@given(case=cases())
def test_no_effect_reads_a_rule_narrower_than_allow(case: Case) -> None:
    allowed = parse_rule(case.rule, Effect.ALLOW, CATALOGUE).resources
    if any(compile_pattern(pattern).matches(case.resource) for pattern in allowed):
        for effect in (Effect.DENY, Effect.REQUIRE_APPROVAL):
            patterns = parse_rule(case.rule, effect, CATALOGUE).resources
            assert any(compile_pattern(pattern).matches(case.resource) for pattern in patterns)


@pytest.mark.parametrize("declared", TYPES, ids=lambda each: each.name)
@given(data=st.data())
def test_a_name_parses_to_the_parts_it_was_made_of(declared: ResourceType, data: st.DataObject) -> None:
    template = compile_template(declared.template)
    values = {
        part.text: data.draw(VALUES[part.shape]).replace(template.stop or "\x00", "a")
        for part in template.parts
        if part.shape is not Shape.LITERAL
    }
    assert template.parse(template.format(values)) == values
