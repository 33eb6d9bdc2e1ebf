"""The text of a policy file with some of its rules written anew, every other line as it was.

Only whole items of the list under ``policies:`` are replaced, found by their lines: comments, order and layout of the
rest stay. A file whose list is not one item to a line, as in ``[a, b]``, is not touched.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policies.model import Rule

_KEY: Final = re.compile(r"policies:\s*(?:#.*)?")
_ITEM: Final = re.compile(r"( *)- ")
_NO_CONTENT: Final = re.compile(r"\s*(?:#.*)?")


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the list.

    Args:
        first: Its first line, from 0.
        end: The line after its last one.
        rules: The rules in it.
    """

    first: int
    end: int
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A policy file as lines, and the items of its list.

    Args:
        lines: The text, without line ends.
        key: The line of ``policies:``, from 0.
        indent: Columns before the dash of each item.
        items: In the order written.
    """

    lines: tuple[str, ...]
    key: int
    indent: int
    items: tuple[Item, ...]


def list_items(text: str, rules: Sequence[Rule]) -> Listing | None:
    """Return a file's items; None when its rules do not stand in items of their own lines.

    Args:
        text: The file's text.
        rules: Every rule of the file, with its place.
    """
    lines = tuple(text.splitlines())
    key = next((index for index, line in enumerate(lines) if _KEY.fullmatch(line)), None)
    if key is None:
        return None
    dashes = [(index, len(found[1])) for index in range(key + 1, len(lines)) if (found := _ITEM.match(lines[index]))]
    indent = dashes[0][1] if dashes else 0
    firsts = [index for index, column in dashes if column == indent]
    items = []
    for first, following in itertools.pairwise([*firsts, len(lines)]):
        end = _end(lines, first, following, indent)
        items.append(Item(first, end, tuple(rule for rule in rules if first < rule.span.line <= end)))
    placed = sum(len(item.rules) for item in items)
    return Listing(lines, key, indent, tuple(items)) if placed == len(rules) else None


def rewrite(listing: Listing, replaced: Mapping[Item, Sequence[str]]) -> str:
    """Return the file with other rules in place of some items.

    Args:
        listing: The file.
        replaced: For each item to replace its new rules; none to take it out.
    """
    lines = list(listing.lines)
    for item in sorted(replaced, key=lambda each: each.first, reverse=True):
        lines[item.first : item.end] = [f"{' ' * listing.indent}- {_scalar(rule)}" for rule in replaced[item]]
    if all(item in replaced and not replaced[item] for item in listing.items):
        lines[listing.key] = lines[listing.key].replace("policies:", "policies: []", 1)
    return "\n".join(lines) + "\n"


def fresh_file(agent: str, rules: Sequence[str]) -> str:
    """Return a new policy file of plain rules."""
    head = ["version: 1", f"agent: {agent}"]
    body = ["policies:", *(f"  - {_scalar(rule)}" for rule in rules)] if rules else ["policies: []"]
    return "\n".join([*head, *body]) + "\n"


def _end(lines: Sequence[str], first: int, following: int, indent: int) -> int:
    """Return the line after an item; blank lines and comments after it belong to what comes next."""
    end = first + 1
    for index in range(first + 1, following):
        if _NO_CONTENT.fullmatch(lines[index]):
            continue
        if len(lines[index]) - len(lines[index].lstrip(" ")) <= indent:
            break
        end = index + 1
    return end


def _scalar(rule: str) -> str:
    """Return a rule as a YAML scalar."""
    # A rule holds no space but the two around `on`: only a star before it and a colon behind it mean something.
    return json.dumps(rule, ensure_ascii=False) if rule.startswith("*") or rule.endswith(":") else rule
