"""What a token of a GitHub App must be good for to serve a plan in GraphQL."""

from __future__ import annotations

from typing import Final

from connectors.errors import InvalidParamsError
from connectors.github.connection import GitHubConnection
from connectors.github.graphql.operations import MUTATE, RESOLVE
from connectors.github.graphql.queries import SITE
from connectors.github.verbs import DELETE_REF, FORCE_PUSH, PUSH, READ
from policies.model import Requirement
from vault.model import GitHubTokenRequest

_READS: Final = {"contents": "read", "issues": "read", "metadata": "read", "pull_requests": "read"}
_CHECKS: Final = ("heckRun", "heckSuite", "statusCheckRollup")
_STATUSES: Final = ("statusCheckRollup", "StatusContext", "status {")
_WRITES: Final = {
    PUSH: ("contents",),
    FORCE_PUSH: ("contents",),
    DELETE_REF: ("contents",),
    "git:merge": ("contents", "pull_requests"),
    "git:open-pr": ("pull_requests",),
    "git:review": ("pull_requests",),
    "github:repos.update": ("administration",),
}
"""Action -> what it writes; pull requests and issues both for every other, as one number can be either."""
_THREADS: Final = ("issues", "pull_requests")
_LOOK: Final = (("issues", "read"), ("metadata", "read"), ("pull_requests", "read"))
"""For every repository of the installation: which one an id is of is what the look is for."""
_NOTHING: Final = (("metadata", "read"),)
"""GitHub gives no token for less; nothing of a repository is asked."""


def token_request(
    action: str, needs: tuple[Requirement, ...], query: str, options: GitHubConnection
) -> GitHubTokenRequest | None:
    """Return the token a plan needs; None when the credential is no app.

    Args:
        action: The operation.
        needs: What must be allowed.
        query: What is sent.
        options: Of the connection.

    Raises:
        InvalidParamsError: an app cannot do it: it acts in the repositories of one account and is no person.
    """
    if not options.app:
        return None
    # The schema and the rate limit are everybody's: beside them stands what a token is needed for, or nothing.
    places = {each.resource for each in needs} - {SITE}
    if action == RESOLVE or not places:
        return _everywhere(_LOOK if places else _NOTHING, options)
    repos = sorted({"/".join(each.split("/")[1:3]) for each in places if each.startswith("repos/")})
    owners = {each.partition("/")[0] for each in repos}
    if len(owners) != 1 or any(not each.startswith("repos/") for each in places):
        raise InvalidParamsError(
            "an app is let into the repositories of one account at a time, and is no person",
            "use a connection with a token of a person",
        )
    asked = dict(_READS)
    asked |= dict.fromkeys(["checks"] if any(each in query for each in _CHECKS) else [], "read")
    asked |= dict.fromkeys(["statuses"] if any(each in query for each in _STATUSES) else [], "read")
    if action == MUTATE:
        for each in needs:
            asked |= dict.fromkeys(() if each.action == READ else _WRITES.get(each.action, _THREADS), "write")
    names = tuple(each.partition("/")[2] for each in repos)
    return GitHubTokenRequest(owners.pop(), names, tuple(sorted(asked.items())), options.url)


def _everywhere(permissions: tuple[tuple[str, str], ...], options: GitHubConnection) -> GitHubTokenRequest:
    if not options.account:
        raise InvalidParamsError(
            "the account the app is installed on is not known, and what is asked names no repository",
            "set `account` of the connection",
        )
    return GitHubTokenRequest(options.account.lower(), (), permissions, options.url, everywhere=True)
