"""Rules that say less than another one and still all that was needed.

What is offered is read back by the language itself and compared with the rule it would replace, so it is never wider
than that rule. The comparison errs on the safe side: it may find nothing where something narrower could be written.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Final

from broker.studies.summary import sum_up
from policies.errors import PolicyError
from policies.language.rule_text import parse_rule
from policies.model import Effect, Requirement, Rule
from policies.patterns.pattern import compile_pattern
from policies.resources.catalogue import Catalogue

MAX_OFFERED: Final = 25
"""Rules in place of one; a longer list is no help to anybody."""

_ANYTHING: Final = "\uffff"
"""Stands for what a wildcard covers; no resource can hold this noncharacter, so only a wildcard covers it."""


def narrower_rules(needed: Iterable[Requirement], rule: Rule, catalogue: Catalogue) -> tuple[str, ...]:
    """Return rules that cover what was needed and surely less than a rule does; empty when there are none.

    Args:
        needed: What was asked under ``rule``.
        rule: The rule to replace.
        catalogue: Types of resources.
    """
    asked = set(needed)
    rules = sum_up(asked, catalogue)
    if not 1 <= len(rules) <= MAX_OFFERED:
        return ()
    try:
        parsed = [parse_rule(text, Effect.ALLOW, catalogue) for text in rules]
    except PolicyError:  # the sum of what can be written need not be something that can
        return ()
    if not all(_covered(each.actions, rule.actions) and _covered(each.resources, rule.resources) for each in parsed):
        return ()
    said = {pair for each in parsed for pair in itertools.product(each.actions, each.resources)}
    same = said == set(itertools.product(rule.actions, rule.resources))
    return rules if not same and _suffices(said, asked) else ()


def _suffices(said: set[tuple[str, str]], asked: Iterable[Requirement]) -> bool:
    """Tell whether rules cover everything asked."""
    compiled = [(compile_pattern(action), compile_pattern(resource)) for action, resource in said]
    return all(
        any(action.matches(each.action) and resource.matches(each.resource) for action, resource in compiled)
        for each in asked
    )


def _covered(narrow: Iterable[str], wide: tuple[str, ...]) -> bool:
    """Tell whether each pattern lies within one of ``wide``, whatever its wildcards stand for."""
    # A variable's value is not known here, and a `**` inside crosses separators where the stand-in does not.
    compiled = [compile_pattern(pattern) for pattern in wide if "${" not in pattern]
    return all(
        "${" not in pattern
        and "**" not in pattern[:-2]
        and any(each.matches(pattern.replace("**", _ANYTHING).replace("*", _ANYTHING)) for each in compiled)
        for pattern in narrow
    )
