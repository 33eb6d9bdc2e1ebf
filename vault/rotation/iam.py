"""What a rotation asks of IAM and STS, one call each, and what an answer may look like.

Calls block: they run in a thread of their own. None is sent twice by itself; in particular `create` has no idempotency
token, so a second one would make a second key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from vault.credential import Credential
from vault.errors import RotationRefusedError
from vault.model import SecretValue
from vault.rotation.model import IamEndpoints

_USER_ARN: Final = re.compile(
    r"arn:[a-z0-9-]{1,32}:iam::[^:/\s]{0,64}:user/(?:[!-~]{1,510}/)?([\w+=,.@-]{1,64})", re.ASCII
)
"""ARN of a user with its path (IAM API reference, User); not everybody's account has twelve digits."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a key is (sts:GetCallerIdentity).

    Args:
        account: Account id.
        arn: ARN of the caller.
    """

    account: str
    arn: str


@dataclass(frozen=True, slots=True)
class AccessKey:
    """What may be known of a user's key.

    Args:
        key_id: Access key id.
        active: Whether it works.
    """

    key_id: str
    active: bool


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as IAM shows it once.

    Args:
        key_id: Access key id.
        fields: It as the fields of a credential.
    """

    key_id: str
    fields: Mapping[str, SecretValue]


@dataclass(frozen=True, slots=True)
class LastUse:
    """When a key was last used (iam:GetAccessKeyLastUsed); IAM tells the minute, and is late by some.

    Args:
        at_ns: When, nanoseconds since the epoch.
        service: Which service it was used with, as IAM says it.
        region: In which region, as IAM says it.
    """

    at_ns: int
    service: str
    region: str


class KeyApi(Protocol):
    """IAM and STS, asked with one key."""

    def identity(self) -> Identity:
        """Return who the key is.

        Raises:
            IamRefusedError: the key is not accepted.
            IamUnreachableError: no answer, or none that can be understood.
        """

    def keys(self, user: str) -> tuple[AccessKey, ...]:
        """Return all keys of a user.

        Raises:
            IamRefusedError, IamUnreachableError: as `identity`.
        """

    def create(self, user: str) -> NewKey:
        """Make a key for a user.

        Raises:
            IamRefusedError: none was made.
            IamUnreachableError: whether one was made is not known.
        """

    def deactivate(self, user: str, key_id: str) -> None:
        """Make a key inactive; nothing happens when it is gone.

        Raises:
            IamRefusedError, IamUnreachableError: as `identity`.
        """

    def delete(self, user: str, key_id: str) -> None:
        """Delete a key; nothing happens when it is gone.

        Raises:
            IamRefusedError, IamUnreachableError: as `identity`.
        """

    def last_use(self, key_id: str) -> LastUse | None:
        """Return when a key was last used, None for never.

        Raises:
            IamRefusedError, IamUnreachableError: as `identity`.
        """


Connect = Callable[[IamEndpoints, Credential], KeyApi]
"""Returns IAM, asked with the key of a credential; asks nothing yet."""


def user_name_of(arn: str) -> str:
    """Return the name of the user an ARN names.

    Raises:
        RotationRefusedError: it names something else: the root user, a role's session, a federated user.
    """
    found = _USER_ARN.fullmatch(arn)
    if found is None:
        shown = arn.encode("unicode_escape").decode()[:200]
        raise RotationRefusedError(f"`{shown}` is no IAM user: only the keys of users are rotated")
    return found[1]
