"""Witnesses for people: requirements as a connector would make them, with words where anything goes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from policies.analysis.action_classes import classes_of
from policies.analysis.comparison import Comparison, Found
from policies.analysis.languages import Tokens, Wild, read, word_of
from policies.analysis.walk import meet
from policies.model import Requirement, ResourceType, Rule
from policies.patterns.pattern import compile_pattern
from policies.resources.catalogue import Catalogue
from policies.resources.templates import SEPARATOR, Shape, compile_template

_BUDGET: Final = 5_000
"""Steps spent on finding a nicer witness than the one that is there."""

_WORD: Final = "example"
_STARS: Final = re.compile(r"\*+")
_OPEN_END: Final = re.compile(r"[^A-Za-z0-9]\Z")
_ANY_SEGMENTS: Final = re.compile(r"[^/:](?:[/:][^/:])*")
"""A value of one-letter segments: the search made it up."""

_SHAPES: Final[dict[Shape, Tokens]] = {
    Shape.ONE: (Wild.ONE, Wild.SEGMENT),
    Shape.PAIR: (Wild.ONE, Wild.SEGMENT, "/", Wild.ONE, Wild.SEGMENT),
    Shape.REST: (Wild.ONE, Wild.REST),
}


def shapes_of(types: Iterable[ResourceType]) -> tuple[Tokens, ...]:
    """Return the names of each type as a pattern in letters."""
    return tuple(_shape(declared.template) for declared in types)


def in_words(comparison: Comparison, lead: Rule, found: Found, catalogue: Catalogue) -> Found:
    """Return a finding whose resource a connector could name, with readable words; else the finding as it is.

    Args:
        comparison: Must confirm the new witness.
        lead: The rule in whose language it lies.
        found: What the search found.
        catalogue: Knows types and words.
    """
    asked = found.requirement
    narrow = replace(lead, actions=(asked.action,))
    shapes = shapes_of(catalogue.types_for(asked.action))
    typed = comparison.search(narrow, (found.change,), shapes=shapes, budget=_BUDGET).found if shapes else {}
    best = typed.get(found.change, found)

    def confirms(resource: str) -> bool:
        return comparison.confirms(replace(best, requirement=replace(asked, resource=resource)))

    resource = _filled(asked.action, best.requirement.resource, lead.resources, catalogue, confirms)
    return replace(best, requirement=replace(asked, resource=resource))


def example_of(rule: Rule, catalogue: Catalogue) -> Requirement:
    """Return a requirement that a rule speaks of; it may hold the name of a variable where a value would stand."""
    action = next((same.action for same in classes_of(rule.actions, (), catalogue.actions)), rule.actions[0])
    shapes = shapes_of(catalogue.types_for(action))
    for resource in rule.resources:
        lead = read(resource) or ()
        word = next((word for shape in shapes if (word := meet(lead, shape)) is not None), None)
        if word is not None:
            matches = compile_pattern(resource).matches
            return Requirement(action, _filled(action, word_of(word), (), catalogue, matches))
    return Requirement(action, _STARS.sub(_WORD, rule.resources[0]))


def _filled(
    action: str, resource: str, patterns: Sequence[str], catalogue: Catalogue, accepts: Callable[[str], bool]
) -> str:
    """Return the resource with each made-up part replaced by a word, as far as that is accepted."""
    known = catalogue.type_of(action, resource)
    if known is None:
        written = (_STARS.sub(_WORD, pattern) for pattern in patterns)
        return next((text for text in written if accepts(text)), resource)
    declared, values = known[0], dict(known[1])
    template = compile_template(declared.template)
    for name in template.variables:
        for value in _better(values[name], declared.words.get(name, "")):
            text = template.render({**values, name: value})
            if accepts(text):
                values[name], resource = value, text
                break
    return resource


def _better(value: str, word: str) -> Iterator[str]:
    """Yield what could stand for a value, best first."""
    if word and _ANY_SEGMENTS.fullmatch(value):
        yield word
    ours, theirs = SEPARATOR.split(value), SEPARATOR.split(word)
    if len(ours) == len(theirs):
        yield "".join(new if len(old) == 1 and old.isalnum() else old for old, new in zip(ours, theirs, strict=True))
    if _OPEN_END.search(value):
        # The end of `feature/*` or `prod-*`, where the star took nothing.
        yield value + (theirs[-1] or _WORD)


def _shape(template: str) -> Tokens:
    tokens: list[str | Wild] = []
    for part in compile_template(template).parts:
        tokens.extend(part.before)
        tokens.extend(_SHAPES.get(part.shape, tuple(part.text)))
    return tuple(tokens)
