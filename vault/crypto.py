"""The vault's cryptography, and the only importer of ``cryptography``.

AES-256-GCM with a random 96-bit nonce per seal (NIST SP 800-38D section 8.2.2 allows 2**32 seals per key; the busiest
key here, the manifest's, makes one per checkpoint: a few millions a year). A sealed blob is ``nonce || ciphertext ||
tag``. Nothing here does I/O but drawing entropy from the kernel.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vault.errors import IntegrityError

KEY_BYTES: Final = 32
"""Of every symmetric key, and of an Ed25519 seed and public key."""

NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
SALT_BYTES: Final = 16
SIGNATURE_BYTES: Final = 64

Key = bytes | bytearray


@dataclass(frozen=True, slots=True)
class PassphraseCost:
    """How dear one guess of a passphrase is (RFC 9106).

    Args:
        memory_kib: Memory in KiB, 8 per lane to 1 GiB.
        iterations: Passes over it, 1 to 64.
        lanes: Degree of parallelism, 1 to 16.
    """

    memory_kib: int = 64 << 10
    iterations: int = 3
    lanes: int = 4

    def __post_init__(self) -> None:
        fits = 1 <= self.lanes <= 16 and 8 * self.lanes <= self.memory_kib <= 1 << 20 and 1 <= self.iterations <= 64  # noqa: PLR2004 - the bounds in the docstring
        if not fits:
            raise ValueError("passphrase cost out of bounds")


def random_bytes(size: int) -> bytes:
    """Return ``size`` random bytes fit for keys."""
    return os.urandom(size)


def seal(key: Key, plaintext: bytes, aad: bytes) -> bytes:
    """Encrypt and authenticate ``plaintext`` and authenticate ``aad`` with it.

    Args:
        key: Exactly `KEY_BYTES`.
        plaintext: What to hide.
        aad: What the blob is bound to; must be given again to open it.
    """
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, aad)


def unseal(key: Key, blob: bytes, aad: bytes) -> bytes:
    """Return the plaintext of a blob made by `seal`.

    Raises:
        IntegrityError: another key, another ``aad``, or changed bytes.
    """
    if len(blob) < NONCE_BYTES + TAG_BYTES:
        raise IntegrityError("a sealed blob is too short")
    try:
        return AESGCM(key).decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], aad)
    except InvalidTag:
        raise IntegrityError("a sealed blob does not authenticate") from None


def derive_key(key: Key, info: bytes) -> bytes:
    """Return the sub-key of a uniformly random ``key`` for the use ``info`` (HKDF-SHA-256, RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=info).derive(bytes(key))


def key_from_passphrase(passphrase: bytes, salt: bytes, cost: PassphraseCost) -> bytes:
    """Return the root key a passphrase stands for (argon2id, RFC 9106); slow on purpose."""
    kdf = Argon2id(
        salt=salt, length=KEY_BYTES, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory_kib
    )
    return kdf.derive(passphrase)


def ed25519_public_key(seed: Key) -> bytes:
    """Return the 32-byte public key of an Ed25519 seed (RFC 8032)."""
    return Ed25519PrivateKey.from_private_bytes(bytes(seed)).public_key().public_bytes_raw()


def sign_ed25519(seed: Key, message: bytes) -> bytes:
    """Return the 64-byte Ed25519 signature of ``message``; the same message always gives the same signature."""
    return Ed25519PrivateKey.from_private_bytes(bytes(seed)).sign(message)


def verify_ed25519(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` is one of ``message`` under ``public_key``; malformed input is False."""
    if len(public_key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
