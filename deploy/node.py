"""The npm parts of the tests, from ``tests/integration/package-lock.json``; without that file no Node is needed."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import Final

from deploy.console import Console, StepError
from deploy.environment import Checkout, setup_environment

_FIX: Final = "install Node.js 20 or newer with npm and put it on PATH"


def ensure_npm_parts(checkout: Checkout, console: Console) -> None:
    """Install the npm parts by their lock file, integrity checked, no install scripts; quick when they are there.

    Raises:
        StepError: npm is missing or failed.
    """
    folder = checkout.root / "tests" / "integration"
    lock = folder / "package-lock.json"
    if not lock.exists():
        return
    stamp = folder / "node_modules" / "ostiary-stamp"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise StepError("installing the npm parts of the tests", "npm and node were not found on PATH", _FIX)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)]
    console.run("installing the npm parts of the tests", command, setup_environment(os.environ), fix=_FIX)
    stamp.write_text(digest)
