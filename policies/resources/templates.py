"""Templates of resource names, and what makes matching a name as a string the same as matching it part by part.

A template is literal segments and variables with ``/`` or ``:`` between them, as
``repos/{repo=*/*}/branches/{branch=**}``.

- ``{name}`` is one segment, ``{name=*/*}`` two with a ``/`` between them, ``{name=**}`` one or more of any separators.
- A variable fills its segments whole, and at most one variable is ``**``; so every name has one reading: what stands
  before the ``**`` is counted from the left, what stands after it from the right.
- A ``**`` that is not last is followed by a literal, and its value never holds that literal as a segment.

A value is never empty and holds no control character. What a service takes for a name is not checked here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final

from policies.errors import PolicyError, quote
from policies.model import ResourceType

SEPARATOR: Final = re.compile("([/:])")
"""Splits a text into segments at even places and the separators between them at odd ones."""

_TOKEN: Final = re.compile(r"\{(?P<name>[a-z][a-z0-9_]*)(?:=(?P<shape>\*/\*|\*\*))?\}|(?P<literal>[^/:{}*$\s]*)")


class CatalogueError(PolicyError):
    """What a connector declares of its resources contradicts itself: a fault of the build, found at start."""


class Shape(StrEnum):
    """What one part of a template stands for."""

    LITERAL = ""
    ONE = "*"
    PAIR = "*/*"
    REST = "**"


WIDTHS: Final[Mapping[Shape, int]] = {Shape.LITERAL: 1, Shape.ONE: 1, Shape.PAIR: 2, Shape.REST: 1}
"""Segments of a part; a REST can have more."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a template.

    Args:
        before: The separator in front of it; empty for the first.
        text: The literal, or the variable's name.
        shape: What it stands for.
        width: Segments it has at least.
    """

    before: str
    text: str
    shape: Shape
    width: int


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template.

    Args:
        text: As declared.
        parts: In order, at least one.
        variables: Names in order.
        segments: Segments a name has at least.
        stop: The literal that ends a ``**`` in the middle; None when there is none.
    """

    text: str
    parts: tuple[Part, ...]
    variables: tuple[str, ...]
    segments: int
    stop: str | None = None

    @property
    def plain(self) -> str:
        """The template as people read it, without shapes: ``repos/{repo}/branches/{branch}``."""
        return "".join(
            part.before + (part.text if part.shape is Shape.LITERAL else f"{{{part.text}}}") for part in self.parts
        )

    def parse(self, resource: str) -> dict[str, str] | None:
        """Return the value of every variable in a concrete name; None when the name is not of this template."""
        pieces = SEPARATOR.split(resource)
        spare = (len(pieces) + 1) // 2 - self.segments
        if spare < 0:
            return None
        values: dict[str, str] = {}
        place = 0
        for part in self.parts:
            width = part.width + (spare if part.shape is Shape.REST else 0)
            text = "".join(pieces[place : place + 2 * width - 1])
            if (place and pieces[place - 1] != part.before) or not self._fits(part, text):
                return None
            if part.shape is not Shape.LITERAL:
                values[part.text] = text
            place += 2 * width
        return values if place == len(pieces) + 1 else None

    def format(self, values: Mapping[str, str]) -> str:
        """Return the name with these values.

        Args:
            values: Exactly one for each variable.

        Raises:
            CatalogueError: a value is missing, is too many, does not have its variable's shape, or holds a control
                character.
        """
        if values.keys() != set(self.variables):
            raise CatalogueError(f"{quote(self.text)} has {', '.join(self.variables)}, found {', '.join(values)}")
        for part in self.parts:
            value = values.get(part.text, "")
            if part.shape is not Shape.LITERAL and not (self._fits(part, value) and _is_visible(value)):
                raise CatalogueError(f"{quote(value)} does not fit {part.text} of {quote(self.text)}")
        return self.render(values)

    def render(self, values: Mapping[str, str]) -> str:
        """Return the template with these texts for its variables, whatever they hold."""
        return "".join(
            part.before + (part.text if part.shape is Shape.LITERAL else values[part.text]) for part in self.parts
        )

    def overlaps(self, other: Template) -> bool:
        """Tell whether a name can be of both templates; a yes may be too many where a ``**`` is not last."""
        ours, theirs = _steps(self), _steps(other)
        seen, pending = set(), [(0, 0)]
        while pending:
            pair = pending.pop()
            if pair in seen:
                continue
            seen.add(pair)
            left, right = pair
            if left == len(ours) and right == len(theirs):
                return True
            if left == len(ours) or right == len(theirs) or not _meet(ours[left], theirs[right]):
                continue
            pending += [(a, b) for a in _after(ours, left) for b in _after(theirs, right)]
        return False

    def _fits(self, part: Part, text: str) -> bool:
        match part.shape:
            case Shape.LITERAL:
                return text == part.text
            case Shape.ONE:
                return text != "" and SEPARATOR.search(text) is None
            case Shape.PAIR:
                pieces = SEPARATOR.split(text)
                return len(pieces) == 3 and pieces[1] == "/" and "" not in pieces  # noqa: PLR2004 - two and their `/`
            case Shape.REST:
                return text != "" and (self.stop is None or self.stop not in SEPARATOR.split(text)[::2])


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource type with its templates compiled.

    Args:
        type: As declared.
        full: The template of its names.
        forms: Every template a rule's text is read against, ``full`` first.
        keywords: Literals that follow a ``*/*`` in this or another type of the same catalogue.
    """

    type: ResourceType
    full: Template
    forms: tuple[Template, ...]
    keywords: frozenset[str] = frozenset()

    def own_keywords(self) -> set[str]:
        """Return the literals that follow a ``*/*`` in this type."""
        pairs = (pair for form in self.forms for pair in pairwise(form.parts))
        return {after.text for part, after in pairs if part.shape is Shape.PAIR and after.shape is Shape.LITERAL}


@lru_cache(maxsize=1024)
def compile_template(text: str) -> Template:
    """Compile a template.

    Raises:
        CatalogueError: it is none, or a name could be read in two ways.
    """
    parts = tuple(_parts(text))
    variables = tuple(part.text for part in parts if part.shape is not Shape.LITERAL)
    shapes = [part.shape for part in parts]
    if len(set(variables)) < len(variables):
        raise CatalogueError(f"a variable stands twice in {quote(text)}")
    if shapes.count(Shape.REST) > 1 or shapes.count(Shape.PAIR) > 1:
        raise CatalogueError(f"a name could be read in two ways: more than one `**` or `*/*` in {quote(text)}")
    stop = None
    if Shape.REST in shapes[:-1]:
        following = parts[shapes.index(Shape.REST) + 1]
        if following.shape is not Shape.LITERAL or not following.text:
            raise CatalogueError(f"a name could be read in two ways: no literal ends the `**` in {quote(text)}")
        stop = following.text
    return Template(text, parts, variables, sum(part.width for part in parts), stop)


def compile_type(declared: ResourceType) -> Kind:
    """Compile a resource type.

    Raises:
        CatalogueError: a template is none, a short form has other variables or another order than the template, a
            default or a word is for no variable or does not fit it, or it names no action.
    """
    full = compile_template(declared.template)
    forms = [compile_template(form) for form in declared.short_forms]
    for form in forms:
        order = [full.variables.index(name) for name in form.variables if name in full.variables]
        # A form that begins with an open part would take any full name for that part.
        if form.parts[0].shape is Shape.REST or not order or len(order) < len(form.variables) or order != sorted(order):
            raise CatalogueError(f"the short form {quote(form.text)} does not fit {quote(full.text)}")
        if not _variables(form) <= _variables(full) or (form.stop != full.stop and _has_rest(form)):
            raise CatalogueError(f"the short form {quote(form.text)} gives a variable another shape or another end")
    if not declared.actions or not set(declared.defaults) | set(declared.words) <= set(full.variables):
        raise CatalogueError(f"the type {quote(declared.name)} names no action, or what it has no variable for")
    for given in (declared.defaults, declared.words):
        full.format({name: "x/x" if shape is Shape.PAIR else "x" for name, shape in _variables(full)} | dict(given))
    return Kind(declared, full, (full, *forms))


def _variables(template: Template) -> set[tuple[str, Shape]]:
    return {(part.text, part.shape) for part in template.parts if part.shape is not Shape.LITERAL}


def _has_rest(template: Template) -> bool:
    return any(part.shape is Shape.REST for part in template.parts)


def _parts(text: str) -> Iterable[Part]:
    place, before = 0, ""
    while True:
        match = _TOKEN.match(text, place)
        end = match.end() if match is not None else place
        if match is None or not text or (end < len(text) and text[end] not in "/:"):
            raise CatalogueError(f"a variable fills its segments whole, found {quote(text)}")
        if match["name"]:
            shape = Shape(match["shape"] or "*")
            yield Part(before, match["name"], shape, WIDTHS[shape])
        else:
            yield Part(before, match["literal"], Shape.LITERAL, 1)
        if end == len(text):
            return
        before, place = text[end], end + 1


def _is_visible(value: str) -> bool:
    return not any(unicodedata.category(char) in {"Cc", "Cs"} for char in value)


def _steps(template: Template) -> list[tuple[str, str | None, bool]]:
    """Return a template's segments: the separator in front, the literal or None for any, whether more may follow."""
    steps: list[tuple[str, str | None, bool]] = []
    for part in template.parts:
        literal = part.text if part.shape is Shape.LITERAL else None
        steps.append((part.before, literal, part.shape is Shape.REST))
        if part.shape is Shape.PAIR:
            steps.append(("/", None, False))
    return steps


def _meet(left: tuple[str, str | None, bool], right: tuple[str, str | None, bool]) -> bool:
    """Tell whether one segment can be both; an open one takes any separator, and a value is never empty."""
    same_place = left[0] == right[0] or left[2] or right[2]
    same_text = left[1] == right[1] or _takes(left, right[1]) or _takes(right, left[1])
    return same_place and same_text


def _takes(step: tuple[str, str | None, bool], text: str | None) -> bool:
    return step[1] is None and (step[2] or text != "")


def _after(steps: list[tuple[str, str | None, bool]], place: int) -> list[int]:
    return [place, place + 1] if steps[place][2] else [place + 1]
