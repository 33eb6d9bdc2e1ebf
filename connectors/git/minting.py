"""Which GitHub App token a plan is carried out with: one repository, and no more than the plan needs."""

from __future__ import annotations

from connectors.git.connection import GitConnection
from vault.model import GitHubTokenRequest, TokenScheme


def mint_for(options: GitConnection, repo: str, *, pushes: bool, workflows: bool) -> GitHubTokenRequest | None:
    """Return the token to be minted for a plan; None when the stored credential is used itself.

    Args:
        options: Of the connection.
        repo: Checked ``owner/name``.
        pushes: Whether refs are moved.
        workflows: Whether files below ``.github/workflows`` change, for which GitHub wants a permission of its own.
    """
    if not options.app_api:
        return None
    owner, name = repo.split("/")
    permissions = {"contents": "write" if pushes else "read", "metadata": "read"}
    if workflows:
        permissions["workflows"] = "write"
    return GitHubTokenRequest(owner, (name,), tuple(sorted(permissions.items())), options.app_api, TokenScheme.BASIC)
