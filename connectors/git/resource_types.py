"""What git moves and can be named: a repository, its branches and its tags.

Pull requests, issues and all else an API has are types of the connector of that API.
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
    ResourceType("git/repository", _REPOSITORY, ("git:read", "git:lfs-read", "git:lfs-write"), words=_words()),
    ResourceType(
        "git/branch", f"{_REPOSITORY}/branches/{{branch=**}}", _REF_ACTIONS, words=_words(branch="feature/login")
    ),
    ResourceType("git/tag", f"{_REPOSITORY}/tags/{{tag=**}}", _REF_ACTIONS, words=_words(tag="v1.2.0")),
)
