"""The STS issuer: turns a stored AWS key into a short-lived one that may do what one plan requires (AssumeRole).

What is checked here: that the request is one of the STS API, and that the answer is a credential. What is NOT: what the
session policy allows. It is sent as it was given, and the lease is on what it says.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from vault.aws import aws_client, host_of
from vault.credential import Credential, check_fields
from vault.errors import BadRequestError, IssuerUnavailableError, LeaseRefusal, LeaseRefusedError
from vault.hosts import host_is_bound
from vault.issuers.minted import Minted
from vault.model import CredentialKind, MintRequest

MAX_POLICY_CHARS: Final = 2048
"""STS API reference, AssumeRole, Policy."""
MIN_DURATION_SECONDS: Final = 900
MAX_DURATION_SECONDS: Final = 43_200
MAX_SESSION_NAME_CHARS: Final = 64
MIN_SESSION_NAME_CHARS: Final = 2
ATTEMPTS: Final = 3
"""What botocore's standard mode makes of a call without effect; every AssumeRole gives a new key and takes none."""

_NS_PER_SECOND: Final = 1_000_000_000
_ROLE: Final = re.compile(r"arn:[a-z0-9-]{1,32}:iam::[0-9]{12}:role/[\w+=,.@/-]{1,576}", re.ASCII)
_POLICY: Final = re.compile(r"[\t\n\r\x20-\xff]{1,2048}")
_REGION: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_EXTERNAL_ID: Final = re.compile(r"(?:[\w+=,.@:/-]{2,1224})?", re.ASCII)
_NOT_IN_SESSION_NAME: Final = re.compile(r"[^\w+=,.@-]", re.ASCII)
_CODE: Final = re.compile(r"[A-Za-z0-9.]{1,64}", re.ASCII)
_TRY_AGAIN: Final = frozenset({"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException"})
_SERVER_FAULT: Final = 500
_ANONYMOUS: Final = "ostiary"


def check_assume_role(request: MintRequest, credential: Credential) -> None:
    """Refuse what cannot or may not be minted.

    Raises:
        BadRequestError: the request is none of the STS API, or its endpoint would answer in the clear.
        LeaseRefusedError: the credential is no AWS credential, or not bound to the endpoint's host.
    """
    if credential.kind is not CredentialKind.AWS:
        raise LeaseRefusedError(f"credential `{credential.ref}` is no AWS credential", LeaseRefusal.KIND)
    if not _ROLE.fullmatch(request.role):
        raise BadRequestError("the role must be the ARN of a role")
    if not _POLICY.fullmatch(request.policy):
        raise BadRequestError(f"a session policy has 1 to {MAX_POLICY_CHARS} characters")
    if not MIN_DURATION_SECONDS <= request.duration_seconds <= MAX_DURATION_SECONDS:
        raise BadRequestError(f"a duration is {MIN_DURATION_SECONDS} to {MAX_DURATION_SECONDS} seconds")
    if not _REGION.fullmatch(request.region) or not _EXTERNAL_ID.fullmatch(request.external_id):
        raise BadRequestError("the region or the external id is malformed")
    host = host_of(request.endpoint)
    if not host_is_bound(host, credential.hosts):
        raise LeaseRefusedError(f"credential `{credential.ref}` is not bound to host `{host}`", LeaseRefusal.HOST)


def role_session_name(holder: str) -> str:
    """Return the RoleSessionName of a holder ``agent/session``: ``agent@session``, the session whole, 64 characters."""
    agent, _, session = holder.rpartition("/")
    session = _NOT_IN_SESSION_NAME.sub("-", session)[:MAX_SESSION_NAME_CHARS]
    room = MAX_SESSION_NAME_CHARS - len(session) - 1
    agent = _NOT_IN_SESSION_NAME.sub("-", agent)[: max(0, room)]
    name = f"{agent}@{session}" if agent else session
    return name if len(name) >= MIN_SESSION_NAME_CHARS else _ANONYMOUS


def assume_role(credential: Credential, request: MintRequest, holder: str, *, now_ns: int) -> Minted:
    """Return a minted credential; blocks for as long as STS takes.

    Args:
        credential: Signs the request.
        request: Checked by `check_assume_role`.
        holder: ``agent/session``.
        now_ns: The vault's clock; an answer that is over by it is none.

    Raises:
        LeaseRefusedError: STS says no; the message holds its error code.
        IssuerUnavailableError: STS cannot be reached or gives no usable answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    wanted: dict[str, Any] = {
        "RoleArn": request.role,
        "RoleSessionName": role_session_name(holder),
        "Policy": request.policy,
        "DurationSeconds": request.duration_seconds,
    }
    if request.external_id:
        wanted["ExternalId"] = request.external_id
    try:
        client = aws_client("sts", credential, endpoint=request.endpoint, region=request.region, attempts=ATTEMPTS)
        minted = _read(client.assume_role(**wanted), credential)
    except ClientError as error:
        # Not chained and not quoted: the upstream's words are not ours to pass on.
        raise _refusal(error.response, request.role) from None
    except BotoCoreError as error:
        raise IssuerUnavailableError(f"sts cannot be reached ({type(error).__name__})") from None
    except (ResponseParserError, BadRequestError, KeyError, TypeError, ValueError, AttributeError):
        raise IssuerUnavailableError("sts answered in an unknown form") from None
    if minted.expires_at_ns <= now_ns:
        raise IssuerUnavailableError("sts gave a key that is over already; the clocks differ")
    return minted


def _refusal(answer: Any, role: str) -> LeaseRefusedError | IssuerUnavailableError:  # noqa: ANN401 - a parsed answer
    found = str(answer.get("Error", {}).get("Code", ""))
    code = found if _CODE.fullmatch(found) else "unknown"
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", _SERVER_FAULT)
    if status >= _SERVER_FAULT or code in _TRY_AGAIN:
        return IssuerUnavailableError(f"sts failed: {code}")
    return LeaseRefusedError(f"sts refused to assume the role `{role}`: {code}", LeaseRefusal.ISSUER)


def _read(answer: Any, credential: Credential) -> Minted:  # noqa: ANN401 - a parsed answer
    given = answer["Credentials"]
    values = {
        "access_key_id": given["AccessKeyId"].encode(),
        "secret_access_key": given["SecretAccessKey"].encode(),
        "session_token": given["SessionToken"].encode(),
    }
    fields = check_fields(CredentialKind.AWS, values)
    expires_at_ns = int(given["Expiration"].timestamp()) * _NS_PER_SECOND
    return Minted(replace(credential, fields=fields), expires_at_ns)
