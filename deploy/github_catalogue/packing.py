"""The packaged file, written; `connectors.github.catalogue` reads it and says what it looks like.

Nothing in it depends on when or where it is made: sorted names, no times, one compressor.
"""

from __future__ import annotations

import json
import zlib
from typing import Any, Final

from connectors.github.catalogue import MAGIC

_LEVEL: Final = 9


def pack(rows: dict[str, dict[str, Any]], sources: dict[str, str]) -> bytes:
    """Return the file.

    Args:
        rows: By operation id, sorted.
        sources: What it was built from: package -> version and digest.
    """
    document = {"sources": sources, "operations": rows}
    return MAGIC + zlib.compress(json.dumps(document, separators=(",", ":")).encode(), _LEVEL)
