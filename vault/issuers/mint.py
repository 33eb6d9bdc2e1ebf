"""Which issuer mints what."""

from __future__ import annotations

from vault.credential import Credential
from vault.issuers.aws_sts import assume_role, check_assume_role
from vault.issuers.github_app import GitHubApps, check_token_request
from vault.issuers.minted import Minted
from vault.model import GitHubTokenRequest, Mint, MintRequest


def check_mint(request: Mint, credential: Credential) -> None:
    """Refuse what cannot or may not be minted from a credential.

    Raises:
        BadRequestError: the request is none of its issuer, or the issuer would answer in the clear.
        LeaseRefusedError: the credential's kind does not fit, or it is not bound to the issuer's host.
    """
    match request:
        case MintRequest():
            check_assume_role(request, credential)
        case GitHubTokenRequest():
            check_token_request(request, credential)


class Issuers:
    """The issuers in use; implements `vault.minting.Issuer`."""

    def __init__(self) -> None:
        self._apps = GitHubApps()

    def __call__(self, credential: Credential, request: Mint, holder: str, *, now_ns: int) -> Minted:
        """Return a minted credential; blocks for as long as its issuer takes.

        Raises:
            LeaseRefusedError: the issuer says no.
            IssuerUnavailableError: it cannot be reached, or gives no usable answer.
        """
        match request:
            case MintRequest():
                return assume_role(credential, request, holder, now_ns=now_ns)
            case GitHubTokenRequest():
                return self._apps.mint(credential, request, now_ns=now_ns)
