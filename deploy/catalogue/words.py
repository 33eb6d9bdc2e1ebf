"""Names as AWS writes them, made comparable: a member of a request, a variable of an ARN, a type of resource."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

_SUFFIXES: Final = (
    "namewithpath",
    "identifier",
    "nameorarn",
    "arnorname",
    "idorarn",
    "arn",
    "name",
    "ids",
    "id",
    "key",
)
"""What a name ends with without saying of which thing; longest first."""
_SHORTEST_PLURAL: Final = 4
_VERB: Final = re.compile(r"^(?:Batch(?=[A-Z]))?[A-Z][a-z]+")
_NAMES_A_NOUN: Final = frozenset({"name", "id", "identifier", "resourceid", "resourcename"})


@cache
def plain(name: str) -> str:
    """Return a name in lower case without its separators."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


@cache
def singular(name: str) -> str:
    """Return a plain name without a plural's ``s``."""
    return name[:-1] if name.endswith("s") and not name.endswith("ss") and len(name) >= _SHORTEST_PLURAL else name


@cache
def stem(name: str) -> str:
    """Return what a name is about: ``cluster`` for ``ClusterName``, ``clusterArn`` and ``Clusters``."""
    found = plain(name)
    for suffix in _SUFFIXES:
        if found.endswith(suffix) and len(found) > len(suffix):
            return singular(found[: -len(suffix)])
    return singular(found)


@cache
def is_generic(name: str) -> bool:
    """Tell whether a name says nothing about the thing it names: ``Id``, ``name``."""
    return plain(name) in _NAMES_A_NOUN


@cache
def noun(operation: str) -> str:
    """Return what an operation is about: ``cluster`` for ``DeleteCluster``."""
    return singular(plain(_VERB.sub("", operation)))


@cache
def verb(operation: str) -> str:
    """Return the first word of an operation, that behind ``Batch`` or ``Admin`` when it begins so."""
    return (re.match(r"(?:Batch|Admin|Bulk)?([A-Z][a-z]*)", operation) or [operation, operation])[1]
