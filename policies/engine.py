"""The decision: pure, total, independent of the order of rules.

For each requirement the strictest matching rule wins: DENY over REQUIRE_APPROVAL over ALLOW; no matching rule is a
denial. A request has the strictest effect of its requirements. Anything odd (no requirement, an action that is no
canonical name, a resource with control characters, a foreign agent, a fault of this code) denies and says so in
``errors``.

Where several layers speak (`policies.layers`), each is asked by itself and the strictest answer counts. A guardrail
that is silent objects to nothing, silence of any other layer is a denial, and without any other layer nothing is
granted. What one layer says is in `policies.lookup.rulebook`.

A request that returns secrets is asked of one more layer: the rules of the agent's own policy that say
``returns_secrets: true``. Every other rule is asked as ever, so none of its questions and denials is lost by that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from policies.errors import PolicyError, quote
from policies.language.actions import is_canonical
from policies.lookup.entries import RANK, SILENCE, Entry
from policies.lookup.rulebook import RuleBook
from policies.lookup.secrets import SecretsBook
from policies.lookup.trie import split
from policies.model import (
    AccessRequest,
    ApprovalTerms,
    Decision,
    Effect,
    Layer,
    PolicySet,
    PolicyVersion,
    Reason,
    Requirement,
    UseLimit,
)
from policies.patterns.pattern import MAX_RESOURCE_CHARS, UNKNOWN

MAX_REQUIREMENTS: Final = 4096
"""Requirements of one request; S3 deletes at most 1000 objects at once."""

_NOT_IN_A_RESOURCE: Final = re.compile("[\x01-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_FORBIDDEN: Final = RANK[Effect.DENY]
_SHOWN_CHARS: Final = 96
"""Longest resource that `quote` does not clip."""


class CompiledPolicy(RuleBook):
    """A policy set with its index; immutable, so one can serve every thread and be swapped whole.

    ``secrets`` are its rules that grant what returns secrets; None in every layer but the agent's own.

    Args:
        policy: What to compile. One without an agent decides for any agent.

    Raises:
        PatternError: a pattern of the set breaks a limit; sets made by the loader never do.
        ConditionError: a condition cannot be used; sets made by the loader have none of these.
        BoundError: a decision could take too long.
    """

    __slots__ = ("secrets",)

    def __init__(self, policy: PolicySet) -> None:
        super().__init__(policy)
        self.secrets = SecretsBook(self) if policy.layer is Layer.AGENT else None

    def decide(self, request: AccessRequest) -> Decision:
        """Decide a request by this layer alone; never raises."""
        return decide_layers((self,), self.policy.agent, self.policy.version, request)


def compile_policy(policy: PolicySet) -> CompiledPolicy:
    """Build the index of a policy set once, for any number of decisions.

    Raises:
        PatternError: a pattern of the set breaks a limit; sets made by the loader never do.
        ConditionError: a condition cannot be used; sets made by the loader have none of these.
        BoundError: a decision could take too long.
    """
    return CompiledPolicy(policy)


def decide(policy: PolicySet, request: AccessRequest) -> Decision:
    """Decide one request on a set that is not compiled; compiles it each time, never raises."""
    try:
        return CompiledPolicy(policy).decide(request)
    except PolicyError as error:
        return _refusal(policy.version, f"the policy cannot be used: {error}")


def decide_layers(
    layers: Sequence[CompiledPolicy], agent: str, version: PolicyVersion, request: AccessRequest
) -> Decision:
    """Decide a request by several layers, each by itself, the strictest answer counting; never raises.

    Args:
        layers: All that speak; only guardrails, or none, grant nothing.
        agent: Whose requests they decide; empty for anybody's.
        version: Stands in the decision.
        request: What is asked.
    """
    try:
        fault = _fault(layers, agent, request)
        if fault:
            return _refusal(version, fault)
        return _decision(layers, version, request)
    except Exception as error:  # noqa: BLE001 - whatever breaks here must end in a denial, not in an answer to guess
        return _refusal(version, f"the policy engine failed: {type(error).__name__}")


_Obligations = list[tuple[Entry, tuple[ApprovalTerms, ...]]]
"""Rules that decided and bring something to do with them: whom they ask, a use to count."""


def _decision(layers: Sequence[CompiledPolicy], version: PolicyVersion, request: AccessRequest) -> Decision:
    obligations: _Obligations = []
    asked = _with_secrets(layers) if request.returns_secrets else layers
    reasons = tuple([_reason(asked, requirement, request, obligations) for requirement in request.requirements])
    effect = reasons[0].effect
    for reason in reasons[1:]:
        effect = max(effect, reason.effect, key=RANK.__getitem__)
    if effect is Effect.DENY or not obligations:
        return Decision(effect, reasons, (), version)
    questions: dict[ApprovalTerms, None] = {}
    uses: dict[str, UseLimit] = {}
    for entry, terms in obligations:
        questions.update(dict.fromkeys(terms))
        use = entry.use(request)
        if use is not None:
            uses[use.key] = use
    return Decision(effect, reasons, tuple(questions), version, (), tuple(uses.values()))


def _with_secrets(layers: Sequence[CompiledPolicy]) -> list[RuleBook]:
    """Return all that is asked of a request that returns secrets; what grants it comes last, and of equals counts."""
    return [*layers, *(layer.secrets for layer in layers if layer.secrets is not None)]


def _reason(
    layers: Sequence[RuleBook], requirement: Requirement, request: AccessRequest, obligations: _Obligations
) -> Reason:
    """Ask every layer and return what the strictest says; of equals the agent's own, else the first."""
    segments = split(requirement.resource)
    speaker: RuleBook | None = None
    ruling: Entry | None = None
    highest, granting = -1, False
    for layer in layers:
        entry, terms = layer.weigh(requirement, segments, request)
        if not layer.guards:
            granting = True
        elif entry is None:
            continue
        rank = SILENCE if entry is None else entry.rank
        if rank > highest or (rank == highest and layer.policy.layer is Layer.AGENT):
            highest, speaker, ruling = rank, layer, entry
        if entry is not None and (terms or entry.key):
            obligations.append((entry, terms))
    if speaker is not None and ruling is not None and (granting or highest == _FORBIDDEN):
        return _by_rule(ruling, requirement, speaker)
    return _by_default(requirement, request, speaker)


def _by_rule(entry: Entry, requirement: Requirement, layer: RuleBook) -> Reason:
    text = f"{entry.opening} `{requirement.action}` on {_shown(requirement.resource)}"
    return Reason(requirement, entry.effect, entry.rule_id, entry.span, text, layer.policy.layer)


def _by_default(requirement: Requirement, request: AccessRequest, layer: RuleBook | None) -> Reason:
    text = f"no rule allows `{requirement.action}` on {_shown(requirement.resource)}"
    if layer is None or layer.guards:
        return Reason(requirement, Effect.DENY, "", None, text)
    if layer.gives:
        text += " to return secrets"
    nearest = layer.nearest(requirement, request)
    if nearest:
        text += f"; nearest: {nearest}"
    return Reason(requirement, Effect.DENY, "", None, text, layer.policy.layer, layer.gives)


def _fault(layers: Sequence[RuleBook], agent: str, request: AccessRequest) -> str:
    if agent and request.agent != agent:
        return f"this is the policy of {quote(agent)}, asked about {quote(request.agent)}"
    if not request.requirements:
        return "the request names no requirement"
    if len(request.requirements) > MAX_REQUIREMENTS:
        return f"the request has more than {MAX_REQUIREMENTS} requirements"
    for requirement in request.requirements:
        action, resource = requirement.action, requirement.resource
        if not (layers and layers[0].knows(action)) and not is_canonical(action):
            return f"not a canonical action: {quote(action)}"
        if not 1 <= len(resource) <= MAX_RESOURCE_CHARS:
            return f"a resource has 1 to {MAX_RESOURCE_CHARS} characters, found {len(resource)}"
        if not resource.isprintable() and _NOT_IN_A_RESOURCE.search(resource) is not None:
            return f"a control character in {quote(resource)}"
    return ""


def _shown(resource: str) -> str:
    # The sign of an unknown part does not print.
    if len(resource) <= _SHOWN_CHARS and resource.isprintable():
        return f"`{resource}`"
    return quote(resource.replace(UNKNOWN, "(unknown)"))


def _refusal(version: PolicyVersion, error: str) -> Decision:
    return Decision(Effect.DENY, (), (), version, (error,))
