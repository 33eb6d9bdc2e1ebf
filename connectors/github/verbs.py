"""What policy is asked for: reads ask `git:read`, what people speak of asks for verbs, all else for its own name.

All of it by hand, and all of it judgement: which operations answer with secrets, which are reads though they are
posted, which are not served.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from connectors.base import Access
from connectors.github.catalogue import Entry

READ: Final = "git:read"
PUSH: Final = "git:push"
FORCE_PUSH: Final = "git:force-push"
DELETE_REF: Final = "git:delete-ref"


def _actions(text: str) -> frozenset[str]:
    return frozenset(f"github:{name}" for name in text.split())


VERBS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(
            _actions(
                "issues.create-comment pulls.create-review-comment pulls.create-reply-for-review-comment "
                "repos.create-commit-comment reactions.create-for-issue"
            ),
            "git:comment",
        ),
        **dict.fromkeys(
            _actions("pulls.create-review pulls.submit-review pulls.update-review pulls.delete-pending-review"),
            "git:review",
        ),
        **dict.fromkeys(_actions("pulls.merge pulls.merge-async"), "git:merge"),
        **dict.fromkeys(_actions("pulls.create"), "git:open-pr"),
    }
)
"""Operations that ask for a verb instead of their own name."""

POSTED_READS: Final = _actions(
    "markdown.render markdown.render-raw orgs.list-attestations-bulk repos.generate-release-notes "
    "users.list-attestations-bulk"
)
"""They change nothing, although they are posted."""

SECRETS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        **dict.fromkeys(
            _actions(
                "actions.create-registration-token-for-org actions.create-registration-token-for-repo "
                "actions.create-remove-token-for-org actions.create-remove-token-for-repo "
                "apps.create-installation-access-token"
            ),
            frozenset({"token"}),
        ),
        **dict.fromkeys(
            _actions("actions.generate-runner-jitconfig-for-org actions.generate-runner-jitconfig-for-repo"),
            frozenset({"encoded_jit_config"}),
        ),
        **dict.fromkeys(
            _actions("apps.create-from-manifest"), frozenset({"client_secret", "pem", "webhook_secret"})
        ),
        **dict.fromkeys(
            _actions(
                "secret-scanning.get-alert secret-scanning.list-alerts-for-org secret-scanning.list-alerts-for-repo "
                "secret-scanning.update-alert"
            ),
            frozenset({"secret"}),
        ),
        **dict.fromkeys(
            _actions("activity.get-feeds"),
            frozenset(
                {
                    "current_user_url", "current_user_actor_url", "current_user_organization_url",
                    "current_user_organization_urls", "href",
                }
            ),
        ),
    }
)  # fmt: skip
"""Operations whose answer holds secrets -> the names of the members that are secrets, at any depth."""

UNSERVED: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(
            _actions(
                "apps.check-token apps.delete-authorization apps.delete-token apps.reset-token apps.scope-token "
                "credentials.revoke"
            ),
            "it takes tokens as params, and secrets have no place there",
        ),
        **dict.fromkeys(_actions("apps.revoke-installation-access-token"), "it would end the broker's own credential"),
        **dict.fromkeys(_actions("repos.upload-release-asset"), "bodies of files are not taken here yet"),
        **dict.fromkeys(_actions("repos.compare-commits"), "ask for `github:repos.compare-commits-with-basehead`"),
    }
)
"""Operations that cannot be asked for -> why."""
_LEGACY: Final = "it names a team by number; name it as one of its organisation"


def why_unserved(action: str, entry: Entry) -> str:
    """Return why an operation cannot be asked for; empty when it can."""
    return _LEGACY if entry.path.startswith("/teams/") else UNSERVED.get(action, "")


def access_of(action: str, entry: Entry) -> Access:
    """Return what an operation does upstream."""
    if action in SECRETS:
        return Access.SECRET
    if entry.method == "GET" or action in POSTED_READS:
        return Access.READ
    return Access.DESTROY if entry.method == "DELETE" else Access.WRITE


def own_action(action: str, entry: Entry) -> str:
    """Return what an operation asks on the thing it is about: a verb, or its own name."""
    return READ if access_of(action, entry) is Access.READ else VERBS.get(action, action)
