"""A configuration folder as it stood in a revision of its git repository.

Only objects are read: no checkout, no hook, no filter. A revision is ``REVISION`` (the configuration folder itself as
it was there) or ``REVISION:PATH`` (another folder of that revision), as git writes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from broker.config.files import BOUNDARY_FOLDER, GUARDRAIL_FOLDER, MAIN_FILE, POLICY_FOLDER, Folder, is_policy
from broker.errors import BrokerError
from policies.document.strict_yaml import MAX_BYTES
from policies.errors import quote

if TYPE_CHECKING:
    from git.objects import Blob, Tree

_FILE_MODES: Final = frozenset({0o100644, 0o100755})


class RevisionError(BrokerError):
    """There is no repository, no such revision in it, or no such folder in the revision."""


def read_revision(root: Path, revision: str) -> Folder:
    """Read a configuration as it was in a revision.

    Args:
        root: The configuration folder of today, inside a git repository.
        revision: ``HEAD~1``, ``v1.2``, ``main:deploy/config``.

    Raises:
        RevisionError: it cannot be found.
    """
    # Importing it looks for the git program, which not every command needs.
    from git import Repo
    from git.exc import GitError
    from gitdb.exc import ODBError

    name, _, path = revision.partition(":")
    if not name or name.startswith("-"):
        raise RevisionError(f"not a revision: {quote(revision)}")
    try:
        with Repo(root, search_parent_directories=True) as repository:
            top = Path(repository.working_tree_dir or repository.git_dir).resolve()
            inside = PurePosixPath(path) if path else PurePosixPath(*root.resolve().relative_to(top).parts)
            return _read(_folder(repository.commit(name).tree, inside))
    except (GitError, ODBError, ValueError, KeyError, OSError) as error:
        raise RevisionError(
            f"there is no folder or revision {quote(revision)} for {quote(str(root))} ({type(error).__name__})"
        ) from None


def _folder(tree: Tree, path: PurePosixPath) -> Tree:
    for part in path.parts:
        found = tree[part]
        if found.type != "tree":
            raise KeyError(part)
        tree = found
    return tree


def _read(tree: Tree) -> Folder:
    folder = Folder()
    for file, blob in _blobs(tree):
        if blob.mode not in _FILE_MODES:
            folder.fault(file, "is not a plain file")
        elif blob.size > MAX_BYTES:
            folder.fault(file, f"has more than {MAX_BYTES} bytes")
        else:
            folder.files[file] = bytes(blob.data_stream.read())
    if MAIN_FILE not in folder.files:
        folder.fault(MAIN_FILE, "is not in that revision")
    return folder


def _blobs(tree: Tree) -> Iterator[tuple[str, Blob]]:
    """Yield the files a configuration is made of, in the order `broker.config.files.read_folder` has them."""
    yield from ((MAIN_FILE, blob) for blob in tree.blobs if blob.name == MAIN_FILE)
    for place in (POLICY_FOLDER, GUARDRAIL_FOLDER, BOUNDARY_FOLDER):
        try:
            below = _folder(tree, PurePosixPath(place))
        except KeyError:
            continue
        for blob in sorted(below.blobs, key=lambda each: str(each.name)):
            if is_policy(str(blob.name)):
                yield f"{place}/{blob.name}", blob
