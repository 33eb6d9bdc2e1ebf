"""Reads the files of the configuration folder without being led elsewhere.

A symbolic link, a device, a pipe or a file of absurd size in the folder is a fault, never something to read. What was
checked is what is read: the checks are made on the open file.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from broker.errors import Finding
from policies.document.strict_yaml import MAX_BYTES
from policies.errors import did_you_mean, quote

MAIN_FILE: Final = "ostiary.yaml"
POLICY_FOLDER: Final = "policies"
GUARDRAIL_FOLDER: Final = "policies/guardrails"
BOUNDARY_FOLDER: Final = "policies/projects"
MAX_POLICY_FILES: Final = 1000

_SUFFIX: Final = ".yaml"
_TEST_SUFFIX: Final = "_test.yaml"


@dataclass(slots=True)
class Folder:
    """What was found: bytes by name relative to the root, and faults."""

    files: dict[str, bytes] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notices: list[Finding] = field(default_factory=list)

    def fault(self, file: str, message: str, fix: str = "") -> None:
        """Add a fault that has no place inside the file."""
        self.findings.append(Finding(file, 1, 1, message, fix))


def read_folder(root: Path) -> Folder:
    """Read ``ostiary.yaml``, ``policies/*.yaml`` and the layers below it; never raises for what is or is not there.

    Test files (``*_test.yaml``) are no part of the configuration and are left alone.
    """
    folder = Folder()
    if not root.is_dir():
        folder.fault(MAIN_FILE, f"there is no folder {quote(str(root))}", "make one with `ostiary init`")
        return folder
    _read(root, MAIN_FILE, folder, fix="make one with `ostiary init`")
    for place in (POLICY_FOLDER, GUARDRAIL_FOLDER, BOUNDARY_FOLDER):
        for name in _policy_names(root, place, folder):
            _read(root, f"{place}/{name}", folder)
    return folder


def read_tests(root: Path) -> dict[str, bytes]:
    """Return the policy test files of a configuration folder by name, in order; what cannot be read is left out."""
    folder = Folder()
    for place in (POLICY_FOLDER, GUARDRAIL_FOLDER, BOUNDARY_FOLDER):
        for name in _names(root / place, place, folder):
            if name.endswith(_TEST_SUFFIX) and not name.startswith("."):
                _read(root, f"{place}/{name}", folder)
    return folder.files


def is_policy(name: str) -> bool:
    """Tell whether a file of a policy folder is a policy, by its name."""
    return name.endswith(_SUFFIX) and not name.endswith(_TEST_SUFFIX) and not name.startswith(".")


def _policy_names(root: Path, place: str, folder: Folder) -> list[str]:
    names = _names(root / place, place, folder)
    found = [name for name in names if not name.startswith(".") and _wanted(root, place, name, folder)]
    if len(found) > MAX_POLICY_FILES:
        folder.fault(place, f"holds more than {MAX_POLICY_FILES} policies")
    return found[:MAX_POLICY_FILES]


def _names(path: Path, place: str, folder: Folder) -> list[str]:
    """Return what is in a folder, in order; nothing when there is no such folder."""
    try:
        mode = path.lstat().st_mode
        names = sorted(entry.name for entry in path.iterdir()) if stat.S_ISDIR(mode) else []
    except FileNotFoundError:
        return []
    except OSError as error:
        folder.fault(place, f"cannot be read: {_reason(error)}")
        return []
    if not stat.S_ISDIR(mode):
        folder.fault(place, "must be a folder, and no symbolic link")
    return names


def _wanted(root: Path, place: str, name: str, folder: Folder) -> bool:
    """Tell whether an entry is a policy; what could have been meant as one is a fault, the rest a notice."""
    shown = f"{place}/{name.encode('utf-8', 'backslashreplace').decode()}"
    if name.endswith(_TEST_SUFFIX) or shown in (GUARDRAIL_FOLDER, BOUNDARY_FOLDER):
        return False
    if is_policy(name):
        return True
    stem, dot, suffix = name.rpartition(".")
    if dot and did_you_mean(suffix.lower(), ["yaml"]):
        folder.fault(shown, "is not read, and looks like a policy", f"name it `{stem}{_SUFFIX}`")
    elif (root / place / name).is_dir():
        fix = "move its files up, one per agent; `guardrails` and `projects` are the folders there are"
        folder.fault(shown, f"is not read: no folder of policies has this name{_meant(name)}", fix)
    else:
        folder.notices.append(Finding(shown, 1, 1, f"is not read: its name does not end in `{_SUFFIX}`"))
    return False


def _meant(name: str) -> str:
    hint = did_you_mean(name, (GUARDRAIL_FOLDER.rpartition("/")[2], BOUNDARY_FOLDER.rpartition("/")[2]))
    return f"; {hint}" if hint else ""


def _read(root: Path, file: str, folder: Folder, fix: str = "") -> None:
    # O_NONBLOCK: opening a pipe must not wait for a writer.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(root / file, flags)
    except OSError as error:
        link = (root / file).is_symlink()
        folder.fault(file, "is a symbolic link" if link else f"cannot be read: {_reason(error)}", "" if link else fix)
        return
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            folder.fault(file, "is not a plain file")
            return
        # closefd: the descriptor is closed below, whether or not it could be made a file.
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        folder.fault(file, f"cannot be read: {_reason(error)}")
        return
    finally:
        os.close(descriptor)
    if len(data) > MAX_BYTES:
        folder.fault(file, f"has more than {MAX_BYTES} bytes")
        return
    folder.files[file] = data


def _reason(error: OSError) -> str:
    return (error.strerror or "unknown error").lower()
