"""Access keys of sessions: what an AWS client is given in place of a key of AWS.

The access key id is the id of the session in other letters; the secret is derived in the vault, so that neither the
database nor a token's hash is enough to sign. Both end with the session.
"""

from __future__ import annotations

import base64
import re
from typing import Final

from broker.ids import SessionId
from vault.model import SecretValue

PREFIX: Final = "OST"
LABEL: Final = "ostiary/aws-access-key/v1"
"""What the vault derives the secret for; another one gives every session another secret."""

_KEY_ID: Final = re.compile(r"OST[0-9A-HJKMNP-TV-Z]{26}")


def access_key_id(session_id: SessionId) -> str:
    """Return the access key id of a session."""
    return PREFIX + session_id.removeprefix("ses_").upper()


def session_of(key_id: str) -> SessionId | None:
    """Return the session an access key id names, None when it is none of ours; nothing is verified."""
    return SessionId(f"ses_{key_id[len(PREFIX) :].lower()}") if _KEY_ID.fullmatch(key_id) else None


def secret_access_key(derived: SecretValue) -> SecretValue:
    """Return the secret access key, 43 characters of base64url, for the 32 bytes the vault derived."""
    return SecretValue(base64.urlsafe_b64encode(derived.reveal()).rstrip(b"="))
