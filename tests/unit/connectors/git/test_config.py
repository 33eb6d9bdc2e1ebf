from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.git.config import Upstream, config_file, config_text, local_config

URL = "https://git.test/acme/app.git"
UPSTREAM = Upstream(URL, "git.test:443:192.0.2.1", Path("/etc/own ca.pem"), 7)
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)


def value(path: str, *arguments: str, descriptors: tuple[int, ...] = ()) -> str:
    command = ["git", "config", "--file", path, *arguments]
    done = subprocess.run(command, capture_output=True, check=False, text=True, pass_fds=descriptors)
    return done.stdout.removesuffix("\n")


@given(PRINTABLE)
def test_git_reads_back_exactly_the_header_that_was_given(token: str) -> None:
    with config_file(UPSTREAM, f"Bearer {token}", Path("/nowhere")) as config:
        read = value(config.path, "--get-urlmatch", "http.extraHeader", URL, descriptors=config.descriptors)
    assert read == f"Authorization: Bearer {token}"


@pytest.mark.parametrize("in_memory", [True, False])
def test_git_reads_every_limit_from_memory_and_from_a_file(tmp_path: Path, in_memory: bool) -> None:
    fallback = tmp_path / "config"
    with config_file(UPSTREAM, "Basic abc", fallback, in_memory=in_memory) as config:
        read = {
            name: value(config.path, name, descriptors=config.descriptors)
            for name in (
                "protocol.allow",
                "protocol.https.allow",
                "protocol.http.allow",
                "http.followRedirects",
                "http.curloptResolve",
                "http.sslCAInfo",
                "http.lowSpeedTime",
                "core.hooksPath",
                "transfer.fsckObjects",
                "credential.helper",
            )
        }
        assert fallback.exists() is not in_memory
        if not in_memory:
            assert stat.S_IMODE(fallback.stat().st_mode) == 0o600
    assert read == {
        "protocol.allow": "never",
        "protocol.https.allow": "always",
        "protocol.http.allow": "",
        "http.followRedirects": "false",
        "http.curloptResolve": "git.test:443:192.0.2.1",
        "http.sslCAInfo": "/etc/own ca.pem",
        "http.lowSpeedTime": "7",
        "core.hooksPath": "/dev/null",
        "transfer.fsckObjects": "true",
        "credential.helper": "",
    }
    assert not fallback.exists()


def test_the_credential_is_for_the_one_repository_only() -> None:
    with config_file(Upstream(URL, ""), "Basic abc", Path("/nowhere")) as config:
        for other in (
            "https://git.test/acme/other.git",
            "https://evil.test/acme/app.git",
            "http://git.test/acme/app.git",
        ):
            found = value(config.path, "--get-urlmatch", "http.extraHeader", other, descriptors=config.descriptors)
            assert found == ""


def test_the_memory_file_cannot_be_changed_and_is_gone_afterwards() -> None:
    with config_file(Upstream(URL, ""), "Basic abc", Path("/nowhere")) as config:
        (descriptor,) = config.descriptors
        assert not os.get_inheritable(descriptor)
        with pytest.raises(PermissionError):
            os.write(descriptor, b"[core]\n")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize("header", ["Basic a\nb", "Basic a\r", "Basic \0", "Basic \x1b", "Basic a\u2028b"])
def test_a_header_that_could_end_its_line_is_refused_without_being_repeated(header: str) -> None:
    with pytest.raises(ValueError, match="control character") as caught:
        config_text(UPSTREAM, header)
    assert "Basic" not in str(caught.value)


def test_a_file_that_is_already_there_is_not_written_to(tmp_path: Path) -> None:
    fallback = tmp_path / "config"
    fallback.write_text("theirs")
    with (
        pytest.raises(FileExistsError),
        config_file(Upstream(URL, ""), "Basic abc", fallback, in_memory=False),
    ):
        pytest.fail("it must not get here")
    assert fallback.read_text() == "theirs"


@pytest.mark.parametrize("missing", [True, False])
def test_a_kernel_without_memory_files_gets_a_private_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: bool
) -> None:
    def refused(*arguments: object) -> int:
        raise OSError("not here")

    if missing:
        monkeypatch.delattr(os, "memfd_create")
    else:
        monkeypatch.setattr(os, "memfd_create", refused)
    with config_file(Upstream(URL, ""), "Basic abc", tmp_path / "config") as config:
        assert (config.path, config.descriptors) == (str(tmp_path / "config"), ())
    assert list(tmp_path.iterdir()) == []


def test_work_on_this_machine_has_a_configuration_without_a_credential_and_without_a_way_out(tmp_path: Path) -> None:
    config = local_config(tmp_path / "config")
    assert stat.S_IMODE((tmp_path / "config").stat().st_mode) == 0o600
    assert value(config.path, "protocol.allow") == "never"
    assert value(config.path, "core.hooksPath") == os.devnull
    assert "Authorization" not in (tmp_path / "config").read_text()
    assert (config.protocol, config.descriptors) == ("", ())
    with pytest.raises(FileExistsError):
        local_config(tmp_path / "config")
