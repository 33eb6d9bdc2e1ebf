"""Every rule that speaks to a recorded intent, also when the ledger does not hold all the facts the rule asks for.

The engine answers with one rule and takes a fact that is missing for a fact that was not there. Here each rule is asked
by itself, by the same engine, and a rule that may or may not have applied says which facts would tell.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from broker.studies.records import RecordedIntent
from policies.conditions.facts import AGENT_ID, PROJECT, TIME
from policies.engine import CompiledPolicy, compile_policy
from policies.errors import PolicyError
from policies.layers import LayeredPolicy
from policies.lookup.secrets import grants_secrets
from policies.model import AccessRequest, Condition, Effect, Layer, PolicySet, PolicyVersion, Requirement, Rule
from policies.patterns.pattern import UNKNOWN, Pattern, compile_pattern

RANK: Final = {Effect.ALLOW: 0, Effect.REQUIRE_APPROVAL: 1, Effect.DENY: 2}
"""The order of strictness."""

_VARIABLE: Final = re.compile(r"\$\{([^}=]+)(?:=[^}]*)?\}")
_WILD: Final = re.compile(r"\*|\$\{")
_ALWAYS_KNOWN: Final = frozenset({AGENT_ID, PROJECT, TIME})
"""What a record always holds: who asked, where, and when."""

_Speaker = tuple[int, Rule, tuple[str, ...]]
"""A rule about some action: its layer's place, the rule, and what the resources it speaks of begin with."""


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that speaks to a requirement.

    Args:
        depth: Which of the policy's layers it stands in, from 0.
        layer: The kind of that layer.
        rule: The rule.
        missing: Facts that are not on the ledger and on which it depends whether the rule applied; empty when it did.
    """

    depth: int
    layer: Layer
    rule: Rule
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a policy may say of a recorded intent.

    Args:
        effects: The possible answers; exactly one when the recorded facts suffice.
        missing: Facts that would tell which it is, sorted.
    """

    effects: frozenset[Effect]
    missing: tuple[str, ...] = ()


class Matcher:
    """Asks the rules of one agent's layers about recorded intents.

    Args:
        policy: The layers.
    """

    def __init__(self, policy: LayeredPolicy) -> None:
        self._policy = policy
        rules = [rule for layer in policy.layers for rule in layer.policy.rules]
        self._facts = frozenset(fact for rule in rules for fact in facts_of(rule))
        self._actions: dict[str, Pattern] = {}
        self._asked: dict[str, tuple[_Speaker, ...]] = {}
        self._alone: dict[tuple[int, tuple[str, ...]], CompiledPolicy] = {}

    def matches(self, record: RecordedIntent, requirement: Requirement) -> tuple[Match, ...]:
        """Return every rule that applied to a requirement, or may have, layer by layer."""
        unknown = frozenset(fact for fact in self._facts if not record.knows(fact))
        # Each rule is asked whether it speaks; which of them grant secrets is known without asking.
        request = replace(record.request((requirement,)), returns_secrets=False)
        found = []
        for depth, rule, heads in self._speaking(requirement.action):
            layer = self._policy.layers[depth].policy.layer
            if record.returns_secrets and layer is Layer.AGENT and _grants_no_secret(rule):
                continue
            if UNKNOWN not in requirement.resource and not requirement.resource.startswith(heads):
                continue  # most rules are about something else, which is told much cheaper than by asking them
            missing = tuple(sorted(unknown & facts_of(rule))) if unknown else ()
            if _applies(self._by_itself(rule, missing), request):
                found.append(Match(depth, layer, rule, missing))
        return tuple(found)

    def outlook(self, record: RecordedIntent) -> Outlook:
        """Return what the policy may say of an intent, with every limited rule unused."""
        layers = self._policy.layers
        known = all(record.knows(fact) for fact in self._facts)
        if known or all(layer.policy.layer is Layer.GUARDRAIL for layer in layers):
            return Outlook(frozenset({self._policy.decide(record.request()).effect}))
        effects, missing = frozenset({Effect.ALLOW}), set[str]()
        for requirement in record.requirements:
            matches = self.matches(record, requirement)
            for depth, layer in enumerate(layers):
                own = [match for match in matches if match.depth == depth]
                effects = _strictest(effects, _possible(own, layer.policy.layer))
                if record.returns_secrets and layer.policy.layer is Layer.AGENT:
                    granting = [match for match in own if grants_secrets(match.rule)]
                    effects = _strictest(effects, _possible(granting, Layer.AGENT))
            missing.update(fact for match in matches for fact in match.missing)
        return Outlook(effects, tuple(sorted(missing)) if len(effects) > 1 else ())

    def _speaking(self, action: str) -> tuple[_Speaker, ...]:
        """Return the rules about an action; policy is asked about few actions and many resources."""
        found = self._asked.get(action)
        if found is None:
            rules = ((depth, rule) for depth, layer in enumerate(self._policy.layers) for rule in layer.policy.rules)
            found = tuple((depth, rule, _heads(rule)) for depth, rule in rules if self._names(rule.actions, action))
            self._asked[action] = found
        return found

    def _names(self, patterns: Iterable[str], action: str) -> bool:
        for text in patterns:
            pattern = self._actions.get(text) or self._actions.setdefault(text, compile_pattern(text))
            if pattern.matches(action):
                return True
        return False

    def _by_itself(self, rule: Rule, missing: tuple[str, ...]) -> CompiledPolicy:
        """Return a policy of one rule, free of what depends on the missing facts."""
        key = (id(rule), missing)  # the layers keep every rule alive
        found = self._alone.get(key)
        if found is None:
            found = self._alone[key] = _alone(rule, frozenset(missing))
        return found


def facts_of(rule: Rule) -> frozenset[str]:
    """Return the facts a rule looks at that a record may lack."""
    texts = itertools.chain(rule.resources, *(each.operands for each in rule.conditions))
    variables = (name for text in texts if isinstance(text, str) for name in _VARIABLE.findall(text))
    return frozenset({*(each.key for each in rule.conditions), *variables}) - _ALWAYS_KNOWN


def _heads(rule: Rule) -> tuple[str, ...]:
    """Return for each resource of a rule the text before its first wildcard or variable."""
    return tuple(_WILD.split(text, maxsplit=1)[0] for text in rule.resources)


def _alone(rule: Rule, missing: frozenset[str]) -> CompiledPolicy:
    conditions = tuple(each for each in rule.conditions if not _facts_of_condition(each) & missing)
    try:
        return _compiled(replace(rule, conditions=conditions, resources=_opened(rule.resources, missing)))
    except PolicyError:  # the opened pattern breaks a limit: any resource may match then
        return _compiled(replace(rule, conditions=conditions, resources=("**",)))


def _compiled(rule: Rule) -> CompiledPolicy:
    return compile_policy(PolicySet("", (rule,), PolicyVersion("")))


def _facts_of_condition(condition: Condition) -> set[str]:
    texts = [each for each in condition.operands if isinstance(each, str)]
    return {condition.key, *(name for text in texts for name in _VARIABLE.findall(text))}


def _opened(resources: tuple[str, ...], missing: frozenset[str]) -> tuple[str, ...]:
    """Return patterns that cover what the given ones cover for any value of the missing facts."""
    return tuple(_VARIABLE.sub(lambda found: "**" if found[1] in missing else found[0], text) for text in resources)


def _applies(alone: CompiledPolicy, request: AccessRequest) -> bool:
    return any(reason.rule_id for reason in alone.decide(request).reasons)


def _grants_no_secret(rule: Rule) -> bool:
    """Tell whether a rule of an agent's own policy has nothing to say of requests that return secrets."""
    return rule.effect is Effect.ALLOW and not rule.returns_secrets


def _possible(matches: list[Match], layer: Layer) -> frozenset[Effect]:
    """Return what a layer may say, given the rules that speak and those that may."""
    sure = [match.rule.effect for match in matches if not match.missing]
    silent = Effect.ALLOW if layer is Layer.GUARDRAIL else Effect.DENY
    effects = {max(sure, key=RANK.__getitem__) if sure else silent}
    for match in matches:
        if match.missing:
            # Several that may apply say together what the strictest of them says, which is one of these.
            effects.add(max([*sure, match.rule.effect], key=RANK.__getitem__))
    return frozenset(effects)


def _strictest(one: frozenset[Effect], other: frozenset[Effect]) -> frozenset[Effect]:
    return frozenset(max(pair, key=RANK.__getitem__) for pair in itertools.product(one, other))
