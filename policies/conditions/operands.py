"""Values a condition compares with, as they are written: one of them or a list, each checked for its kind.

Every function collects findings on the reader and returns what it could read; after a finding nothing is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from policies.conditions.addresses import parse_network, widened
from policies.conditions.facts import AGENT_ID, PROJECT, VARIABLE, is_variable
from policies.conditions.values import Glob
from policies.document.nodes import Fields, Node, Reader, describe
from policies.errors import did_you_mean, quote
from policies.model import Scalar

MAX_OPERANDS: Final = 64
"""Values of one condition."""
MAX_OPERAND_CHARS: Final = 256
MAX_STARS: Final = 8
"""Stars in one value."""
MAX_SEARCHED: Final = 4
"""Values of one condition that cost a search each (`policies.conditions.values.Glob.searched`)."""
RATE_CLASSES: Final = ("low", "normal", "high")
"""How fast a session asks, as the broker measures it."""

ReadOne = Callable[[Reader, Node, str], Scalar | None]
"""Reads one value; None after a finding. The text says what it is a value of."""

_VARIABLES: Final = (AGENT_ID, PROJECT, "session.id", "session.owner")
_LOOKS_TYPED: Final = re.compile(r"true|false|0|-?[1-9][0-9]*")


def read_operands(reader: Reader, node: Node, what: str, read_one: ReadOne) -> tuple[Scalar, ...]:
    """Read one value or a list of them."""
    nodes = node.value if isinstance(node.value, tuple) else (node,)
    if not nodes:
        reader.report(node, f"{what} is an empty list and could never hold")
    if len(nodes) > MAX_OPERANDS:
        reader.report(node, f"{what} has more than {MAX_OPERANDS} values, found {len(nodes)}")
    read = (read_one(reader, item, what) for item in nodes[:MAX_OPERANDS])
    values = tuple(value for value in read if value is not None)
    searched = sum(isinstance(value, str) and Glob(value).searched for value in values)
    if searched > MAX_SEARCHED:
        fix = "values that begin or end with their only star cost little"
        reader.report(node, f"{what} has more than {MAX_SEARCHED} values with inner stars or variables", fix)
    return values


def read_negated(reader: Reader, node: Node, what: str) -> tuple[Node | None, bool]:
    """Look below a ``{not: ...}``; tell whether there was one. No node after a finding."""
    if not isinstance(node.value, Fields):
        return node, False
    return reader.fields(node, what, ("not",), required=("not",)).get("not"), True


def read_string(reader: Reader, node: Node, what: str) -> str | None:
    """Read any text; None after a finding, where the reader's own text would be an empty one."""
    text = reader.text(node, what)
    return text if isinstance(node.value, str) else None


def read_text(reader: Reader, node: Node, what: str) -> str | None:
    """Read a text with stars and variables."""
    text = read_string(reader, node, what)
    if text is None:
        return None
    if not 1 <= len(text) <= MAX_OPERAND_CHARS:
        reader.report(node, f"a value of {what} has 1 to {MAX_OPERAND_CHARS} characters, found {len(text)}")
        return None
    if text.count("*") > MAX_STARS:
        reader.report(node, f"a value of {what} has at most {MAX_STARS} stars, found {text.count('*')}")
        return None
    return text if _knows_variables(reader, node, text) else None


def read_value(reader: Reader, node: Node, what: str) -> Scalar | None:
    """Read a value of a param: unquoted numbers and booleans, any other text."""
    if isinstance(node.value, (bool, int)):
        return node.value
    if isinstance(node.value, str) and _LOOKS_TYPED.fullmatch(node.value) is not None:
        fix = f'drop the quotes; if the param is text, write `{{text: "{node.value}"}}`'
        reader.report(node, f"{what} compares with text, found {quote(node.value)} in quotes", fix)
        return None
    return read_text(reader, node, what)


def read_network(reader: Reader, node: Node, what: str) -> str | None:
    """Read a network or an address, in its canonical spelling."""
    text = read_string(reader, node, what)
    if text is None:
        return None
    network = parse_network(text)
    if network is not None:
        return str(network)
    around = widened(text)
    if around:
        reader.report(node, f"{quote(text)} names an address inside a network", f"write `{around}`")
    else:
        reader.report(node, f"{what} must be networks, found {quote(text)}", "write as `10.0.0.0/8` or `2001:db8::/32`")
    return None


def read_rate_class(reader: Reader, node: Node, what: str) -> str | None:
    """Read one of `RATE_CLASSES`."""
    if isinstance(node.value, str) and node.value in RATE_CLASSES:
        return node.value
    fix = did_you_mean(str(node.value), RATE_CLASSES) or f"known here: {', '.join(RATE_CLASSES)}"
    reader.report(node, f"{what} is one of {', '.join(RATE_CLASSES)}, found {describe(node)}", fix)
    return None


def _knows_variables(reader: Reader, node: Node, text: str) -> bool:
    unknown = next((match for match in VARIABLE.finditer(text) if not is_variable(match[1])), None)
    if unknown is not None:
        fix = did_you_mean(unknown[1], _VARIABLES) or "known: `${agent.id}`, `${project}`, `${session.LABEL}`"
        reader.report(node, f"no such variable: {quote(unknown[0])}", fix, offset=unknown.start())
        return False
    if "${" in VARIABLE.sub("", text):
        reader.report(node, f"a variable without its end in {quote(text)}", "write as `${agent.id}`")
        return False
    return True
