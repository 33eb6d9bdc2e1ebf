"""IAM and STS by botocore; what an answer holds is checked before it goes on."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final, TypeVar

from vault.aws import aws_client
from vault.credential import Credential, check_fields
from vault.errors import BadRequestError, IamRefusedError, IamUnreachableError
from vault.model import CredentialKind
from vault.rotation.iam import AccessKey, Identity, LastUse, NewKey
from vault.rotation.model import NS_PER_SECOND, IamEndpoints

T = TypeVar("T")

MAX_KEYS: Final = 1000
"""IAM's largest page; a user has two keys at most (IAM quotas)."""

_KEY_ID: Final = re.compile(r"[A-Za-z0-9_]{4,128}", re.ASCII)
_CODE: Final = re.compile(r"[A-Za-z0-9.]{1,64}", re.ASCII)
_SAID: Final = re.compile(r"[\w. -]{0,64}", re.ASCII)
_GONE: Final = "NoSuchEntity"
_SERVER_FAULT: Final = 500


class BotocoreKeyApi:
    """IAM and STS, asked with one key.

    Args:
        endpoints: Where; checked by `vault.rotation.endpoints`.
        credential: The key.
    """

    def __init__(self, endpoints: IamEndpoints, credential: Credential) -> None:
        self._endpoints = endpoints
        self._credential = credential

    def identity(self) -> Identity:
        """Return who the key is."""
        return _asked(
            "sts:GetCallerIdentity",
            lambda: self._sts.get_caller_identity(),  # noqa: PLW0108 - the client is made in the call
            lambda answer: Identity(str(answer["Account"]), str(answer["Arn"])),
        )

    def keys(self, user: str) -> tuple[AccessKey, ...]:
        """Return all keys of a user."""
        return _asked(
            "iam:ListAccessKeys", lambda: self._iam.list_access_keys(UserName=user, MaxItems=MAX_KEYS), _keys_of
        )

    def create(self, user: str) -> NewKey:
        """Make a key for a user."""
        return _asked("iam:CreateAccessKey", lambda: self._iam.create_access_key(UserName=user), _new_key_of)

    def deactivate(self, user: str, key_id: str) -> None:
        """Make a key inactive."""
        change = {"UserName": user, "AccessKeyId": key_id, "Status": "Inactive"}
        _unless_gone("iam:UpdateAccessKey", lambda: self._iam.update_access_key(**change))

    def delete(self, user: str, key_id: str) -> None:
        """Delete a key."""
        _unless_gone("iam:DeleteAccessKey", lambda: self._iam.delete_access_key(UserName=user, AccessKeyId=key_id))

    def last_use(self, key_id: str) -> LastUse | None:
        """Return when a key was last used."""
        return _asked(
            "iam:GetAccessKeyLastUsed", lambda: self._iam.get_access_key_last_used(AccessKeyId=key_id), _last_use_of
        )

    @cached_property
    def _iam(self) -> Any:  # noqa: ANN401 - botocore makes its clients at run time
        return self._client("iam", self._endpoints.iam, self._endpoints.iam_region)

    @cached_property
    def _sts(self) -> Any:  # noqa: ANN401 - likewise
        return self._client("sts", self._endpoints.sts, self._endpoints.sts_region)

    def _client(self, service: str, endpoint: str, region: str) -> Any:  # noqa: ANN401 - likewise
        # One attempt: a second `CreateAccessKey` would make a second key.
        return aws_client(service, self._credential, endpoint=endpoint, region=region, attempts=1)


def connect_aws(endpoints: IamEndpoints, credential: Credential) -> BotocoreKeyApi:
    """Return IAM for a key; nothing is imported or asked yet."""
    return BotocoreKeyApi(endpoints, credential)


def _asked(action: str, ask: Callable[[], Any], read: Callable[[Any], T]) -> T:
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.parsers import ResponseParserError

    try:
        return read(ask())
    except ClientError as error:
        found = str(error.response.get("Error", {}).get("Code", ""))
        code = found if _CODE.fullmatch(found) else "unknown"
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", _SERVER_FAULT) >= _SERVER_FAULT:
            raise IamUnreachableError(f"`{action}` failed: {code}") from None
        # Not chained and not quoted: the upstream's words are not ours to pass on.
        raise IamRefusedError(f"`{action}` was refused: {code}", code) from None
    except (BotoCoreError, HTTPClientError) as error:
        raise IamUnreachableError(f"`{action}` got no answer ({type(error).__name__})") from None
    except (ResponseParserError, BadRequestError, KeyError, TypeError, ValueError, AttributeError):
        # Not chained: the parser quotes the whole answer, which may hold a new secret.
        raise IamUnreachableError(f"`{action}` was answered in an unknown form") from None


def _unless_gone(action: str, ask: Callable[[], Any]) -> None:
    try:
        _asked(action, ask, lambda _answer: None)
    except IamRefusedError as error:
        if error.iam_code != _GONE:
            raise


def _keys_of(answer: Any) -> tuple[AccessKey, ...]:  # noqa: ANN401 - a parsed answer
    if answer.get("IsTruncated"):
        raise ValueError
    return tuple(
        AccessKey(_key_id(key["AccessKeyId"]), active=key["Status"] == "Active") for key in answer["AccessKeyMetadata"]
    )


def _new_key_of(answer: Any) -> NewKey:  # noqa: ANN401 - a parsed answer
    key = answer["AccessKey"]
    values = {"access_key_id": key["AccessKeyId"].encode(), "secret_access_key": key["SecretAccessKey"].encode()}
    return NewKey(_key_id(key["AccessKeyId"]), check_fields(CredentialKind.AWS, values))


def _last_use_of(answer: Any) -> LastUse | None:  # noqa: ANN401 - a parsed answer
    found = answer["AccessKeyLastUsed"]
    if "LastUsedDate" not in found:
        return None
    at_ns = int(found["LastUsedDate"].timestamp()) * NS_PER_SECOND
    return LastUse(at_ns, _said(found.get("ServiceName")), _said(found.get("Region")))


def _key_id(value: Any) -> str:  # noqa: ANN401 - an unverified value
    if not isinstance(value, str) or not _KEY_ID.fullmatch(value):
        raise ValueError
    return value


def _said(value: object) -> str:
    return value if isinstance(value, str) and _SAID.fullmatch(value) else "unknown"
