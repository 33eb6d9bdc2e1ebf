"""What running policy tests found: one result per question, and which rules no question has touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from policies.document.nodes import Json
from policies.layers import LayeredPolicy
from policies.model import Effect, Layer, PolicyVersion, Rule, Span
from policies.suites.suite import EXPECTATIONS, Case

_WORDS: Final[Mapping[Effect, str]] = {effect: word for word, effect in EXPECTATIONS.items()}


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What one question was answered.

    Args:
        case: The question.
        resource: The resource in full; as written when there is a fault.
        found: The answer; None when the question could not be asked.
        rule: Id of the rule that decided; empty for a default denial and for a guardrail's silence.
        place: Place of that rule.
        layer: The layer that said so; None when the question could not be asked.
        text: Why, in one sentence.
        fault: Why the question could not be asked; empty when it was.
        decided: Places of the rules that gave each layer's own answer.
        matched: Places of all rules that apply to the question.
    """

    case: Case
    resource: str
    found: Effect | None = None
    rule: str = ""
    place: Span | None = None
    layer: Layer | None = None
    text: str = ""
    fault: str = ""
    decided: tuple[Span, ...] = ()
    matched: tuple[Span, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the answer is the expected one, given by the expected rule."""
        return self.found is self.case.effect and self.case.rule in (None, self.rule)

    def to_json(self) -> Json:
        """Return the result as plain data."""
        return {
            "name": self.case.name,
            "place": str(self.case.span),
            "agent": self.case.agent,
            "action": self.case.action,
            "resource": self.resource,
            "expected": _WORDS[self.case.effect],
            "found": _WORDS[self.found] if self.found else None,
            "expected_rule": self.case.rule,
            "rule": self.rule,
            "rule_place": str(self.place) if self.place else None,
            "layer": self.layer.value if self.layer else None,
            "reason": self.text,
            "fault": self.fault,
            "passed": self.passed,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The results of one test file, in the order of its questions."""

    file: str
    cases: tuple[CaseResult, ...]

    @property
    def failures(self) -> tuple[CaseResult, ...]:
        """The results that are not the expected ones."""
        return tuple(result for result in self.cases if not result.passed)

    def to_json(self) -> Json:
        """Return the report as plain data."""
        return {
            "file": self.file,
            "passed": len(self.cases) - len(self.failures),
            "failed": len(self.failures),
            "cases": [result.to_json() for result in self.cases],
        }


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """How many questions touched one rule.

    Args:
        rule: The rule.
        layer: Where it stands.
        decided: Questions it gave its layer's answer to.
        matched: Questions it applies to, the ones it decided among them.
    """

    rule: Rule
    layer: Layer
    decided: int
    matched: int

    @property
    def tested(self) -> bool:
        """Whether any question touched the rule."""
        return self.matched > 0

    def to_json(self) -> Json:
        """Return the figures as plain data."""
        return {
            "rule": self.rule.id,
            "place": str(self.rule.span),
            "text": self.rule.text,
            "layer": self.layer.value,
            "decided": self.decided,
            "matched": self.matched,
        }


def coverage(reports: Iterable[Report], policies: Mapping[str, LayeredPolicy]) -> tuple[RuleCoverage, ...]:
    """Return for every rule, in the order of places, how many questions of all test files touched it.

    Args:
        reports: From `run_suite`, all against the same policies.
        policies: What decides, by agent; a rule that speaks of several agents is one rule.
    """
    decided: Counter[Span] = Counter()
    matched: Counter[Span] = Counter()
    for result in (result for report in reports for result in report.cases):
        decided.update(result.decided)
        matched.update(result.matched)
    rules = {rule.span: (rule, layer) for rule, layer in _rules(policies.values())}
    places = sorted(rules, key=lambda span: (span.file, span.line, span.column))
    return tuple(RuleCoverage(*rules[span], decided[span], matched[span]) for span in places)


def _rules(policies: Iterable[LayeredPolicy]) -> Iterator[tuple[Rule, Layer]]:
    seen: set[PolicyVersion] = set()
    for layer in (layer for each in policies for layer in each.layers):
        # Guardrails are one set for many agents.
        if layer.policy.version not in seen:
            seen.add(layer.policy.version)
            yield from ((rule, layer.policy.layer) for rule in layer.policy.rules)
