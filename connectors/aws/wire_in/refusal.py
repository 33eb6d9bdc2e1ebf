"""Why a wire request is refused, as a value, with the code and status AWS itself uses for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_MAX_SHOWN: Final = 80


class Reason(StrEnum):
    """Kinds of no; doors and logs look at these, never at texts."""

    UNSIGNED = "unsigned"
    SIGNATURE_KIND = "signature_kind"
    SIGNATURE_SHAPE = "signature_shape"
    SIGNATURE_WRONG = "signature_wrong"
    SKEWED = "skewed"
    EXPIRED = "expired"
    PAYLOAD_MISMATCH = "payload_mismatch"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    DECOY = "decoy"
    UNKNOWN_OPERATION = "unknown_operation"
    UNKNOWN_INPUT = "unknown_input"
    UNSUPPORTED = "unsupported"


AWS_FORM: Final[dict[Reason, tuple[str, int]]] = {
    Reason.UNSIGNED: ("MissingAuthenticationToken", 403),
    Reason.SIGNATURE_KIND: ("AuthorizationHeaderMalformed", 400),
    Reason.SIGNATURE_SHAPE: ("IncompleteSignature", 400),
    Reason.SIGNATURE_WRONG: ("SignatureDoesNotMatch", 403),
    Reason.SKEWED: ("RequestTimeTooSkewed", 403),
    Reason.EXPIRED: ("RequestExpired", 400),
    Reason.PAYLOAD_MISMATCH: ("XAmzContentSHA256Mismatch", 400),
    Reason.MALFORMED: ("SerializationException", 400),
    Reason.TOO_LARGE: ("RequestEntityTooLarge", 413),
    Reason.DECOY: ("InvalidRequest", 400),
    Reason.UNKNOWN_OPERATION: ("UnknownOperationException", 404),
    Reason.UNKNOWN_INPUT: ("ValidationException", 400),
    Reason.UNSUPPORTED: ("NotImplemented", 501),
}
"""Reason to error code and HTTP status. Of these an SDK sends again only after a skewed clock, once."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A no.

    Args:
        reason: Its kind.
        message: Lower case, what was expected and found; holds no secret and no value of a body.
    """

    reason: Reason
    message: str

    @property
    def code(self) -> str:
        """The error code AWS uses."""
        return AWS_FORM[self.reason][0]

    @property
    def status(self) -> int:
        """The HTTP status AWS uses."""
        return AWS_FORM[self.reason][1]


class RefusedError(Exception):
    """Carries a refusal out of a parser's depth or a body decoder.

    Args:
        reason: Its kind.
        message: As in `Refusal`.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(reason, message)


def malformed(message: str) -> RefusedError:
    """Return the error for bytes that are not what their format says."""
    return RefusedError(Reason.MALFORMED, message)


def unknown_input(what: str, name: str) -> RefusedError:
    """Return the error for a name no model knows, here.

    Args:
        what: Kind of thing: ``member``, ``query parameter``.
        name: As sent; clipped and made printable.
    """
    return RefusedError(Reason.UNKNOWN_INPUT, f"unknown {what} `{shown(name)}`")


def shown(text: str) -> str:
    """Return untrusted text fit for a message: ASCII, clipped, without control characters."""
    clipped = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
    return "".join(char if char.isprintable() and char != "`" else "?" for char in clipped)
