"""Operations that move a branch or a tag: they ask what a push over git would ask, so no rule on refs is walked around.

Where the branch is not in the params (the default branch, the head of a pull request, the tag of a release) it comes
from what was found out. Moving a tag that exists is by force, even forward: tags are for staying where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from connectors.base import JsonObject
from connectors.github.names import UNKNOWN, check_ref, check_sha, ref_resource
from connectors.github.params import Checked
from connectors.github.verbs import DELETE_REF, FORCE_PUSH, PUSH
from policies.model import Requirement

_ANY_BRANCH: Final = f"repos/{UNKNOWN}/{UNKNOWN}/branches/{UNKNOWN}"


@dataclass(frozen=True, slots=True)
class Move:
    """How an operation moves refs.

    Args:
        asks: The verbs it can ask.
        needs: What it asks, of its params and of what was found out.
        own: Its own name (or verb) is asked, too.
    """

    asks: tuple[str, ...]
    needs: Callable[[Checked, JsonObject], list[Requirement]]
    own: bool = False


def default_branch(checked: Checked, found: JsonObject) -> str:
    """Return the branch a change of files goes to: the one that is named, else the one that was found out."""
    return str(checked.body.get("branch") or checked.query.get("branch") or found.get("default_branch", ""))


def full_ref(text: str) -> str:
    """Return a ref as GitHub takes it in a path (``heads/main``) in full."""
    return f"refs/{text}"


def _branch(repo: str, name: str, param: str, verb: str = PUSH) -> Requirement:
    return Requirement(verb, ref_resource(repo, check_ref(f"refs/heads/{name}", param)))


def _create_ref(checked: Checked, _found: JsonObject) -> list[Requirement]:
    check_sha(checked.body["sha"], "sha")
    return [Requirement(PUSH, ref_resource(checked.repo, check_ref(checked.body["ref"], "ref")))]


def _update_ref(checked: Checked, _found: JsonObject) -> list[Requirement]:
    check_sha(checked.body["sha"], "sha")
    ref = check_ref(full_ref(checked.path["ref"]), "ref")
    forced = checked.body.get("force") is True or ref.startswith("refs/tags/")
    return [Requirement(FORCE_PUSH if forced else PUSH, ref_resource(checked.repo, ref))]


def _delete_ref(checked: Checked, _found: JsonObject) -> list[Requirement]:
    return [Requirement(DELETE_REF, ref_resource(checked.repo, check_ref(full_ref(checked.path["ref"]), "ref")))]


def _contents(checked: Checked, found: JsonObject) -> list[Requirement]:
    return [_branch(checked.repo, default_branch(checked, found), "branch")]


def _param(name: str) -> Callable[[Checked, JsonObject], list[Requirement]]:
    return lambda checked, _found: [_branch(checked.repo, str(checked.body[name]), name)]


def _rename(checked: Checked, _found: JsonObject) -> list[Requirement]:
    old, new = checked.path["branch"], str(checked.body["new_name"])
    return [_branch(checked.repo, old, "branch", DELETE_REF), _branch(checked.repo, new, "new_name")]


def _head_of_pull(_checked: Checked, found: JsonObject) -> list[Requirement]:
    pull = found["pull"]
    return [_branch(pull["head_repo"], pull["head"], "head")] if pull["head_repo"] else [Requirement(PUSH, _ANY_BRANCH)]


def _release(checked: Checked, found: JsonObject) -> list[Requirement]:
    """A release whose tag is not there makes it; a published draft does so, too."""
    names = dict.fromkeys(str(each) for each in (checked.body.get("tag_name"), found.get("tag_name")) if each)
    return [Requirement(PUSH, ref_resource(checked.repo, check_ref(f"refs/tags/{name}", "tag_name"))) for name in names]


def _deployment(checked: Checked, _found: JsonObject) -> list[Requirement]:
    """Unless told otherwise GitHub first merges the default branch into the ref that is deployed."""
    name = str(checked.body["ref"]).removeprefix("refs/heads/")
    return [] if checked.body.get("auto_merge") is False else [_branch(checked.repo, name, "ref")]


def _autofix(checked: Checked, _found: JsonObject) -> list[Requirement]:
    target = checked.body.get("target_ref")
    name = str(target).removeprefix("refs/heads/")
    return [_branch(checked.repo, name, "target_ref")] if target else [
        Requirement(PUSH, f"repos/{checked.repo}/branches/{UNKNOWN}")
    ]  # fmt: skip


def _import(checked: Checked, _found: JsonObject) -> list[Requirement]:
    return [Requirement(FORCE_PUSH, f"repos/{checked.repo}/branches/{UNKNOWN}")]


def _somewhere(_checked: Checked, _found: JsonObject) -> list[Requirement]:
    return [Requirement(PUSH, _ANY_BRANCH)]


MOVES: Final[Mapping[str, Move]] = MappingProxyType(
    {
        "github:git.create-ref": Move((PUSH,), _create_ref),
        "github:git.update-ref": Move((PUSH, FORCE_PUSH), _update_ref),
        "github:git.delete-ref": Move((DELETE_REF,), _delete_ref),
        "github:repos.create-or-update-file-contents": Move((PUSH,), _contents),
        "github:repos.delete-file": Move((PUSH,), _contents),
        "github:repos.merge": Move((PUSH,), _param("base")),
        "github:repos.merge-upstream": Move((PUSH,), _param("branch")),
        "github:repos.rename-branch": Move((PUSH, DELETE_REF), _rename, own=True),
        "github:pulls.update-branch": Move((PUSH,), _head_of_pull),
        "github:repos.create-release": Move((PUSH,), _release, own=True),
        "github:repos.update-release": Move((PUSH,), _release, own=True),
        "github:repos.create-deployment": Move((PUSH,), _deployment, own=True),
        "github:code-scanning.commit-autofix": Move((PUSH,), _autofix, own=True),
        "github:migrations.start-import": Move((FORCE_PUSH,), _import, own=True),
        "github:migrations.update-import": Move((FORCE_PUSH,), _import, own=True),
        "github:migrations.map-commit-author": Move((FORCE_PUSH,), _import, own=True),
        "github:codespaces.export-for-authenticated-user": Move((PUSH,), _somewhere, own=True),
    }
)
"""Every operation of REST that can move a branch or a tag, but the merge of a pull request, which has its own verb."""
