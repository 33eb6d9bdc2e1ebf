"""Run the vault without the command line of the broker: ``python -m vault --socket S --storage F [--key-file K]``."""

from __future__ import annotations

import argparse
from pathlib import Path

from vault.server import main


def run() -> None:
    """Parse the arguments and run the vault until a signal ends it."""
    parser = argparse.ArgumentParser(prog="vault", description="keep sealed credentials and sign with them")
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket to listen on")
    parser.add_argument("--storage", type=Path, required=True, help="file of the sealed rows")
    parser.add_argument("--key-file", type=Path, help="file of the root key; without it a passphrase unseals")
    arguments = parser.parse_args()
    main(arguments.socket, arguments.storage, arguments.key_file)


if __name__ == "__main__":
    run()
