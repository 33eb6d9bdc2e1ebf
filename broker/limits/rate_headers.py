"""What a refused request is told of the limit it met, in the fields that clients know.

Source: draft-ietf-httpapi-ratelimit-headers-10, "RateLimit header fields for HTTP": ``RateLimit-Policy`` says what the
quota is, ``RateLimit`` what is left of it; both are lists of structured fields (RFC 9651).
"""

from __future__ import annotations

from typing import Final

from broker.config.limits import RateLimit
from broker.model import JsonObject
from broker.outcome import Problem

WINDOW_SECONDS: Final = 60
"""Rates are written per minute."""
REQUESTS: Final = "requests"
CONCURRENT: Final = "concurrent-requests"
"""Units of quotas, section 6.1 of the draft."""


def terms_of(limit: RateLimit, *, places: bool) -> JsonObject:
    """Return what a problem says of a limit, as its ``extra``; `headers_of` reads it.

    Args:
        limit: Which was met.
        places: True when it is the number at the same time.
    """
    if places:
        policy: JsonObject = {"quota": limit.concurrent, "unit": CONCURRENT}
    else:
        policy = {"quota": limit.per_minute, "window_seconds": WINDOW_SECONDS, "burst": limit.burst, "unit": REQUESTS}
    return {"limit": limit.name, "policy": policy}


def headers_of(problem: Problem) -> dict[str, str]:
    """Return the ``RateLimit`` and ``RateLimit-Policy`` of a problem; empty when it is about no limit."""
    name, policy = problem.extra.get("limit"), problem.extra.get("policy")
    if not isinstance(name, str) or not isinstance(policy, dict) or "quota" not in policy:
        return {}
    # Names come from the configuration, whose alphabet needs no escapes in a string of a structured field.
    window = f";w={policy['window_seconds']}" if "window_seconds" in policy else ""
    unit = f';qu="{CONCURRENT}"' if policy.get("unit") == CONCURRENT else ""
    after = f";t={problem.retry_after_seconds}" if problem.retry_after_seconds > 0 else ""
    return {"RateLimit-Policy": f'"{name}";q={policy["quota"]}{window}{unit}', "RateLimit": f'"{name}";r=0{after}'}
