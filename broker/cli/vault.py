"""``ostiary vault``: keep, rotate and destroy credentials; bare, it runs the vault process in the foreground.

These commands speak to the vault's socket, so they work for its own user on its own machine. There is no command that
prints a value: what went in is used, never shown. Every change is put on the ledger after the vault made it.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from broker.cli.context import settings_from
from broker.cli.output import ExitCode, OutputFormat, OutputOption, emit, fail, say
from broker.cli.vault_fields import FromFileOption, read_fields, read_private
from broker.cli.vault_rotate import rotate, rotations
from broker.cli.vault_socket import RefArgument, prepare_ledger, record, ref_of, run, shown
from broker.settings import PREFIX, Settings
from vault.errors import BadRequestError
from vault.kms import KmsKey
from vault.model import CredentialKind, SecretValue
from vault.root import MAX_PASSPHRASE_BYTES

_COLUMNS: Final = ("ref", "kind", "version", "identity", "hosts", "created", "last_used")

app = typer.Typer(no_args_is_help=False, pretty_exceptions_enable=False, rich_markup_mode=None)

PassphraseOption = Annotated[Path | None, typer.Option("--passphrase-file", help="File of mode 0600; default: ask.")]


@app.callback(invoke_without_command=True)
def vault(ctx: typer.Context) -> None:
    """Keep and rotate credentials; without a command, run the vault process in the foreground."""
    if ctx.invoked_subcommand is not None:
        return
    from vault.server import main

    settings = settings_from(ctx)
    main(settings.vault_socket, settings.vault_storage, _root_key(settings))


@app.command()
def status(ctx: typer.Context, output: OutputOption = OutputFormat.TABLE) -> None:
    """Show whether the vault is unsealed, and how much it holds."""
    emit(asdict(run(settings_from(ctx), lambda client: client.status())), output)


@app.command("list")
def list_(ctx: typer.Context, output: OutputOption = OutputFormat.TABLE) -> None:
    """List the credentials, never their values."""
    infos = run(settings_from(ctx), lambda client: client.list())
    emit([shown(info) for info in infos], output, columns=_COLUMNS)


@app.command()
def put(
    ctx: typer.Context,
    ref: RefArgument,
    kind: Annotated[CredentialKind, typer.Option(help="What it is.")],
    host: Annotated[list[str], typer.Option(help="Upstream host it may be used with; may be repeated.")],
    from_file: FromFileOption = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Keep a new credential.

    Fields of each kind: aws: access_key_id, secret_access_key, session_token (of a temporary one). basic: username,
    password. bearer: token. github-app: app_id, private_key (PEM). ssh: private_key (OpenSSH or PEM, not encrypted).
    """
    settings = settings_from(ctx)
    fields = read_fields(kind, from_file)
    prepare_ledger(settings)
    info = run(settings, lambda client: client.put(ref_of(ref), kind, fields, host))
    record(settings, "put", info)
    emit(shown(info), output)


app.command()(rotate)
app.command()(rotations)


@app.command()
def destroy(
    ctx: typer.Context,
    ref: RefArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete every version of a credential."""
    settings = settings_from(ctx)
    name = ref_of(ref)
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"destroy `{name}` for ever?", err=True)):
        fail("nothing was destroyed", ExitCode.USAGE, fix="give `--yes`")
    prepare_ledger(settings)
    run(settings, lambda client: client.destroy(name))
    record(settings, "destroy", name)
    say(f"destroyed `{name}`")


@app.command("rotate-keyring")
def rotate_keyring(ctx: typer.Context) -> None:
    """Seal every record under a new key of the vault's own; credentials stay as they are."""
    settings = settings_from(ctx)
    prepare_ledger(settings)
    version = run(settings, lambda client: client.rotate_keyring())
    record(settings, "rotate-keyring", None)
    say(f"the keyring is at version {version}")


@app.command()
def initialise(
    ctx: typer.Context,
    passphrase_file: PassphraseOption = None,
    *,
    kms: Annotated[str | None, typer.Option("--kms", metavar="ARN", help="KMS key that must be the one.")] = None,
) -> None:
    """Make the keys of a new vault that has no key file; from now on the passphrase, or its KMS key, unseals it."""
    settings = settings_from(ctx)
    _check_source(settings, passphrase_file, kms)
    passphrase = None if settings.vault_kms_key else _read_passphrase(passphrase_file, confirm=True)
    prepare_ledger(settings)
    run(settings, lambda client: client.initialise(passphrase))
    record(settings, "initialise", None)
    say("the vault is initialised and unsealed")


@app.command()
def unseal(ctx: typer.Context, passphrase_file: PassphraseOption = None) -> None:
    """Unseal the vault, with its key file or KMS key when it has one, else with the passphrase."""
    settings = settings_from(ctx)
    prepare_ledger(settings)
    has_key = bool(settings.vault_kms_key) or (settings.key_file is not None and settings.key_file.exists())
    passphrase = None if passphrase_file is None and has_key else _read_passphrase(passphrase_file, confirm=False)
    run(settings, lambda client: client.unseal(passphrase))
    record(settings, "unseal", None)
    say("the vault is unsealed")


@app.command()
def seal(ctx: typer.Context) -> None:
    """Make the vault forget every key and value until it is unsealed; nothing can be executed meanwhile."""
    settings = settings_from(ctx)
    run(settings, lambda client: client.seal())
    record(settings, "seal", None)
    say("the vault is sealed")


def _root_key(settings: Settings) -> Path | KmsKey | None:
    if not settings.vault_kms_key:
        return settings.key_file
    try:
        return KmsKey(settings.vault_kms_key, settings.vault_kms_endpoint)
    except BadRequestError as error:
        fail(str(error), ExitCode.USAGE)


def _check_source(settings: Settings, passphrase_file: Path | None, kms: str | None) -> None:
    # A restarted vault has its settings and nothing else: a key it was not started with would never unseal it again.
    if kms is not None and kms != settings.vault_kms_key:
        fail(
            "the vault does not run with that kms key", ExitCode.USAGE, fix=f"start it with {PREFIX}VAULT_KMS_KEY={kms}"
        )
    if passphrase_file is not None and settings.vault_kms_key:
        fail("a vault with a kms key has no passphrase", ExitCode.USAGE, fix="leave `--passphrase-file` out")


def _read_passphrase(source: Path | None, *, confirm: bool) -> SecretValue:
    if source is not None:
        return SecretValue(read_private(source, MAX_PASSPHRASE_BYTES + 1).removesuffix(b"\n"))
    if not sys.stdin.isatty():
        fail("no terminal to ask for the passphrase", ExitCode.USAGE, fix="give `--passphrase-file`")
    text = typer.prompt("passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return SecretValue(text.encode())
