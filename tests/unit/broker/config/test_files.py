from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from broker.config.files import MAX_POLICY_FILES, read_folder
from policies.document.strict_yaml import MAX_BYTES
from tests.unit.broker.config.paper import write


def faults(root: Path) -> list[str]:
    return [str(finding) for finding in read_folder(root).findings]


def test_the_main_file_and_the_policies_are_read(tmp_path: Path) -> None:
    folder = read_folder(write(tmp_path, "version: 1\n", a="x", b="y"))
    assert folder.files == {"ostiary.yaml": b"version: 1\n", "policies/a.yaml": b"x", "policies/b.yaml": b"y"}
    assert folder.findings == []


def test_a_folder_without_policies_is_fine(tmp_path: Path) -> None:
    (tmp_path / "ostiary.yaml").write_text("version: 1")
    assert list(read_folder(tmp_path).files) == ["ostiary.yaml"]


def test_what_is_missing_names_the_command_that_makes_it(tmp_path: Path) -> None:
    assert faults(tmp_path) == [
        "ostiary.yaml:1:1: cannot be read: no such file or directory (make one with `ostiary init`)"
    ]
    assert "there is no folder" in faults(tmp_path / "absent")[0]


def test_symbolic_links_are_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.yaml").write_text("root: x")
    root = write(tmp_path / "config", "version: 1\n", a="x")
    (root / "policies" / "b.yaml").symlink_to(outside / "secret.yaml")
    (root / "policies" / "c.yaml").symlink_to(tmp_path / "nowhere")
    folder = read_folder(root)
    assert [str(finding) for finding in folder.findings] == [
        "policies/b.yaml:1:1: is a symbolic link",
        "policies/c.yaml:1:1: is a symbolic link",
    ]
    assert "policies/b.yaml" not in folder.files
    (root / "ostiary.yaml").unlink()
    (root / "ostiary.yaml").symlink_to(outside / "secret.yaml")
    assert "ostiary.yaml:1:1: is a symbolic link" in faults(root)


def test_a_linked_policy_folder_is_refused(tmp_path: Path) -> None:
    other = write(tmp_path / "other", "version: 1\n", a="x")
    root = tmp_path / "config"
    root.mkdir()
    (root / "ostiary.yaml").write_text("version: 1")
    (root / "policies").symlink_to(other / "policies")
    assert faults(root) == ["policies:1:1: must be a folder, and no symbolic link"]


def test_pipes_and_folders_are_refused_without_waiting(tmp_path: Path) -> None:
    root = write(tmp_path, "version: 1\n", a="x")
    os.mkfifo(root / "policies" / "b.yaml")
    (root / "policies" / "c.yaml").mkdir()
    assert faults(root) == [
        "policies/b.yaml:1:1: is not a plain file",
        "policies/c.yaml:1:1: is not a plain file",
    ]


def test_a_file_of_absurd_size_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path, "version: 1\n", a="#" * (MAX_BYTES + 1))
    assert faults(root) == [f"policies/a.yaml:1:1: has more than {MAX_BYTES} bytes"]


def test_what_may_have_been_meant_as_a_policy_is_a_fault_and_the_rest_a_notice(tmp_path: Path) -> None:
    root = write(tmp_path, "version: 1\n", a="x")
    for name in ("b.yml", "c.YAML", "d.yaml~", "README.md", ".hidden.yaml"):
        (root / "policies" / name).write_text("")
    (root / "policies" / "guards").mkdir()
    folder = read_folder(root)
    assert list(folder.files) == ["ostiary.yaml", "policies/a.yaml"]
    assert [str(finding) for finding in folder.findings] == [
        "policies/b.yml:1:1: is not read, and looks like a policy (name it `b.yaml`)",
        "policies/c.YAML:1:1: is not read, and looks like a policy (name it `c.yaml`)",
        "policies/d.yaml~:1:1: is not read, and looks like a policy (name it `d.yaml`)",
        (
            "policies/guards:1:1: is not read: no folder of policies has this name; did you mean `guardrails`? "
            "(move its files up, one per agent; `guardrails` and `projects` are the folders there are)"
        ),
    ]
    assert [notice.file for notice in folder.notices] == ["policies/README.md"]


def test_the_number_of_policies_is_bounded(tmp_path: Path) -> None:
    root = write(tmp_path, "version: 1\n", **{f"a{number}": "" for number in range(MAX_POLICY_FILES + 1)})
    assert faults(root) == [f"policies:1:1: holds more than {MAX_POLICY_FILES} policies"]


def test_what_cannot_be_opened_is_told_whoever_reads(short_tmp: Path) -> None:
    root = write(short_tmp, "version: 1\n", a="x")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "policies" / "b.yaml"))
        assert faults(root) == ["policies/b.yaml:1:1: cannot be read: no such device or address"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    root = write(tmp_path, "version: 1\n", a="x")
    (root / "policies" / "a.yaml").chmod(0)
    assert faults(root) == ["policies/a.yaml:1:1: cannot be read: permission denied"]
    (root / "policies").chmod(0)
    assert "policies:1:1: cannot be read: permission denied" in faults(root)
    (root / "policies").chmod(0o700)


def test_a_name_that_is_no_text_is_shown_escaped(tmp_path: Path) -> None:
    root = write(tmp_path, "version: 1\n", a="x")
    (root / "policies" / os.fsdecode(b"b\xff.yml")).write_text("")
    assert "policies/b\\" in faults(root)[0]
