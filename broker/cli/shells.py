"""Changes to an environment, written for the shell that is to make them.

Whatever stands in a value, the shell takes it for one text: quoting is what keeps a URL from being a command.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from broker.cli.output import ExitCode, fail

_POWERSHELL_QUOTES: Final = "'\u2018\u2019\u201a\u201b"
"""PowerShell ends a text in single quotes at each of these (about_Quoting_Rules); a doubled one stands for itself."""
_FIRST_PRINTABLE: Final = " "
_DELETE: Final = "\x7f"


class Shell(StrEnum):
    """Who is to read the changes."""

    SH = "sh"
    FISH = "fish"
    POWERSHELL = "powershell"
    DOTENV = "dotenv"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be changed in an environment.

    Args:
        values: Variables to be set.
        removed: Names of variables that must not be there.
        path_first: Folder to be searched for programs before all others; empty for none.
    """

    values: Mapping[str, str]
    removed: tuple[str, ...] = ()
    path_first: str = ""


def merged(*all_changes: Changes) -> Changes:
    """Return several changes as one; what any of them sets, none removes."""
    values = {name: value for each in all_changes for name, value in each.values.items()}
    removed = dict.fromkeys(name for each in all_changes for name in each.removed if name not in values)
    return Changes(values, tuple(removed), next((each.path_first for each in all_changes if each.path_first), ""))


def script(changes: Changes, shell: Shell) -> str:
    """Return the changes in the language of a shell, a line each; ends the command when they cannot be written.

    A file of variables (``dotenv``) can neither remove one nor refer to PATH: that part is left out.
    """
    for name, value in {**changes.values, "PATH": changes.path_first}.items():
        if any(char < _FIRST_PRINTABLE or char == _DELETE for char in value):
            fail(f"the value of `{name}` would hold a control character", ExitCode.USAGE)
    match shell:
        case Shell.SH:
            return _sh(changes)
        case Shell.FISH:
            return _fish(changes)
        case Shell.POWERSHELL:
            return _powershell(changes)
        case Shell.DOTENV:
            return _dotenv(changes)
        case Shell.JSON:
            path = [changes.path_first] if changes.path_first else []
            return json.dumps({"set": dict(changes.values), "unset": changes.removed, "path": path}, indent=2) + "\n"


def _sh(changes: Changes) -> str:
    lines = [f"unset {name}" for name in changes.removed]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in changes.values.items()]
    if changes.path_first:
        lines.append(f'export PATH={shlex.quote(changes.path_first)}"${{PATH:+:$PATH}}"')
    return _joined(lines)


def _fish(changes: Changes) -> str:
    def quoted(value: str) -> str:
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

    lines = [f"set -e {name}" for name in changes.removed]
    lines += [f"set -gx {name} {quoted(value)}" for name, value in changes.values.items()]
    if changes.path_first:
        lines.append(f"set -gx PATH {quoted(changes.path_first)} $PATH")
    return _joined(lines)


def _powershell(changes: Changes) -> str:
    def quoted(value: str) -> str:
        return "'" + "".join(char * 2 if char in _POWERSHELL_QUOTES else char for char in value) + "'"

    lines = [f"Remove-Item -ErrorAction SilentlyContinue Env:{name}" for name in changes.removed]
    lines += [f"$Env:{name} = {quoted(value)}" for name, value in changes.values.items()]
    if changes.path_first:
        lines.append(f"$Env:PATH = {quoted(changes.path_first)} + [IO.Path]::PathSeparator + $Env:PATH")
    return _joined(lines)


def _dotenv(changes: Changes) -> str:
    for name, value in changes.values.items():
        # Readers of such files disagree on what either of the two means between single quotes.
        if "'" in value or "\\" in value:
            fail(
                f"the value of `{name}` cannot be written into such a file", ExitCode.USAGE, fix="take another --shell"
            )
    return _joined([f"{name}='{value}'" for name, value in changes.values.items()])


def _joined(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)
