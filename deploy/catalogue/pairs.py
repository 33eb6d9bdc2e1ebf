"""From IAM's resource types to what policy is asked for one operation.

1. IAM has no resource type: ``*`` is exact.
2. Required types are always asked for. Other types are asked for when the request names one whole.
3. Types that only a nameless ARN can give (``ResourceArn`` of a tagging call) are one pair: it holds one of them.
4. Without required types the single type, or every type that can be named, is what it is about; nothing named is
   unknown, never everything.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.aws.catalogue.model import EVERYTHING, UNBOUND
from deploy.catalogue.binding import Binding, Member, bind, nameless_arns
from deploy.catalogue.sources import Action, Kind


@dataclass(frozen=True, slots=True)
class Draft:
    """A pair before it is packed.

    Args:
        action: IAM action.
        template: As in `connectors.aws.catalogue.model.Pair`.
        arns: As there.
        kinds: Types a whole ARN may be of.
        optional: As there.
        complete: The request can give the whole ARN.
    """

    action: str
    template: str
    arns: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    optional: bool = False
    complete: bool = True


def pairs_of(action: Action, operation: str, members: tuple[Member, ...]) -> tuple[Draft, ...]:
    """Return what an operation asks for one of its IAM actions; at least one draft.

    Args:
        action: The action.
        operation: API name.
        members: Of its request.
    """
    if not action.kinds:
        return (Draft(action.full_name, EVERYTHING),)  # 1
    bindings = [found for kind in action.kinds if (found := bind(kind, operation, members))]
    nameless = nameless_arns(members)
    grouped = [each for each in bindings if nameless and not each.complete]
    apart = [each for each in bindings if each not in grouped]
    drafts = [*(_apart(action, each, nameless) for each in apart), *_group(action, grouped, nameless)]  # 2, 3
    drafts = [draft for draft in drafts if draft.complete or not draft.optional or len(bindings) == 1]
    if len(drafts) == 1 and drafts[0].optional:
        only = drafts[0]
        drafts = [Draft(only.action, only.template, only.arns, only.kinds, complete=only.complete)]  # 4
    return tuple(drafts) or (Draft(action.full_name, UNBOUND, complete=False),)


def is_complete(drafts: tuple[Draft, ...]) -> bool:
    """Tell whether the request, or IAM itself, gives every resource of an action."""
    needed = [draft for draft in drafts if not draft.optional]
    return all(draft.complete for draft in needed) if needed else any(draft.complete for draft in drafts)


def _apart(action: Action, binding: Binding, nameless: tuple[str, ...]) -> Draft:
    """Return the draft of one type; where its name may be left out, a nameless ARN may stand for it."""
    instead = nameless if any(not member.required for member in binding.members) else ()
    return Draft(
        action.full_name,
        binding.template,
        (*binding.arns, *instead),
        (binding.kind,),
        optional=not binding.kind.required,
        complete=binding.complete,
    )


def _group(action: Action, bindings: list[Binding], arns: tuple[str, ...]) -> list[Draft]:
    """Return one draft for all types that only a nameless ARN gives."""
    if not bindings:
        return []
    template = bindings[0].template if len(bindings) == 1 else UNBOUND
    kinds = tuple(each.kind for each in bindings)
    return [Draft(action.full_name, template, arns, kinds, optional=not any(kind.required for kind in kinds))]
