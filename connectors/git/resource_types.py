"""What can be named on a git host: a repository and what stands below it.

Branches and tags are what a push moves. Pull requests, issues and workflows are named by the rules of the documents;
their actions are asked for when a connector for a host's API is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from policies.model import ResourceType

_REPOSITORY: Final = "repos/{repo=*/*}"
_REF_ACTIONS: Final = ("git:push", "git:force-push", "git:delete-ref")


def _words(**more: str) -> Mapping[str, str]:
    return MappingProxyType({"repo": "acme/app", **more})


RESOURCE_TYPES: Final = (
    ResourceType("git/repository", _REPOSITORY, ("git:read",), words=_words()),
    ResourceType(
        "git/branch", f"{_REPOSITORY}/branches/{{branch=**}}", _REF_ACTIONS, words=_words(branch="feature/login")
    ),
    ResourceType("git/tag", f"{_REPOSITORY}/tags/{{tag=**}}", _REF_ACTIONS, words=_words(tag="v1.2.0")),
    ResourceType(
        "git/pull-request",
        f"{_REPOSITORY}/pull-requests/{{number}}",
        ("git:comment", "git:open-pr", "git:review", "git:merge"),
        words=_words(number="12"),
    ),
    ResourceType("git/issue", f"{_REPOSITORY}/issues/{{number}}", ("git:comment",), words=_words(number="7")),
    ResourceType(
        "git/workflow", f"{_REPOSITORY}/workflows/{{workflow}}", ("git:run-workflow",), words=_words(workflow="build")
    ),
)
