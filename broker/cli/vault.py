"""``ostiary vault``: keep, rotate and destroy credentials; bare, it runs the vault process in the foreground.

These commands speak to the vault's socket, so they work for its own user on its own machine. There is no command that
prints a value: what went in is used, never shown. Every change is put on the ledger after the vault made it.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import stat
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import orjson
import typer

from broker.cli.context import record_event, settings_from
from broker.cli.output import ExitCode, OutputFormat, OutputOption, emit, fail, say
from broker.clock import rfc3339
from broker.errors import BrokerError
from broker.settings import Settings
from broker.store.base import EventType
from vault.client import VaultClient
from vault.credential import FIELDS, check_ref
from vault.errors import BadRequestError, SealedError, UninitialisedError, VaultError, VaultUnavailableError
from vault.fields import MAX_FIELDS_BYTES
from vault.model import CredentialInfo, CredentialKind, CredentialRef, SecretValue
from vault.root import MAX_PASSPHRASE_BYTES

T = TypeVar("T")

_FIXES: Final[dict[type[VaultError], str]] = {
    VaultUnavailableError: "start it with `ostiary up`, and run this as the same user",
    SealedError: "ostiary vault unseal",
    UninitialisedError: "ostiary vault initialise",
}
_COLUMNS: Final = ("ref", "kind", "version", "identity", "hosts", "created", "last_used")

app = typer.Typer(no_args_is_help=False, pretty_exceptions_enable=False, rich_markup_mode=None)

RefArgument = Annotated[str, typer.Argument(metavar="REF", help="Name of the credential: folder/name.")]
FromFileOption = Annotated[
    Path | None, typer.Option("--from-file", help="JSON object of the fields; `-` is stdin. Default: ask, or stdin.")
]
PassphraseOption = Annotated[Path | None, typer.Option("--passphrase-file", help="File of mode 0600; default: ask.")]


@app.callback(invoke_without_command=True)
def vault(ctx: typer.Context) -> None:
    """Keep and rotate credentials; without a command, run the vault process in the foreground."""
    if ctx.invoked_subcommand is not None:
        return
    from vault.server import main

    settings = settings_from(ctx)
    main(settings.vault_socket, settings.vault_storage, settings.key_file)


@app.command()
def status(ctx: typer.Context, output: OutputOption = OutputFormat.TABLE) -> None:
    """Show whether the vault is unsealed, and how much it holds."""
    emit(asdict(_run(settings_from(ctx), lambda client: client.status())), output)


@app.command("list")
def list_(ctx: typer.Context, output: OutputOption = OutputFormat.TABLE) -> None:
    """List the credentials, never their values."""
    infos = _run(settings_from(ctx), lambda client: client.list())
    emit([_shown(info) for info in infos], output, columns=_COLUMNS)


@app.command()
def put(
    ctx: typer.Context,
    ref: RefArgument,
    kind: Annotated[CredentialKind, typer.Option(help="What it is.")],
    host: Annotated[list[str], typer.Option(help="Upstream host it may be used with; may be repeated.")],
    from_file: FromFileOption = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Keep a new credential."""
    settings = settings_from(ctx)
    fields = _read_fields(kind, from_file)
    _prepare_ledger(settings)
    info = _run(settings, lambda client: client.put(_ref(ref), kind, fields, host))
    _record(settings, "put", info)
    emit(_shown(info), output)


@app.command()
def rotate(
    ctx: typer.Context,
    ref: RefArgument,
    from_file: FromFileOption = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Give a credential its next value; agents notice nothing."""
    settings = settings_from(ctx)
    infos = {info.ref: info for info in _run(settings, lambda client: client.list())}
    name = _ref(ref)
    if name not in infos:
        fail(f"no credential `{ref}`", ExitCode.FAILED, fix="ostiary vault list")
    fields = _read_fields(infos[name].kind, from_file)
    _prepare_ledger(settings)
    info = _run(settings, lambda client: client.rotate(name, fields))
    _record(settings, "rotate", info)
    emit(_shown(info), output)


@app.command()
def destroy(
    ctx: typer.Context,
    ref: RefArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete every version of a credential."""
    settings = settings_from(ctx)
    name = _ref(ref)
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"destroy `{name}` for ever?", err=True)):
        fail("nothing was destroyed", ExitCode.USAGE, fix="give `--yes`")
    _prepare_ledger(settings)
    _run(settings, lambda client: client.destroy(name))
    _record(settings, "destroy", name)
    say(f"destroyed `{name}`")


@app.command("rotate-keyring")
def rotate_keyring(ctx: typer.Context) -> None:
    """Seal every record under a new key of the vault's own; credentials stay as they are."""
    settings = settings_from(ctx)
    _prepare_ledger(settings)
    version = _run(settings, lambda client: client.rotate_keyring())
    _record(settings, "rotate-keyring", None)
    say(f"the keyring is at version {version}")


@app.command()
def initialise(ctx: typer.Context, passphrase_file: PassphraseOption = None) -> None:
    """Make the keys of a new vault that has no key file; from now on the passphrase unseals it."""
    settings = settings_from(ctx)
    passphrase = _read_passphrase(passphrase_file, confirm=True)
    _prepare_ledger(settings)
    _run(settings, lambda client: client.initialise(passphrase))
    _record(settings, "initialise", None)
    say("the vault is initialised and unsealed")


@app.command()
def unseal(ctx: typer.Context, passphrase_file: PassphraseOption = None) -> None:
    """Unseal the vault, with its key file when it has one, else with the passphrase."""
    settings = settings_from(ctx)
    _prepare_ledger(settings)
    uses_key_file = passphrase_file is None and settings.key_file is not None and settings.key_file.exists()
    passphrase = None if uses_key_file else _read_passphrase(passphrase_file, confirm=False)
    _run(settings, lambda client: client.unseal(passphrase))
    _record(settings, "unseal", None)
    say("the vault is unsealed")


@app.command()
def seal(ctx: typer.Context) -> None:
    """Make the vault forget every key and value until it is unsealed; nothing can be executed meanwhile."""
    settings = settings_from(ctx)
    _run(settings, lambda client: client.seal())
    _record(settings, "seal", None)
    say("the vault is sealed")


def _run(settings: Settings, ask: Callable[[VaultClient], Awaitable[T]]) -> T:
    async def main() -> T:
        client = VaultClient(settings.vault_socket)
        try:
            return await ask(client)
        finally:
            await client.close()

    try:
        return asyncio.run(main())
    except BadRequestError as error:
        fail(str(error), ExitCode.USAGE)
    except VaultError as error:
        fail(str(error), ExitCode.FAILED, fix=_FIXES.get(type(error), ""))


def _prepare_ledger(settings: Settings) -> None:
    # Before the change: when there is no ledger to put it on, it is not made. `seal` alone does without, as sealing is
    # what one does when things are wrong.
    try:
        _migrate(settings)
    except BrokerError as error:
        fail(f"nothing was changed, as the ledger cannot be opened: {error}", ExitCode.FAILED)


def _migrate(settings: Settings) -> None:
    from broker.store.database import open_database
    from broker.store.schema import migrate

    database = open_database(settings.database)
    try:
        migrate(database)
    finally:
        database.close()


def _record(settings: Settings, change: str, subject: CredentialInfo | CredentialRef | None) -> None:
    data: dict[str, Any] = {"change": change}
    match subject:
        case CredentialInfo():
            data |= {"credential": subject.ref, "kind": subject.kind.value, "version": subject.version}
            data |= {"hosts": list(subject.hosts)}
        case str():
            data |= {"credential": subject}
        case None:
            pass
    try:
        _migrate(settings)
        asyncio.run(record_event(settings, EventType.VAULT_CHANGED, data, _user()))
    except BrokerError as error:
        # The vault cannot take part in the ledger's transaction; a change that is not on it must not pass in silence.
        fail(f"the vault made the change, but it is not on the ledger: {error}", ExitCode.FAILED)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid-{os.geteuid()}"


def _ref(text: str) -> CredentialRef:
    try:
        return check_ref(text)
    except BadRequestError as error:
        fail(str(error), ExitCode.USAGE)


def _shown(info: CredentialInfo) -> dict[str, Any]:
    used = info.last_used_at_ns
    return {
        "ref": info.ref,
        "kind": info.kind.value,
        "version": info.version,
        "identity": info.identity,
        "hosts": list(info.hosts),
        "created": rfc3339(info.created_at_ns),
        "last_used": rfc3339(used) if used else "",
    }


def _read_fields(kind: CredentialKind, source: Path | None) -> dict[str, SecretValue | str]:
    if source is None and sys.stdin.isatty():
        return _ask_fields(kind)
    if source is None or str(source) == "-":
        return _parse_fields(sys.stdin.buffer.read(MAX_FIELDS_BYTES + 1))
    return _parse_fields(_read_private(source, MAX_FIELDS_BYTES))


def _ask_fields(kind: CredentialKind) -> dict[str, SecretValue | str]:
    fields: dict[str, SecretValue | str] = {}
    for name, rule in FIELDS[kind].items():
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


def _read_passphrase(source: Path | None, *, confirm: bool) -> SecretValue:
    if source is not None:
        return SecretValue(_read_private(source, MAX_PASSPHRASE_BYTES + 1).removesuffix(b"\n"))
    if not sys.stdin.isatty():
        fail("no terminal to ask for the passphrase", ExitCode.USAGE, fix="give `--passphrase-file`")
    text = typer.prompt("passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return SecretValue(text.encode())


def _read_private(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                fail(f"`{path}` can be read by others", ExitCode.USAGE, fix=f"chmod 600 {path}")
            return file.read(limit + 1)
    except OSError as error:
        fail(f"cannot read `{path}`: {(error.strerror or 'unknown').lower()}", ExitCode.USAGE)
