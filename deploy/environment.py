"""The virtual environment of a checkout: made once, checked in milliseconds afterwards.

Order of tools, as none of them can be counted on: `uv` on PATH; `uv` fetched by pip into ``.tools`` (works without
the venv and ensurepip modules, and where PEP 668 forbids installing into the system's Python); the standard library's
venv with pip. Whatever the tool, packages come from the requirement files with every hash checked, and the project
itself is installed without any index, so that ``ostiary`` is in ``.venv/bin``.

A stamp in the environment says what is in it: the digest of everything that went in. The stamp is taken away before
anything is touched and written back last, so a set-up that was killed half-way starts again.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from deploy.console import Console, StepError

_NETWORK_FIX: Final = "check the network and the proxy; UV_DEFAULT_INDEX or PIP_INDEX_URL names a package mirror"
_TOOLS_FIX: Final = "install uv, or this Python's pip and venv (Debian: apt install python3-pip python3-venv)"
_STAMP_FORMAT: Final = "1"
"""Raise it when this file installs differently from the same requirement files."""


class Profile(Enum):
    """Which requirement file an environment was made from; the tests' one holds all of the other."""

    RUNTIME = "runtime"
    DEV = "dev"


@dataclass(frozen=True)
class Checkout:
    """Where things are.

    Args:
        root: Top folder of the checkout.
    """

    root: Path

    @property
    def venv(self) -> Path:
        """The virtual environment."""
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.venv / "bin" / "python"

    @property
    def tools(self) -> Path:
        """Folder of what the set-up fetched for itself."""
        return self.root / ".tools"

    def requirements(self, name: str) -> Path:
        """The requirement file called ``name``."""
        return self.root / "deploy" / "requirements" / f"{name}.txt"


def ensure(checkout: Checkout, profile: Profile, console: Console) -> None:
    """Make the environment of ``profile``, or find that it is there; two at the same time wait for each other.

    Raises:
        StepError: it could not be made; nothing half-made is taken for whole afterwards.
    """
    if is_ready(checkout, profile):
        return
    with setup_lock(checkout, console):
        if is_ready(checkout, profile):
            return
        before = _read_stamp(checkout)
        if before.get("root", str(checkout.root)) != str(
            checkout.root
        ):  # moved or copied: its programs name the old place
            shutil.rmtree(checkout.venv)
        # An environment that once served the tests goes on serving them.
        profile = Profile.DEV if Profile.DEV.value in before else profile
        _stamp_file(checkout).unlink(missing_ok=True)
        _install(checkout, profile, console)
        _write_stamp(checkout, profile)


def is_ready(checkout: Checkout, profile: Profile) -> bool:
    """Tell from the stamp whether the environment holds what ``profile`` needs; starts no process."""
    try:
        present = (checkout.venv / "bin" / "ostiary").exists()
        return present and _read_stamp(checkout).get(profile.value) == _wanted(checkout, profile)
    except OSError:
        return False


def setup_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for package tools: the machine's own certificate authorities, nothing that redirects.

    uv trusts only its built-in list and npm only Node's unless told so; behind a company proxy both would fail.
    """
    child = {key: value for key, value in environment.items() if key not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}}
    child |= {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    child |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore", "PIP_NO_INPUT": "1"}
    child |= {"PIP_REQUIRE_VIRTUALENV": "0", "PIP_USER": "0"}
    if "PIP_INDEX_URL" in child:  # uv reads no setting of pip
        child.setdefault("UV_DEFAULT_INDEX", child["PIP_INDEX_URL"])
    authorities = ssl.get_default_verify_paths().cafile
    if authorities:
        child.setdefault("REQUESTS_CA_BUNDLE", authorities)
        child.setdefault("NODE_EXTRA_CA_CERTS", authorities)
    return child


def find_uv(checkout: Checkout, console: Console) -> Path | None:
    """Return a `uv` to use: from PATH, or fetched; None when there is no pip to fetch it with, or it has no build."""
    on_path = shutil.which("uv")
    if on_path:
        return Path(on_path)
    fetched = checkout.tools / "uv" / "bin" / "uv"
    if fetched.exists():
        return fetched
    if not _has("pip"):
        return None
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:"]
    command += ["--upgrade", "--target", str(checkout.tools / "uv"), "-r", str(checkout.requirements("uv"))]
    try:
        console.run("fetching uv, the package installer", command, setup_environment(os.environ))
    except StepError as error:
        console.line(f"  going on without it: {error.gist}")
        return None
    return fetched


def install_beside(checkout: Checkout, console: Console, title: str, name: str) -> Path:
    """Install the packages of one requirement file into a folder of `Checkout.tools`, and return it.

    Raises:
        StepError: neither uv nor pip could.
    """
    folder = checkout.tools / name
    options = ["--quiet", "--require-hashes", "--only-binary", ":all:", "--target", str(folder)]
    uv = find_uv(checkout, console)
    pip = [str(uv), "pip", "install", "--python", str(checkout.python)] if uv else [*_pip(checkout), "install"]
    command = [*pip, *options, "-r", str(checkout.requirements(name))]
    console.run(title, command, setup_environment(os.environ), fix=_NETWORK_FIX)
    return folder


def _install(checkout: Checkout, profile: Profile, console: Console) -> None:
    uv = find_uv(checkout, console)
    if uv:
        try:
            _install_with_uv(checkout, profile, console, str(uv))
        except StepError as error:
            # A mirror or a certificate may be in pip's configuration only, which uv does not read.
            if not _has("pip"):
                raise
            console.line(f"  uv could not: {error.gist}; trying pip")
        else:
            return
    _install_with_pip(checkout, profile, console)


def _install_with_uv(checkout: Checkout, profile: Profile, console: Console, uv: str) -> None:
    _make_venv(checkout, console, [uv, "venv", "--no-project", "--python", _base_python(), str(checkout.venv)])
    where = ["--python", str(checkout.python)]
    _fill(checkout, profile, console, [uv, "pip", "sync", *where], [uv, "pip", "install", *where])


def _install_with_pip(checkout: Checkout, profile: Profile, console: Console) -> None:
    # Debian ships venv without ensurepip; with a pip outside, the environment needs none of its own.
    without = ["--without-pip"] if _has("pip") or not _has("ensurepip") else []
    _make_venv(checkout, console, [_base_python(), "-m", "venv", *without, str(checkout.venv)])
    install = [*_pip(checkout), "install", "--quiet"]
    _fill(checkout, profile, console, [*install, "-r"], install)


def _make_venv(checkout: Checkout, console: Console, command: list[str]) -> None:
    if _usable(checkout.python):
        return
    shutil.rmtree(checkout.venv, ignore_errors=True)
    console.run("making .venv", command, setup_environment(os.environ), fix=_TOOLS_FIX)


def _fill(checkout: Checkout, profile: Profile, console: Console, packages: list[str], project: list[str]) -> None:
    environment = setup_environment(os.environ)
    requirements = checkout.requirements(profile.value)
    count = sum(line[0].isalnum() for line in requirements.read_text().splitlines())
    console.run(
        f"installing {count} pinned packages",
        [*packages, str(requirements), "--require-hashes"],
        environment,
        fix=_NETWORK_FIX,
    )
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--editable", str(checkout.root)]
    console.run("installing ostiary", [*project, *options], environment, fix=_TOOLS_FIX)


def _pip(checkout: Checkout) -> list[str]:
    """Return the command of a pip that works on the environment: its own, or the one outside pointed at it."""
    inside = [str(checkout.python), "-m", "pip"]
    probe = subprocess.run([*inside, "--version"], capture_output=True, check=False)
    if probe.returncode == 0:
        return inside
    return [sys.executable, "-m", "pip", "--python", str(checkout.python)]


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _base_python() -> str:
    """The interpreter to build on: never one inside an environment, which may be the one to replace."""
    return str(getattr(sys, "_base_executable", sys.executable))


def _usable(python: Path) -> bool:
    """Tell whether an environment's interpreter starts, is new enough and belongs to this machine."""
    code = "import sys, sysconfig; assert sys.version_info >= (3, 11); print(sysconfig.get_platform())"
    try:
        probe = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return probe.returncode == 0 and probe.stdout.strip() == sysconfig.get_platform()


def _wanted(checkout: Checkout, profile: Profile) -> str:
    """Digest of all that goes into an environment; OSError when its interpreter is gone."""
    interpreter = checkout.python.resolve(strict=True)
    state = interpreter.stat()
    facts = [_STAMP_FORMAT, str(checkout.root), platform.machine(), str(interpreter), str(state.st_mtime_ns)]
    digest = hashlib.sha256("\n".join(facts).encode())
    digest.update(checkout.requirements(profile.value).read_bytes())
    digest.update((checkout.root / "pyproject.toml").read_bytes())
    return digest.hexdigest()


def _write_stamp(checkout: Checkout, profile: Profile) -> None:
    held = [Profile.RUNTIME, Profile.DEV] if profile is Profile.DEV else [Profile.RUNTIME]
    text = json.dumps({each.value: _wanted(checkout, each) for each in held} | {"root": str(checkout.root)})
    draft = _stamp_file(checkout).with_suffix(".new")
    draft.write_text(text)
    draft.replace(_stamp_file(checkout))


def _read_stamp(checkout: Checkout) -> dict[str, str]:
    """What the environment says it holds; empty for one that was never finished."""
    try:
        stamp = json.loads(_stamp_file(checkout).read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _stamp_file(checkout: Checkout) -> Path:
    return checkout.venv / "ostiary-stamp.json"


@contextmanager
def setup_lock(checkout: Checkout, console: Console) -> Iterator[None]:
    """Hold the one right to change what the set-up makes; the kernel lets go of it when we die."""
    checkout.tools.mkdir(exist_ok=True)
    with (checkout.tools / "setup.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.line("waiting for another set-up of this checkout")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
