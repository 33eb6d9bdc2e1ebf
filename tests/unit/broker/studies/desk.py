"""What the tests of the studies share: a catalogue of made-up services, policies from text, and records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from types import MappingProxyType

from broker.ids import IntentId, SessionId
from broker.studies.records import RecordedIntent
from policies.engine import compile_policy
from policies.language.loader import load_policy, merge
from policies.layers import LayeredPolicy, compile_layers
from policies.model import Effect, Fact, Layer, Requirement, ResourceType
from policies.resources.catalogue import build_catalogue

AT_NS = 1_800_000_000_000_000_000

CATALOGUE = build_catalogue(
    (
        ResourceType("desk/sheet", "sheets/{room}/{path=**}", ("desk:Read", "desk:Write")),
        ResourceType("git/branch", "repos/{repo=*/*}/branches/{branch=**}", ("git:push",)),
    ),
    {name: (name,) for name in ("desk:Read", "desk:Write", "git:push")},
)


def layered(agent: str, text: str, *, guardrails: str = "", boundary: str = "") -> LayeredPolicy:
    """All layers of an agent, each from the items of its `policies:` list."""
    given = (
        (guardrails, Layer.GUARDRAIL, "policies/guardrails/all.yaml", ""),
        (boundary, Layer.BOUNDARY, "policies/projects/desk.yaml", ""),
        (text, Layer.AGENT, f"policies/{agent}.yaml", agent),
    )
    sets = (
        merge([load_policy(whole(items).encode(), file=file, layer=layer, catalogue=CATALOGUE)], owner, layer)
        for items, layer, file, owner in given
        if items
    )
    return compile_layers(agent, tuple(compile_policy(each) for each in sets))


def whole(items: str) -> str:
    """A policy file with these lines as its list."""
    return "policies:\n" + items


def record(
    *needs: str,
    agent: str = "ci",
    effect: Effect = Effect.ALLOW,
    context: Mapping[str, Fact] | None = None,
    session: str = "ses_1",
    number: int = 1,
    out_of_scope: bool = False,
    returns_secrets: bool = False,
) -> RecordedIntent:
    """A recorded intent that needed `action on resource`, one or several; without a context none was recorded."""
    requirements = tuple(Requirement(*need.split(" on ")) for need in needs)
    return RecordedIntent(
        IntentId(f"int_{number}"),
        SessionId(session),
        agent,
        "desk",
        AT_NS + number,
        requirements[0].action if requirements else "desk:Read",
        requirements,
        effect,
        context=MappingProxyType(dict(context or {})),
        complete=context is not None,
        out_of_scope=out_of_scope,
        returns_secrets=returns_secrets,
    )


async def stream(records: Iterable[RecordedIntent]) -> AsyncIterator[RecordedIntent]:
    """Records as the ledger yields them."""
    for each in records:
        yield each
