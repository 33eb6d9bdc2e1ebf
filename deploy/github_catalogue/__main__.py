"""``python3 deploy/bootstrap.py github-catalogue [--check]``: build the catalogue of GitHub's REST operations.

With ``--check`` nothing is written, and the exit status is 1 when the committed file is not what a build gives.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from connectors.github.catalogue import FILE, CatalogueFileError, GitHubCatalogue
from deploy.github_catalogue.compiler import compile_rows
from deploy.github_catalogue.packing import pack
from deploy.github_catalogue.source import PACKAGE, SHA512, VERSION, SourceError, fetch, read_description

PACKAGED: Final = Path(__file__).resolve().parents[2] / "connectors" / "github" / FILE
_FAILED_STATUS: Final = 4


def main(arguments: list[str], get: Callable[[], bytes] = fetch, digest: str = SHA512) -> int:
    """Build, report, write; return the exit status.

    Args:
        arguments: Of the command line.
        get: Returns the archive of the pinned package.
        digest: What its SHA-512 must be.
    """
    parser = argparse.ArgumentParser(prog="python3 deploy/bootstrap.py github-catalogue", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the committed file is another")
    parser.add_argument("--output", type=Path, default=PACKAGED, help="where to write it and what to compare with")
    options = parser.parse_args(arguments)
    try:
        built = build(get(), digest)
    except SourceError as error:
        sys.stderr.write(f"{error}\n")
        return _FAILED_STATUS
    same = options.output.exists() and options.output.read_bytes() == built
    _tell(options.output, built)
    if not options.check and not same:
        options.output.write_bytes(built)
    return int(options.check and not same)


def build(archive: bytes, digest: str) -> bytes:
    """Return the packaged file made of an archive with this digest.

    Raises:
        SourceError: it is not the pinned package.
    """
    return pack(compile_rows(read_description(archive, digest)), {PACKAGE: VERSION, "sha512": digest})


def _tell(committed: Path, built: bytes) -> None:
    """Print which operations are gone, new or changed."""
    try:
        before = GitHubCatalogue(committed.read_bytes()).entries()
    except (OSError, CatalogueFileError):
        before = {}
    after = GitHubCatalogue(built).entries()
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            mark = "+" if name not in before else "~" if name in after else "-"
            sys.stdout.write(f"{mark} {name}\n")
    sys.stdout.write(f"{len(after)} operations, {len(built)} bytes\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
