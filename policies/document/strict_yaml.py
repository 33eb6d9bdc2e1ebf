"""Strict YAML: the part of YAML where what a person reads is what a program gets. Bytes to `Node`, or `YamlError`.

Refused, each with its line and column: duplicate keys, anchors, aliases, tags, merge keys, directives, a second
document, keys that are not text, tabs, control characters and characters that hide or reorder text, plain text that
runs on over several lines (that is how an option without its space or a rule without its dash vanishes), and plain
scalars which YAML 1.1 readers take for something else (``yes``, ``1:30``, ``010``, ``2027-01-01``).

What is left resolves as in YAML 1.2: ``true``/``false``, ``null``/``~``/nothing, decimal integers, text. Size, depth
and number of nodes are bounded, and nothing here recurses, so hostile text costs its length at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import yaml

from policies.document.nodes import MAX_FINDINGS, Fields, Node, Pair, Value
from policies.errors import Finding, YamlError, quote

MAX_BYTES: Final = 2 << 20
"""Bytes of one file; ten thousand rules need less than one MiB."""
MAX_DEPTH: Final = 16
"""Nested lists and mappings; our schemas need five."""
MAX_NODES: Final = 200_000
"""Values of one file."""

_Loader: Final[type[yaml.SafeLoader | yaml.CSafeLoader]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Only its event parser is used; PyYAML built without libyaml has the slow one alone."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_NO_SHIFTS: Final[Mapping[int, int]] = MappingProxyType({})

# Control characters; line breaks that only YAML sees (NEL, LS, PS, a lone CR); bidirectional controls, which reorder
# what a reviewer sees; a byte order mark inside the text; the two non-characters; tabs, where parsers differ.
_FORBIDDEN: Final = re.compile(
    "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\r(?!\n)"
)
_BOOLEANS: Final[Mapping[str, bool]] = MappingProxyType({"true": True, "false": False})
_NULLS: Final = frozenset({"", "~", "null"})
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")
# What YAML 1.2 readers take for a number and PyYAML does not, and the one-letter booleans of YAML 1.1.
_FOREIGN: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|[yYnN]")
_NO_VALUE: Final = object()
_SHORT_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class SyntaxFault:
    """Where YAML itself gave up: 0-based line and column, and its words."""

    line: int
    column: int
    problem: str


class UnparsableError(Exception):
    """The text is no YAML; only `policies.document.repair` and `parse` see this."""

    def __init__(self, fault: SyntaxFault) -> None:
        super().__init__(fault.problem)
        self.fault = fault


def parse(data: bytes, file: str) -> Node:
    """Read one strict YAML file.

    Args:
        data: The file's bytes, at most `MAX_BYTES`.
        file: Name used in the findings.

    Raises:
        YamlError: with every finding that could be made.
    """
    text = decode(data, file)
    try:
        return build(text, file)
    except UnparsableError as error:
        raise YamlError([syntax_finding(error.fault, file)]) from None


def decode(data: bytes, file: str) -> str:
    """Return the file's text: UTF-8, one optional byte order mark dropped, every line end made LF.

    Raises:
        YamlError: too large, not UTF-8, or holding forbidden characters.
    """
    if len(data) > MAX_BYTES:
        raise YamlError([Finding(file, 1, 1, f"the file has {len(data)} bytes, at most {MAX_BYTES} are read")])
    data = data.removeprefix(_BYTE_ORDER_MARK)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        raise YamlError([Finding(file, line, column, "the file is not UTF-8", "save it as UTF-8")]) from None
    findings = []
    for match in _FORBIDDEN.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        column = match.start() - (text.rfind("\n", 0, match.start()) + 1) + 1
        findings.append(Finding(file, line, column, *_forbidden_message(match.group())))
        if len(findings) == MAX_FINDINGS:
            break
    if findings:
        raise YamlError(findings)
    return text.replace("\r\n", "\n")


def build(text: str, file: str, shifts: Mapping[int, int] = _NO_SHIFTS) -> Node:
    """Build the tree of a decoded text.

    Args:
        text: From `decode`, perhaps repaired.
        file: Name used in the findings.
        shifts: For each repaired 0-based line, by how many columns its text moved to the right.

    Raises:
        UnparsableError: the text is no YAML.
        YamlError: it is YAML and not strict.
    """
    builder = _Builder(file, text.split("\n"), shifts)
    for event in _events(text):
        builder.feed(event)
        if builder.full:
            break
    if builder.findings:
        raise YamlError(builder.findings)
    return builder.root or Node(None, 1, 1)


@dataclass(frozen=True, slots=True)
class Scalar:
    """Where one scalar stands in a text, from 0: from ``line`` and ``column`` up to before the end.

    Args:
        line: Of its first character; for text blocks that is the ``|`` or ``>``.
        column: Of its first character.
        end_line: A block ends where the next token begins, blank lines after it included.
        end_column: In ``end_line``.
        style: Empty for a plain scalar, else its quote, ``|`` or ``>``.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    style: str


def scalars(text: str) -> tuple[Scalar, ...]:
    """Return the places of all scalars, keys included, of a text that `build` accepts."""
    found = []
    for event in _events(text):
        if isinstance(event, yaml.ScalarEvent):
            end = event.end_mark
            ends = (0, 0) if end is None else (end.line, end.column)
            found.append(Scalar(*_place(event), *ends, event.style or ""))
    return tuple(found)


def is_plain_text(text: str) -> bool:
    """Tell whether every YAML reader takes these characters, written without quotes, for text."""
    return isinstance(_resolve(text), str)


def syntax_finding(fault: SyntaxFault, file: str) -> Finding:
    """Return the finding of a syntax fault."""
    return Finding(file, fault.line + 1, fault.column + 1, f"not valid YAML: {fault.problem}")


def _events(text: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        # A key without its colon is found out at the next line; the place to mend is where the key begins.
        unfinished_key = error.context == "while scanning a simple key"
        mark = (unfinished_key and error.context_mark) or error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark is not None else (0, 0)
        raise UnparsableError(SyntaxFault(line, column, str(error.problem or "cannot be read"))) from None
    except yaml.YAMLError:
        raise UnparsableError(SyntaxFault(0, 0, "it holds a character YAML does not allow")) from None


@dataclass(slots=True)
class _Frame:
    """An open list or mapping; in a mapping ``key`` waits for its value."""

    line: int
    column: int
    is_mapping: bool
    items: list[Node] = field(default_factory=list)
    pairs: dict[str, Pair] = field(default_factory=dict)
    key: Node | None = None

    def close(self) -> Node:
        value: Value = Fields(tuple(self.pairs.values())) if self.is_mapping else tuple(self.items)
        return Node(value, self.line, self.column)


@dataclass(slots=True)
class _Builder:
    """Turns parser events into nodes, without recursion."""

    file: str
    lines: list[str]
    shifts: Mapping[int, int]
    findings: list[Finding] = field(default_factory=list)
    stack: list[_Frame] = field(default_factory=list)
    root: Node | None = None
    documents: int = 0
    nodes: int = 0
    full: bool = False

    def feed(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._document(event)
        elif isinstance(event, yaml.NodeEvent):
            self._node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._attach(self.stack.pop().close())

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self.documents += 1
        if self.documents > 1:
            self._report(event, "a second document begins here", "keep one document per file")
            self.full = True
        elif event.version is not None or event.tags:
            self._report(event, "YAML directives are not allowed", "delete the line that begins with `%`")

    def _node(self, event: yaml.NodeEvent) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES or len(self.stack) >= MAX_DEPTH:
            limit = (
                f"more than {MAX_NODES} values" if self.nodes > MAX_NODES else f"nested deeper than {MAX_DEPTH} levels"
            )
            self._report(event, limit)
            self.full = True
            return
        if isinstance(event, yaml.AliasEvent):
            self._report(event, "aliases are not allowed", "quote a text that begins with `*`, or repeat the value")
            self._attach(self._at(event, None))
            return
        if event.anchor is not None:
            self._report(event, "anchors are not allowed", "quote a text that begins with `&`")
        if isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)) and event.tag is not None:
            self._report(event, "tags are not allowed", "quote a text that begins with `!`")
        if isinstance(event, yaml.ScalarEvent):
            self._attach(self._scalar(event))
        else:
            self._open(event)

    def _open(self, event: yaml.NodeEvent) -> None:
        place = self._at(event, None)
        self.stack.append(_Frame(place.line, place.column, isinstance(event, yaml.MappingStartEvent)))

    def _scalar(self, event: yaml.ScalarEvent) -> Node:
        text = str(event.value)
        if event.style:
            return self._at(event, text)
        if _last_line(event) > _place(event)[0]:
            self._report_folded(event)
            return self._at(event, text)
        # Keys and short values come again and again; a long text would only fill the memory.
        value = _resolve_again(text) if len(text) <= _SHORT_CHARS else _resolve(text)
        if value is _NO_VALUE:
            fix = "merge keys are not allowed" if text == "<<" else f'write "{text}" in quotes, or `true`/`false`'
            self._report(event, f"{quote(text)} means different things to different YAML readers", fix)
            value = text
        return self._at(event, value, plain=True)  # type: ignore[arg-type]  # a scalar: the marker is handled above

    def _attach(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        if not frame.is_mapping:
            frame.items.append(node)
        elif frame.key is None:
            frame.key = self._key(node)
        else:
            self._pair(frame, frame.key, node)
            frame.key = None

    def _key(self, node: Node) -> Node:
        if isinstance(node.value, str):
            return node
        self._add(node.line, node.column, "a key must be text", "put the key in quotes")
        return Node("", node.line, node.column)

    def _pair(self, frame: _Frame, key: Node, value: Node) -> None:
        name = str(key.value)
        if name in frame.pairs:
            first = frame.pairs[name].key
            self._add(key.line, key.column, f"duplicate key {quote(name)}", f"it stands first in line {first.line}")
        else:
            frame.pairs[name] = Pair(key, value)

    def _report_folded(self, event: yaml.ScalarEvent) -> None:
        line = _place(event)[0] + 1
        while not self.lines[line].strip():
            line += 1
        text = self.lines[line]
        fix = "a list item begins with `- `, an option has a space after its colon; quote text that needs two lines"
        column = len(text) - len(text.lstrip()) + 1
        self._add(line + 1, column, "this line would silently become part of the text above", fix)

    def _report(self, event: yaml.Event, message: str, fix: str = "") -> None:
        place = self._at(event, None)
        self._add(place.line, place.column, message, fix)

    def _add(self, line: int, column: int, message: str, fix: str = "") -> None:
        self.findings.append(Finding(self.file, line, column, message, fix))
        self.full = self.full or len(self.findings) >= MAX_FINDINGS

    def _at(self, event: yaml.Event, value: Value, *, plain: bool = False) -> Node:
        line, column = _place(event)
        if self.shifts:
            column = max(column - self.shifts.get(line, 0), 0)
        return Node(value, line + 1, column + 1, plain)


def _place(event: yaml.Event) -> tuple[int, int]:
    """Return the 0-based line and column of an event; the parser always sets the mark, its type allows None."""
    mark = event.start_mark
    return (0, 0) if mark is None else (mark.line, mark.column)


def _last_line(event: yaml.Event) -> int:
    return 0 if event.end_mark is None else event.end_mark.line


def _resolve(text: str) -> object:
    """Return what a plain scalar means, or the marker when YAML 1.1 and 1.2 readers would disagree."""
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text in _NULLS:
        return None
    if _INTEGER.fullmatch(text) is not None:
        return int(text)
    if _FOREIGN.fullmatch(text) is not None:
        return _NO_VALUE
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers
    for _, pattern in (*resolvers.get(text[0], ()), *resolvers.get(None, ())):
        if pattern.match(text) is not None:
            return _NO_VALUE
    return text


_resolve_again: Final = lru_cache(maxsize=1024)(_resolve)


def _forbidden_message(char: str) -> tuple[str, str]:
    if char == "\t":
        return "a tab", "indent and separate with spaces"
    return f"the invisible character U+{ord(char[0]):04X}", "delete it"
