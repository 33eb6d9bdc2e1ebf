"""The canonical form of a policy file: one way to write it, with the author's comments.

    - every item that has options is ``- allow: RULE`` or ``- deny: RULE`` with the options below, in one order;
    - lists of rules stand below each other, other lists of plain values in brackets while they fit the line;
    - a text is quoted only when it must be; text blocks stay as they are written;
    - whole-line comments stay before what they precede, others behind it; of several blank lines one stays.

Formatting changes no rule: the result is read again and compared before anybody gets it. It needs no catalogue and
does not judge the policy; what `policies.language.loader` refuses is formatted as far as it is YAML.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from policies.document.comments import Note, block_lines, read_notes
from policies.document.nodes import Fields, Node, to_json
from policies.document.repair import build_repaired
from policies.document.scalars import write_flow, write_scalar
from policies.document.strict_yaml import Scalar, UnparsableError, build, decode, scalars, syntax_finding
from policies.errors import Finding, YamlError
from policies.language.options import EFFECTS, OPTIONS

WIDTH: Final = 120
"""Columns up to which a list stays in brackets on one line."""

_TOP: Final = ("version", "agent", "agents", "project", "policies")
_ITEM: Final = (*EFFECTS, *OPTIONS)
_STEP: Final = 2


def format_policy(data: bytes, file: str) -> bytes:
    """Return a policy file in its canonical form; formatting that again changes nothing.

    Args:
        data: The file's bytes, in any form `policies.language.loader` reads.
        file: Name used in findings.

    Raises:
        YamlError: the text is not strict YAML, or no mapping.
    """
    text = decode(data, file)
    try:
        repaired = build_repaired(text, file, OPTIONS)
    except UnparsableError as error:
        raise YamlError([syntax_finding(error.fault, file)]) from None
    root = build(repaired.text, file) if repaired.lines else repaired.root
    if not isinstance(root.value, Fields) and root.value is not None:
        raise YamlError([Finding(file, root.line, root.column, "a policy file is a mapping")])
    formatting = _Formatting(repaired.text.split("\n"))
    formatted = formatting.file(root, repaired.text)
    _check_unchanged(root, formatted, file)
    return formatted.encode()


@dataclass(slots=True)
class _Entry:
    """A line of the result to be: a pair of a mapping, or an item of a list.

    Args:
        node: The value.
        line: In the source, from 1.
        key: As written in the result; empty for an item.
        children: What stands below it, in the order of the source.
        order: Keys of the children that come first, in this order.
        tall: Whether a list stands below its key however short it is.
        before: Whole-line comments and blank lines above it.
        behind: The comment on its line.
    """

    node: Node
    line: int
    key: str
    children: list[_Entry] = field(default_factory=list)
    order: Sequence[str] = ()
    tall: bool = False
    before: list[str] = field(default_factory=list)
    behind: str = ""

    @property
    def is_list(self) -> bool:
        """Whether the children are items."""
        return isinstance(self.node.value, tuple)

    def ordered(self) -> list[_Entry]:
        """Return the children in the order of the result."""
        ranks = {key: rank for rank, key in enumerate(self.order)}
        return sorted(self.children, key=lambda child: ranks.get(child.key, len(ranks)))


def _entry(node: Node, line: int, key: str = "", parent: str = "") -> _Entry:
    """Build the entry of a value and of what is below it; ``parent`` is the key it stands under."""
    if isinstance(node.value, Fields):
        order = _TOP if not key and not parent else _ITEM if parent == "policies" and not key else ()
        pairs = [_entry(pair.value, pair.key.line, write_scalar(pair.name), key) for pair in node.value]
        return _Entry(node, line, key, pairs, order)
    # A list inside a list stays in brackets, so that nothing in it has a line of its own.
    items = node.value if isinstance(node.value, tuple) and (key or not parent) else ()
    return _Entry(
        node, line, key, [_entry(item, item.line, "", key) for item in items], tall=key in {"policies", *EFFECTS}
    )


@dataclass(slots=True)
class _Formatting:
    """One run over one file."""

    lines: list[str]
    blocks: dict[tuple[int, int], Scalar] = field(default_factory=dict)

    def file(self, root: Node, text: str) -> str:
        found = scalars(text)
        self.blocks = {(each.line + 1, each.column + 1): each for each in found if each.style in {"|", ">"}}
        top = _entry(root, 0)
        tail = _attach(read_notes(text, found), list(_walk(top)))
        if top.children:
            # What stands above the first key speaks of the file, whichever key comes first in the result.
            head, top.children[0].before = top.children[0].before, []
            top.ordered()[0].before[:0] = head
        lines = [*self._below(top, 0), *tail]
        while lines and not lines[0]:
            del lines[0]
        return "".join(f"{line}\n" for line in lines)

    def _below(self, entry: _Entry, indent: int) -> Iterator[str]:
        """Return the lines of what is below an entry."""
        for number, child in enumerate(entry.ordered()):
            yield from _above(child, indent, first=number == 0)
            yield from self._item(child, indent) if entry.is_list else self._pair(child, indent)

    def _item(self, entry: _Entry, indent: int) -> Iterator[str]:
        dash = " " * indent + "- "
        if not entry.children:
            yield from self._value(entry, dash, indent)
            return
        first, *others = entry.ordered()
        yield from _above(first, indent, first=True)
        start, *rest = self._pair(first, indent + _STEP)
        yield dash + start[len(dash) :]
        yield from rest
        for child in others:
            yield from _above(child, indent + _STEP)
            yield from self._pair(child, indent + _STEP)

    def _pair(self, entry: _Entry, indent: int) -> Iterator[str]:
        head = f"{' ' * indent}{entry.key}:"
        flow = f"{head} {write_flow(entry.node)}"
        if not entry.children or (entry.is_list and not entry.tall and _is_flat(entry) and len(flow) <= WIDTH):
            yield from self._value(entry, f"{head} ", indent)
            return
        yield _with_comment(head, entry.behind)
        yield from self._below(entry, indent + _STEP)

    def _value(self, entry: _Entry, head: str, indent: int) -> Iterator[str]:
        """Return the lines of a value that stands on its entry's line, text blocks with what follows it."""
        value = entry.node.value
        block = self.blocks.get((entry.node.line, entry.node.column))
        if isinstance(value, str) and block is not None:
            content = self._content(block, value)
            if content:
                chomp = "" if value.endswith("\n") else "-"
                yield _with_comment(f"{head}{block.style}{chomp}", entry.behind)
                yield from (" " * (indent + _STEP) + line if line else "" for line in content)
                return
        if value is None and entry.key:
            yield _with_comment(head.rstrip(), entry.behind)
        elif isinstance(value, (tuple, Fields)):
            yield _with_comment(head + write_flow(entry.node), entry.behind)
        else:
            yield _with_comment(head + write_scalar(value), entry.behind)

    def _content(self, block: Scalar, value: str) -> list[str]:
        """Return the lines of a text block without their indent; none where its header says more than the usual."""
        header = self.lines[block.line][block.column + 1 :].partition("#")[0].strip()
        content = [self.lines[number] for number in block_lines(block, self.lines)]
        if header not in {"", "-"} or not value.strip():
            return []
        first = next(line for line in content if line.strip())
        indent = len(first) - len(first.lstrip(" "))
        return [line[indent:] for line in content]


def _walk(entry: _Entry) -> Iterator[_Entry]:
    for child in entry.children:
        yield child
        yield from _walk(child)


def _attach(notes: Sequence[Note], entries: Sequence[_Entry]) -> list[str]:
    """Give each comment and blank line to its entry; return those after the last one."""
    carriers: dict[int, _Entry] = {}
    for entry in entries:
        # An item that is a mapping shares its line with its first pair.
        if entry.key or not entry.children:
            carriers.setdefault(entry.line, entry)
    tail: list[str] = []
    following = 0
    for note in notes:
        while following < len(entries) and entries[following].line <= note.line:
            following += 1
        if not note.alone and note.line in carriers:
            carriers[note.line].behind = note.text
        elif following < len(entries):
            entries[following].before.append(note.text)
        else:
            # Rules that are commented out at the end of the list stay below it.
            indent = _STEP if note.alone and note.indent else 0
            tail.append(" " * indent + note.text if note.text else "")
    while tail and not tail[-1]:
        del tail[-1]
    return _single_spaced(tail)


def _above(entry: _Entry, indent: int, *, first: bool = False) -> Iterator[str]:
    """Return the comments above an entry; the first one of a group has no blank line above."""
    lines = _single_spaced(entry.before)
    if first and lines and not lines[0]:
        del lines[0]
    yield from (" " * indent + line if line else "" for line in lines)


def _single_spaced(lines: Sequence[str]) -> list[str]:
    return [line for before, line in pairwise(["#", *lines]) if line or before]


def _is_flat(entry: _Entry) -> bool:
    """Tell whether a list's items are single values without comments, which can stand in brackets."""
    return not any(
        isinstance(item.node.value, (tuple, Fields)) or item.behind or any(item.before) for item in entry.children
    )


def _with_comment(line: str, comment: str) -> str:
    return f"{line}  {comment}" if comment else line


def _check_unchanged(root: Node, formatted: str, file: str) -> None:
    """Refuse a result that does not say what the source says; a formatter may never change a policy."""
    try:
        same = to_json(build(formatted, file)) == to_json(root)
    except (UnparsableError, YamlError):
        same = False
    if not same:
        raise YamlError([Finding(file, 1, 1, "this text cannot be formatted without changing it", "format it by hand")])
