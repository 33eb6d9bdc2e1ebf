"""Fuzz target: whatever a policy file holds, the loader ends in a policy or findings, and `fmt` keeps the meaning.

.venv/bin/python tests/fuzz/policy_loader.py -max_total_time=60
"""

from __future__ import annotations

import sys
from dataclasses import replace

import atheris

with atheris.instrument_imports(include=["policies"]):
    from policies.engine import compile_policy
    from policies.errors import PolicyError
    from policies.language.fmt import format_policy
    from policies.language.loader import LoadedPolicy, load_policy, merge
    from policies.model import AccessRequest, Layer, Requirement, Rule, Span

FILE = "policies/fuzz.yaml"
MOMENT = 1_800_000_000 * 10**9


def meaning(rule: Rule) -> Rule:
    """Return a rule without its place and what is derived from it."""
    return replace(rule, id="", span=Span("", 1))


def one_input(data: bytes) -> None:
    """Load, decide, format, load again."""
    layer = (Layer.AGENT, Layer.GUARDRAIL, Layer.BOUNDARY)[len(data) % 3]
    loaded = _load(data, layer)
    if loaded is None:
        return
    try:
        compiled = compile_policy(merge([loaded], "", layer))
    except PolicyError:
        return
    for rule in loaded.rules[:3]:
        asked = tuple(Requirement("git:push", resource.replace("*", "x")) for resource in rule.resources[:2])
        compiled.decide(AccessRequest("", "p", asked, {"source_ip": "10.0.0.1"}, MOMENT))
    again = _load(format_policy(data, FILE), layer)
    if again is None or [meaning(rule) for rule in again.rules] != [meaning(rule) for rule in loaded.rules]:
        raise AssertionError("fmt changed the meaning")
    if format_policy(format_policy(data, FILE), FILE) != format_policy(data, FILE):
        raise AssertionError("fmt is not idempotent")


def _load(data: bytes, layer: Layer) -> LoadedPolicy | None:
    try:
        return load_policy(data, file=FILE, layer=layer)
    except PolicyError as error:
        if not getattr(error, "findings", ()):
            raise AssertionError("a fault without a finding") from error
        return None


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
