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
from policies.errors import did_you_mean, quote
from policies.strict_yaml import MAX_BYTES

MAIN_FILE: Final = "ostiary.yaml"
POLICY_FOLDER: Final = "policies"
MAX_POLICY_FILES: Final = 1000

_SUFFIX: Final = ".yaml"


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
    """Read ``ostiary.yaml`` and ``policies/*.yaml``; never raises for what is or is not there."""
    folder = Folder()
    if not root.is_dir():
        folder.fault(MAIN_FILE, f"there is no folder {quote(str(root))}", "make one with `ostiary init`")
        return folder
    _read(root, MAIN_FILE, folder, fix="make one with `ostiary init`")
    for name in _policy_names(root, folder):
        _read(root, f"{POLICY_FOLDER}/{name}", folder)
    return folder


def _policy_names(root: Path, folder: Folder) -> list[str]:
    path = root / POLICY_FOLDER
    try:
        mode = path.lstat().st_mode
        names = sorted(entry.name for entry in path.iterdir()) if stat.S_ISDIR(mode) else []
    except FileNotFoundError:
        return []
    except OSError as error:
        folder.fault(POLICY_FOLDER, f"cannot be read: {_reason(error)}")
        return []
    if not stat.S_ISDIR(mode):
        folder.fault(POLICY_FOLDER, "must be a folder, and no symbolic link")
    found = [name for name in names if not name.startswith(".") and _wanted(path, name, folder)]
    if len(found) > MAX_POLICY_FILES:
        folder.fault(POLICY_FOLDER, f"holds more than {MAX_POLICY_FILES} policies")
    return found[:MAX_POLICY_FILES]


def _wanted(path: Path, name: str, folder: Folder) -> bool:
    """Tell whether an entry is a policy; what could have been meant as one is a fault, the rest a notice."""
    shown = f"{POLICY_FOLDER}/{name.encode('utf-8', 'backslashreplace').decode()}"
    if name.endswith(_SUFFIX):
        return True
    stem, dot, suffix = name.rpartition(".")
    if dot and did_you_mean(suffix.lower(), ["yaml"]):
        folder.fault(shown, "is not read, and looks like a policy", f"name it `{stem}{_SUFFIX}`")
    elif (path / name).is_dir():
        folder.fault(shown, "folders inside `policies` are not read", "move its files up, one per agent")
    else:
        folder.notices.append(Finding(shown, 1, 1, f"is not read: its name does not end in `{_SUFFIX}`"))
    return False


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
