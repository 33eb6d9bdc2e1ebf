"""What is odd about a rule because of another one: it adds nothing, it never grants, its gate can be walked around."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from policies.analysis.covers import CoverIndex
from policies.analysis.levels import LEVEL_OF
from policies.analysis.remarks import Code, Lint, remark
from policies.analysis.terms import ALWAYS, implied, terms_of
from policies.model import Effect, Layer, PolicySet, Rule

_LAYERS: Final = {Layer.GUARDRAIL: "a guardrail", Layer.BOUNDARY: "the project's boundary"}


class Neighbours:
    """The rules of one layer, ready to be held against each other and against rules of other layers.

    Args:
        policy: The layer.
    """

    __slots__ = ("_index", "_rules", "layer")

    def __init__(self, policy: PolicySet) -> None:
        self.layer = policy.layer
        self._rules = policy.rules
        self._index = CoverIndex(policy.rules)

    def lint(self) -> Iterator[Lint]:
        """Yield at most one remark for each rule that another one of this layer makes useless, and lost gates."""
        for number, rule in enumerate(self._rules):
            covering = [self._rules[other] for other in sorted(self._index.covering(rule)) if other != number]
            made_useless = next((other for other in covering if self._beats(other, rule)), None)
            if made_useless is not None:
                yield _useless(rule, made_useless)
            # A guardrail's question stays in doubt, so it has no gate to lose.
            if self.layer is not Layer.GUARDRAIL:
                yield from _lost_gates(rule, covering)

    def denial_of(self, rule: Rule) -> Rule | None:
        """Return a rule of this layer that denies whatever a rule of another layer grants."""
        denials = (self._rules[number] for number in sorted(self._index.covering(rule)))
        return next((one for one in denials if one.effect is Effect.DENY and terms_of(one, self.layer) == ALWAYS), None)

    def _beats(self, other: Rule, rule: Rule) -> bool:
        """Tell whether a covering rule leaves another one without effect."""
        if LEVEL_OF[other.effect] > LEVEL_OF[rule.effect] or not self._implied(other, rule):
            return False
        if other.effect is not rule.effect:
            return True
        if other.approval != rule.approval:
            # Both questions are asked, so each adds something.
            return False
        return _place(other) < _place(rule) or not self._same(rule, other)

    def _same(self, rule: Rule, other: Rule) -> bool:
        """Tell whether the covered rule covers the covering one back, on the same terms."""
        back = self._implied(rule, other)
        return back and any(self._rules[number] is rule for number in self._index.covering(other))

    def _implied(self, wide: Rule, narrow: Rule) -> bool:
        """Tell whether one rule speaks whenever another one does: by its conditions, and of secrets."""
        if narrow.returns_secrets and not wide.returns_secrets and wide.effect is not Effect.DENY:
            return False
        return implied(terms_of(wide, self.layer), terms_of(narrow, self.layer))


def under_other_layers(policy: PolicySet, others: Sequence[Neighbours]) -> Iterator[Lint]:
    """Yield a remark for each grant that a layer which only forbids or bounds denies as a whole."""
    for rule in policy.rules:
        if rule.effect is Effect.DENY:
            continue
        for other in others:
            denial = other.denial_of(rule)
            if denial is not None:
                where = _LAYERS.get(other.layer, "another layer")
                message = f"{_named(rule)} never grants: {where} denies all of it at {denial.span}"
                yield remark(Code.GUARDRAIL_DENIES, rule, message, "delete it")
                break


def _useless(rule: Rule, other: Rule) -> Lint:
    if other.effect is Effect.DENY and rule.effect is not Effect.DENY:
        message = f"{_named(rule)} never grants: {_named(other)} at {other.span} denies all of it"
        return remark(Code.ALLOW_UNDER_DENY, rule, message, "delete it, or make the deny narrower")
    stricter = " and is stricter" if other.effect is not rule.effect else ""
    return remark(
        Code.SHADOWED,
        rule,
        f"{_named(rule)} changes nothing: {_named(other)} at {other.span} covers it{stricter}",
        "delete it",
    )


def _lost_gates(rule: Rule, covering: Sequence[Rule]) -> Iterator[Lint]:
    """Yield a remark where an approval that has conditions stands beside an allow that holds without them."""
    for other in covering:
        for gate, allow in ((rule, other), (other, rule)):
            if gate.effect is not Effect.REQUIRE_APPROVAL or allow.effect is not Effect.ALLOW:
                continue
            if not implied(terms_of(gate), terms_of(allow)):
                message = (
                    f"{_named(gate)} asks only while its conditions hold; "
                    f"when they fail or a fact is missing, {_named(allow)} at {allow.span} allows"
                )
                yield remark(Code.GATE_LOST, gate, message, "put the condition on the allow, or ask without it")


def _place(rule: Rule) -> tuple[str, int, int, str]:
    return rule.span.file, rule.span.line, rule.span.column, rule.id


def _named(rule: Rule) -> str:
    return f"rule `{rule.id}`"
