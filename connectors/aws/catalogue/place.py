"""Where a call goes, and the mark for what nobody can tell from its params."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

UNKNOWN: Final = "\x00"
"""Stands in a resource for a part that is not known: the character of `policies.patterns.pattern.UNKNOWN`, which
connectors may not import. Only a wildcard of the policy covers it, and no param may hold it."""

ANY: Final = "*"
"""The whole resource of an action that IAM does not tie to any resource."""

Params = Mapping[str, Any]
"""Params of an operation as botocore names them; blobs may be text."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call goes; nothing in it comes from the agent.

    Args:
        partition: ``aws``, ``aws-cn``, ``aws-us-gov``.
        region: Region of the endpoint.
        account: Account of the credential, 12 digits.
    """

    partition: str
    region: str
    account: str
