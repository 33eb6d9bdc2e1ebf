"""Reads the brief's literal form, options indented under a bare rule, which is not YAML.

    - ecs:UpdateService on arn:aws:ecs:*:*:service/prod-*
      requires_approval: true

The repair is driven by errors: a text that YAML accepts is never touched. Where YAML gives up at a line that begins
with a known option, and the nearest line above it (comments and blank lines aside) is a bare rule two columns to the
left, that one line becomes ``- allow: RULE`` (or ``- deny: RULE``), and the text is read again. Lines keep their
numbers. A line-based rewrite ahead of parsing would also change the same words inside a block scalar; this cannot.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from policies.document.nodes import Node
from policies.document.strict_yaml import SyntaxFault, UnparsableError, build

MAX_REPAIRS: Final = 500
"""Repairs of one file; each reads the text again, so the cost is quadratic (100 in a 1 000-rule file: 0.2 s)."""

_ITEM: Final = re.compile(
    r"(?P<indent> *)- (?P<deny>deny )?(?P<rule>[A-Za-z0-9_*][^\s#]* on [^\s#]\S*)(?P<rest> *(?: #.*)?)"
)
_OPTION: Final = re.compile(r"(?P<indent> *)(?P<name>[a-z_]+):(?: .*)?")
_ALLOW_SHIFT: Final = len("allow: ")
_DENY_SHIFT: Final = len(":")


@dataclass(slots=True)
class Repaired:
    """A tree, the 1-based lines that were read in the literal form, and the text they became.

    Places in the tree are those of the text as written, not of the repaired one.
    """

    root: Node
    lines: tuple[int, ...]
    text: str


@dataclass(slots=True)
class _Text:
    lines: list[str]
    shifts: dict[int, int] = field(default_factory=dict)


def build_repaired(text: str, file: str, options: Collection[str]) -> Repaired:
    """Build the tree of a decoded text, repairing the literal form where YAML fails on it.

    Args:
        text: From `policies.document.strict_yaml.decode`.
        file: Name used in the findings.
        options: Names of the options a rule may have.

    Raises:
        UnparsableError: the text is no YAML and no literal form either.
        YamlError: it is YAML and not strict.
    """
    state = _Text(text.split("\n"))
    while True:
        mended = "\n".join(state.lines)
        try:
            root = build(mended, file, state.shifts)
        except UnparsableError as error:
            if len(state.shifts) >= MAX_REPAIRS or not _repair(state, error.fault, options):
                raise
        else:
            return Repaired(root, tuple(sorted(line + 1 for line in state.shifts)), mended)


def _repair(state: _Text, fault: SyntaxFault, options: Collection[str]) -> bool:
    """Rewrite the one line that makes ``fault`` go away; tell whether there was one."""
    if fault.line >= len(state.lines):
        return False
    option = _OPTION.fullmatch(state.lines[fault.line])
    if option is None or option["name"] not in options:
        return False
    above = fault.line - 1
    while above >= 0 and (not state.lines[above].strip() or state.lines[above].lstrip().startswith("#")):
        above -= 1
    item = _ITEM.fullmatch(state.lines[above]) if above >= 0 else None
    if item is None or above in state.shifts or len(option["indent"]) != len(item["indent"]) + 2:
        return False
    word, shift = ("deny", _DENY_SHIFT) if item["deny"] else ("allow", _ALLOW_SHIFT)
    state.lines[above] = f"{item['indent']}- {word}: {item['rule']}{item['rest']}"
    state.shifts[above] = shift
    return True
