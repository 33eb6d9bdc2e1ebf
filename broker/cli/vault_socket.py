"""What the commands of ``ostiary vault`` share: the vault's socket, the ledger, and what is shown of a credential.

The vault cannot take part in the ledger's transaction: the ledger is opened before a change, and told after it.
"""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, NoReturn, TypeVar

import typer

from broker.cli.context import record_event
from broker.cli.output import ExitCode, fail
from broker.clock import rfc3339
from broker.errors import BrokerError
from broker.settings import Settings
from broker.store.base import EventType
from vault.client import VaultClient
from vault.credential import check_ref
from vault.errors import BadRequestError, SealedError, UninitialisedError, VaultError, VaultUnavailableError
from vault.model import CredentialInfo, CredentialRef

T = TypeVar("T")

_FIXES: Final[dict[type[VaultError], str]] = {
    VaultUnavailableError: "start it with `ostiary up`, and run this as the same user",
    SealedError: "ostiary vault unseal",
    UninitialisedError: "ostiary vault initialise",
}

RefArgument = Annotated[str, typer.Argument(metavar="REF", help="Name of the credential: folder/name.")]


def run(settings: Settings, ask: Callable[[VaultClient], Awaitable[T]]) -> T:
    """Ask the vault; ends the command when it says no."""

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


def prepare_ledger(settings: Settings) -> None:
    """Open the ledger before a change; when there is none to put it on, the change is not made and the command ends.

    `seal` alone does without, as sealing is what one does when things are wrong.
    """
    try:
        _migrate(settings)
    except BrokerError as error:
        fail(f"nothing was changed, as the ledger cannot be opened: {error}", ExitCode.FAILED)


def record(settings: Settings, change: str, subject: CredentialInfo | CredentialRef | None) -> None:
    """Put a change the vault made on the ledger; ends the command when that fails.

    Args:
        settings: Name the ledger.
        change: What was done.
        subject: To what; None for the vault itself.
    """
    data: dict[str, Any] = {"change": change}
    match subject:
        case CredentialInfo():
            data |= {"credential": subject.ref, "kind": subject.kind.value, "version": subject.version}
            data |= {"hosts": list(subject.hosts)}
        case str():
            data |= {"credential": subject}
        case None:
            pass
    _migrate_or_fail(settings)
    asyncio.run(record_data(settings, data))


async def record_data(settings: Settings, data: dict[str, Any]) -> None:
    """Put a change the vault made on the ledger, as JSON without a secret; ends the command when that fails."""
    try:
        await record_event(settings, EventType.VAULT_CHANGED, data, _user())
    except BrokerError as error:
        _not_recorded(error)


def ref_of(text: str) -> CredentialRef:
    """Return a well-formed credential name; ends the command when it is none."""
    try:
        return check_ref(text)
    except BadRequestError as error:
        fail(str(error), ExitCode.USAGE)


def shown(info: CredentialInfo) -> dict[str, Any]:
    """Return what is printed of a credential: never its value."""
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


def _migrate_or_fail(settings: Settings) -> None:
    try:
        _migrate(settings)
    except BrokerError as error:
        _not_recorded(error)


def _not_recorded(error: BrokerError) -> NoReturn:
    # The vault cannot take part in the ledger's transaction; a change that is not on it must not pass in silence.
    fail(f"the vault made the change, but it is not on the ledger: {error}", ExitCode.FAILED)


def _migrate(settings: Settings) -> None:
    from broker.store.database import open_database
    from broker.store.schema import migrate

    database = open_database(settings.database)
    try:
        migrate(database)
    finally:
        database.close()


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid-{os.geteuid()}"
