"""What may be shown of a rotation, and its JSON form on the socket: key ids, never a secret."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from vault.errors import BadRequestError, VaultError, error_from_wire
from vault.model import CredentialRef
from vault.protocol import JsonObject
from vault.rotation.model import IamEndpoints, Milestone, Rotation, RotationTerms, Step

MAX_TEXT_CHARS = 255


@dataclass(frozen=True, slots=True)
class RotationStatus:
    """Where the rotation of one credential's key stands.

    Args:
        ref: Name of the credential.
        step: The last step that is stored; None when none was.
        milestone: What the ledger should know; None when there is nothing.
        told: The last milestone the ledger knows; empty for none.
        user_arn: ARN of the user.
        old_key_id: The key that goes.
        new_key_id: The key that comes; empty before it is made.
        planned_at_ns: When it was planned.
        switched_at_ns: When the new key became the credential's; 0 before.
        deactivated_at_ns: When the old key was made inactive; 0 before.
        due_at_ns: When the old key is made inactive or deleted, whichever comes next; 0 when no time is set.
        reason: Why it is stopped or undone.
        stopped: Whether it waits for a person.
        running: Whether something is being done right now.
        problem_code: Code of what went wrong with the last attempt of this vault process; empty for nothing.
        problem: Message of it.
    """

    ref: CredentialRef
    step: Step | None
    milestone: Milestone | None
    told: str
    user_arn: str
    old_key_id: str
    new_key_id: str
    planned_at_ns: int
    switched_at_ns: int
    deactivated_at_ns: int
    due_at_ns: int
    reason: str
    stopped: bool
    running: bool
    problem_code: str
    problem: str

    @property
    def untold(self) -> JsonObject | None:
        """What the ledger is to be told, as data of `vault.changed`; None when it knows."""
        if self.milestone is None or self.milestone.value == self.told:
            return None
        return {
            "change": f"rotation-{self.milestone}",
            "credential": self.ref,
            "user": self.user_arn,
            "old_key": self.old_key_id,
            "new_key": self.new_key_id,
            "reason": self.reason,
        }

    @classmethod
    def of(
        cls, ref: CredentialRef, rotation: Rotation | None, *, running: bool, problem: VaultError | None
    ) -> RotationStatus:
        """Return what may be shown.

        Args:
            ref: Name of the credential.
            rotation: What is stored; None when nothing is.
            running: Whether an attempt runs.
            problem: How the last attempt failed.
        """
        return cls(
            ref=ref,
            step=rotation.step if rotation else None,
            milestone=rotation.milestone if rotation else None,
            told=rotation.told if rotation else "",
            user_arn=rotation.user_arn if rotation else "",
            old_key_id=rotation.old_key_id if rotation else "",
            new_key_id=rotation.new_key_id if rotation else "",
            planned_at_ns=rotation.planned_at_ns if rotation else 0,
            switched_at_ns=rotation.switched_at_ns if rotation else 0,
            deactivated_at_ns=rotation.deactivated_at_ns if rotation else 0,
            due_at_ns=0 if rotation is None or rotation.stopped else rotation.due_at_ns,
            reason=rotation.reason if rotation else "",
            stopped=rotation is not None and rotation.stopped,
            running=running,
            problem_code=problem.code if problem else "",
            problem=str(problem) if problem else "",
        )

    @property
    def error(self) -> VaultError | None:
        """What went wrong with the last attempt, None for nothing."""
        return error_from_wire(self.problem_code, self.problem) if self.problem_code else None


def encode_status(status: RotationStatus) -> JsonObject:
    """Return the JSON form of a status."""
    return asdict(status)


def decode_status(data: JsonObject) -> RotationStatus:
    """Return what `encode_status` was given."""
    return RotationStatus(
        **data
        | {
            "ref": CredentialRef(data["ref"]),
            "step": Step(data["step"]) if data["step"] else None,
            "milestone": Milestone(data["milestone"]) if data["milestone"] else None,
        }
    )


def encode_terms(terms: RotationTerms) -> JsonObject:
    """Return the JSON form of what an operator asks for."""
    return asdict(terms)


def decode_terms(data: object) -> RotationTerms:
    """Return the terms a request asks for; their meaning is judged by `Rotations.begin`.

    Raises:
        BadRequestError: something is missing, unknown or of another type.
    """
    counts, texts = ("watch_seconds", "grace_seconds", "settle_seconds"), ("iam", "iam_region", "sts", "sts_region")
    found = data if isinstance(data, dict) else {}
    places = found.get("endpoints")
    if not isinstance(places, dict) or set(found) != {*counts, "ignore_use", "endpoints"} or set(places) != set(texts):
        raise BadRequestError("`terms` must be an object of all terms")
    if not all(isinstance(text, str) and len(text) <= MAX_TEXT_CHARS for text in places.values()):
        raise BadRequestError(f"endpoints and regions must be texts of at most {MAX_TEXT_CHARS} characters")
    numbers = [found[name] for name in counts]
    if not all(isinstance(count, int) and not isinstance(count, bool) for count in numbers):
        raise BadRequestError("the terms' times must be whole seconds")
    if not isinstance(found["ignore_use"], bool):
        raise BadRequestError("`ignore_use` must be true or false")
    times = dict(zip(counts, numbers, strict=True))
    return RotationTerms(endpoints=IamEndpoints(**places), ignore_use=found["ignore_use"], **times)
