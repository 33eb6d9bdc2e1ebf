"""A KMS of paper: it keeps what it wraps, under key and context, and fails as it is told to."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.unit.vault.samples import CHEAP
from vault.errors import RootKeyError
from vault.kms import KmsKey, KmsRoot
from vault.service import Vault
from vault.storage import MemoryStorage

KEY: Final = KmsKey("arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab")
OTHER_KEY: Final = KmsKey("arn:aws:kms:eu-west-1:999999999999:key/1234abcd-12ab-34cd-56ef-1234567890ab")


@dataclass
class PaperKms:
    """Waits for ``gate`` when there is one; raises ``faults`` by operation; gives ``instead`` for what it unwraps."""

    faults: dict[str, Exception] = field(default_factory=dict)
    gate: threading.Event | None = None
    instead: bytes | None = None
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    wrapped: dict[bytes, tuple[KmsKey, bytes, dict[str, str]]] = field(default_factory=dict)

    def encrypt(self, key: KmsKey, plain: bytes, context: Mapping[str, str]) -> bytes:
        self._ask("encrypt", key, context)
        ciphertext = b"wrapped-%d" % len(self.wrapped)
        self.wrapped[ciphertext] = (key, plain, dict(context))
        return ciphertext

    def decrypt(self, key: KmsKey, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        self._ask("decrypt", key, context)
        found, plain, bound_to = self.wrapped.get(wrapped, (key, b"", {}))
        if found != key or bound_to != context:
            raise RootKeyError("not wrapped here")
        return self.instead if self.instead is not None else plain

    def _ask(self, operation: str, key: KmsKey, context: Mapping[str, str]) -> None:
        self.asked.append((operation, key.arn, dict(context)))
        self.begun.release()
        if self.gate is not None:
            assert self.gate.wait(30)
        if operation in self.faults:
            raise self.faults[operation]


def kms_vault(kms: PaperKms, storage: MemoryStorage | None = None, key: KmsKey | Path | None = KEY) -> Vault:
    """Return a vault whose root key is in ``kms``, or elsewhere, as the key says."""
    root_key = KmsRoot(key, kms) if isinstance(key, KmsKey) else key
    return Vault(storage if storage is not None else MemoryStorage(), root_key=root_key, cost=CHEAP)
