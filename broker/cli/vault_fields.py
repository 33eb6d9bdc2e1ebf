"""Where the fields of a credential come from: a prompt without echo, standard input, or a private file."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from broker.cli.output import ExitCode, fail
from vault.credential import FIELDS
from vault.fields import MAX_FIELDS_BYTES
from vault.model import CredentialKind, SecretValue

FromFileOption = Annotated[
    Path | None, typer.Option("--from-file", help="JSON object of the fields; `-` is stdin. Default: ask, or stdin.")
]


def read_fields(kind: CredentialKind, source: Path | None) -> dict[str, SecretValue | str]:
    """Return the fields of a credential: asked for, or read from standard input or a private file."""
    if source is None and sys.stdin.isatty():
        return _ask_fields(kind)
    if source is None or str(source) == "-":
        return _parse_fields(sys.stdin.buffer.read(MAX_FIELDS_BYTES + 1))
    return _parse_fields(read_private(source, MAX_FIELDS_BYTES))


def _ask_fields(kind: CredentialKind) -> dict[str, SecretValue | str]:
    fields: dict[str, SecretValue | str] = {}
    for name, rule in FIELDS[kind].items():
        if rule.private_key is not None:
            # A key has many lines, and a prompt takes one.
            path = typer.prompt(f"file of the {name}", err=True)
            fields[name] = SecretValue(read_private(Path(path), MAX_FIELDS_BYTES))
            continue
        label = f"{name} (empty for none)" if rule.optional else name
        default = "" if rule.optional else None
        value = typer.prompt(label, hide_input=rule.secret, default=default, show_default=False, err=True)
        if value:
            fields[name] = SecretValue(value.encode())
    return fields


def _parse_fields(text: bytes) -> dict[str, SecretValue | str]:
    if len(text) > MAX_FIELDS_BYTES:
        fail(f"the fields have more than {MAX_FIELDS_BYTES} bytes", ExitCode.USAGE)
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        # Nothing of the error is shown: it quotes what it could not parse.
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        fail("the fields must be a JSON object of texts", ExitCode.USAGE)
    return {name: SecretValue(value.encode()) for name, value in found.items()}


def read_private(path: Path, limit: int) -> bytes:
    """Return up to ``limit`` and one bytes of a file of mode 0600; ends the command when others can read it."""
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                fail(f"`{path}` can be read by others", ExitCode.USAGE, fix=f"chmod 600 {path}")
            return file.read(limit + 1)
    except OSError as error:
        fail(f"cannot read `{path}`: {(error.strerror or 'unknown').lower()}", ExitCode.USAGE)
