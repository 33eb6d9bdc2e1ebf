"""One rotation: where it stands, and its form inside a sealed record.

    planned -> created -> verified -> switched -> deactivated -> done
       |          |          |
       +----------+----------+-----> undoing -> undone

| step        | what is true once it is stored                                                       |
|-------------|--------------------------------------------------------------------------------------|
| planned     | the user has one key, the stored one; nothing was asked of IAM that changes anything |
| created     | the new key is sealed here and nowhere used                                          |
| verified    | the new key was accepted several times in a row, as the same user                    |
| switched    | the new key is the credential's next version                                         |
| deactivated | the old key is inactive                                                              |
| done        | the old key is deleted                                                               |
| undoing     | the new key is to be deleted; the old one was never left                             |
| undone      | nothing more will be done; ``reason`` says why                                       |

Stored as JSON before it is sealed: a key may be added with a default, never changed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Final

from vault.errors import BadRequestError, IntegrityError, RotationRefusedError
from vault.fields import pack, unpack
from vault.model import CredentialRef, SecretValue
from vault.seal import RecordId

ROTATION_KIND: Final = "iam-rotation"
"""Kind of the sealed record; no credential has it."""

DEFAULT_WATCH_SECONDS: Final = 15 * 60
DEFAULT_GRACE_SECONDS: Final = 24 * 60 * 60
DEFAULT_SETTLE_SECONDS: Final = 5
MAX_WAIT_SECONDS: Final = 365 * 24 * 60 * 60
"""Longest watch or grace; a key that waits longer is forgotten by people too."""

NS_PER_SECOND: Final = 1_000_000_000
_FORMAT: Final = 1
_STATE: Final = "state"
_SECRET: Final = "secret"  # noqa: S105 - the name of a field


class Step(StrEnum):
    """Where a rotation stands; see the module."""

    PLANNED = "planned"
    CREATED = "created"
    VERIFIED = "verified"
    SWITCHED = "switched"
    DEACTIVATED = "deactivated"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"


BEFORE_SWITCH: Final = frozenset({Step.PLANNED, Step.CREATED, Step.VERIFIED})
AFTER_SWITCH: Final = frozenset({Step.SWITCHED, Step.DEACTIVATED})
FINAL: Final = frozenset({Step.DONE, Step.UNDONE})


class Milestone(StrEnum):
    """What the ledger is told of a rotation."""

    BEGUN = "begun"
    SWITCHED = "switched"
    DEACTIVATED = "deactivated"
    STOPPED = "stopped"
    FINISHED = "finished"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class IamEndpoints:
    """Where IAM and STS are asked.

    Args:
        iam: Origin of IAM, ``https://iam.amazonaws.com``.
        iam_region: Region of the credential scope for it.
        sts: Origin of STS.
        sts_region: Region of the credential scope for it.
    """

    iam: str
    iam_region: str
    sts: str
    sts_region: str


@dataclass(frozen=True, slots=True)
class RotationTerms:
    """What the operator asked for.

    Args:
        endpoints: Where IAM and STS are asked.
        watch_seconds: How long nobody may have used the old key, after the switch, before it is made inactive.
        grace_seconds: How long the old key stays, inactive, before it is deleted.
        settle_seconds: Time over which the new key must have been accepted again and again before it is used.
        ignore_use: Make the old key inactive at once, whoever uses it.
    """

    endpoints: IamEndpoints
    watch_seconds: int = DEFAULT_WATCH_SECONDS
    grace_seconds: int = DEFAULT_GRACE_SECONDS
    settle_seconds: int = DEFAULT_SETTLE_SECONDS
    ignore_use: bool = False


@dataclass(frozen=True, slots=True)
class Rotation:
    """One rotation of one credential's key.

    Args:
        ref: Name of the credential.
        step: Where it stands.
        terms: What was asked for.
        account: Account of the user.
        user_arn: ARN of the user.
        user_name: Name of the user.
        old_key_id: The credential's own key at the start, and then the only one of its user.
        planned_at_ns: When it was planned.
        new_key_id: The key that was made; empty before.
        new_secret: Its secret, from `created` to the switch or the undoing.
        switched_at_ns: When the new key became the credential's.
        deactivated_at_ns: When the old key was made inactive.
        reason: Why it is stopped or undone.
        stopped: After the switch: it goes on when a person says so.
        told: The last milestone that is on the ledger; empty for none.
    """

    ref: CredentialRef
    step: Step
    terms: RotationTerms
    account: str
    user_arn: str
    user_name: str
    old_key_id: str
    planned_at_ns: int
    new_key_id: str = ""
    new_secret: SecretValue | None = None
    switched_at_ns: int = 0
    deactivated_at_ns: int = 0
    reason: str = ""
    stopped: bool = False
    told: str = ""

    @property
    def final(self) -> bool:
        """Whether nothing more will be done."""
        return self.step in FINAL

    @property
    def due_at_ns(self) -> int:
        """When the next act is due: inactive, then deleted; 0 when it does not wait for a time."""
        match self.step:
            case Step.SWITCHED:
                wait = 0 if self.terms.ignore_use else self.terms.watch_seconds
                return self.switched_at_ns + wait * NS_PER_SECOND
            case Step.DEACTIVATED:
                return self.deactivated_at_ns + self.terms.grace_seconds * NS_PER_SECOND
            case _:
                return 0

    @property
    def milestone(self) -> Milestone:
        """What the ledger should know of where it stands."""
        if self.stopped:
            return Milestone.STOPPED
        match self.step:
            case Step.PLANNED | Step.CREATED | Step.VERIFIED | Step.UNDOING:
                return Milestone.BEGUN
            case Step.SWITCHED:
                return Milestone.SWITCHED
            case Step.DEACTIVATED:
                return Milestone.DEACTIVATED
            case Step.DONE:
                return Milestone.FINISHED
            case Step.UNDONE:
                return Milestone.UNDONE

    def secrets(self) -> list[bytes]:
        """Return the values that must never be seen outside."""
        return [] if self.new_secret is None else [self.new_secret.reveal()]

    def new_fields(self) -> dict[str, SecretValue]:
        """Return the new key as the fields of a credential.

        Raises:
            RotationRefusedError: its secret is not here, or not any more.
        """
        if self.new_secret is None:
            raise RotationRefusedError("the new key's secret is missing")
        return {"access_key_id": SecretValue(self.new_key_id.encode()), "secret_access_key": self.new_secret}

    def undoing(self, reason: str) -> Rotation:
        """Return what it is when it is given up before the switch: there is a new key to delete, or nothing is left."""
        return replace(self, step=Step.UNDOING if self.new_key_id else Step.UNDONE, reason=reason)

    def encode(self) -> bytes:
        """Return the plaintext of its record."""
        state = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "new_secret"}
        state |= {"format": _FORMAT, "terms": _plain_terms(self.terms)}
        parts = {_STATE: json.dumps(state, sort_keys=True).encode()}
        return pack(parts if self.new_secret is None else parts | {_SECRET: self.new_secret.reveal()})


def rotation_record(ref: CredentialRef) -> RecordId:
    """Return what the sealed record of a credential's rotation is bound to; no credential's name holds a colon."""
    return RecordId(f"rotation:{ref}", ROTATION_KIND, 1)


def decode_rotation(plain: bytes) -> Rotation:
    """Parse the plaintext of an authenticated record.

    Raises:
        IntegrityError: this version of the vault does not know its form.
    """
    try:
        parts = unpack(plain)
        state = json.loads(parts[_STATE])
        if state.pop("format") != _FORMAT:
            raise IntegrityError("a rotation has an unknown format")
        terms = state.pop("terms")
        return Rotation(
            **state
            | {
                "ref": CredentialRef(state["ref"]),
                "step": Step(state["step"]),
                "terms": RotationTerms(**terms | {"endpoints": IamEndpoints(**terms["endpoints"])}),
                "new_secret": SecretValue(parts[_SECRET]) if _SECRET in parts else None,
            }
        )
    except (BadRequestError, KeyError, TypeError, ValueError):
        # Not chained: the error may hold what it could not parse.
        raise IntegrityError("the record of a rotation has an unknown form") from None


def _plain_terms(terms: RotationTerms) -> dict[str, object]:
    own = {field.name: getattr(terms, field.name) for field in fields(terms)}
    return own | {"endpoints": {field.name: getattr(terms.endpoints, field.name) for field in fields(IamEndpoints)}}
