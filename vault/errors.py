"""What can go wrong in the vault.

    VaultError
      BadRequestError            the request does not fit: shape, size, syntax, a date that is off
      UninitialisedError         there are no keys yet
      AlreadyInitialisedError    there are keys already
      SealedError                the keys are not in memory
      RootKeyError               the root key is wrong, missing, or its file is open to others
      KmsRefusedError            KMS says no to wrapping or unwrapping the root key
      KmsUnavailableError        KMS cannot be asked for the root key, or gives no usable answer
      CredentialMissingError     no credential has that name
      CredentialExistsError      a credential has that name already
      LeaseRefusedError          the credential may not be used like that; carries why
      CheckpointRefusedError     the checkpoint contradicts one that was signed before
      IntegrityError             what is stored was changed behind the vault's back
      StorageError               the storage cannot be read or written
      IssuerUnavailableError     what mints short-lived credentials cannot be reached or fails
      RotationRefusedError       a rotation cannot begin or go on; upstream everything stays as it is
      IamRefusedError            IAM or STS said no; carries its code
      IamUnreachableError        IAM or STS gave no answer, or none that can be understood
      VaultUnavailableError      the vault process cannot be reached or went away

Messages are lower case, have no full stop, put user input in backticks and never hold a secret. Each class has a code:
its name on the wire, which may be added to and never changed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Final


class VaultError(Exception):
    """Base of everything the vault raises on purpose; by itself: an inner fault, told without details."""

    code: ClassVar[str] = "internal"


class BadRequestError(VaultError):
    """The request does not fit what the vault accepts; nothing was done."""

    code = "bad-request"


class UninitialisedError(VaultError):
    """The vault has no keys yet."""

    code = "uninitialised"


class AlreadyInitialisedError(VaultError):
    """The vault has keys and makes no new ones."""

    code = "already-initialised"


class SealedError(VaultError):
    """The vault is sealed: nothing can be opened, signed or scanned."""

    code = "sealed"


class RootKeyError(VaultError):
    """The passphrase or KMS key is wrong, or the key file is missing, malformed or readable by others."""

    code = "root-key"


class KmsRefusedError(VaultError):
    """KMS does not wrap or unwrap the root key: a missing right, or a key that is disabled or deleted."""

    code = "kms-refused"


class KmsUnavailableError(VaultError):
    """KMS cannot be asked for the root key, fails, or gives no usable answer; nothing changed."""

    code = "kms-unavailable"


class CredentialMissingError(VaultError):
    """No credential has that name."""

    code = "credential-missing"


class CredentialExistsError(VaultError):
    """A credential has that name already; `rotate` gives it a new value."""

    code = "credential-exists"


class LeaseRefusal(StrEnum):
    """Why a credential may not be used."""

    KIND = "kind"
    HOST = "host"
    CLOSED = "closed"
    STALE = "stale"
    ISSUER = "issuer"


class LeaseRefusedError(VaultError):
    """The credential may not be used like that.

    Args:
        message: What was asked and what is allowed.
        reason: The kind does not fit, the host is not bound, the lease is closed, the credential keeps changing, or the
            issuer of short-lived credentials says no.
    """

    code = "lease-refused"

    def __init__(self, message: str, reason: LeaseRefusal) -> None:
        super().__init__(message)
        self.reason = reason


class CheckpointRefusedError(VaultError):
    """The checkpoint is smaller than, or of the same size and different from, one that was signed before."""

    code = "checkpoint-refused"


class IntegrityError(VaultError):
    """Stored bytes do not authenticate, are not the ones last written, or are not where they were written."""

    code = "integrity"


class StorageError(VaultError):
    """The storage cannot be read or written.

    Args:
        message: What failed.
        uncertain: True when it cannot be told whether a change was made; the vault then seals itself.
    """

    code = "storage"

    def __init__(self, message: str, *, uncertain: bool = False) -> None:
        super().__init__(message)
        self.uncertain = uncertain


class IssuerUnavailableError(VaultError):
    """What mints short-lived credentials cannot be reached, fails, or is asked too much; nothing was lent."""

    code = "issuer-unavailable"


class RotationRefusedError(VaultError):
    """A rotation cannot begin or go on; upstream everything stays as it is."""

    code = "rotation-refused"


class IamRefusedError(VaultError):
    """IAM or STS said no.

    Args:
        message: What was asked.
        iam_code: The service's code; it does not leave the vault's process.
    """

    code = "iam-refused"

    def __init__(self, message: str, iam_code: str = "") -> None:
        super().__init__(message)
        self.iam_code = iam_code


class IamUnreachableError(VaultError):
    """IAM or STS gave no answer, or none that can be understood; a change may or may not have been made."""

    code = "iam-unreachable"


class VaultUnavailableError(VaultError):
    """The vault process cannot be reached, went away, or did not answer; the request may or may not have been done."""

    code = "unavailable"


_PLAIN: Final[tuple[type[VaultError], ...]] = (
    BadRequestError,
    UninitialisedError,
    AlreadyInitialisedError,
    SealedError,
    RootKeyError,
    KmsRefusedError,
    KmsUnavailableError,
    CredentialMissingError,
    CredentialExistsError,
    CheckpointRefusedError,
    IntegrityError,
    StorageError,
    IssuerUnavailableError,
    RotationRefusedError,
    IamRefusedError,
    IamUnreachableError,
    VaultUnavailableError,
)
_BY_CODE: Final = {kind.code: kind for kind in _PLAIN}


def error_from_wire(code: str, message: str, reason: str = "") -> VaultError:
    """Return the error another process told of; an unknown code becomes a plain `VaultError`, never a success.

    Args:
        code: Class attribute ``code`` of the error.
        message: Its message.
        reason: Value of `LeaseRefusal` for a refused lease, empty otherwise.
    """
    if code == LeaseRefusedError.code and reason in {known.value for known in LeaseRefusal}:
        return LeaseRefusedError(message, LeaseRefusal(reason))
    return _BY_CODE.get(code, VaultError)(message)
