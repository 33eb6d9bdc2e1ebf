"""Fuzz target: the compiled matcher and the index say what a slow, obvious reading of the pattern says.

.venv/bin/python tests/fuzz/policy_matcher.py -max_total_time=60
"""

from __future__ import annotations

import sys
from functools import cache

import atheris

with atheris.instrument_imports(include=["policies"]):
    from policies.engine import compile_policy
    from policies.errors import PolicyError
    from policies.model import AccessRequest, Effect, PolicySet, PolicyVersion, Requirement, Rule, Span
    from policies.patterns.pattern import compile_pattern

ALPHABET = "ab/:*-."


def obviously(pattern: str, text: str) -> bool:
    """Match by the definition: inner ``*`` one segment, final ``*`` the rest, ``**`` anything."""

    @cache
    def match(at: int, place: int) -> bool:
        if at == len(pattern):
            return place == len(text)
        if pattern[at] != "*":
            return place < len(text) and text[place] == pattern[at] and match(at + 1, place + 1)
        run = 2 if pattern.startswith("**", at) else 1
        crosses = run > 1 or at + run == len(pattern)
        more = place < len(text) and (crosses or text[place] not in "/:") and match(at, place + 1)
        return more or match(at + run, place)

    return match(0, 0)


def one_input(data: bytes) -> None:
    """Split the input in a pattern and a text over a small alphabet and compare."""
    letters = "".join(ALPHABET[byte % len(ALPHABET)] for byte in data[:120])
    pattern, text = letters[: len(letters) // 3], letters[len(letters) // 3 :]
    try:
        found = bool(compile_pattern(pattern).matches(text))
    except PolicyError:
        return
    expected = obviously(pattern, text)
    if found != expected:
        raise AssertionError(f"{pattern!r} on {text!r}: {found}")
    if not text:
        return
    rule = Rule("r", Effect.ALLOW, ("git:read",), (pattern,), Span("f", 1))
    policy = compile_policy(PolicySet("a", (rule,), PolicyVersion("")))
    decided = policy.decide(AccessRequest("a", "p", (Requirement("git:read", text),)))
    if (decided.effect is Effect.ALLOW) != expected:
        raise AssertionError(f"the index differs: {pattern!r} on {text!r}")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
