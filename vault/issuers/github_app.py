"""The GitHub App issuer: turns the key of an app into a token for some repositories and an hour.

What is asked for is what the request names, repositories and permissions both, and the answer is held to it: a token
that may do more is given back and not lent. PyGithub signs as the app; its ``get_access_token`` knows no repositories
and takes no permissions for none, so the request itself is ours.

What is NOT checked: what a permission allows at GitHub. It is sent as it was given.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from vault.aws import host_of
from vault.credential import Credential, check_fields
from vault.errors import BadRequestError, IssuerUnavailableError, LeaseRefusal, LeaseRefusedError
from vault.hosts import host_is_bound
from vault.issuers.github_api import ApiAnswer, ask
from vault.issuers.minted import Minted
from vault.model import CredentialKind, CredentialRef, GitHubTokenRequest, TokenScheme

MAX_REPOSITORIES: Final = 500
"""REST API, "create an installation access token"."""
MAX_PERMISSIONS: Final = 64
MAX_INSTALLATIONS: Final = 1024
"""How many are remembered; what is forgotten is asked for again."""
JWT_SECONDS: Final = 300
"""GitHub takes 600 at most; the clocks may differ."""
TOKEN_USER: Final = "x-access-token"  # noqa: S105 - a name
"""User of a token in Basic authentication; GitHub's documentation of git over HTTPS."""

_NS_PER_SECOND: Final = 1_000_000_000
_OWNER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", re.ASCII)
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)
_PERMISSION: Final = re.compile(r"[a-z][a-z_]{0,63}", re.ASCII)
_OF_ORGANISATION: Final = re.compile(r"organization_[a-z_]+|members|team_discussions", re.ASCII)
_EVERYWHERE: Final = frozenset({("issues", "read"), ("metadata", "read"), ("pull_requests", "read")})
"""What a token for all of an installation may be good for: enough to tell what an id names."""
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)*", re.ASCII)
_RANKS: Final = {"read": 1, "write": 2, "admin": 3}
_ALWAYS_GRANTED: Final = {"metadata": 1}
"""GitHub gives it with every permission of a repository."""

_OK: Final = 200
_CREATED: Final = 201
_NO_CONTENT: Final = 204
_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404
_TOO_MANY: Final = 429
_SERVER_FAULT: Final = 500


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an installation is looked for: the app, the API, the account."""

    ref: CredentialRef
    version: int
    endpoint: str
    owner: str


def check_token_request(request: GitHubTokenRequest, credential: Credential) -> None:
    """Refuse what cannot or may not be minted.

    Raises:
        BadRequestError: the request is none of the API, or its endpoint would answer in the clear.
        LeaseRefusedError: the credential is no app, or not bound to the endpoint's host.
    """
    if credential.kind is not CredentialKind.GITHUB_APP:
        raise LeaseRefusedError(f"credential `{credential.ref}` is no github app", LeaseRefusal.KIND)
    if not _OWNER.fullmatch(request.owner):
        raise BadRequestError("the owner is no name of an account")
    _check_permissions(request.permissions)
    _check_repositories(request)
    host = _host(request.endpoint)
    if not host_is_bound(host, credential.hosts):
        raise LeaseRefusedError(f"credential `{credential.ref}` is not bound to host `{host}`", LeaseRefusal.HOST)


def same_for_all(request: GitHubTokenRequest) -> GitHubTokenRequest:
    """Return the request that stands for all that the same token answers: names in one case and order, one scheme."""
    return replace(
        request,
        owner=request.owner.lower(),
        repositories=tuple(sorted({name.lower() for name in request.repositories})),
        permissions=tuple(sorted(request.permissions)),
        scheme=TokenScheme.BEARER,
    )


def lent_as(token: Credential, scheme: TokenScheme) -> Credential:
    """Return a minted token as the credential a lease lends."""
    if scheme is TokenScheme.BEARER:
        return token
    fields = {"username": TOKEN_USER.encode(), "password": token.fields["token"].reveal()}
    return replace(token, kind=CredentialKind.BASIC, fields=check_fields(CredentialKind.BASIC, fields))


class GitHubApps:
    """Mints installation tokens; remembers which installation of an app serves which account."""

    def __init__(self) -> None:
        self._installations: OrderedDict[_Place, int] = OrderedDict()
        self._lock = threading.Lock()

    def mint(self, credential: Credential, request: GitHubTokenRequest, *, now_ns: int) -> Minted:
        """Return a token; blocks for as long as GitHub takes.

        Args:
            credential: The app.
            request: Checked by `check_token_request`.
            now_ns: The vault's clock; an answer that is over by it is none.

        Raises:
            LeaseRefusedError: GitHub says no.
            IssuerUnavailableError: GitHub cannot be reached, or gives no usable answer.
        """
        app = f"Bearer {_app_token(credential)}"
        place = _Place(credential.ref, credential.version, request.endpoint, request.owner.lower())
        known = self._known(place)
        answer = _create(known, request, app) if known is not None else None
        if answer is None or answer.status == _NOT_FOUND:
            # None is known, or the app was taken away and came back under another number.
            answer = _create(self._find(place, request, app), request, app)
        if answer.status != _CREATED:
            raise _refusal(answer, f"github refused a token for `{request.owner}`")
        return _read(answer.data, credential, request, now_ns)

    def _find(self, place: _Place, request: GitHubTokenRequest, app: str) -> int:
        repository = f"repos/{request.owner}/{request.repositories[0]}" if request.repositories else ""
        answer = ask("GET", f"{request.endpoint}/{repository or f'orgs/{request.owner}'}/installation", app)
        if answer.status == _NOT_FOUND and request.everywhere:
            # Only here may the account be a person's: permissions of an organisation are of one.
            answer = ask("GET", f"{request.endpoint}/users/{request.owner}/installation", app)
        if answer.status != _OK:
            self._keep(place, None)
            raise _refusal(answer, f"github has no installation of the app for `{request.owner}`")
        account, number = answer.data.get("account"), answer.data.get("id")
        login = account.get("login") if isinstance(account, dict) else None
        # The name in the address may be one that was moved to another account.
        if not isinstance(login, str) or login.lower() != place.owner or not _is_number(number):
            raise IssuerUnavailableError("github answered in an unknown form")
        self._keep(place, number)
        return int(str(number))

    def _known(self, place: _Place) -> int | None:
        with self._lock:
            return self._installations.get(place)

    def _keep(self, place: _Place, number: Any) -> None:  # noqa: ANN401 - a checked number, or None
        with self._lock:
            self._installations.pop(place, None)
            if number is not None:
                self._installations[place] = number
            if len(self._installations) > MAX_INSTALLATIONS:
                self._installations.popitem(last=False)


def _app_token(credential: Credential) -> str:
    from github.Auth import AppAuth

    key = credential.fields["private_key"].reveal().decode()
    return AppAuth(credential.identity, key, jwt_expiry=JWT_SECONDS).token


def _create(installation: int, request: GitHubTokenRequest, app: str) -> ApiAnswer:
    body: dict[str, Any] = {"permissions": dict(request.permissions)}
    if request.repositories:
        body["repositories"] = list(request.repositories)
    return ask("POST", f"{request.endpoint}/app/installations/{installation}/access_tokens", app, body)


def _read(data: dict[str, Any], credential: Credential, request: GitHubTokenRequest, now_ns: int) -> Minted:
    try:
        fields = check_fields(CredentialKind.BEARER, {"token": data["token"].encode()})
        ends = datetime.fromisoformat(data["expires_at"])
        if ends.tzinfo is None:
            raise ValueError  # noqa: TRY301 - the machine's own zone is no part of it
    except (BadRequestError, KeyError, TypeError, ValueError, AttributeError):
        raise IssuerUnavailableError("github answered in an unknown form") from None
    token = replace(credential, kind=CredentialKind.BEARER, fields=fields)
    revoke = partial(_revoke, token, request.endpoint)
    if not _is_within(data, request):
        revoke()
        raise IssuerUnavailableError("github gave a token that may do other things than were asked for")
    minted = Minted(token, int(ends.timestamp()) * _NS_PER_SECOND, revoke)
    if minted.expires_at_ns <= now_ns:
        revoke()
        raise IssuerUnavailableError("github gave a token that is over already; the clocks differ")
    return minted


def _revoke(token: Credential, endpoint: str) -> bool:
    """Tell GitHub to take a token no more; return whether it does not."""
    authorization = f"Bearer {token.fields['token'].reveal().decode()}"
    for _ in range(2):  # idempotent, and once is little for something that must not be left open
        try:
            answer = ask("DELETE", f"{endpoint}/installation/token", authorization)
        except IssuerUnavailableError:
            continue
        if answer.status in {_NO_CONTENT, _UNAUTHORIZED}:
            return True
    return False


def _is_within(data: dict[str, Any], request: GitHubTokenRequest) -> bool:
    """Tell whether a token may do what was asked for and nothing else, as far as the answer says."""
    granted, repositories = data.get("permissions"), data.get("repositories", [])
    if not isinstance(granted, dict) or not isinstance(repositories, list):
        return False
    asked = _ALWAYS_GRANTED | {name: _RANKS[access] for name, access in request.permissions}
    if any(_RANKS.get(str(access), len(_RANKS) + 1) > asked.get(name, 0) for name, access in granted.items()):
        return False
    if not request.repositories:
        return True
    names = {str(each.get("name", "")).lower() if isinstance(each, dict) else "" for each in repositories}
    wanted = {name.lower() for name in request.repositories}
    return data.get("repository_selection") != "all" and names <= wanted


def _refusal(answer: ApiAnswer, what: str) -> LeaseRefusedError | IssuerUnavailableError:
    # GitHub's words are not ours to pass on; its status says what is missing: 401 the key, 404 the installation,
    # 422 a permission or a repository the installation does not have.
    if answer.is_limited or answer.status == _TOO_MANY or answer.status >= _SERVER_FAULT:
        return IssuerUnavailableError(f"github failed: {answer.status}")
    return LeaseRefusedError(f"{what}: {answer.status}", LeaseRefusal.ISSUER)


def _check_permissions(permissions: tuple[tuple[str, str], ...]) -> None:
    names = {name for name, _ in permissions}
    if not 1 <= len(permissions) <= MAX_PERMISSIONS or len(names) != len(permissions):
        raise BadRequestError(f"a token has 1 to {MAX_PERMISSIONS} permissions, each once")
    for name, access in permissions:
        if not _PERMISSION.fullmatch(name) or access not in _RANKS:
            raise BadRequestError("a permission is a name of GitHub's with `read`, `write` or `admin`")


def _check_repositories(request: GitHubTokenRequest) -> None:
    # Without a list GitHub takes every repository the app is installed for.
    if request.everywhere:
        if request.repositories or not _EVERYWHERE.issuperset(request.permissions):
            raise BadRequestError("a token for a whole installation names no repositories and only looks ids up")
        return
    of_organisation = all(_OF_ORGANISATION.fullmatch(name) for name, _ in request.permissions)
    if len(request.repositories) > MAX_REPOSITORIES or not (request.repositories or of_organisation):
        raise BadRequestError(f"a token is for 1 to {MAX_REPOSITORIES} repositories")
    if any(not _REPOSITORY.fullmatch(name) or name in {".", ".."} for name in request.repositories):
        raise BadRequestError("a repository is named without its owner")


def _host(endpoint: str) -> str:
    try:
        path = urlsplit(endpoint).path
    except ValueError:
        path = ""
    if not _PREFIX.fullmatch(path) or ".." in path:
        raise BadRequestError("the endpoint's path must be plain names, without a slash at its end")
    return host_of(endpoint.removesuffix(path) if path else endpoint)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
