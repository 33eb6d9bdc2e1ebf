"""What a decision may look at beside the requirements: who asks, from where, how often, and the params. Pure.

The facts of an intent that waited for a person are those of the moment it was parked; time, uses and the owner of the
agent are looked at again. Params are facts while deciding and are never recorded.
"""

from __future__ import annotations

from typing import Final

from broker.config.model import Configuration
from broker.model import IntentDraft, JsonObject, Session
from policies.conditions.facts import flatten_params
from policies.model import Fact, KnownItems

PARAMS: Final = "params."
"""Prefix of the params, and of what the broker found out about an intent; the latter wins."""
LABEL: Final = "session."
"""Prefix of a session's labels; `session.id` and `session.owner` are the broker's own and win over a label."""


def facts_of(session: Session, draft: IntentDraft, rate_class: str) -> JsonObject:
    """Return the facts of the moment, as they are recorded: plain JSON, without params.

    Args:
        session: Who asks; its labels become ``session.LABEL``.
        draft: What is asked.
        rate_class: How often the session asked lately.
    """
    facts: JsonObject = {f"{LABEL}{name}": value for name, value in session.labels.items()}
    facts["session.id"] = session.id
    facts["session.owner"] = session.owner
    if rate_class:
        facts["rate_class"] = rate_class
    if draft.source_ip:
        facts["source_ip"] = draft.source_ip
    if draft.part_of:
        facts["part_of"] = draft.part_of
    return facts


def context_of(
    recorded: JsonObject, session: Session, draft: IntentDraft, configuration: Configuration
) -> dict[str, Fact]:
    """Return what conditions and variables may look at.

    Args:
        recorded: From `facts_of`, now or when the intent was parked.
        session: Who asks.
        draft: What is asked; its params are facts too, and so is what the broker found out about it, which counts where
            a param has the same name.
        configuration: The one in force; says who owns the agent.
    """
    context: dict[str, Fact] = {name: value for name, value in recorded.items() if isinstance(value, (str, int))}
    agent = configuration.agents.get(session.agent)
    if agent is not None and agent.owner:
        context["agent.owner"] = agent.owner
    context.update(flatten_params(draft.params))
    for name, fact in draft.evidence.get("facts", {}).items():
        context[f"{PARAMS}{name}"] = KnownItems(fact) if isinstance(fact, list) else fact
    return context
