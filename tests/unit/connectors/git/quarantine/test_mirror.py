from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import InvalidParamsError
from connectors.git.quarantine.mirror import Mirror, MirrorState


def test_no_two_repositories_share_a_folder_even_where_case_does_not_count(tmp_path: Path) -> None:
    names = [
        ("forge", "acme/app"),
        ("Forge", "acme/app"),
        ("forge", "Acme/app"),
        ("forge", "acme/App"),
        ("x", "acme/app"),
    ]
    paths = [str(Mirror(tmp_path, connection, repo).path).lower() for connection, repo in names]
    assert len(set(paths)) == len(names)


def test_a_connection_of_any_name_stays_under_the_root(tmp_path: Path) -> None:
    for connection in ("../../etc", "a/b", "", ".", "x" * 500, "\0", "ü"):
        path = Mirror(tmp_path, connection, "acme/app").path
        assert path.parents[2] == tmp_path
        path.parent.mkdir(parents=True, exist_ok=True)


@pytest.mark.parametrize("repo", ["acme", "../app", "acme/..", "a/b/c", "acme/app.git", "acme/", "acme/a\0"])
def test_what_is_no_name_of_a_repository_is_refused(tmp_path: Path, repo: str) -> None:
    with pytest.raises(InvalidParamsError):
        Mirror(tmp_path, "forge", repo)


@pytest.mark.parametrize(
    ("refs", "head", "trunk"),
    [
        ({"refs/heads/dev": "1", "refs/heads/main": "2"}, "refs/heads/dev", "1"),
        ({"refs/heads/dev": "1", "refs/heads/main": "2"}, "", "2"),
        ({"refs/heads/master": "3"}, "refs/heads/gone", "3"),
        ({"refs/heads/dev": "1"}, "", ""),
    ],
)
def test_the_default_branch_is_what_the_host_says_or_what_it_is_usually_called(
    refs: dict[str, str], head: str, trunk: str
) -> None:
    assert MirrorState("forge", "acme/app", "", refs, head).trunk == trunk
