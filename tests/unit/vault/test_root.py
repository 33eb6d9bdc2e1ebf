from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.vault.samples import CHEAP, PASSPHRASE
from vault.errors import BadRequestError, IntegrityError, RootKeyError
from vault.root import (
    Header,
    RootSource,
    WrappedKey,
    check_passphrase,
    create_key_file,
    read_key_file,
    root_from_passphrase,
)


def test_a_created_key_file_is_private_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "vault.key"
    key = create_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key_file(path) == key
    assert len(key) == 32
    assert os.listdir(path.parent) == ["vault.key"]  # noqa: PTH208 - hidden leftovers count


def test_an_existing_key_file_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    key = create_key_file(path)
    with pytest.raises(RootKeyError, match="cannot create"):
        create_key_file(path)
    assert read_key_file(path) == key


@pytest.mark.req("V1")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "vault.key"
    create_key_file(path)
    path.chmod(mode)
    with pytest.raises(RootKeyError, match="mode 0600"):
        read_key_file(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    create_key_file(path)
    os.chown(path, 65534, 65534)
    with pytest.raises(RootKeyError, match="belong to the vault's user"):
        read_key_file(path)


@pytest.mark.parametrize("text", [b"", b"zz" * 32, b"00" * 31, b"00" * 33, b"00" * 32 + b"\n\n", b"\xff" * 64])
def test_a_malformed_key_file_is_refused_without_quoting_it(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "vault.key"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(RootKeyError, match="64 hex digits"):
        read_key_file(path)


def test_a_link_a_pipe_and_nothing_are_no_key_files(tmp_path: Path) -> None:
    real, link, pipe = tmp_path / "real", tmp_path / "link", tmp_path / "pipe"
    create_key_file(real)
    link.symlink_to(real)
    os.mkfifo(pipe, 0o600)
    for path in (link, pipe, tmp_path / "missing"):
        with pytest.raises(RootKeyError):
            read_key_file(path)


@pytest.mark.parametrize("source", list(RootSource))
def test_a_header_reads_back(source: RootSource) -> None:
    header = Header.new(source, CHEAP)
    if source is RootSource.KMS:
        header = replace(header, wrapped=WrappedKey("arn:aws:kms:eu-west-1:123456789012:key/1234", b"wrapped"))
    assert Header.decode(header.encode()) == header


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"format":1,"source":"usb","salt":"","argon2id":{}}', b'{"format":1,"argon2id":{"x":1}}'],
)
def test_a_malformed_header_is_an_integrity_error(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        Header.decode(data)


def test_a_header_of_another_format_or_an_absurd_cost_is_refused() -> None:
    good = Header.new(RootSource.PASSPHRASE, CHEAP).encode()
    for changed in (
        good.replace(b'"format":1', b'"format":2'),
        good.replace(b'"memory_kib":8', b'"memory_kib":9999999'),
    ):
        assert changed != good
        with pytest.raises(IntegrityError):
            Header.decode(changed)


def test_the_root_key_depends_on_passphrase_and_salt() -> None:
    one, two = Header.new(RootSource.PASSPHRASE, CHEAP), Header.new(RootSource.PASSPHRASE, CHEAP)
    assert root_from_passphrase(PASSPHRASE, one) == root_from_passphrase(PASSPHRASE, one)
    assert root_from_passphrase(PASSPHRASE, one) != root_from_passphrase(PASSPHRASE, two)


@pytest.mark.parametrize("passphrase", [b"", b"short", b"x" * 1025])
def test_a_passphrase_of_a_wrong_length_is_refused(passphrase: bytes) -> None:
    with pytest.raises(BadRequestError):
        check_passphrase(passphrase)
