"""Policies made to be slow, and the requests they are slow for.

Each trap is grown until the engine refuses it; what is measured is the worst that it still accepts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

from policies.engine import CompiledPolicy, compile_policy
from policies.lookup.bounds import BoundError
from policies.model import (
    AccessRequest,
    ApprovalTerms,
    Condition,
    Effect,
    PolicySet,
    PolicyVersion,
    Requirement,
    Rule,
    Span,
)
from policies.patterns.pattern import MAX_RESOURCE_CHARS, MAX_STARS, UNKNOWN

_LARGEST = 10_000


def worst_accepted() -> Iterator[tuple[str, int, CompiledPolicy, AccessRequest]]:
    """Yield each trap at about its greatest accepted size: name, rules, policy, worst request."""
    for name, (make, resource, project) in _TRAPS.items():
        size, best = _LARGEST, None
        while best is None and size >= 1:
            best = _compiled(make(size))
            size = size * 7 // 8
        if best is not None:
            request = AccessRequest("bench", project, (Requirement("a:B", resource),))
            yield name, len(best.policy.rules), best, request


def _compiled(rules: list[Rule]) -> CompiledPolicy | None:
    try:
        return compile_policy(PolicySet("bench", tuple(rules), PolicyVersion("")))
    except BoundError:
        return None


def _rule(number: int, resource: str, action: str = "a:B", effect: Effect = Effect.ALLOW) -> Rule:
    terms = ApprovalTerms(f"c{number}", 60) if effect is Effect.REQUIRE_APPROVAL else None
    return Rule(f"r{number}", effect, (action,), (resource,), Span("x.yaml", number + 1), terms)


def _branching(size: int) -> list[Rule]:
    """Every level is a literal or a star, so that each segment doubles the ways."""
    ways = (way for way in product(("a/", "*/"), repeat=13) if way.count("*/") <= MAX_STARS)
    return [_rule(number, f"{''.join(way)}end") for number, way in zip(range(size), ways, strict=False)]


def _globs(size: int) -> list[Rule]:
    """Many stars in one segment."""
    return [_rule(number, f"*a*ab*b*ba*{number:b}*c".replace("1", "a").replace("0", "b")) for number in range(size)]


def _long_globs(size: int) -> list[Rule]:
    half = "a" * 100
    return [_rule(number, f"*{half}b{half}{number}*c") for number in range(size)]


def _crossing(size: int) -> list[Rule]:
    return [_rule(number, f"**{'a' * 60}b{'a' * 60}**{number}") for number in range(min(size, 64))]


def _mixed(size: int) -> list[Rule]:
    return [_rule(number, f"**a*a/**a*ab*{number}") for number in range(min(size, 64))]


def _variables(size: int) -> list[Rule]:
    return [_rule(number, f"*${{project}}*a*ab*{number}") for number in range(min(size, 64))]


def _mixed_variables(size: int) -> list[Rule]:
    return [_rule(number, f"**${{project}}**a*a${{project}}*${{project}}*{number}") for number in range(min(size, 64))]


def _mixed_pieces(size: int) -> list[Rule]:
    """Each segment begins what does not go on."""
    return [_rule(number, f"**a*{'a/' * 40}b*a**{number}") for number in range(min(size, 64))]


def _beginnings(size: int) -> list[Rule]:
    """A star after every possible number of characters."""
    return [_rule(number, f"{'a' * (number % 200)}*{number}/end") for number in range(size)]


def _questions(size: int) -> list[Rule]:
    """Every rule matches, and every one asks somebody else."""
    return [_rule(number, "*", effect=Effect.REQUIRE_APPROVAL) for number in range(size)]


def _conditions(size: int) -> list[Rule]:
    """Every rule matches, and each looks at the request before it does not apply."""
    conditions = (Condition("project", "is", ("q",)),)
    return [
        Rule(f"r{n}", Effect.ALLOW, ("a:B",), ("*",), Span("x.yaml", n), conditions=conditions) for n in range(size)
    ]


def _actions(size: int) -> list[Rule]:
    """Many action patterns match one action, each with rules of its own."""
    return [
        _rule(number, f"*{number}/end", action=f"{first}:{last}")
        for number, (first, last) in zip(range(size), product(("a", "*"), ("B", "*", "B*", "*B", "*B*")), strict=False)
    ]


def _forbidden(size: int) -> list[Rule]:
    """Most could match what is not known, and each must be looked at to see that it does not."""
    return [
        _rule(-1, "**"),
        *(_rule(number, f"x/{number}/{'a' * 200}end", effect=Effect.DENY) for number in range(size)),
    ]


_LONG = MAX_RESOURCE_CHARS
_VALUE = f"{'a' * 63}b{'a' * 64}"
_TRAPS: dict[str, tuple[Callable[[int], list[Rule]], str, str]] = {
    "branches": (_branching, "a/" * 13 + "end", "p"),
    "globs": (_globs, "ab" * (_LONG // 2 - 1) + "c", "p"),
    "long globs": (_long_globs, "a" * (_LONG - 1) + "c", "p"),
    "crossing": (_crossing, "a" * _LONG, "p"),
    "mixed": (_mixed, "a/" * (_LONG // 2), "p"),
    "mixed, one segment": (_mixed, "a" * _LONG, "p"),
    "variables": (_variables, "p" + "ab" * (_LONG // 2 - 1), "p"),
    "long values": (_variables, "a" * _LONG, _VALUE),
    "mixed, variables": (_mixed_variables, "a" * _LONG, _VALUE),
    "mixed, many segments": (_mixed_pieces, "aa/" * (_LONG // 3), "p"),
    "beginnings": (_beginnings, "a" * 2000 + "/end", "p"),
    "questions": (_questions, "x", "p"),
    "conditions": (_conditions, "x", "p"),
    "actions": (_actions, "0/end", "p"),
    "unknown part": (_forbidden, f"x/{UNKNOWN}/other", "p"),
    "long unknown part": (_forbidden, f"x/{UNKNOWN}/{'a' * 1000}", "p"),
    "segments": (lambda size: [_rule(n, f"{'*/' * 7}{n}") for n in range(size)], "/" * _LONG, "p"),
}
