"""GitHub's command line `gh`, for the tests that use it as a client; nobody else needs it.

It comes from PATH, else from the package of a Debian or Ubuntu, unpacked into ``.tools`` without root: apt checks the
archive's signature as for any package, and lists of packages are fetched into ``.tools`` where the machine has none.
On other machines there is no way that works without root, so the set-up goes on without it and those tests are skipped.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from deploy.console import Console, StepError
from deploy.environment import Checkout, setup_environment, setup_lock

_NEEDED: Final = ("apt-get", "dpkg-deb")
_PATIENCE: Final = ("-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20", "-o", "APT::Sandbox::User=root")
_WITHOUT: Final = "tests that use gh are skipped"


def find_gh(checkout: Checkout) -> Path | None:
    """Return the program; None where there is none."""
    on_path = shutil.which("gh")
    unpacked = _folder(checkout) / "usr" / "bin" / "gh"
    if on_path:
        return Path(on_path)
    return unpacked if unpacked.exists() else None


def ensure_gh(checkout: Checkout, console: Console) -> None:
    """Find the program or unpack it; where that is not possible, say so and go on."""
    with setup_lock(checkout, console):
        if find_gh(checkout):
            return
        if not all(map(shutil.which, _NEEDED)):
            console.line(f"no gh on PATH, and no apt to get it with: {_WITHOUT}")
            return
        draft = checkout.tools / "gh.new"
        shutil.rmtree(draft, ignore_errors=True)
        try:
            _unpack(draft, console)
        except StepError as error:
            console.line(f"no gh on PATH, and {error.gist}: {_WITHOUT}")
            return
        shutil.rmtree(_folder(checkout), ignore_errors=True)
        (draft / "root").replace(_folder(checkout))
        shutil.rmtree(draft)


def _unpack(draft: Path, console: Console) -> None:
    for folder in ("lists/partial", "cache/archives/partial", "package"):
        (draft / folder).mkdir(parents=True)
    environment = setup_environment(os.environ)
    lists = ("-o", f"Dir::State::lists={draft / 'lists'}", "-o", f"Dir::Cache={draft / 'cache'}")
    download = ["env", "-C", str(draft / "package"), "apt-get", *_PATIENCE]
    try:
        console.run("fetching gh", [*download, "download", "gh"], environment)
    except StepError:  # a machine whose lists of packages were removed, as images of containers are made
        console.run("fetching lists of packages", ["apt-get", *_PATIENCE, *lists, "update"], environment)
        console.run("fetching gh", [*download, *lists, "download", "gh"], environment)
    (package,) = (draft / "package").glob("gh_*.deb")
    console.run("unpacking gh", ["dpkg-deb", "-x", str(package), str(draft / "root")], environment)


def _folder(checkout: Checkout) -> Path:
    return checkout.tools / "gh"
