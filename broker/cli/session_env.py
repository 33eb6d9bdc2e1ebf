"""``ostiary session env`` and ``ostiary session aws-credentials``: ordinary clients, led to Ostiary.

Each door has an option and a function that returns its `Changes`; the shells and the way they are printed are common.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from broker.cli import aws_access, aws_shim
from broker.cli.client import api_from
from broker.cli.context import api_url, options_from, unverified_token
from broker.cli.output import ExitCode, OutputFormat, emit, fail, say
from broker.cli.own_files import write_own
from broker.cli.shells import Changes, Shell, script

_PROFILE_MODE: Final = 0o600

ConnectionOption = Annotated[str, typer.Option(help="Which AWS connection's region, where there are several.")]


def env(  # noqa: PLR0913 - each option is a parameter in Typer
    ctx: typer.Context,
    *,
    aws: Annotated[bool, typer.Option("--aws", help="For AWS clients: command line, SDKs, Terraform.")] = False,
    shell: Annotated[Shell, typer.Option(help="Who reads the output.")] = Shell.SH,
    connection: ConnectionOption = "",
    container: Annotated[bool, typer.Option("--container", help="Let SDKs fetch the key with the token.")] = False,
    profile: Annotated[Path | None, typer.Option(help="Write a configuration that asks for the key.")] = None,
    shim: Annotated[Path | None, typer.Option(help="Write an `aws` into this folder that names the endpoint.")] = None,
) -> None:
    """Print what leads ordinary clients to Ostiary: `eval "$(ostiary session env --aws)"`."""
    if not aws:
        fail("no kind of client is named", ExitCode.USAGE, fix="add `--aws`")
    if container and profile:
        fail("`--container` and `--profile` are two ways to the same key", ExitCode.USAGE, fix="choose one")
    access = _access(ctx, connection)
    changes = _changes(ctx, access, container=container, profile=profile)
    if shim is not None:
        changes = replace(changes, path_first=aws_shim.install(shim))
    text = script(changes, shell)
    # Bytes, as a path may be none of the terminal's.
    sys.stdout.buffer.write(os.fsencode(text))
    sys.stdout.buffer.flush()
    _tell(changes, shell, profiled=profile is not None)


def aws_credentials(ctx: typer.Context, connection: ConnectionOption = "") -> None:
    """Print the session's access key as a `credential_process` of AWS clients does."""
    emit(aws_access.process_document(_access(ctx, connection)), OutputFormat.JSON)


def _access(ctx: typer.Context, connection: str) -> aws_access.Access:
    with api_from(ctx) as api:
        return aws_access.fetch(api, api_url(ctx), connection)


def _changes(ctx: typer.Context, access: aws_access.Access, *, container: bool, profile: Path | None) -> Changes:
    if container:
        return aws_access.with_container(access, unverified_token(ctx), os.environ)
    if profile is None:
        return aws_access.with_keys(access, os.environ)
    text = aws_access.profile_text(access, options_from(ctx).token_file)
    write_own(profile, text, marker=aws_access.PROFILE_MARKER, mode=_PROFILE_MODE)
    return aws_access.with_profile(access, profile, os.environ)


def _tell(changes: Changes, shell: Shell, *, profiled: bool) -> None:
    notes = aws_access.notes(shimmed=bool(changes.path_first), profiled=profiled)
    if shell is Shell.DOTENV:
        notes += [f"put `{changes.path_first}` first on PATH"] if changes.path_first else []
        notes.append(f"such a file removes nothing; see that none of these is set: {', '.join(changes.removed)}")
    for note in notes:
        say(f"ostiary: note: {note}")
