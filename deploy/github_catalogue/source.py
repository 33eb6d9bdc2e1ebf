"""GitHub's OpenAPI description as npm's `@octokit/openapi` (MIT) carries it: one pinned version, held by its digest."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Final

PACKAGE: Final = "@octokit/openapi"
VERSION: Final = "23.0.2"
SHA512: Final = (
    "a55f0cecbf46636dc0c9b36f4e6a369f28e6a669edebedac444fedaabd192d07"
    "0f4b8967c3bbb979918d9b044d9010b70fb8195db171e401f32d455105718386"
)
"""Of the packed archive, hex."""
_MEMBER: Final = "package/generated/api.github.com.json"
_TIMEOUT_SECONDS: Final = 300


class SourceError(Exception):
    """The description cannot be had, or is not the pinned one."""


def fetch() -> bytes:
    """Return the archive of the pinned package, fetched by npm from where the machine's npm gets its packages.

    Raises:
        SourceError: npm is missing or failed.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("npm was not found on PATH")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--ignore-scripts", f"{PACKAGE}@{VERSION}", "--pack-destination", folder]
        try:
            subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=_TIMEOUT_SECONDS)
            (archive,) = Path(folder).glob("*.tgz")
        except (OSError, ValueError, subprocess.SubprocessError):
            raise SourceError(f"npm could not fetch {PACKAGE} {VERSION}") from None
        return archive.read_bytes()


def read_description(archive: bytes, digest: str = SHA512) -> dict[str, Any]:
    """Return the description in an archive, checked before it is opened.

    Args:
        archive: As npm packs it.
        digest: What its SHA-512 must be, hex.

    Raises:
        SourceError: it is not the pinned one.
    """
    found = hashlib.sha512(archive).hexdigest()
    if found != digest:
        raise SourceError(f"{PACKAGE} {VERSION} has the digest {found[:16]}…, expected {digest[:16]}…")
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        member = opened.extractfile(_MEMBER)
        if member is None:
            raise SourceError(f"{PACKAGE} has no {_MEMBER}")
        description: dict[str, Any] = json.load(member)
    return description
