"""Which IAM actions an operation asks for.

In order, the first that finds something:

1. `RENAMED`: operations IAM checks under another name, from AWS's documentation;
2. IAM has an action of the operation's name under the service's prefix;
3. the page that documents one IAM action is that of the operation;
4. a variant of the name: ``BatchGetJob`` is checked as ``GetJob``.

API Gateway is not looked up: there the HTTP method is the action (`deploy.catalogue.gateway`).

What none of them finds keeps its own name and is not exact: policy has to name it, or allow everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from deploy.catalogue.renames import RENAMED
from deploy.catalogue.sources import Action, Sources

_MOST_PAGES: Final = 1
"""A page that several actions share says nothing about which of them one call needs."""


def actions_of(service: str, operation: str, prefix: str, sources: Sources) -> tuple[Action, ...]:
    """Return the IAM actions of an operation, none when IAM knows none.

    Args:
        service: botocore's folder name.
        operation: API name.
        prefix: Of the service.
        sources: Public data.
    """
    known = sources.actions.get(prefix, {})
    if f"{service}:{operation}" in RENAMED:
        return tuple(_named(name, sources) for name in RENAMED[f"{service}:{operation}"])  # 1
    if operation.lower() in known:
        return (known[operation.lower()],)  # 2
    pages = sources.documented.get((prefix, operation.lower()), frozenset()) & known.keys()
    if len(pages) == _MOST_PAGES:
        return tuple(known[name] for name in pages)  # 3
    for variant in _variants(operation):
        if variant.lower() in known:
            return (known[variant.lower()],)  # 4
    return ()


def _named(full_name: str, sources: Sources) -> Action:
    prefix, _, name = full_name.partition(":")
    return sources.actions[prefix][name.lower()]


def _variants(operation: str) -> Iterator[str]:
    """Yield names under which IAM might check an operation, the nearest first."""
    for pattern, instead in (
        (r"V2$", ""),
        (r"Batch$", ""),
        (r"^Batch", ""),
        (r"^Batch(\w+)s$", r"\1"),
        (r"s$", ""),
        (r"$", "s"),
    ):
        variant = re.sub(pattern, instead, operation, count=1)
        if variant != operation:
            yield variant
