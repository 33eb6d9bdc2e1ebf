"""Rules, policies and a catalogue for the tests of this folder, written as people speak of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from policies.conditions.operators import Op
from policies.layers import LayeredPolicy, compile_layers
from policies.model import (
    ApprovalTerms,
    Condition,
    Effect,
    Layer,
    PolicySet,
    PolicyVersion,
    ResourceType,
    Rule,
    Span,
)
from policies.resources.catalogue import Catalogue, build_catalogue

NIGHT = Condition("params.night", Op.IS, (True,))
OFFICE = Condition("params.office", Op.IS, (True,))
TERMS = ApprovalTerms("people", 60)
EFFECTS = {"allow": Effect.ALLOW, "ask": Effect.REQUIRE_APPROVAL, "deny": Effect.DENY}

GIT = {"repo": "acme/app", "branch": "topic"}
OBJECT = {"partition": "aws", "bucket": "reports", "key": "2026/sales.csv"}
TYPES = (
    ResourceType("git/repository", "repos/{repo=*/*}", ("git:read",), words={"repo": "acme/app"}),
    ResourceType("git/branch", "repos/{repo=*/*}/branches/{branch=**}", ("git:push",), words=GIT),
    ResourceType("s3/object", "arn:{partition}:s3:::{bucket}/{key=**}", ("s3:*Object",), words=OBJECT),
)


def catalogue() -> Catalogue:
    asked = ("git:read", "git:push", "s3:GetObject", "s3:PutObject")
    return build_catalogue(TYPES, {name: (name,) for name in asked})


def rule(text: str, *conditions: Condition, line: int = 1, file: str = "bot.yaml", **terms: object) -> Rule:
    """Read ``allow ACTION[,ACTION] on RESOURCE[,RESOURCE]``; the resources are taken by the letter."""
    effect, actions, _, resources = text.split(" ")
    made = Rule(
        f"L{line}",
        EFFECTS[effect],
        tuple(actions.split(",")),
        tuple(resources.split(",")),
        Span(file, line),
        TERMS if effect == "ask" else None,
        conditions=conditions,
    )
    return replace(made, **terms)  # type: ignore[arg-type]  # whatever field a test names


def rules(*texts: str | Rule, file: str = "bot.yaml") -> tuple[Rule, ...]:
    return tuple(
        rule(text, line=line, file=file)
        if isinstance(text, str)
        else replace(text, id=f"L{line}", span=Span(file, line))
        for line, text in enumerate(texts, 1)
    )


def policy(*texts: str | Rule, layer: Layer = Layer.AGENT, agent: str = "bot") -> PolicySet:
    file = "bot.yaml" if layer is Layer.AGENT else f"{layer}.yaml"
    return PolicySet(agent, rules(*texts, file=file), PolicyVersion("0" * 64), layer=layer)


def layered(*sets: PolicySet, agent: str = "bot") -> LayeredPolicy:
    return compile_layers(agent, sets)


def names(found: Iterable[object]) -> list[str]:
    return sorted(str(one) for one in found)
