"""Run the vault without the command line of the broker.

``python -m vault --socket S --storage F [--key-file K | --kms-key ARN [--kms-endpoint URL]]``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vault.errors import BadRequestError
from vault.kms import KmsKey
from vault.server import main


def run() -> None:
    """Parse the arguments and run the vault until a signal ends it."""
    parser = argparse.ArgumentParser(prog="vault", description="keep sealed credentials and sign with them")
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket to listen on")
    parser.add_argument("--storage", type=Path, required=True, help="file of the sealed rows")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--key-file", type=Path, help="file of the root key; without any key a passphrase unseals")
    source.add_argument("--kms-key", metavar="ARN", help="KMS key that wraps the root key")
    parser.add_argument("--kms-endpoint", metavar="URL", default="", help="where KMS is asked; default: AWS")
    arguments = parser.parse_args()
    root_key: Path | KmsKey | None = arguments.key_file
    if arguments.kms_key is not None:
        try:
            root_key = KmsKey(arguments.kms_key, arguments.kms_endpoint)
        except BadRequestError as error:
            parser.error(str(error))
    main(arguments.socket, arguments.storage, root_key)


if __name__ == "__main__":
    run()
