"""The tree a strict YAML text becomes: values with places, and the typed reading of them.

A `Node` is only data. A `Reader` asks it for what a schema expects and collects a finding for each thing that is not
so, which lets one run report every fault of a file. Every method of the reader returns a usable empty value after a
finding; the caller looks at ``findings`` at the end and uses nothing when there are any.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from policies.errors import Finding, did_you_mean, quote

MAX_FINDINGS: Final = 50
"""A file with more faults than this is the wrong file; the rest is not listed."""

MAX_TEXTS: Final = 64
"""Entries of one list of names."""


@dataclass(frozen=True, slots=True)
class Node:
    """One value and where it stands.

    Args:
        value: None, bool, int, str, a tuple of nodes (list) or `Fields` (mapping).
        line: From 1.
        column: From 1, of the value's first character, in characters.
        plain: True for a scalar written without quotes on one line, so that columns inside it can be counted.
    """

    value: Value
    line: int
    column: int
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """One key of a mapping with its value; the key's node always holds a string."""

    key: Node
    value: Node

    @property
    def name(self) -> str:
        """The key's text."""
        return str(self.key.value)


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping in the order written; keys are unique strings."""

    pairs: tuple[Pair, ...]

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def get(self, name: str) -> Pair | None:
        """Return the pair of a key, None when the mapping has no such key."""
        return next((pair for pair in self.pairs if pair.name == name), None)


Value = None | bool | int | str | tuple[Node, ...] | Fields
Json = None | bool | int | str | list["Json"] | dict[str, "Json"]


def to_json(node: Node) -> Json:
    """Return the node as plain JSON data, without places."""
    if isinstance(node.value, Fields):
        return {pair.name: to_json(pair.value) for pair in node.value}
    if isinstance(node.value, tuple):
        return [to_json(item) for item in node.value]
    return node.value


def describe(node: Node) -> str:
    """Return what kind of thing a node is, for messages: ``a list``, ``the number `5```."""
    value = node.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int):
        return f"the number `{value}`"
    if isinstance(value, str):
        return f"the text {quote(value)}"
    return "a list" if isinstance(value, tuple) else "a mapping"


@dataclass(slots=True)
class Reader:
    """Reads a tree by a schema and collects what does not fit.

    Args:
        file: Name used in the findings.
        findings: Faults so far, at most `MAX_FINDINGS`.
    """

    file: str
    findings: list[Finding] = field(default_factory=list)

    def report(self, node: Node, message: str, fix: str = "", *, offset: int = 0) -> None:
        """Add a finding at a node, ``offset`` characters into it when it is plain text."""
        if len(self.findings) < MAX_FINDINGS:
            column = node.column + (offset if node.plain else 0)
            self.findings.append(Finding(self.file, node.line, column, message, fix))

    def fields(self, node: Node, what: str, known: Collection[str], required: Collection[str] = ()) -> dict[str, Node]:
        """Read a mapping with a closed set of keys; a null node reads as an empty one."""
        found: dict[str, Node] = {}
        for pair in self.pairs(node, what):
            if pair.name in known:
                found[pair.name] = pair.value
            else:
                fix = did_you_mean(pair.name, known) or f"known here: {', '.join(known)}"
                self.report(pair.key, f"unknown key {quote(pair.name)} in {what}", fix)
        for name in required:
            if name not in found:
                self.report(node, f"{what} has no `{name}`")
        return found

    def pairs(self, node: Node, what: str) -> tuple[Pair, ...]:
        """Read a mapping with free keys; a null node reads as an empty one."""
        if isinstance(node.value, Fields):
            return node.value.pairs
        if node.value is not None:
            self.report(node, f"{what} must be a mapping, found {describe(node)}")
        return ()

    def items(self, node: Node, what: str) -> tuple[Node, ...]:
        """Read a list."""
        if isinstance(node.value, tuple):
            return node.value
        self.report(node, f"{what} must be a list, found {describe(node)}")
        return ()

    def text(self, node: Node, what: str, pattern: re.Pattern[str] | None = None, expected: str = "") -> str:
        """Read a text, whole-matched by ``pattern`` when there is one; ``expected`` says in words what fits."""
        if not isinstance(node.value, str):
            self.report(node, f"{what} must be text, found {describe(node)}", _text_fix(node))
            return ""
        if pattern is not None and pattern.fullmatch(node.value) is None:
            self.report(node, f"{what} does not fit: {quote(node.value)}", expected)
            return ""
        return node.value

    def texts(
        self, node: Node, what: str, pattern: re.Pattern[str], expected: str, *, most: int = MAX_TEXTS
    ) -> tuple[str, ...]:
        """Read a list of 1 to ``most`` different texts; what does not fit is left out of the answer.

        An empty list is a fault: to a reader it says "nobody", and an absent list often means "everybody".
        """
        items = self.items(node, what)
        if isinstance(node.value, tuple) and not 1 <= len(items) <= most:
            self.report(node, f"{what} has 1 to {most} entries, found {len(items)}")
        found: list[str] = []
        for item in items[:most]:
            text = self.text(item, f"an entry of {what}", pattern, expected)
            if text in found:
                self.report(item, f"{quote(text)} stands twice in {what}", "delete one")
            elif text:
                found.append(text)
        return tuple(found)

    def boolean(self, node: Node, what: str) -> bool:
        """Read ``true`` or ``false``, unquoted."""
        if isinstance(node.value, bool):
            return node.value
        self.report(node, f"{what} must be true or false, found {describe(node)}", "write `true` or `false`, unquoted")
        return False

    def integer(self, node: Node, what: str) -> int:
        """Read a whole number."""
        if isinstance(node.value, int) and not isinstance(node.value, bool):
            return node.value
        self.report(node, f"{what} must be a whole number, found {describe(node)}")
        return 0


def _text_fix(node: Node) -> str:
    if node.value is None:
        return "after a space, `#` begins a comment; put the value in quotes"
    return "put the value in quotes" if isinstance(node.value, (bool, int)) else ""
