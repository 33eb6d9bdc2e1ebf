"""Least privilege from the ledger: what an agent's policy would say if it allowed no more than was asked for.

Only plain allow rules are narrowed or left out; a rule that asks, denies, or allows under conditions stays as written.
A suggestion is read back by the language and decided against what was recorded: whatever today's policy grants of that,
the suggestion grants, and nothing else. One that fails this is not made. Nothing is ever applied.
"""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from broker.model import JsonObject
from broker.studies.matches import Matcher
from broker.studies.narrower import narrower_rules
from broker.studies.records import RecordedIntent
from broker.studies.rewriting import fresh_file, list_items, rewrite
from policies.answers.fixes import literal_rule
from policies.engine import CompiledPolicy, compile_policy
from policies.errors import PolicyError
from policies.language.loader import load_policy
from policies.layers import LayeredPolicy, compile_layers
from policies.model import Effect, Layer, PolicySet, PolicyVersion, Requirement, Rule
from policies.resources.catalogue import UNCHECKED, Catalogue

MAX_KEPT: Final = 5_000
"""Different requirements that are remembered of one agent; with more, its policy is left as it is."""

POLICY_FOLDER: Final = "policies"


@dataclass(frozen=True, slots=True)
class Kept:
    """A plain allow rule that stays as it is, and why."""

    rule: Rule
    why: str

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        span = self.rule.span
        return {"rule": self.rule.id, "file": span.file, "line": span.line, "text": self.rule.text, "why": self.why}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A narrower policy of one agent.

    Args:
        agent: Whose.
        file: Name of its policy file.
        before: The file's text; empty when there is none.
        after: The suggested text; equal to ``before`` when there is nothing to suggest.
        observed: Different requirements it rests on.
        kept: Plain allow rules that could not be narrowed.
        inexpressible: Requirements no literal rule can name.
        notes: What people should know.
    """

    agent: str
    file: str
    before: str
    after: str
    observed: int
    kept: tuple[Kept, ...] = ()
    inexpressible: tuple[Requirement, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def diff(self) -> str:
        """The suggestion as a unified diff; empty when there is nothing to change."""
        old, new = self.before.splitlines(keepends=True), self.after.splitlines(keepends=True)
        source = f"a/{self.file}" if self.before else "/dev/null"
        lines = difflib.unified_diff(old, new, source, f"b/{self.file}")
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        return {
            "agent": self.agent,
            "file": self.file,
            "diff": self.diff,
            "observed": self.observed,
            "kept": [each.to_json() for each in self.kept],
            "inexpressible": [{"action": each.action, "resource": each.resource} for each in self.inexpressible],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class SuggestReport:
    """The suggestions, by agent."""

    intents: int
    suggestions: tuple[Suggestion, ...]

    def to_json(self) -> JsonObject:
        """Return the report as JSON."""
        return {"intents": self.intents, "suggestions": [each.to_json() for each in self.suggestions]}


async def suggest(
    records: AsyncIterable[RecordedIntent],
    policies: Mapping[str, LayeredPolicy],
    files: Mapping[str, bytes],
    catalogue: Catalogue = UNCHECKED,
    agents: Collection[str] = (),
) -> SuggestReport:
    """Suggest a narrower policy for each agent.

    Args:
        records: As `recorded` yields them.
        policies: All layers of every agent, as in force.
        files: Bytes of the configuration's files by name.
        catalogue: Actions and types of resources.
        agents: Whom to look at; empty for everybody.

    Raises:
        StoreUnavailableError, UnreadableEventError: as `recorded`.
    """
    chosen = {name: policy for name, policy in policies.items() if not agents or name in agents}
    observations = {name: _Observed(policy) for name, policy in chosen.items()}
    intents = 0
    async for record in records:
        if record.agent in observations:
            intents += 1
            observations[record.agent].look(record)
    made = (_suggestion(name, observations[name], files, catalogue) for name in sorted(observations))
    return SuggestReport(intents, tuple(made))


class _Observed:
    """What one agent asked for, and which of its plain allow rules answered."""

    def __init__(self, policy: LayeredPolicy) -> None:
        self.policy = policy
        self.own = next((each for each in policy.layers if each.policy.layer is Layer.AGENT), None)
        self.rules = self.own.policy.rules if self.own else ()
        self.plain = {rule.id: rule for rule in self.rules if _is_plain(rule)}
        self.needed: dict[str, set[Requirement]] = {}
        self.samples: dict[Requirement, RecordedIntent] = {}
        self._matcher = Matcher(policy)
        self._plainly = compile_policy(PolicySet("", tuple(self.plain.values()), PolicyVersion("")))

    @property
    def full(self) -> bool:
        """Whether more was asked for than is remembered."""
        return len(self.samples) > MAX_KEPT

    def look(self, record: RecordedIntent) -> None:
        """Remember what an intent needed, unless today's policy surely denies it."""
        denied = self._matcher.outlook(record).effects == {Effect.DENY}
        for requirement in record.requirements:
            if not self.full:
                self.samples.setdefault(requirement, record)
            if denied or self.full or self._asks(record, requirement):
                continue
            answer = self._plainly.decide(record.request((requirement,)))
            granting = [reason.rule_id for reason in answer.reasons if reason.rule_id]
            if granting:
                self.needed.setdefault(granting[0], set()).add(requirement)

    def _asks(self, record: RecordedIntent, requirement: Requirement) -> bool:
        # What a rule asks about is granted by that rule, which stays.
        answer = self.own.decide(record.request((requirement,))) if self.own else None
        return answer is not None and answer.effect is Effect.REQUIRE_APPROVAL


def _is_plain(rule: Rule) -> bool:
    optional = rule.conditions or rule.until_ns or rule.max_uses or rule.returns_secrets
    return rule.effect is Effect.ALLOW and not optional


@dataclass(slots=True)
class _Draft:
    """A suggestion in the making: for each plain rule the rules that take its place."""

    instead: dict[str, tuple[str, ...]] = field(default_factory=dict)
    kept: list[Kept] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _suggestion(agent: str, observed: _Observed, files: Mapping[str, bytes], catalogue: Catalogue) -> Suggestion:
    file = f"{POLICY_FOLDER}/{agent}.yaml"
    before = files[file].decode() if file in files else ""
    draft = _narrowed(observed, catalogue)
    after = before
    if observed.full:
        draft.notes.append(f"more than {MAX_KEPT} different requirements were recorded; look at a shorter time")
    elif before and not _is_own(agent, _read(agent, file, before, (), catalogue)):
        draft.notes.append(f"{file} is not the policy of this agent alone")
    elif observed.samples:
        after = _rewritten(agent, file, before, observed, draft)
        if after != before and not _holds(agent, file, after, observed, catalogue):
            after = before
            draft.notes.append("nothing is suggested: no narrower text was found that answers all that was recorded")
    else:
        draft.notes.append("nothing was recorded")
    unnamed = (each for needed in observed.needed.values() for each in needed if not literal_rule(each, catalogue))
    return Suggestion(
        agent,
        file,
        before,
        after,
        len(observed.samples),
        tuple(draft.kept),
        tuple(sorted(unnamed)),
        tuple(draft.notes),
    )


def _read(
    agent: str, file: str, text: str, others: Collection[Rule], catalogue: Catalogue
) -> tuple[tuple[str, ...], CompiledPolicy] | None:
    """Return for whom a policy file is, and it together with other rules as a layer; None when it is no policy."""
    try:
        loaded = load_policy(text.encode(), file=file, catalogue=catalogue)
        own = compile_policy(PolicySet(agent, (*others, *loaded.rules), PolicyVersion(""), Layer.AGENT))
    except PolicyError:
        return None
    return loaded.agents, own


def _is_own(agent: str, read: tuple[tuple[str, ...], CompiledPolicy] | None) -> bool:
    """Tell whether a file is the policy of this agent alone."""
    return read is not None and read[0] == (agent,)


def _narrowed(observed: _Observed, catalogue: Catalogue) -> _Draft:
    draft = _Draft()
    for rule_id, rule in observed.plain.items():
        needed = observed.needed.get(rule_id, set())
        narrower = narrower_rules(needed, rule, catalogue) if needed else ()
        draft.instead[rule_id] = narrower or ((rule.text,) if needed else ())
        if needed and not narrower:
            named = all(literal_rule(each, catalogue) for each in needed)
            why = "nothing narrower covers what was asked" if named else "it answers for a resource no rule can name"
            draft.kept.append(Kept(rule, why))
    return draft


def _rewritten(agent: str, file: str, before: str, observed: _Observed, draft: _Draft) -> str:
    """Return the suggested text of the agent's own file."""
    shared = sorted({rule.span.file for rule in observed.plain.values()} - {file})
    if shared:
        draft.notes.append(f"rules for several agents stay as they are in: {', '.join(shared)}")
    if not before:
        fresh = sorted({text for texts in draft.instead.values() for text in texts})
        return fresh_file(agent, fresh) if fresh else ""
    listing = list_items(before, [rule for rule in observed.rules if rule.span.file == file])
    if listing is None:
        draft.notes.append(
            f"the rules of {file} do not stand on lines of their own; `ostiary policy fmt` puts them there"
        )
        return before
    replaced = {}
    for item in listing.items:
        if item.rules and all(rule.id in draft.instead for rule in item.rules):
            texts = tuple(dict.fromkeys(text for rule in item.rules for text in draft.instead[rule.id]))
            if texts != tuple(rule.text for rule in item.rules):
                replaced[item] = texts
    return rewrite(listing, replaced) if replaced else before


def _holds(agent: str, file: str, after: str, observed: _Observed, catalogue: Catalogue) -> bool:
    """Tell whether a suggested file gives every recorded requirement the answer it has today."""
    others = [rule for rule in observed.rules if rule.span.file != file]
    read = _read(agent, file, after, others, catalogue)
    if read is None:
        return False
    suggested = compile_layers(agent, tuple(_swapped(each, read[1]) for each in observed.policy.layers))
    requests = (record.request((requirement,)) for requirement, record in observed.samples.items())
    return all(observed.policy.decide(each).effect is suggested.decide(each).effect for each in requests)


def _swapped(layer: CompiledPolicy, own: CompiledPolicy) -> CompiledPolicy:
    return own if layer.policy.layer is Layer.AGENT else layer
