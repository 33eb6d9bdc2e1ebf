"""``ostiary session env`` and ``ostiary session aws-credentials``: ordinary clients, led to Ostiary.

Each door has an option and a function that returns its `Changes`; the shells and the way they are printed are common.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import typer

from broker.cli import aws_access, aws_shim, door_access, git_access, github_access, llm_access
from broker.cli.client import api_from
from broker.cli.context import api_url, options_from, unverified_token
from broker.cli.output import ExitCode, OutputFormat, emit, fail, say
from broker.cli.own_files import write_own
from broker.cli.shells import Changes, Shell, merged, script

_PROFILE_MODE: Final = 0o600

ConnectionOption = Annotated[str, typer.Option(help="Which connection, where a project has several of the kind.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for on the command line; see the options of `env`."""

    aws: bool
    git: bool
    github: bool
    llm: bool
    connection: str = ""
    container: bool = False
    profile: Path | None = None
    shim: Path | None = None
    codex: Path | None = None

    def fault(self) -> tuple[str, str]:
        """Return what cannot be meant, and what to do; two empty texts when all of it can."""
        kinds = [self.aws, self.git, self.github, self.llm]
        if not any(kinds):
            return "no kind of client is named", "add `--aws`, `--git`, `--github` or `--llm`"
        if self.container and self.profile:
            return "`--container` and `--profile` are two ways to the same key", "choose one"
        if not self.aws and (self.container or self.profile or self.shim):
            return "`--container`, `--profile` and `--shim` are for clients of AWS", "add `--aws`"
        if self.codex and not self.llm:
            return "`--codex` is for a client of models", "add `--llm`"
        if self.connection and kinds.count(True) > 1:
            return "`--connection` names a connection of one kind", "name one kind of clients"
        if self.connection and self.github:
            return "clients of GitHub name no connection", "leave `--connection` out"
        return "", ""


def env(  # noqa: PLR0913 - each option is a parameter in Typer
    ctx: typer.Context,
    *,
    aws: Annotated[bool, typer.Option("--aws", help="For AWS clients: command line, SDKs, Terraform.")] = False,
    git: Annotated[bool, typer.Option("--git", help="For git.")] = False,
    github: Annotated[bool, typer.Option("--github", help="For gh and other clients of GitHub.")] = False,
    llm: Annotated[bool, typer.Option("--llm", help="For clients of models: Claude Code, SDKs, Codex.")] = False,
    shell: Annotated[Shell, typer.Option(help="Who reads the output.")] = Shell.SH,
    connection: ConnectionOption = "",
    container: Annotated[bool, typer.Option("--container", help="Let SDKs fetch the key with the token.")] = False,
    profile: Annotated[Path | None, typer.Option(help="Write a configuration that asks for the key.")] = None,
    shim: Annotated[Path | None, typer.Option(help="Write an `aws` into this folder that names the endpoint.")] = None,
    codex: Annotated[Path | None, typer.Option(help="Write a configuration of Codex into this folder.")] = None,
) -> None:
    """Print what leads ordinary clients to Ostiary: `eval "$(ostiary session env --aws --git)"`."""
    wanted = Wanted(aws, git, github, llm, connection, container, profile, shim, codex)
    fault, fix = wanted.fault()
    if fault:
        fail(fault, ExitCode.USAGE, fix=fix)
    ways = [*_to_aws(ctx, wanted), *_to_doors(ctx, wanted, shell)]
    changes = merged(*(changes for changes, _ in ways))
    text = script(changes, shell)
    # Bytes, as a path may be none of the terminal's.
    sys.stdout.buffer.write(os.fsencode(text))
    sys.stdout.buffer.flush()
    _tell(changes, shell, [note for _, notes in ways for note in notes])


def aws_credentials(ctx: typer.Context, connection: ConnectionOption = "") -> None:
    """Print the session's access key as a `credential_process` of AWS clients does."""
    emit(aws_access.process_document(_access(ctx, connection)), OutputFormat.JSON)


_Way = tuple[Changes, list[str]]
"""Changes for one kind of clients, and what is to be known about them."""


def _access(ctx: typer.Context, connection: str) -> aws_access.Access:
    with api_from(ctx) as api:
        return aws_access.fetch(api, api_url(ctx), connection)


def _to_aws(ctx: typer.Context, wanted: Wanted) -> Iterator[_Way]:
    if not wanted.aws:
        return
    changes = _aws_changes(ctx, _access(ctx, wanted.connection), wanted)
    if wanted.shim is not None:
        changes = replace(changes, path_first=aws_shim.install(wanted.shim))
    yield changes, aws_access.notes(shimmed=bool(changes.path_first), profiled=wanted.profile is not None)


def _aws_changes(ctx: typer.Context, access: aws_access.Access, wanted: Wanted) -> Changes:
    if wanted.container:
        return aws_access.with_container(access, unverified_token(ctx), os.environ)
    if wanted.profile is None:
        return aws_access.with_keys(access, os.environ)
    text = aws_access.profile_text(access, options_from(ctx).token_file)
    write_own(wanted.profile, text, marker=aws_access.PROFILE_MARKER, mode=_PROFILE_MODE)
    return aws_access.with_profile(access, wanted.profile, os.environ)


def _to_doors(ctx: typer.Context, wanted: Wanted, shell: Shell) -> Iterator[_Way]:
    if not (wanted.git or wanted.github or wanted.llm):
        return
    with api_from(ctx) as api:
        access = door_access.fetch(api, api_url(ctx), unverified_token(ctx))
    if wanted.git:
        # PowerShell takes a variable that is set to nothing away, and git refuses an entry without a value.
        empty = shell is not Shell.POWERSHELL
        notes = git_access.notes(access, wanted.connection)
        yield git_access.changes(access, wanted.connection, os.environ, empty=empty), notes
    if wanted.github:
        yield github_access.changes(access), github_access.notes(access)
    if wanted.llm:
        made = llm_access.changes(access, wanted.connection)
        if wanted.codex is not None:
            made = llm_access.with_codex(made, access, wanted.connection, wanted.codex)
        yield made, llm_access.notes(codex=wanted.codex is not None)


def _tell(changes: Changes, shell: Shell, notes: list[str]) -> None:
    told = list(notes)
    if shell is Shell.DOTENV:
        told += [f"put `{changes.path_first}` first on PATH"] if changes.path_first else []
        told.append(f"such a file removes nothing; see that none of these is set: {', '.join(changes.removed)}")
    for note in told:
        say(f"ostiary: note: {note}")
