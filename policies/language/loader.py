"""Bytes of one policy file to its rules: everything that could be read in two ways is an error with its place.

    version: 1
    agent: ci-runner
    policies:
      - git:read on repos/*
      - deny git:push on repos/*/branches/main
      - allow: ecs:UpdateService on arn:aws:ecs:*:*:service/prod-*
        requires_approval: true

A rule that was meant to ask a human must never load as one that does not: an option outside its rule, a quoted boolean,
an ``approval_*`` without ``requires_approval``, a rule with more words than it should have are all refused.

What a file may say depends on its layer. An agent's policy names its agent, or several by globs; a guardrail only
forbids and asks; the boundary of a project is named for it. The scope of a session is a list of plain rules.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Final

from policies.digest import policy_version
from policies.document.nodes import Fields, Node, Reader, describe
from policies.document.repair import build_repaired
from policies.document.strict_yaml import UnparsableError, decode, syntax_finding
from policies.errors import Finding, LoadError, RuleTextError, YamlError, quote
from policies.language.options import CHANNEL, DEFAULT_CHANNEL, EFFECTS, NAME, OPTIONS, Options, read_options
from policies.language.rule_text import parse_rule
from policies.model import Effect, Layer, PolicySet, Rule, Span
from policies.resources.catalogue import UNCHECKED, Catalogue

__all__ = ["CHANNEL", "DEFAULT_CHANNEL", "EVERY_AGENT", "NAME", "LoadedPolicy", "load_policy", "load_scope", "merge"]

MAX_RULES: Final = 20_000
MAX_CROSSING_RULES: Final = 64
"""Rules with an inner ``**`` in one file; each costs a walk over the asked resource."""
MAX_SCOPE_RULES: Final = 64
"""Rules of one session scope; every request of the session is held against all of them."""
MAX_SCOPE_RULE_CHARS: Final = 1024

EVERY_AGENT: Final = ("*",)
"""Whom a guardrail or a boundary speaks of that names nobody."""
AGENT_GLOB: Final = re.compile(r"(?!.*\*\*)[a-z0-9*][a-z0-9*-]{0,62}")
"""Names of agents with stars, each of which stands for any characters."""

TOP_KEYS: Final[Mapping[Layer, tuple[str, ...]]] = {
    Layer.AGENT: ("version", "agent", "agents", "policies"),
    Layer.GUARDRAIL: ("version", "agents", "policies"),
    Layer.BOUNDARY: ("version", "project", "policies"),
}
"""What stands at the top of a file, by its layer; a session's scope is no file."""

_SCOPE: Final = "scope"
_RULE_LIKE: Final = re.compile(r"(deny )?\S+ on \S+")
_YAML_FIX: Final = (
    "options of a rule stand below `- allow: RULE`, under its first letter; quote a rule that begins with `*`"
)


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """The rules of one file, and what its author should know about them.

    Args:
        rules: In the order written.
        agents: Globs of the names of the agents it is for, in `policies.patterns.pattern`.
        notices: In the order of their places.
        layer: Where it stands.
        file: As given.
    """

    rules: tuple[Rule, ...]
    agents: tuple[str, ...]
    notices: tuple[Finding, ...]
    layer: Layer
    file: str

    @property
    def policy(self) -> PolicySet:
        """The policy set of this file alone: of its one agent, or of any agent for a guardrail or a boundary.

        Raises:
            ValueError: it is the policy of several agents; `merge` gives each its own.
        """
        if self.layer is not Layer.AGENT:
            return merge((self,), "", self.layer)
        if len(self.agents) > 1 or "*" in self.agents[0]:
            raise ValueError("a policy of several agents is merged for each of them")
        return merge((self,), self.agents[0], self.layer)


def load_policy(
    data: bytes, *, file: str, layer: Layer = Layer.AGENT, catalogue: Catalogue = UNCHECKED
) -> LoadedPolicy:
    """Read one policy file.

    Args:
        data: The file's bytes.
        file: Its name relative to the configuration folder; its stem is the agent's or the project's name.
        layer: Where the policy stands, by its folder; not SESSION.
        catalogue: The actions and the types of resources that connectors offer.

    Raises:
        YamlError: the text is not strict YAML.
        LoadError: the policy in it is not valid.
    """
    text = decode(data, file)
    try:
        repaired = build_repaired(text, file, OPTIONS)
    except UnparsableError as error:
        finding = syntax_finding(error.fault, file)
        raise YamlError([replace(finding, fix=_YAML_FIX)]) from None
    loading = _Loading(Reader(file), PurePosixPath(file).stem, layer, catalogue)
    if repaired.lines:
        first = repaired.lines[0]
        message = f"options under a bare rule are not YAML; {len(repaired.lines)} read as `- allow: RULE` with options"
        loading.notices.append(Finding(file, first, 1, message, "write `- allow: RULE`"))
    agents = loading.file(repaired.root)
    if loading.reader.findings:
        raise LoadError(loading.reader.findings)
    notices = tuple(sorted(loading.notices, key=lambda item: (item.line, item.column)))
    return LoadedPolicy(tuple(loading.rules), agents, notices, layer, file)


def load_scope(rules: Sequence[str], catalogue: Catalogue = UNCHECKED) -> tuple[Rule, ...]:
    """Read the scope of a session: plain rules, none of them with options.

    Args:
        rules: Each ``action on resource`` or ``deny action on resource``, at most `MAX_SCOPE_RULES`; none at all is a
            session that may do nothing.
        catalogue: The actions and the types of resources that connectors offer.

    Raises:
        LoadError: with findings in the file ``scope``, whose line is the rule's number from 1.
    """
    loading = _Loading(Reader(_SCOPE), _SCOPE, Layer.SESSION, catalogue)
    if len(rules) > MAX_SCOPE_RULES:
        place = Node(None, MAX_SCOPE_RULES + 1, 1)
        loading.reader.report(place, f"a scope has at most {MAX_SCOPE_RULES} rules, found {len(rules)}")
    for line, text in enumerate(rules[:MAX_SCOPE_RULES], start=1):
        node = Node(text, line, 1, plain=True)
        if len(text) > MAX_SCOPE_RULE_CHARS:
            loading.reader.report(node, f"a rule of a scope has at most {MAX_SCOPE_RULE_CHARS} characters")
        else:
            loading.rule(node, text, Options(Effect.ALLOW), bare=True)
    if loading.reader.findings:
        raise LoadError(loading.reader.findings)
    return tuple(loading.rules)


def merge(loaded: Iterable[LoadedPolicy], agent: str, layer: Layer) -> PolicySet:
    """Return the rules of several files as the policy set of one agent; the caller says which files speak of it.

    Args:
        loaded: Files of ``layer``; their order means nothing.
        agent: Whose requests the set decides; empty for anybody's.
        layer: Decides what silence means.

    Raises:
        ValueError: a file is of another layer, whose silence would mean something else.
    """
    files = sorted(loaded, key=lambda each: each.file)
    if any(each.layer is not layer for each in files):
        raise ValueError("files of several layers are no policy set")
    rules = tuple(_with_own_ids(files))
    return PolicySet(agent, rules, policy_version(agent, rules, layer), layer)


def _with_own_ids(files: Sequence[LoadedPolicy]) -> Iterable[Rule]:
    """Give the rules whose id stands in several files the name of their file in front of it."""
    written = Counter(rule.id for each in files for rule in each.rules)
    used = {rule_id for rule_id, count in written.items() if count == 1}
    for each in files:
        stem = PurePosixPath(each.file).stem
        for rule in each.rules:
            if written[rule.id] == 1:
                yield rule
                continue
            unique = _unused(f"{stem}.{rule.id}", used)
            used.add(unique)
            yield replace(rule, id=unique)


def _unused(base: str, used: Container[str], number: int = 1) -> str:
    """Return the first form of ``base`` from the ``number``-th on, ``base``, ``base.2``, …, that is not used yet."""
    names = (base if copy == 1 else f"{base}.{copy}" for copy in itertools.count(number))
    return next(name for name in names if name not in used)


@dataclass(slots=True)
class _Loading:
    """One run over one file."""

    reader: Reader
    stem: str
    layer: Layer
    catalogue: Catalogue
    notices: list[Finding] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    lines: Counter[int] = field(default_factory=Counter)
    crossing: int = 0

    def file(self, root: Node) -> tuple[str, ...]:
        """Read a whole file; return whom it is for."""
        reader = self.reader
        top = reader.fields(root, "the policy file", TOP_KEYS[self.layer], required=("policies",))
        version = top.get("version")
        if version is not None and (version.value != 1 or isinstance(version.value, bool)):
            reader.report(version, f"this build reads version 1, found {describe(version)}", "write `version: 1`")
        agents = self._agents(top)
        if "project" in top:
            self._named_for(top["project"], "project")
        items = reader.items(top["policies"], "`policies`") if "policies" in top else ()
        for item in items:
            self._item(item)
        return agents

    def _agents(self, top: Mapping[str, Node]) -> tuple[str, ...]:
        if "agents" in top:
            if "agent" in top:
                self.reader.report(top["agent"], "a policy has `agent` or `agents`, not both", "delete one")
            words = "names with lower-case letters, digits, `-` and `*`"
            return self.reader.texts(top["agents"], "`agents`", AGENT_GLOB, words)
        if "agent" in top:
            self._named_for(top["agent"], "agent")
        elif self.layer is Layer.AGENT and NAME.fullmatch(self.stem) is None:
            # A star in a file's name would otherwise speak of every agent.
            message = f"no agent can be called {quote(self.stem)}"
            self.reader.report(Node(None, 1, 1), message, "rename the file, or name the agents under `agents:`")
        return (self.stem,) if self.layer is Layer.AGENT else EVERY_AGENT

    def _named_for(self, node: Node, key: str) -> None:
        name = self.reader.text(node, f"`{key}`", NAME, "lower-case letters, digits and `-`")
        if name and name != self.stem:
            fix = f"rename the file to `{name}.yaml` or write `{key}: {self.stem}`"
            self.reader.report(node, f"the file is named for {quote(self.stem)} and speaks of {quote(name)}", fix)

    def _item(self, item: Node) -> None:
        if isinstance(item.value, Fields):
            self._mapping(item, item.value)
        elif isinstance(item.value, str):
            self.rule(item, item.value, Options(Effect.ALLOW), bare=True)
        else:
            self.reader.text(item, "a rule")

    def _mapping(self, item: Node, fields: Fields) -> None:
        """Read ``allow:``/``deny:`` with its options."""
        effects = [pair for pair in fields if pair.name in EFFECTS]
        if not effects:
            self._without_rule(item, fields)
            return
        found = self.reader.fields(item, "a rule", (*EFFECTS, *OPTIONS))
        if len(effects) > 1:
            self.reader.report(effects[1].key, "a rule is `allow:` or `deny:`, not both", "make it two list items")
            return
        options = read_options(self.reader, effects[0].name, found, self.layer)
        rules = effects[0].value
        texts = rules.value if isinstance(rules.value, tuple) else (rules,)
        if not texts:
            self.reader.report(rules, f"`{effects[0].name}` has no rule")
        for number, node in enumerate(texts, start=1):
            text = self.reader.text(node, "a rule")
            if text:
                self.rule(node, text, options, number=number)

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
            self.reader.fields(item, "a rule", (*EFFECTS, *OPTIONS))

    def rule(self, node: Node, text: str, options: Options, *, number: int = 1, bare: bool = False) -> None:
        """Read one rule; a bare one may begin with ``deny``."""
        effect, offset = options.effect, 0
        if text.startswith("deny "):
            if not bare:
                self.reader.report(node, "`deny` stands twice or inside `allow:`", "write `- deny: RULE`")
                return
            effect, offset = Effect.DENY, len("deny ")
        if effect is Effect.ALLOW and self.layer is Layer.GUARDRAIL:
            fix = "add `requires_approval: true` below `- allow: RULE`, or write `deny`"
            self.reader.report(node, "a guardrail only forbids and asks: it cannot allow", fix)
            return
        try:
            parsed = parse_rule(text[offset:], effect, self.catalogue)
        except RuleTextError as error:
            self.reader.report(node, str(error), error.fix, offset=offset + error.offset)
            return
        for place, notice in parsed.notices:
            self._notice(node, notice, offset=offset + place)
        if options.max_uses and not options.id:
            self._notice(node, "its uses are counted anew when it moves to another line", "give the rule an `id`")
        if self._fits(node, crossing=parsed.crossing):
            rule_id = self._rule_id(node, options.id, number)
            span = Span(self.reader.file, node.line, node.column)
            self.rules.append(
                Rule(
                    rule_id,
                    effect,
                    parsed.actions,
                    parsed.resources,
                    span,
                    approval=options.approval,
                    description=options.description,
                    text=text[offset:],
                    conditions=options.conditions,
                    until_ns=options.until_ns,
                    max_uses=options.max_uses,
                    returns_secrets=options.returns_secrets,
                )
            )

    def _fits(self, node: Node, *, crossing: bool) -> bool:
        """Tell whether one more rule fits into the file."""
        self.crossing += crossing
        if self.crossing == MAX_CROSSING_RULES + 1:
            self.reader.report(node, f"more than {MAX_CROSSING_RULES} rules of one file have an inner `**`")
        if len(self.rules) == MAX_RULES and not self.reader.findings:
            self.reader.report(node, f"more than {MAX_RULES} rules in one file")
        return len(self.rules) < MAX_RULES

    def _notice(self, node: Node, message: str, fix: str = "", *, offset: int = 0) -> None:
        column = node.column + (offset if node.plain else 0)
        self.notices.append(Finding(self.reader.file, node.line, column, message, fix))

    def _rule_id(self, node: Node, written: str, number: int) -> str:
        """Return a unique id; an ``id`` shared by a list of rules is numbered from the second on."""
        if written:
            rule_id = written if number == 1 else f"{written}.{number}"
            if rule_id in self.ids:
                message = f"the id {quote(rule_id)} stands twice"
                self.reader.report(node, message, f"it stands first in line {self.ids[rule_id]}")
        else:
            self.lines[node.line] += 1
            rule_id = _unused(f"{self.stem}-L{node.line}", self.ids, self.lines[node.line])
        self.ids[rule_id] = node.line
        return rule_id
