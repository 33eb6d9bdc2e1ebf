"""From an operation and its params to what policy must allow.

1. An operation with a hand-written override asks for what that says.
2. Otherwise each pair of its entry is filled with the params; one that is optional counts when they name its resource.
3. An action for which nothing counted is asked for on `UNKNOWN`: only a policy that allows it everywhere allows it.
4. ``iam:PassRole`` is asked for on every role that is passed, in either case.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.aws.catalogue.model import Entry
from connectors.aws.catalogue.overrides import OVERRIDES
from connectors.aws.catalogue.place import UNKNOWN, Params, Place
from connectors.aws.catalogue.roles import passed_roles
from connectors.aws.catalogue.templates import is_named, resources_of
from policies.model import Requirement


def resolve(entry: Entry, params: Params, place: Place) -> tuple[Requirement, ...]:
    """Return every (action, resource) pair that policy must allow, each once, at least one.

    Args:
        entry: The operation.
        params: As botocore names them, already checked against its model.
        place: Where the call goes.

    Raises:
        InvalidParamsError: a param names nothing that could be meant.
    """
    override = OVERRIDES.get(f"{entry.service}:{entry.operation}")
    own = _mechanical(entry, params, place) if override is None else override(params, place)
    return tuple(dict.fromkeys((*own, *passed_roles(entry, params, place))))


def _mechanical(entry: Entry, params: Params, place: Place) -> Iterator[Requirement]:
    left = dict.fromkeys(pair.action for pair in entry.pairs)
    for pair in entry.pairs:
        if pair.optional and not is_named(pair, params):
            continue
        left.pop(pair.action, None)
        for resource in resources_of(pair, params, place):
            yield Requirement(pair.action, resource)
    for action in left:
        yield Requirement(action, UNKNOWN)
