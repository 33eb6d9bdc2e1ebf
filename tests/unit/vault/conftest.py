"""A vault in this process, served on a real socket, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.unit.vault.process import short_folder
from tests.unit.vault.samples import CHEAP, PASSPHRASE
from vault.client import VaultClient
from vault.model import SecretValue
from vault.server import VaultServer
from vault.service import Vault
from vault.storage import MemoryStorage


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made


@pytest.fixture
def socket(folder: Path) -> Path:
    return folder / "run" / "vault.sock"


@pytest.fixture
def served() -> Vault:
    """The vault `client` speaks to; by the machine's clock, unsealed."""
    vault = Vault(MemoryStorage(), cost=CHEAP)
    vault.initialise(SecretValue(PASSPHRASE))
    return vault


@pytest.fixture
async def client(served: Vault, socket: Path) -> AsyncIterator[VaultClient]:
    async with VaultServer(served, socket):
        made = VaultClient(socket)
        yield made
        await made.close()
