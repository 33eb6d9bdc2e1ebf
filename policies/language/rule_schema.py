"""Rules as regular expressions for editors: what `policies.language.rule_text` reads, in the words JSON Schema has.

An expression cannot do all that the loader does. It never refuses a rule that loads; beyond the form of a rule it knows
the names of the actions, and that a resource without an inner ``**`` has the segments of one of its action's types.

The expressions are ECMA-262 with the flag ``u`` and linear in what they read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from policies.language.actions import ANNOUNCED, MAX_ACTION_CHARS
from policies.patterns.pattern import MAX_PATTERN_CHARS, MAX_STARS
from policies.resources.catalogue import Catalogue
from policies.resources.templates import Kind, Part, Shape, Template

_SYNTAX: Final = re.compile(r"[\^$\\.*+?()\[\]{}|/]")
_SERVICE: Final = "[a-z][a-z0-9-]*"
_OPERATION: Final = "[A-Za-z0-9*][A-Za-z0-9*-]*"
_STARRED: Final = r"(?!-)[A-Za-z0-9-]*\*[A-Za-z0-9*-]*"
_VISIBLE: Final = r"[^\s\u0000-\u001f\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
"""A character of a resource; the loader refuses more of those nobody sees."""
_ANY_RESOURCE: Final = r"\S+"
_LIMITS: Final = (
    r"(?![^ ]*\*\*)"
    rf"(?!(?:[^ ]*,)?[^ ,]{{{MAX_ACTION_CHARS + 1}}})"
    rf"(?=\S+ on {_VISIBLE}{{1,{MAX_PATTERN_CHARS}}}$)"
    r"(?!\S+ on \S*\*\*\*)"
    rf"(?!\S+ on (?:[^\s*]*\*+(?!\*)){{{MAX_STARS + 1}}})"
)
"""Bounds of `policies.language.actions` and `policies.patterns.pattern`, looked at before anything is read."""
_VARIABLE: Final = r"\$\{[^{}\s]*\}"
_SEGMENT_CHAR: Final = rf"(?:{_VARIABLE}|\$(?!\{{)|[^\/:\s$])"
_SEGMENT: Final = f"{_SEGMENT_CHAR}+"
_FINAL_STAR: Final = rf"{_SEGMENT_CHAR}*\*"
_STARRED_SEGMENT: Final = r"[^\/:\s]*\*[^\/:\s]*"


def whole(expression: str) -> str:
    """Return the expression of a whole text; a bare ``$`` would let some readers overlook a final line end."""
    return rf"^(?:{expression})$(?!\n)"


def rule_expression(catalogue: Catalogue) -> str:
    """Return the expression of ``action[,action…] on resource``, without anchors."""
    patterns = _patterns(catalogue)
    one = _alternatives((patterns, *(f"(?:aws:)?{escaped(name)}" for name in _known(catalogue))))
    readings = [f"{one}(?:,{one})+ on {_ANY_RESOURCE}", f"{patterns} on {_ANY_RESOURCE}"]
    for kinds, actions in _by_kinds(catalogue):
        resource = _alternatives((*map(_resource, kinds), r"\*", r"\S*\*\*\S*")) if kinds else _ANY_RESOURCE
        readings.append(f"(?:aws:)?{_alternatives(map(escaped, actions))} on {resource}")
    return f"{_LIMITS}{_alternatives(readings)}"


def escaped(text: str) -> str:
    """Return a literal; `re.escape` writes escapes that ECMA-262 refuses."""
    return _SYNTAX.sub(r"\\\g<0>", text)


def _known(catalogue: Catalogue) -> list[str]:
    return sorted({*(catalogue.actions or ()), *(ANNOUNCED if catalogue.actions is not None else ())})


def _patterns(catalogue: Catalogue) -> str:
    """Return the expression of the actions whose resources stay unread: with stars, or of a service nobody serves."""
    if catalogue.actions is None:
        return rf"(?:\*(?::{_OPERATION})?|(?!aws:\*)(?:aws:)?{_SERVICE}:{_OPERATION})"
    served = _alternatives(
        escaped(service) for service in sorted({name.partition(":")[0] for name in catalogue.actions})
    )
    others = f"(?!(?:aws:)?{served}:)(?!aws:\\*)(?:aws:)?{_SERVICE}:{_OPERATION}"
    return rf"(?:\*(?::{_OPERATION})?|(?:aws:)?{served}:{_STARRED}|{others})"


def _by_kinds(catalogue: Catalogue) -> Iterable[tuple[tuple[Kind, ...], list[str]]]:
    """Return the known actions by the types they can touch."""
    found: dict[tuple[str, ...], tuple[tuple[Kind, ...], list[str]]] = {}
    for name in _known(catalogue):
        kinds = catalogue.kinds_for(name)
        found.setdefault(tuple(kind.type.name for kind in kinds), (kinds, []))[1].append(name)
    return found.values()


def _resource(kind: Kind) -> str:
    return _alternatives(expression for form in kind.forms for expression in (_full(form), _prefix(form.parts)))


def _full(template: Template) -> str:
    return "".join(escaped(part.before) + _part(part) for part in template.parts)


def _prefix(parts: tuple[Part, ...]) -> str:
    """Return the expression of a text that ends in a star somewhere inside a template."""
    first, rest = parts[0], parts[1:]
    here = escaped(first.before)
    ends = [_FINAL_STAR, rf"{_SEGMENT}\/{_FINAL_STAR}"] if first.shape is Shape.PAIR else [_FINAL_STAR]
    if rest:
        ends.append(_part(first) + _prefix(rest))
    return here + _alternatives(ends)


def _part(part: Part) -> str:
    match part.shape:
        case Shape.LITERAL:
            return _alternatives((escaped(part.text), _STARRED_SEGMENT))
        case Shape.ONE:
            return _SEGMENT
        case Shape.PAIR:
            return _alternatives((rf"{_SEGMENT}\/{_SEGMENT}", r"\*\*?", _VARIABLE))
        case Shape.REST:
            return r"\S+"


def _alternatives(expressions: Iterable[str]) -> str:
    return f"(?:{'|'.join(dict.fromkeys(expressions))})"
