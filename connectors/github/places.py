"""Which thing an operation is about, by the template of its path.

Rows are tried in order and the first whose path begins the operation's path counts; so the finer ones stand first. Ids
that people never see (runs, comments, keys, hooks, releases) are not named: those operations are about the repository
or organisation they stand in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

_REPO: Final = "/repos/{owner}/{repo}"
_STORES: Final = ("actions", "agents", "codespaces", "dependabot")

_FINE: Final = (
    (f"{_REPO}/pulls/{{pull_number}}", "repos/{owner}/{repo}/pull-requests/{pull_number}"),
    (f"{_REPO}/issues/{{issue_number}}", "repos/{owner}/{repo}/issues/{issue_number}"),
    (f"{_REPO}/commits/{{commit_sha}}/comments", "repos/{owner}/{repo}/commits/{commit_sha}"),
    (f"{_REPO}/statuses/{{sha}}", "repos/{owner}/{repo}/commits/{sha}"),
    (f"{_REPO}/branches/{{branch}}", "repos/{owner}/{repo}/branches/{branch}"),
    (f"{_REPO}/actions/workflows/{{workflow_id}}", "repos/{owner}/{repo}/workflows/{workflow_id}"),
    *((f"{_REPO}/{store}/secrets/{{secret_name}}", "repos/{owner}/{repo}/secrets/{secret_name}") for store in _STORES),
    *((f"{_REPO}/{store}/variables/{{name}}", "repos/{owner}/{repo}/variables/{name}") for store in _STORES),
    *(
        (
            f"{_REPO}/environments/{{environment_name}}{end}",
            f"repos/{{owner}}/{{repo}}/environments/{{environment_name}}{end}",
        )
        for end in ("/secrets/{secret_name}", "/variables/{name}", "")
    ),
    (f"{_REPO}/collaborators/{{username}}", "repos/{owner}/{repo}/collaborators/{username}"),
    ("/orgs/{org}/teams/{team_slug}", "orgs/{org}/teams/{team_slug}"),
    *((f"/orgs/{{org}}/{store}/secrets/{{secret_name}}", "orgs/{org}/secrets/{secret_name}") for store in _STORES),
    *((f"/orgs/{{org}}/{store}/variables/{{name}}", "orgs/{org}/variables/{name}") for store in _STORES),
    *(
        (f"/orgs/{{org}}/{kind}/{{username}}", "orgs/{org}/members/{username}")
        for kind in ("members", "memberships", "outside_collaborators", "public_members", "blocks")
    ),
)
"""Path -> resource, for writes."""

_COARSE: Final = (
    (_REPO, "repos/{owner}/{repo}"),
    (f"/agents{_REPO}", "repos/{owner}/{repo}"),
    ("/networks/{owner}/{repo}", "repos/{owner}/{repo}"),
    ("/repos/{template_owner}/{template_repo}", "repos/{template_owner}/{template_repo}"),
    ("/orgs/{org}", "orgs/{org}"),
    ("/organizations/{org}", "orgs/{org}"),
    ("/enterprises/{enterprise}", "enterprises/{enterprise}"),
    ("/gists/public", "github"),
    ("/gists/{gist_id}", "gists/{gist_id}"),
    ("/users/{username}", "users/{username}"),
    ("/users/{user_id}", "users/{user_id}"),
    ("/user/{account_id}", "github"),
    ("/user/{user_id}", "user"),
    *(
        (f"/{name}", "user")
        for name in ("user", "gists", "issues", "notifications", "agents", "classrooms", "assignments")
    ),
    ("/app", "app"),
    ("/applications", "app"),
    ("/app-manifests", "app"),
    ("/installation", "app"),
    ("/marketplace_listing", "app"),
    ("/search", "search"),
    ("/", "github"),
)
"""Path -> resource, for reads and for writes that nothing finer is known of."""

_VARIABLE: Final = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Place:
    """What an operation is about.

    Args:
        template: Resource with the names of params in braces.
        exact: It is finer than the repository, organisation or account the operation stands in.
    """

    template: str
    exact: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Params in the template, in order."""
        return tuple(_VARIABLE.findall(self.template))


@cache
def place_of(path: str, *, reads: bool) -> Place:
    """Return what an operation is about.

    Args:
        path: Template of its path.
        reads: It is a read, which asks for the whole repository.
    """
    rows = _COARSE if reads else (*_FINE, *_COARSE)
    start, template = next(row for row in rows if _begins(path, row[0]))
    return Place(template, any(start == fine for fine, _ in _FINE))


def _begins(path: str, start: str) -> bool:
    return start in {"/", path} or path.startswith(f"{start}/")
