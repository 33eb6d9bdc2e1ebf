from __future__ import annotations

import os
from pathlib import Path

import pytest

from broker.alerts.channels.secret_files import MAX_BYTES, SecretFileError, read_secret_file
from tests.unit.broker.alerts.channels.letters import secret_file


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_for_its_owner_alone_is_read(tmp_path: Path, mode: int) -> None:
    assert read_secret_file(secret_file(tmp_path, " hunter2 \n", mode)) == "hunter2"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o601])
def test_a_file_that_others_may_use_is_not(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SecretFileError, match=r"^secret-file-open-to-others$"):
        read_secret_file(secret_file(tmp_path, "hunter2", mode))


def test_what_is_no_file_does_not_hold_anybody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(SecretFileError, match=r"^secret-file-no-file$"):
            read_secret_file(str(path))
    for missing in (str(tmp_path / "none"), str(tmp_path / "a\0b"), ""):
        with pytest.raises(SecretFileError):
            read_secret_file(missing)


@pytest.mark.parametrize("text", ["", "  \n", "x" * (MAX_BYTES + 1)])
def test_a_file_without_a_secret_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SecretFileError, match=r"^secret-file-no-text$"):
        read_secret_file(secret_file(tmp_path, text))


def test_a_file_that_is_no_text_is_refused_without_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"\xff\xfehunter2")
    path.chmod(0o600)
    with pytest.raises(SecretFileError, match=r"^secret-file-no-text$"):
        read_secret_file(str(path))
