"""What is minted for one plan: the connection's role, held to the plan's requirements by a session policy."""

from __future__ import annotations

from connectors.aws.connection import DNS_SUFFIXES
from connectors.aws.session_policy import session_policy
from connectors.base import JsonObject
from policies.model import Requirement
from vault.model import MintRequest


def mint_of(options: JsonObject, region: str, requirements: tuple[Requirement, ...]) -> MintRequest | None:
    """Return what the vault mints for a plan; None when the connection uses its credential as it is.

    Args:
        options: Options of the connection.
        region: Region of the call; STS is asked there.
        requirements: Of the plan.

    Raises:
        InvalidParamsError: the plan requires more than a session policy can say.
    """
    wanted = options.get("assume_role")
    if wanted is None:
        return None
    suffix = DNS_SUFFIXES[str(options.get("partition", "aws"))]
    return MintRequest(
        role=wanted["role"],
        policy=session_policy(requirements, wanted["also"]),
        duration_seconds=wanted["duration_seconds"],
        endpoint=options.get("endpoint") or f"https://sts.{region}.{suffix}",
        region=region,
        external_id=wanted["external_id"] or "",
    )
