"""What can be named at GitHub: a repository and what stands below it, organisations, accounts.

Repositories, branches and tags as git moves them are types of the git connector; a name means the same there and here.
Reads ask `git:read` on the whole repository (or organisation, …), so the finer types are for writes.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from policies.model import ResourceType

_OWN: Final = "github:*"
_REPOSITORY: Final = "repos/{repo=*/*}"


def _below(name: str, template: str, *verbs: str, **words: str) -> ResourceType:
    """Return a type below a repository; verbs are asked besides the operations' own names."""
    given = MappingProxyType({"repo": "acme/app", **words})
    return ResourceType(f"github/{name}", f"{_REPOSITORY}{template}", (_OWN, *verbs), words=given)


def _other(name: str, template: str, *verbs: str, **words: str) -> ResourceType:
    return ResourceType(f"github/{name}", template, (_OWN, *verbs), words=MappingProxyType(words))


RESOURCE_TYPES: Final = (
    _below("repository", "", "git:open-pr"),
    _below("pull-request", "/pull-requests/{number}", "git:comment", "git:review", "git:merge", number="12"),
    _below("issue", "/issues/{number}", "git:comment", number="7"),
    _below("commit", "/commits/{sha}", "git:comment", sha="1dc5c17a422b4dc4b493371970c6c4d6ad4b3ba5"),
    _below("branch", "/branches/{branch=**}", branch="main"),
    _below("workflow", "/workflows/{workflow}", workflow="build.yml"),
    _below("secret", "/secrets/{secret}", secret="DEPLOY_KEY"),  # noqa: S106 - the name of one
    _below("variable", "/variables/{variable}", variable="REGION"),
    _below("environment", "/environments/{environment}", environment="production"),
    _below(
        "environment-secret",
        "/environments/{environment}/secrets/{secret}",
        environment="production",
        secret="DEPLOY_KEY",  # noqa: S106 - the name of one
    ),
    _below(
        "environment-variable",
        "/environments/{environment}/variables/{variable}",
        environment="production",
        variable="REGION",
    ),
    _below("collaborator", "/collaborators/{user}", user="octocat"),
    _other("organisation", "orgs/{org}", "git:read", org="acme"),
    _other("team", "orgs/{org}/teams/{team}", org="acme", team="reviewers"),
    _other("member", "orgs/{org}/members/{user}", org="acme", user="octocat"),
    _other("organisation-secret", "orgs/{org}/secrets/{secret}", org="acme", secret="DEPLOY_KEY"),  # noqa: S106
    _other("organisation-variable", "orgs/{org}/variables/{variable}", org="acme", variable="REGION"),
    _other("enterprise", "enterprises/{enterprise}", "git:read", enterprise="acme"),
    _other("user", "users/{user}", "git:read", user="octocat"),
    _other("gist", "gists/{gist}", "git:read", gist="aa5a315d61ae9438b18d"),
    _other("account", "user", "git:read"),
    _other("app", "app", "git:read"),
    _other("search", "search", "git:read"),
    _other("nodes", "nodes", "git:read"),
    _other("site", "github", "git:read"),
)
