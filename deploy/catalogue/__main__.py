"""``python3 deploy/bootstrap.py catalogue [--check]``: build the catalogue of AWS operations and tell what changed.

With ``--check`` nothing is written, and the exit status is 1 when the committed file is not what a build gives.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

from connectors.aws.catalogue.data import FILE, AwsCatalogue, CatalogueFileError
from deploy.catalogue.compiler import compile_service
from deploy.catalogue.packing import pack
from deploy.catalogue.report import report
from deploy.catalogue.sources import NEEDED, SourceMissingError, Sources, read_sources

PACKAGED: Final = Path(__file__).resolve().parents[2] / "connectors" / "aws" / "catalogue" / FILE
_FAILED_STATUS: Final = 4


def main(arguments: list[str], read: Callable[[], Sources] = read_sources) -> int:
    """Build, report, write; return the exit status.

    Args:
        arguments: Of the command line.
        read: Where the public data comes from.
    """
    parser = argparse.ArgumentParser(prog="python3 deploy/bootstrap.py catalogue", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the committed file is another")
    parser.add_argument("--output", type=Path, default=PACKAGED, help="where to write it and what to compare with")
    options = parser.parse_args(arguments)
    try:
        sources = read()
    except SourceMissingError as error:
        sys.stderr.write(f"{error}\n")
        return _FAILED_STATUS
    built = build(sources, sources.services())
    same = options.output.exists() and options.output.read_bytes() == built
    _tell(options.output, built)
    if not options.check and not same:
        options.output.write_bytes(built)
    return int(options.check and not same)


def build(sources: Sources, services: list[str]) -> bytes:
    """Return the packaged file for some services.

    Args:
        sources: Public data.
        services: botocore's folder names.
    """
    versions = {name: version(name) for name in ("botocore", *NEEDED)}
    return pack((compile_service(service, sources) for service in sorted(services)), versions)


def _tell(committed: Path, built: bytes) -> None:
    try:
        before = AwsCatalogue(committed.read_bytes())
    except (OSError, CatalogueFileError):
        before = None
    for line in report(before, AwsCatalogue(built)):
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{len(built)} bytes\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
