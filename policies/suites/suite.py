"""Policy test files, ``*_test.yaml``: bytes to a `Suite` of single questions, each with the answer it expects.

A test is a matrix: every one of its agents asks every one of its actions on every one of its resources, in the same
context and at the same moment, and the answer must always be the expected one. A matrix is written out here, so what
is run (`policies.suites.run`) is a flat list of bounded length.

A test that names no agent asks the policy file beside it alone, so that it means the same in every configuration that
holds that file; one that names its agent asks everything that decides for it.

Reading checks the form. Whether an agent, an action or a resource exists is known only when the suite is run.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from policies.conditions.guards import flatten_params
from policies.conditions.moments import parse_moment
from policies.document.nodes import Node, Reader, describe, to_json
from policies.document.strict_yaml import parse
from policies.errors import LoadError, did_you_mean, quote
from policies.language.actions import canonical_action
from policies.language.options import NAME
from policies.model import NO_CONTEXT, NO_USES, Effect, Fact, Span

MAX_CASES: Final = 10_000
"""Questions of one file, all matrices written out."""

BESIDE: Final = ""
"""Stands for the agent of a test that names none: the policy file beside the test file is all that is asked."""

EXPECTATIONS: Final[Mapping[str, Effect]] = {
    "allow": Effect.ALLOW,
    "approval": Effect.REQUIRE_APPROVAL,
    "deny": Effect.DENY,
}
"""The words of ``expect:``."""

FACTS: Final = ("source_ip", "rate_class", "agent.owner")
"""What ``context:`` may hold beside ``params`` and ``session.CLAIM``."""

_TOP: Final = ("version", "now", "agent", "agents", "project", "tests")
_TEST: Final = (
    "name", "agent", "agents", "action", "actions", "resource", "resources", "returns_secrets", "project", "context",
    "uses", "now", "expect", "rule",
)  # fmt: skip
_ACTION: Final = re.compile(r"(aws:)?[a-z][a-z0-9-]*:[A-Za-z][A-Za-z0-9.-]*")
_RESOURCE: Final = re.compile(r".+")
_EXPECTED: Final = {
    "agent": "the name of one agent",
    "action": "write `service:Operation`, without stars: nobody asks for a pattern",
    "resource": "the name of one thing",
}
_PARAMS: Final = "params"
_SESSION: Final = "session."
_MOMENT: Final = 'write a quoted moment with its offset, as in `"2026-11-20T12:00:00Z"`'


@dataclass(frozen=True, slots=True)
class Case:
    """One question and the answer it must get.

    Args:
        name: Name of its test.
        span: Place of its test.
        agent: Name of the agent, or `BESIDE`.
        action: Canonical action.
        resource: As written; may be a short form.
        effect: The answer expected.
        rule: Id of the rule that must decide, empty for a default denial; None when any may.
        project: Project of the agent for this question; empty for the configured one.
        context: What conditions look at.
        uses: How often rules, by id, were used before.
        now_ns: The moment, nanoseconds since the epoch, UTC; None when it is not known.
        returns_secrets: Whether the call would return secrets; None for what is known of the action.
    """

    name: str
    span: Span
    agent: str
    action: str
    resource: str
    effect: Effect
    rule: str | None = None
    project: str = ""
    context: Mapping[str, Fact] = field(default_factory=lambda: NO_CONTEXT)
    uses: Mapping[str, int] = field(default_factory=lambda: NO_USES)
    now_ns: int | None = None
    returns_secrets: bool | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """One test file: its name and its questions in the order written."""

    file: str
    cases: tuple[Case, ...]


def load_suite(data: bytes, *, file: str) -> Suite:
    """Read one test file.

    Args:
        data: The file's bytes, strict YAML.
        file: Its name relative to the configuration folder; only used in places.

    Raises:
        YamlError: the text is not strict YAML.
        LoadError: it is no valid test file.
    """
    reading = _Reading(Reader(file))
    reading.suite(parse(data, file))
    if reading.reader.findings:
        raise LoadError(reading.reader.findings)
    return Suite(file, tuple(reading.cases))


@dataclass(slots=True)
class _Reading:
    """One run over one file; the defaults are what the top of the file says for every test."""

    reader: Reader
    cases: list[Case] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    agents: tuple[str, ...] = (BESIDE,)
    project: str = ""
    now_ns: int | None = None

    def suite(self, root: Node) -> None:
        top = self.reader.fields(root, "the test file", _TOP, required=("tests",))
        version = top.get("version")
        if version is not None and (version.value != 1 or isinstance(version.value, bool)):
            self.reader.report(version, f"this build reads version 1, found {describe(version)}", "write `version: 1`")
        self.agents = self._several(top, "agent", NAME) or self.agents
        self.project = self._text(top, "project")
        self.now_ns = self._moment(top)
        for node in self._tests(top):
            self._test(node)

    def _tests(self, top: Mapping[str, Node]) -> tuple[Node, ...]:
        if "tests" in top and top["tests"].value == ():
            self.reader.report(top["tests"], "a file without a test shows nothing", "delete it, or write a test")
        return self.reader.items(top["tests"], "`tests`") if "tests" in top else ()

    def _test(self, node: Node) -> None:
        found = self.reader.fields(node, "a test", _TEST, required=("name", "expect"))
        name = self._name(found)
        agents = self._several(found, "agent", NAME) or self.agents
        actions = tuple(map(canonical_action, self._asked(node, found, "action", _ACTION)))
        resources = self._asked(node, found, "resource", _RESOURCE)
        template = Case(
            name, Span(self.reader.file, node.line, node.column), "", "", "", self._effect(found),
            rule=self._text(found, "rule") if "rule" in found else None,
            project=self._text(found, "project") or self.project,
            context=self._context(found),
            uses=self._uses(found),
            now_ns=self._moment(found) if "now" in found else self.now_ns,
            returns_secrets=self._returns_secrets(found),
        )  # fmt: skip
        if len(self.cases) + len(agents) * len(actions) * len(resources) > MAX_CASES:
            self.reader.report(node, f"more than {MAX_CASES} questions in one file", "split the file")
            return
        matrix = itertools.product(agents, actions, resources)
        self.cases.extend(
            replace(template, agent=agent, action=action, resource=resource) for agent, action, resource in matrix
        )

    def _name(self, found: Mapping[str, Node]) -> str:
        name = self._text(found, "name")
        if name in self.names:
            self.reader.report(found["name"], "this name stands twice", f"it stands first in line {self.names[name]}")
        elif name:
            self.names[name] = found["name"].line
        return name

    def _effect(self, found: Mapping[str, Node]) -> Effect:
        word = self._text(found, "expect")
        if word and word not in EXPECTATIONS:
            fix = did_you_mean(word, EXPECTATIONS) or f"one of {', '.join(EXPECTATIONS)}"
            self.reader.report(found["expect"], f"no answer is called {quote(word)}", fix)
        return EXPECTATIONS.get(word, Effect.DENY)

    def _asked(self, node: Node, found: Mapping[str, Node], one: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
        if one not in found and f"{one}s" not in found:
            self.reader.report(node, f"a test has no `{one}`")
        return self._several(found, one, pattern)

    def _several(self, found: Mapping[str, Node], one: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
        """Read ``agent: a`` or ``agents: [a, b]``; empty when neither stands there."""
        many = f"{one}s"
        if one in found and many in found:
            self.reader.report(found[many], f"`{one}` and `{many}` stand together", f"put all of them under `{many}`")
        expected = _EXPECTED[one]
        if many in found:
            return self.reader.texts(found[many], f"`{many}`", pattern, expected, most=MAX_CASES)
        return (self.reader.text(found[one], f"`{one}`", pattern, expected),) if one in found else ()

    def _text(self, found: Mapping[str, Node], name: str) -> str:
        return self.reader.text(found[name], f"`{name}`") if name in found else ""

    def _moment(self, found: Mapping[str, Node]) -> int | None:
        text = self._text(found, "now")
        moment = parse_moment(text) if text else None
        if text and moment is None:
            self.reader.report(found["now"], f"not a moment: {quote(text)}", _MOMENT)
        return moment

    def _returns_secrets(self, found: Mapping[str, Node]) -> bool | None:
        name = "returns_secrets"
        return self.reader.boolean(found[name], f"`{name}`") if name in found else None

    def _uses(self, found: Mapping[str, Node]) -> Mapping[str, int]:
        pairs = self.reader.pairs(found["uses"], "`uses`") if "uses" in found else ()
        uses = {pair.name: self.reader.integer(pair.value, f"uses of {quote(pair.name)}") for pair in pairs}
        if any(count < 0 for count in uses.values()):
            self.reader.report(found["uses"], "a rule was used less than never")
        return uses

    def _context(self, found: Mapping[str, Node]) -> Mapping[str, Fact]:
        context: dict[str, Fact] = {}
        for pair in self.reader.pairs(found["context"], "`context`") if "context" in found else ():
            if pair.name == _PARAMS:
                context.update(self._params(pair.value))
            elif pair.name in FACTS or pair.name.startswith((_SESSION, f"{_PARAMS}.")):
                context[pair.name] = self._fact(pair.value, pair.name)
            else:
                fix = did_you_mean(pair.name, (*FACTS, _PARAMS)) or f"known: {', '.join(FACTS)}, session.…, params"
                self.reader.report(pair.key, f"no fact is called {quote(pair.name)}", fix)
        return context

    def _params(self, node: Node) -> Mapping[str, Fact]:
        """Read the params of the request as they would be sent."""
        self.reader.pairs(node, "`params`")
        params = to_json(node)
        return flatten_params(params) if isinstance(params, dict) else NO_CONTEXT

    def _fact(self, node: Node, name: str) -> Fact:
        items = node.value if isinstance(node.value, tuple) else (node,)
        values = tuple(item.value for item in items if isinstance(item.value, (str, int)))
        if len(values) < len(items):
            self.reader.report(node, f"{quote(name)} must be a text, a number, true or false, or a list of these")
            return ()
        return values if isinstance(node.value, tuple) else values[0]
