"""The static issuer: lends what is stored, as it is stored.

Other issuers mint something shorter-lived from it; each turns an opened credential into what a lease may carry.
"""

from __future__ import annotations

import base64

from vault.credential import Credential
from vault.errors import LeaseRefusal, LeaseRefusedError
from vault.model import CredentialKind, SecretValue


def header_value(credential: Credential) -> SecretValue:
    """Return the ``Authorization`` header value of a basic or bearer credential.

    Raises:
        LeaseRefusedError: it is an AWS credential or an SSH key, which sign and are never lent, an app, of which tokens
            are lent, or a sealed one, which is kept.
    """
    match credential.kind:
        case CredentialKind.BASIC:
            pair = credential.fields["username"].reveal() + b":" + credential.fields["password"].reveal()
            return SecretValue(b"Basic " + base64.b64encode(pair))
        case CredentialKind.BEARER:
            return SecretValue(b"Bearer " + credential.fields["token"].reveal())
        case CredentialKind.AWS | CredentialKind.SSH:
            raise LeaseRefusedError(f"credential `{credential.ref}` signs; it has no header", LeaseRefusal.KIND)
        case CredentialKind.GITHUB_APP:
            raise LeaseRefusedError(f"tokens are minted from `{credential.ref}`; it has no header", LeaseRefusal.KIND)
        case CredentialKind.SEALED:
            raise LeaseRefusedError(f"`{credential.ref}` is kept, not lent", LeaseRefusal.KIND)
