"""What a token of a GitHub App must be good for to serve one plan: the least GitHub documents for the operation.

GitHub's description does not say it, so it is a table of ours, by the beginning of the path. Where it asks for too
little, GitHub refuses and nothing is done; where two rows fit, the longer path counts.
"""

from __future__ import annotations

from typing import Final

from connectors.base import Access
from connectors.errors import InvalidParamsError
from connectors.github.catalogue import Entry
from connectors.github.params import Checked
from connectors.github.verbs import access_of
from vault.model import GitHubTokenRequest

_REPO: Final = "/repos/{owner}/{repo}"
_BELOW_REPO: Final = {
    "": "administration",
    "/actions": "actions",
    "/actions/organization-secrets": "secrets",
    "/actions/organization-variables": "actions_variables",
    "/actions/permissions": "administration",
    "/actions/runners": "administration",
    "/actions/secrets": "secrets",
    "/actions/variables": "actions_variables",
    "/activity": "metadata",
    "/assignees": "metadata",
    "/attestations": "attestations",
    "/branches": "contents",
    "/branches/{branch}/protection": "administration",
    "/branches/{branch}/rename": "administration",
    "/check-runs": "checks",
    "/check-suites": "checks",
    "/code-scanning": "security_events",
    "/codeowners": "contents",
    "/codespaces": "codespaces",
    "/codespaces/secrets": "codespaces_secrets",
    "/collaborators": "administration",
    "/comments": "contents",
    "/commits": "contents",
    "/commits/{ref}/check-runs": "checks",
    "/commits/{ref}/check-suites": "checks",
    "/commits/{ref}/status": "statuses",
    "/commits/{ref}/statuses": "statuses",
    "/compare": "contents",
    "/contents": "contents",
    "/contributors": "metadata",
    "/dependabot/alerts": "vulnerability_alerts",
    "/dependabot/secrets": "dependabot_secrets",
    "/dependency-graph": "contents",
    "/deployments": "deployments",
    "/dispatches": "contents",
    "/environments": "administration",
    "/environments/{environment_name}/secrets": "environments",
    "/environments/{environment_name}/variables": "environments",
    "/events": "metadata",
    "/forks": "administration",
    "/git": "contents",
    "/hooks": "repository_hooks",
    "/issues": "issues",
    "/labels": "issues",
    "/languages": "metadata",
    "/license": "metadata",
    "/merge-upstream": "contents",
    "/merges": "contents",
    "/milestones": "issues",
    "/pages": "pages",
    "/properties": "repository_custom_properties",
    "/pulls": "pull_requests",
    "/readme": "contents",
    "/releases": "contents",
    "/rules": "metadata",
    "/rulesets": "administration",
    "/secret-scanning": "secret_scanning_alerts",
    "/security-advisories": "repository_advisories",
    "/stargazers": "metadata",
    "/stats": "metadata",
    "/statuses": "statuses",
    "/subscribers": "metadata",
    "/tags": "contents",
    "/tarball": "contents",
    "/teams": "metadata",
    "/topics": "metadata",
    "/zipball": "contents",
}
_BELOW_ORG: Final = {
    "": "organization_administration",
    "/actions/runner-groups": "organization_self_hosted_runners",
    "/actions/runners": "organization_self_hosted_runners",
    "/actions/secrets": "organization_secrets",
    "/actions/variables": "organization_actions_variables",
    "/codespaces": "organization_codespaces",
    "/codespaces/secrets": "organization_codespaces_secrets",
    "/dependabot/secrets": "organization_dependabot_secrets",
    "/hooks": "organization_hooks",
    "/invitations": "members",
    "/members": "members",
    "/memberships": "members",
    "/organization-roles": "members",
    "/outside_collaborators": "members",
    "/projectsV2": "organization_projects",
    "/properties": "organization_custom_properties",
    "/public_members": "members",
    "/teams": "members",
}
_WRITES_METADATA_NOT: Final = {"": ("metadata", "administration"), "/topics": ("metadata", "administration")}
"""Read with the one, written with the other."""
_MERGES: Final = frozenset({"github:pulls.merge", "github:pulls.merge-async", "github:pulls.update-branch"})
_WORKFLOWS: Final = ".github/workflows/"


def token_request(action: str, entry: Entry, checked: Checked, endpoint: str, *, is_pull: bool) -> GitHubTokenRequest:
    """Return the token a plan needs.

    Args:
        action: The operation.
        entry: Its row.
        checked: Its params.
        endpoint: The API's URL.
        is_pull: The issue it names is a pull request.

    Raises:
        InvalidParamsError: an app cannot do it: it acts in one repository or organisation and is no person.
    """
    owner = checked.path.get("owner") or checked.path.get("org")
    table, start = (_BELOW_REPO, _REPO) if checked.repo else (_BELOW_ORG, "/orgs/{org}")
    if owner is None or not entry.path.startswith(start):
        raise InvalidParamsError(
            f"`{action}` is not about one repository or organisation, which is all an app is let into",
            "use a connection with a token of a person",
        )
    level = "read" if access_of(action, entry) is Access.READ else "write"
    rest = entry.path.removeprefix(start)
    row = max((each for each in table if rest == each or rest.startswith(f"{each}/")), key=len)
    asked = {table[row]: level}
    if checked.repo and row in _WRITES_METADATA_NOT and rest == row:
        asked = {_WRITES_METADATA_NOT[row][level == "write"]: level}
    if is_pull and row == "/issues":
        asked = {"pull_requests": level}
    if action in _MERGES:
        asked["contents"] = "write"
    if row == "/contents" and level == "write" and checked.path["path"].lower().startswith(_WORKFLOWS):
        asked["workflows"] = "write"
    repositories = (checked.path["repo"],) if checked.repo else ()
    return GitHubTokenRequest(owner, repositories, tuple(sorted(asked.items())), endpoint)
