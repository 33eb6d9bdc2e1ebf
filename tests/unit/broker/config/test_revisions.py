"""Configurations of the past, out of git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from broker.config.files import read_folder
from broker.config.loader import load_folder
from broker.config.revisions import RevisionError, read_revision
from policies.document.strict_yaml import MAX_BYTES
from tests.unit.broker.config.paper import CONNECTORS, MAIN, POLICY, write


def git(where: Path, *words: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *words], cwd=where, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose configuration stands in ``deploy/config`` and changed once."""
    root = write(tmp_path / "deploy" / "config", MAIN, ci_runner=POLICY)
    (root / "policies" / "guardrails").mkdir()
    (root / "policies" / "guardrails" / "g.yaml").write_text("policies:\n  - deny git:push on **\n")
    (root / "policies" / "ci-runner_test.yaml").write_text("x")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    (root / "policies" / "ci-runner.yaml").write_text("policies: []\n")
    git(tmp_path, "commit", "-am", "two")
    return root


def test_the_folder_comes_back_as_it_was(repository: Path) -> None:
    now = read_revision(repository, "HEAD")
    assert now.files == read_folder(repository).files
    before = read_revision(repository, "HEAD~1")
    assert before.files["policies/ci-runner.yaml"] == POLICY.encode()
    assert before.findings == []
    assert load_folder(before, repository, CONNECTORS).agents


def test_another_folder_of_a_revision_can_be_named(repository: Path) -> None:
    assert read_revision(repository, "main:deploy/config").files == read_revision(repository, "HEAD").files


@pytest.mark.parametrize(
    "revision", ["", "-x", ":x", "nothing", "HEAD:nowhere", "HEAD:deploy/config/ostiary.yaml", "HEAD~9"]
)
def test_what_is_not_there_is_told(repository: Path, revision: str) -> None:
    with pytest.raises(RevisionError):
        read_revision(repository, revision)


def test_a_folder_outside_of_any_repository_has_no_revisions(tmp_path: Path) -> None:
    with pytest.raises(RevisionError):
        read_revision(write(tmp_path, MAIN), "HEAD")


def test_links_and_giants_are_faults_and_are_not_read(repository: Path) -> None:
    (repository / "policies" / "link.yaml").symlink_to("/etc/hostname")
    (repository / "policies" / "giant.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    (repository / "ostiary.yaml").unlink()
    git(repository, "add", "-A", ".")
    git(repository, "commit", "-m", "odd")
    folder = read_revision(repository, "HEAD")
    assert {each.file for each in folder.findings} == {
        "policies/link.yaml", "policies/giant.yaml", "ostiary.yaml"
    }  # fmt: skip
    assert set(folder.files) == {"policies/ci-runner.yaml", "policies/guardrails/g.yaml"}
