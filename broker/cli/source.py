"""The line a finding is about, with a caret below its column, as compilers show it."""

from __future__ import annotations

from collections.abc import Mapping


def caret(file: str, line: int, column: int, files: Mapping[str, bytes]) -> list[str]:
    """Return the source line and the caret line; nothing for a place that is in no file that was read.

    Args:
        file: Name relative to the configuration folder.
        line: From 1.
        column: From 1, in characters.
        files: Bytes by name.
    """
    from policies.errors import Finding, render

    if file not in files:
        return []
    return render(Finding(file, line, column, ""), files[file]).splitlines()[1:]
