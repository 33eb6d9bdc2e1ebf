"""The guard of tests/conftest.py: no test leaves this machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80, 0, 0), ("::ffff:192.0.2.1", 80)])
def test_a_connection_to_another_host_fails_the_test(address: tuple[str | int, ...]) -> None:
    family = socket.AF_INET6 if ":" in str(address[0]) else socket.AF_INET
    with socket.socket(family) as outside, pytest.raises(pytest.fail.Exception, match="loopback only"):
        outside.connect(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_stays_open(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection((host, server.getsockname()[1])):
        assert server.getsockname()[0] == "127.0.0.1"


def test_unix_sockets_stay_open_and_their_folder_is_private_and_short(short_tmp: Path) -> None:
    path = short_tmp / "s.sock"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(path))
        server.listen()
        client.connect(str(path))
    assert len(str(path)) < 40
    assert short_tmp.stat().st_mode & 0o077 == 0


def test_no_setting_or_key_of_this_machine_reaches_a_test() -> None:
    left = [name for name in os.environ if name.startswith(("OSTIARY_", "GIT_", "HTTP_PROXY", "HTTPS_PROXY"))]
    assert left == []
    assert os.environ["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
