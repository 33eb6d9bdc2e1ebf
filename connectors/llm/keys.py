"""The key of a provider, put on a request at the last moment."""

from __future__ import annotations

from typing import Final

from connectors.errors import NotSentError
from connectors.llm.words import Speaks
from vault.model import CredentialKind, Lease

_SCHEME: Final = "Bearer "


def key_header(speaks: Speaks, lease: Lease) -> dict[str, str]:
    """Return the one header that says who pays.

    Args:
        speaks: What the upstream is; Bedrock's requests are signed instead.
        lease: On a bearer credential.

    Raises:
        NotSentError: the credential is of another kind; another upstream may be asked.
        VaultError: the lease could not serve.
    """
    if lease.info.kind is not CredentialKind.BEARER:
        raise _misfit("the upstream needs a credential of the kind `bearer`")
    # Latin-1 takes every byte: an exception about a foreign byte would quote the secret. The transport refuses what is
    # not printable.
    lent = lease.header().reveal().decode("latin-1")
    match speaks:
        case Speaks.ANTHROPIC:
            return {"x-api-key": lent.removeprefix(_SCHEME)}
        case Speaks.AZURE:
            return {"api-key": lent.removeprefix(_SCHEME)}
        case Speaks.OPENAI:
            return {"authorization": lent}
        case Speaks.BEDROCK:
            raise _misfit("a request to Amazon Bedrock is signed")


def _misfit(message: str) -> NotSentError:
    error = NotSentError(message)
    error.elsewhere = True
    return error
