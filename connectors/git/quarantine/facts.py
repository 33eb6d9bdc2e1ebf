"""What conditions may look at in a push: JSON, computed from its objects, over every commit that is new to its refs.

    paths, paths_folded    every path any commit touches, as it is and as a forgiving file system may read it
    binary_files           those that git cannot compare line by line
    authors, committers    e-mail addresses, as the commits say; nobody has verified them
    signed                 every commit carries a signature; its presence, not its validity; false without commits
    commits, files         how many commits, how many paths
    added_bytes            sum of the sizes of new file contents; largest_file_bytes the largest of them
    leaks                  rules that found a secret
    changes                what happens to refs: create, fast-forward, force, delete
    branches, tags         short names of the refs
    options                push options

New to a ref is what it does not have now, less what the default branch has. What other branches have counts: or commits
could be brought to a guarded branch by way of one that is not. A list that would be too long is left out, and
`too_many_<name>` says so: a condition on it cannot be told then, and policy decides for the safe side.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from connectors.base import JsonObject
from connectors.git.names import is_branch
from connectors.git.quarantine.held import JudgedUpdate
from connectors.git.quarantine.history import History
from connectors.git.quarantine.shown import folded_name, shown_name

MAX_PATHS: Final = 500
MAX_PEOPLE: Final = 100


def ref_facts(updates: Iterable[JudgedUpdate], options: tuple[str, ...]) -> JsonObject:
    """Return the facts that hold of any push.

    Args:
        updates: What happens to its refs.
        options: Push options.
    """
    judged = list(updates)
    return {
        "changes": sorted({each.change.value for each in judged}),
        "branches": sorted(each.ref.removeprefix("refs/heads/") for each in judged if is_branch(each.ref)),
        "tags": sorted(each.ref.removeprefix("refs/tags/") for each in judged if not is_branch(each.ref)),
        "options": list(options),
    }


def content_facts(history: History, sizes: dict[str, int], leaks: Iterable[str]) -> JsonObject:
    """Return the facts about a history that was read as a whole.

    Args:
        history: Its commits and changes.
        sizes: Object id to size in bytes of every file content that is new.
        leaks: Rules that found a secret.
    """
    names = {change.name for _, change in history.changes}
    commits = history.commits.values()
    facts: JsonObject = {
        "commits": len(history.commits),
        "files": len(names),
        "signed": bool(commits) and all(commit.signed for commit in commits),
        "added_bytes": sum(sizes.values()),
        "largest_file_bytes": max(sizes.values(), default=0),
        "leaks": sorted(set(leaks)),
    }
    _list(facts, "authors", {commit.author.email for commit in commits}, MAX_PEOPLE)
    _list(facts, "committers", {commit.committer.email for commit in commits}, MAX_PEOPLE)
    _list(facts, "paths", {shown_name(name) for name in names}, MAX_PATHS)
    _list(facts, "paths_folded", {folded_name(name) for name in names}, MAX_PATHS)
    if not history.unscanned:  # else nobody has compared them
        _list(facts, "binary_files", {shown_name(each.name) for _, each in history.changes if each.binary}, MAX_PATHS)
    return facts


def unread_facts(commits: int, leaks: Iterable[str]) -> JsonObject:
    """Return the facts about a history that is too long to be read.

    Args:
        commits: How many there are.
        leaks: Rules that found a secret.
    """
    lists = ("authors", "committers", "paths", "paths_folded", "binary_files")
    return {"commits": commits, "leaks": sorted(set(leaks)), **{f"too_many_{name}": True for name in lists}}


def _list(facts: JsonObject, name: str, values: set[str], limit: int) -> None:
    if len(values) > limit:
        facts[f"too_many_{name}"] = True
    else:
        facts[name] = sorted(values)
