"""What is kept because it must not be released: secrets in the results of calls, sealed as ``sealed/<intent>``.

They are looked for in every result from the moment they are kept, and nothing answers with them. Room is bounded: when
there are more than `MAX_KEPT`, or they have more than `MAX_KEPT_BYTES`, those that were kept first are destroyed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from vault.credential import Credential, check_ref
from vault.errors import BadRequestError
from vault.model import CredentialKind, CredentialRef

FOLDER: Final = "sealed/"
MAX_KEPT: Final = 256
MAX_KEPT_BYTES: Final = 512 << 10
"""Each byte is some seventy in the forms the scan looks for."""


def kept_ref(name: str) -> CredentialRef:
    """Return the name of a kept credential.

    Raises:
        BadRequestError: it cannot be part of a credential's name.
    """
    return check_ref(FOLDER + name)


def is_kept(credential: Credential) -> bool:
    """Tell whether a credential is one that is kept and not lent."""
    return credential.kind is CredentialKind.SEALED


def refuse_kept(ref: str, kind: CredentialKind) -> None:
    """Refuse to make or change a credential by hand where only kept ones are.

    Raises:
        BadRequestError: its folder or its kind is that of kept ones.
    """
    if kind is CredentialKind.SEALED or ref.startswith(FOLDER):
        raise BadRequestError(f"what is in `{FOLDER}` comes from results; it can be destroyed and not changed")


def outlived(held: Iterable[Credential], new: Credential) -> list[CredentialRef]:
    """Return what must go for a new one: the one of its name, and as many of the oldest as there is no room for."""
    kept = sorted((one for one in held if is_kept(one)), key=lambda one: (one.created_at_ns, one.ref))
    gone = [one for one in kept if one.ref == new.ref]
    others = [one for one in kept if one.ref != new.ref]
    count, size = len(others) + 1, sum(map(_size, others)) + _size(new)
    for one in others:
        if count <= MAX_KEPT and size <= MAX_KEPT_BYTES:
            break
        gone.append(one)
        count, size = count - 1, size - _size(one)
    return [one.ref for one in gone]


def _size(credential: Credential) -> int:
    return len(credential.encode())
