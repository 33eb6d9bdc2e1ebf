"""A session policy that allows what one plan requires, and nothing else (IAM policy language, version 2012-10-17).

What a resource means here is what it means to `policies`: every character of it is itself, but for
`connectors.aws.catalogue.place.UNKNOWN`, which stands for any text, and a resource that is `ANY` as a whole. To IAM
``*``, ``?`` and ``$`` say more than themselves, so they are written as the variables IAM has for them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from connectors.aws.catalogue.place import ANY, UNKNOWN
from connectors.errors import InvalidParamsError
from policies.model import Requirement

MAX_POLICY_CHARS: Final = 2048
"""STS API reference, AssumeRole, Policy: plain text, without white space."""

_ESCAPES: Final = str.maketrans({"*": "${*}", "?": "${?}", "$": "${$}", UNKNOWN: "*"})


def session_policy(requirements: Iterable[Requirement], extra_actions: Iterable[str] = ()) -> str:
    """Return the session policy of a plan as compact JSON, the same for the same requirements in any order.

    Args:
        requirements: What the plan requires; at least one.
        extra_actions: IAM actions that go with it on every resource, for what AWS asks and policy does not.

    Raises:
        InvalidParamsError: the policy would be longer than STS takes, or there is nothing to allow: a policy without
            statements is no policy, and the role's own would count alone.
    """
    actions: dict[str, set[str]] = defaultdict(set)
    for need in requirements:
        actions[_resource(need.resource)].add(need.action)
    for action in extra_actions:
        actions[ANY].add(action)
    resources: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for resource, named in actions.items():
        resources[tuple(sorted(named))].append(resource)
    if not resources:
        raise InvalidParamsError("nothing is required, so there is nothing a session could be allowed")
    statements = [
        {"Effect": "Allow", "Action": _one_or_all(named), "Resource": _one_or_all(sorted(places))}
        for named, places in sorted(resources.items())
    ]
    # JSON's own escapes keep the text in the characters STS takes.
    text = json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
    if len(text) > MAX_POLICY_CHARS:
        raise InvalidParamsError(
            f"the session policy would have {len(text)} characters, and STS takes {MAX_POLICY_CHARS}",
            fix="ask for fewer resources at a time",
        )
    return text


def _resource(resource: str) -> str:
    return ANY if resource == ANY else resource.translate(_ESCAPES)


def _one_or_all(values: Iterable[str]) -> str | list[str]:
    found = list(values)
    return found[0] if len(found) == 1 else found
