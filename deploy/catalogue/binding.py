"""Which members of a request give the parts of an ARN.

Strict on purpose: a wrong member would let policy look at one thing and AWS at another, a missing one only asks policy
for a wildcard. Only top-level members count, each for one variable:

    EXACT    the member is called like the variable
    STEM     both are about the same thing: ``clusterId`` and ``ClusterName``
    KIND     the member is about the resource type, and the variable is the last
    GENERIC  the member is ``name`` or ``id``, the operation is about the resource type, and the variable is the last

Where a request may say it in two ways (``StreamName`` or ``StreamId``), the better one is bound and the other is its
rival: a request that gives both leaves open which one AWS looks at. A member called a name never gives a variable
called an id, but by EXACT: on a create the id is AWS's to choose. A member that holds a whole ARN is one of the type's
own name, or of no name at all (``ResourceArn``), which may then hold any type the action knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from connectors.aws.catalogue.data import head_of
from connectors.aws.catalogue.model import RIVAL, UNBOUND
from deploy.catalogue.sources import Kind
from deploy.catalogue.words import is_generic, noun, plain, singular, stem

_VARIABLE: Final = re.compile(r"\$\{([^}]+)\}")
_NAMELESS_ARNS: Final = ("arn", "resourcearn", "resourcearns", "resourcearnlist")
_HEAD: Final = {
    1: ("{partition}", {"partition"}),
    3: ("{region}", {"region"}),
    4: ("{account}", {"account", "accountid"}),
}
"""Place among an ARN's segments -> what it becomes, for which variables."""


class _Rank(IntEnum):
    NONE = 0
    GENERIC = 1
    KIND = 2
    STEM = 3
    EXACT = 4


@dataclass(frozen=True, slots=True)
class Member:
    """A top-level member of a request that holds text, a number, or a list of texts."""

    name: str
    required: bool


@dataclass(frozen=True, slots=True)
class Binding:
    """A resource type and what the request says of it.

    Args:
        kind: The type.
        template: Its ARN as the catalogue writes it.
        members: Those that give its variables.
        variables: How many variables there are.
        arns: Members that hold a whole ARN of just this type.
    """

    kind: Kind
    template: str
    members: tuple[Member, ...]
    variables: int
    arns: tuple[str, ...]

    @property
    def named(self) -> bool:
        """Every part of the ARN comes from a member."""
        return self.variables == len(self.members) and UNBOUND not in self.template

    @property
    def complete(self) -> bool:
        """The request can give the whole ARN."""
        return bool(self.named or self.arns)


def bind(kind: Kind, operation: str, members: tuple[Member, ...]) -> Binding | None:
    """Bind a resource type; None when IAM gives no ARN for it.

    Args:
        kind: The type.
        operation: API name, for what it is about.
        members: Of its request.
    """
    if not kind.templates:
        return None
    parts = kind.templates[0].split(":", 5)
    parts[1:5] = [_head_part(place, part) for place, part in enumerate(parts[1:5], start=1)]
    variables = _VARIABLE.findall(parts[5])
    chosen = _choose(kind, operation, variables, members)
    resource = _VARIABLE.sub(lambda match: _bound(chosen.get(match[1])), parts[5]).replace("*", UNBOUND)
    return Binding(
        kind,
        ":".join([*parts[:5], resource]),
        tuple(chosen[name][0] for name in dict.fromkeys(variables) if name in chosen),
        len(set(variables)),
        _own_arns(kind, variables, members),
    )


def nameless_arns(members: tuple[Member, ...]) -> tuple[str, ...]:
    """Return the members that hold an ARN of a type they do not name."""
    return tuple(member.name for member in members if plain(member.name) in _NAMELESS_ARNS)


def heads_of(kind: Kind) -> tuple[str, ...]:
    """Return how the ARNs of a type begin, without partition, region and account."""
    plain_templates = (template.replace("$", "").replace("*", UNBOUND) for template in kind.templates)
    return tuple(dict.fromkeys(head_of(template) for template in plain_templates))


def _head_part(place: int, part: str) -> str:
    instead, names = _HEAD.get(place, ("", set[str]()))
    return _VARIABLE.sub(lambda match: instead if match[1].lower() in names else UNBOUND, part)


def _bound(chosen: tuple[Member, ...] | None) -> str:
    return UNBOUND if chosen is None else f"{{param:{RIVAL.join(member.name for member in chosen)}}}"


def _choose(
    kind: Kind, operation: str, variables: list[str], members: tuple[Member, ...]
) -> dict[str, tuple[Member, ...]]:
    """Return for each variable its member and the rivals of that."""
    chosen: dict[str, tuple[Member, ...]] = {}
    free = [member for member in members if not plain(member.name).endswith(("arn", "arns"))]
    for place, variable in enumerate(variables, start=1):
        if variable in chosen:
            continue
        last = place == len(variables)
        ranked = [(_rank(kind, operation, variable, member, last=last), member) for member in free]
        # A stable sort: of two that fit equally well the one the model names first.
        fitting = sorted(
            (each for each in ranked if each[0]), key=lambda each: (each[0], each[1].required), reverse=True
        )
        if fitting:
            rank, best = fitting[0]
            rivals = [member for other, member in fitting[1:] if other >= min(rank, _Rank.STEM)]
            chosen[variable] = (best, *(member for member in rivals if member.required >= best.required))
            free.remove(best)
    return chosen


def _rank(kind: Kind, operation: str, variable: str, member: Member, *, last: bool) -> _Rank:
    name, wanted, about = plain(member.name), plain(variable), singular(plain(kind.name))
    if wanted in {name, singular(name)} and (not is_generic(variable) or noun(operation) == about):
        return _Rank.EXACT
    if name.endswith("name") and wanted.endswith("id"):
        return _Rank.NONE
    if not is_generic(member.name) and not is_generic(variable) and stem(member.name) == stem(variable):
        return _Rank.STEM
    if last and not is_generic(member.name) and stem(member.name) == about:
        return _Rank.KIND
    if last and is_generic(member.name) and noun(operation) in {about, stem(variable)}:
        return _Rank.GENERIC
    return _Rank.NONE


def _own_arns(kind: Kind, variables: list[str], members: tuple[Member, ...]) -> tuple[str, ...]:
    """Return the members with an ARN of just this type."""
    abouts = {singular(plain(kind.name))}
    if variables and not is_generic(variables[-1]):
        abouts.add(stem(variables[-1]))
    arns = [member.name for member in members if plain(member.name).endswith(("arn", "arns"))]
    return tuple(name for name in arns if plain(name) not in _NAMELESS_ARNS and stem(singular(plain(name))) in abouts)
