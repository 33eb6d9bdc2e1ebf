"""How a connector says that something went wrong.

    ConnectorError
      InvalidParamsError     the params do not fit the operation; nothing was planned
      NotSentError           no byte left us; safe to try again
      UploadBrokenError      the body that came in was not whole or not the declared one; nothing happened upstream
      UpstreamRefusedError   the upstream said no, definitely: nothing happened there
      OutcomeUnknownError    something was sent and no definite answer came; it may have happened

Messages are lower case, have no full stop, put user input in backticks and never hold a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ConnectorError(Exception):
    """Base of everything a connector raises on purpose.

    Attributes:
        elsewhere: Another upstream may be asked in this one's place (`connectors.base.Plan.fallbacks`).
        usage: What the call came to all the same, as `connectors.base.Usage`; None for nothing.
    """

    elsewhere: bool = False
    usage: Any = None


class InvalidParamsError(ConnectorError):
    """The params do not fit the operation.

    Args:
        message: What was expected and what was found.
        fix: What the caller can do about it; may be empty.
    """

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class NotSentError(ConnectorError):
    """No byte of the request left us (no connection, refused, address guard)."""


class UploadBrokenError(ConnectorError):
    """The body that came in ended early, or is not the one that was declared.

    The upstream got less than the length it was promised, so it has done nothing.
    """


class UpstreamRefusedError(ConnectorError):
    """The upstream gave a definite no.

    Args:
        message: The upstream's words, clipped, without any secret.
        code: The upstream's error code (``AccessDenied``, ``NoSuchKey``, ``non-fast-forward``).
        status: HTTP status of the answer, 0 when the protocol has none.
        upstream_request_id: The upstream's id of the call, empty when it gave none.
        details: What else the upstream said, as JSON a door can give back in the upstream's own form: bounded, clean,
            no secrets.
        answer: What the upstream answered, a `connectors.base.CallResult`, for a door that hands it on as it is; it is
            scanned like any result and stored nowhere. None where nobody needs it.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int = 0,
        upstream_request_id: str = "",
        details: Mapping[str, Any] | None = None,
        answer: Any = None,  # noqa: ANN401 - a CallResult, whose module knows this one
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.upstream_request_id = upstream_request_id
        self.details = dict(details or {})
        self.answer = answer


class OutcomeUnknownError(ConnectorError):
    """Bytes were sent and no definite answer came (timeout, reset, 5xx to a write)."""
