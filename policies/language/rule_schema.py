"""Rules as regular expressions for editors: what `policies.language.rule_text` reads, in the words JSON Schema has.

An expression cannot do all that the loader does. It never refuses a rule that loads; beyond the form of a rule it knows
the services, the names of the actions of services whose resources have types, and that a resource without an inner
``**`` has the segments of one of its action's types. Names of other services are left to the loader: there are twenty
thousand, and an editor reads the expression at every keystroke.

The expressions are ECMA-262 with the flag ``u`` and linear in what they read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import starmap
from typing import Final

from policies.language.actions import ANNOUNCED, MAX_ACTION_CHARS
from policies.patterns.pattern import MAX_PATTERN_CHARS, MAX_STARS
from policies.resources.catalogue import Catalogue
from policies.resources.templates import Kind, Part, Shape

_SYNTAX: Final = re.compile(r"[\^$\\.*+?()\[\]{}|/]")
_SERVICE: Final = "[a-z][a-z0-9-]*"
_OPERATION: Final = "[A-Za-z0-9*][A-Za-z0-9*.-]*"
_STARRED: Final = r"(?![.-])[A-Za-z0-9.-]*\*[A-Za-z0-9*.-]*"
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
    typed = [(kinds, names) for kinds, names in _by_kinds(catalogue) if kinds]
    touching = f"(?:aws:)?{_trie(name for _, names in typed for name in names)}"
    one = _alternatives((_patterns(catalogue), f"(?:aws:)?{_trie(_enumerated(catalogue))}"))
    readings = [r"\S*,\S* on " + _ANY_RESOURCE, f"(?!{touching} on )[^ ,]+ on {_ANY_RESOURCE}"]
    for kinds, names in typed:
        resource = _alternatives(
            (_resource([form.parts for kind in kinds for form in kind.forms]), r"\*", r"\S*\*\*\S*")
        )
        readings.append(f"(?:aws:)?{_trie(names)} on {resource}")
    # Every action is looked at first; what may stand behind `on` depends on the one, or on none when there are several.
    return rf"{_LIMITS}(?![^ ]*,[, ])(?=(?:{one}(?:,|(?= on )))+ on ){_alternatives(readings)}"


def escaped(text: str) -> str:
    """Return a literal; `re.escape` writes escapes that ECMA-262 refuses."""
    return _SYNTAX.sub(r"\\\g<0>", text)


def _known(catalogue: Catalogue) -> list[str]:
    return sorted({*(catalogue.actions or ()), *(ANNOUNCED if catalogue.actions is not None else ())})


def _typed(catalogue: Catalogue) -> list[str]:
    """Return the served services whose resources have types, each with its colon."""
    services = {name.partition(":")[0] for name in catalogue.actions or ()}
    return sorted(f"{service}:" for service in services if catalogue.near(f"{service}:*"))


def _enumerated(catalogue: Catalogue) -> list[str]:
    """Return the known actions of those services."""
    typed = tuple(_typed(catalogue))
    return [name for name in _known(catalogue) if name.startswith(typed) or name in ANNOUNCED]


def _patterns(catalogue: Catalogue) -> str:
    """Return the expression of the actions not told apart by name: with stars, or of a service without types."""
    if catalogue.actions is None:
        return rf"(?:\*(?::{_OPERATION})?|(?!aws:\*)(?:aws:)?{_SERVICE}:{_OPERATION})"
    typed = _trie(_typed(catalogue))
    others = rf"(?!(?:aws:)?{typed})(?!aws:\*)(?:aws:)?{_SERVICE}:{_OPERATION}"
    return rf"(?:\*(?::{_OPERATION})?|(?:aws:)?{typed}{_STARRED}|{others})"


def _by_kinds(catalogue: Catalogue) -> Iterable[tuple[tuple[Kind, ...], list[str]]]:
    """Return the enumerated actions by the types they can touch."""
    found: dict[tuple[str, ...], tuple[tuple[Kind, ...], list[str]]] = {}
    for name in _enumerated(catalogue):
        kinds = catalogue.kinds_for(name)
        found.setdefault(tuple(kind.type.name for kind in kinds), (kinds, []))[1].append(name)
    return found.values()


def _trie(words: Iterable[str]) -> str:
    """Return the expression of some words, each beginning written once; of none: what nothing matches."""
    rest: dict[str, list[str]] = {}
    for word in sorted(set(words)):
        rest.setdefault(word[:1], []).append(word[1:])
    ends = rest.pop("", None) is not None
    choices = [escaped(first) + _trie(words) for first, words in rest.items()]
    if not choices:
        return "" if ends else "(?!)"
    if ends:
        return f"(?:{'|'.join(choices)})?"
    return choices[0] if len(choices) == 1 else f"(?:{'|'.join(choices)})"


def _resource(templates: Iterable[tuple[Part, ...]]) -> str:
    """Return the expression of texts of some templates, and of those that end in a star somewhere inside one.

    What templates begin with alike is written once: those of a service share most of an ARN.
    """
    rests: dict[Part, list[tuple[Part, ...]]] = {}
    for first, *rest in templates:
        rests.setdefault(first, []).append(tuple(rest))
    return _alternatives(starmap(_from, rests.items()))


def _from(first: Part, rests: list[tuple[Part, ...]]) -> str:
    pair = [rf"{_SEGMENT}\/{_FINAL_STAR}"] if first.shape is Shape.PAIR else []
    whole = [_part(first)] if () in rests else []
    longer = [rest for rest in rests if rest]
    inside = [_part(first) + _resource(longer)] if longer else []
    return escaped(first.before) + _alternatives((_FINAL_STAR, *pair, *whole, *inside))


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
