"""The line a finding is about, with a caret below its column, as compilers show it.

Only lines of policies are shown. In ``ostiary.yaml`` a fault can be a password where none belongs, in a URL for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

POLICIES: Final = "policies/"


def caret(file: str, line: int, column: int, files: Mapping[str, bytes]) -> list[str]:
    """Return the source line and the caret line; nothing for a place that is in no policy that was read.

    Args:
        file: Name relative to the configuration folder.
        line: From 1.
        column: From 1, in characters.
        files: Bytes by name.
    """
    from policies.errors import Finding, render

    if file not in files or not file.startswith(POLICIES):
        return []
    return render(Finding(file, line, column, ""), files[file]).splitlines()[1:]
