"""What holds for every test: a fixed seed in CI, no network but loopback, nothing of this machine's own settings.

Real parts (PostgreSQL, Valkey, moto, git) are in `tests.parts`; they know nothing of pytest unless they say so.
"""

from __future__ import annotations

import ipaddress
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_FOREIGN = ("OSTIARY_", "AWS_", "GIT_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")

settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

for _name in [name for name in os.environ if name.upper().startswith(_FOREIGN)]:
    del os.environ[_name]
# botocore would otherwise read a developer's keys, or wait for a metadata service that is not there.
os.environ |= {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def _is_loopback(host: object) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse_the_network(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: fails the test that connects anywhere but to this machine (uvloop connects unseen)."""
    if event != "socket.connect":
        return
    address = arguments[1]
    # Unix sockets have a path for an address, not a tuple.
    if isinstance(address, tuple) and not _is_loopback(address[0]):
        pytest.fail(f"a test connects to {address[0]}: tests use loopback only")


sys.addaudithook(_refuse_the_network)


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A private folder with a short path: a Unix socket's path holds 108 bytes, and `tmp_path` is often longer."""
    with tempfile.TemporaryDirectory(prefix="ost-", dir="/tmp") as folder:
        yield Path(folder)
