"""Bytes of one policy file to a `PolicySet`: everything that could be read in two ways is an error with its place.

    version: 1
    agent: ci-runner
    policies:
      - git:read on repos/*
      - deny git:push on repos/*/branches/main
      - allow: ecs:UpdateService on arn:aws:ecs:*:*:service/prod-*
        requires_approval: true

A rule that was meant to ask a human must never load as one that does not: an option outside its rule, a quoted boolean,
an ``approval_*`` without ``requires_approval``, a rule with more words than it should have are all refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from policies.actions import NO_OPERATIONS
from policies.digest import policy_version
from policies.errors import Finding, LoadError, RuleTextError, YamlError, quote
from policies.model import ApprovalTerms, Effect, PolicySet, Rule, Span
from policies.nodes import Fields, Node, Reader, describe
from policies.repair import build_repaired
from policies.rule_text import parse_rule
from policies.strict_yaml import UnparsableError, decode, syntax_finding

DEFAULT_CHANNEL: Final = "approvals"
"""Where a rule without ``approval_channel`` asks; it exists in every configuration."""
DEFAULT_TIMEOUT_SECONDS: Final = 3600
"""How long a rule without ``approval_timeout`` waits; then the answer is no."""
MAX_TIMEOUT_SECONDS: Final = 7 * 24 * 3600
MAX_RULES: Final = 20_000
MAX_CROSSING_RULES: Final = 64
"""Rules with an inner ``**`` in one file; each costs a walk over the asked resource."""
MAX_DESCRIPTION_CHARS: Final = 500

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""Names of agents, and so of policy files."""
CHANNEL: Final = re.compile(r"[a-z0-9][A-Za-z0-9:#@_.-]{0,62}")
"""Names of channels: ``approvals``, ``slack:#deploy-approvals``."""

OPTIONS: Final = ("id", "description", "requires_approval", "approval_channel", "approval_timeout")
"""What may stand beside ``allow:`` or ``deny:``."""

_EFFECTS: Final = ("allow", "deny")
_TOP: Final = ("version", "agent", "policies")
_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_TIMEOUT: Final = re.compile(r"([0-9]{1,6})([smh])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_RULE_LIKE: Final = re.compile(r"(deny )?\S+ on \S+")


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy that can be used, and what its author should know about it."""

    policy: PolicySet
    notices: tuple[Finding, ...]


def load_policy(
    data: bytes,
    *,
    file: str,
    known_actions: Collection[str] | None = None,
    operations: Mapping[str, Collection[str]] = NO_OPERATIONS,
) -> LoadedPolicy:
    """Read one policy file.

    Args:
        data: The file's bytes.
        file: Its name relative to the configuration folder; its stem is the agent's name.
        known_actions: Every action the connectors can ask for; None leaves names unchecked.
        operations: For each operation the actions it asks for; only used in messages.

    Raises:
        YamlError: the text is not strict YAML.
        LoadError: the policy in it is not valid.
    """
    text = decode(data, file)
    try:
        repaired = build_repaired(text, file, OPTIONS)
    except UnparsableError as error:
        finding = syntax_finding(error.fault, file)
        fix = "options of a rule stand below `- allow: RULE`, under its first letter; quote a rule that begins with `*`"
        raise YamlError([Finding(file, finding.line, finding.column, finding.message, fix)]) from None
    loading = _Loading(Reader(file), PurePosixPath(file).stem, known_actions, operations)
    if repaired.lines:
        first = repaired.lines[0]
        message = f"options under a bare rule are not YAML; {len(repaired.lines)} read as `- allow: RULE` with options"
        loading.notices.append(Finding(file, first, 1, message, "write `- allow: RULE`"))
    policy = loading.policy(repaired.root)
    if loading.reader.findings:
        raise LoadError(loading.reader.findings)
    return LoadedPolicy(policy, tuple(sorted(loading.notices, key=lambda item: (item.line, item.column))))


@dataclass(frozen=True, slots=True)
class _Options:
    """What all rules of one item share."""

    effect: Effect
    approval: ApprovalTerms | None = None
    id: str = ""
    description: str = ""


@dataclass(slots=True)
class _Loading:
    """One run over one file."""

    reader: Reader
    stem: str
    known_actions: Collection[str] | None
    operations: Mapping[str, Collection[str]]
    notices: list[Finding] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    crossing: int = 0

    def policy(self, root: Node) -> PolicySet:
        reader = self.reader
        top = reader.fields(root, "the policy file", _TOP, required=("policies",))
        version = top.get("version")
        if version is not None and (version.value != 1 or isinstance(version.value, bool)):
            reader.report(version, f"this build reads version 1, found {describe(version)}", "write `version: 1`")
        agent = self._agent(top["agent"]) if "agent" in top else self.stem
        items = reader.items(top["policies"], "`policies`") if "policies" in top else ()
        for item in items:
            self._item(item)
        rules = tuple(self.rules)
        return PolicySet(agent, rules, policy_version(agent, rules))

    def _agent(self, node: Node) -> str:
        agent = self.reader.text(node, "`agent`", NAME, "lower-case letters, digits and `-`")
        if agent and agent != self.stem:
            fix = f"rename the file to `{agent}.yaml` or write `agent: {self.stem}`"
            self.reader.report(node, f"the file is named for {quote(self.stem)} and speaks of {quote(agent)}", fix)
        return agent

    def _item(self, item: Node) -> None:
        if isinstance(item.value, Fields):
            self._mapping(item, item.value)
        elif isinstance(item.value, str):
            self._rule(item, item.value, _Options(Effect.ALLOW), bare=True)
        else:
            self.reader.text(item, "a rule")

    def _mapping(self, item: Node, fields: Fields) -> None:
        """Read ``allow:``/``deny:`` with its options."""
        effects = [pair for pair in fields if pair.name in _EFFECTS]
        if not effects:
            self._without_rule(item, fields)
            return
        found = self.reader.fields(item, "a rule", (*_EFFECTS, *OPTIONS))
        if len(effects) > 1:
            self.reader.report(effects[1].key, "a rule is `allow:` or `deny:`, not both", "make it two list items")
            return
        options = self._options(effects[0].name, found)
        rules = effects[0].value
        texts = rules.value if isinstance(rules.value, tuple) else (rules,)
        if not texts:
            self.reader.report(rules, f"`{effects[0].name}` has no rule")
        for number, node in enumerate(texts, start=1):
            text = self.reader.text(node, "a rule")
            if text:
                self._rule(node, text, options, number=number)

    def _without_rule(self, item: Node, fields: Fields) -> None:
        first = next(iter(fields), None)
        if first is None:
            self.reader.report(item, "an empty rule")
        elif _RULE_LIKE.fullmatch(first.name) is not None:
            rule = first.name.removeprefix("deny ")
            word = "deny" if first.name != rule else "allow"
            self.reader.report(first.key, "a rule is no key", f"write `- {word}: RULE` and its options below")
        elif first.name in OPTIONS:
            fix = "without its own `- `, below `- allow: RULE` and under the first letter of `allow`"
            self.reader.report(first.key, f"the option {quote(first.name)} stands without a rule", fix)
        else:
            self.reader.fields(item, "a rule", (*_EFFECTS, *OPTIONS))

    def _options(self, word: str, found: dict[str, Node]) -> _Options:
        reader = self.reader
        gated = "requires_approval" in found and reader.boolean(found["requires_approval"], "`requires_approval`")
        if word == "deny" and "requires_approval" in found:
            reader.report(found["requires_approval"], "a deny rule asks nobody", "delete it, or write `allow:`")
        for name in ("approval_channel", "approval_timeout"):
            if name in found and not gated:
                reader.report(
                    found[name], f"`{name}` without `requires_approval: true`", "add `requires_approval: true`"
                )
        channel, seconds = DEFAULT_CHANNEL, DEFAULT_TIMEOUT_SECONDS
        if "approval_channel" in found:
            channel = reader.text(found["approval_channel"], "`approval_channel`", CHANNEL, "a name under `channels:`")
        if "approval_timeout" in found:
            seconds = self._timeout(found["approval_timeout"])
        rule_id = (
            reader.text(found["id"], "`id`", _ID, "lower-case letters, digits, `-`, `_`, `.`") if "id" in found else ""
        )
        approval = ApprovalTerms(channel, seconds) if gated else None
        effect = Effect.DENY if word == "deny" else Effect.REQUIRE_APPROVAL if gated else Effect.ALLOW
        return _Options(effect, approval, rule_id, self._description(found))

    def _description(self, found: dict[str, Node]) -> str:
        if "description" not in found:
            return ""
        text = self.reader.text(found["description"], "`description`")
        if len(text) > MAX_DESCRIPTION_CHARS:
            self.reader.report(found["description"], f"`description` has more than {MAX_DESCRIPTION_CHARS} characters")
        return text

    def _timeout(self, node: Node) -> int:
        text = self.reader.text(node, "`approval_timeout`", _TIMEOUT, "write `90s`, `60m` or `24h`")
        match = _TIMEOUT.fullmatch(text)
        if match is None:
            return DEFAULT_TIMEOUT_SECONDS
        seconds = int(match[1]) * _UNITS[match[2]]
        if not 1 <= seconds <= MAX_TIMEOUT_SECONDS:
            self.reader.report(node, f"`approval_timeout` is 1s to {MAX_TIMEOUT_SECONDS // 3600}h, found {quote(text)}")
        return seconds

    def _rule(self, node: Node, text: str, options: _Options, *, number: int = 1, bare: bool = False) -> None:
        effect, offset = options.effect, 0
        if text.startswith("deny "):
            if not bare:
                self.reader.report(node, "`deny` stands twice or inside `allow:`", "write `- deny: RULE`")
                return
            effect, offset = Effect.DENY, len("deny ")
        try:
            parsed = parse_rule(text[offset:], effect, self.known_actions, self.operations)
        except RuleTextError as error:
            self.reader.report(node, str(error), error.fix, offset=offset + error.offset)
            return
        for place, notice in parsed.notices:
            self._notice(node, notice, offset + place)
        self.crossing += parsed.crossing
        if self.crossing == MAX_CROSSING_RULES + 1:
            self.reader.report(node, f"more than {MAX_CROSSING_RULES} rules of one file have an inner `**`")
        if len(self.rules) >= MAX_RULES:
            if len(self.rules) == MAX_RULES and not self.reader.findings:
                self.reader.report(node, f"more than {MAX_RULES} rules in one file")
            return
        rule_id = self._rule_id(node, options.id, number)
        span = Span(self.reader.file, node.line, node.column)
        resources = (parsed.resource,)
        self.rules.append(Rule(rule_id, effect, parsed.actions, resources, span, options.approval, options.description))

    def _notice(self, node: Node, message: str, offset: int) -> None:
        column = node.column + (offset if node.plain else 0)
        self.notices.append(Finding(self.reader.file, node.line, column, message))

    def _rule_id(self, node: Node, written: str, number: int) -> str:
        """Return a unique id; an ``id`` shared by a list of rules is numbered from the second on."""
        if written:
            rule_id = written if number == 1 else f"{written}.{number}"
            if rule_id in self.ids:
                message = f"the id {quote(rule_id)} stands twice"
                self.reader.report(node, message, f"it stands first in line {self.ids[rule_id]}")
        else:
            base = rule_id = f"{self.stem}-L{node.line}"
            copy = 1
            while rule_id in self.ids:
                copy += 1
                rule_id = f"{base}.{copy}"
        self.ids[rule_id] = node.line
        return rule_id
