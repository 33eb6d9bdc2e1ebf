"""The vault's cryptography, and the only importer of ``cryptography``.

AES-256-GCM with a random 96-bit nonce per seal (NIST SP 800-38D section 8.2.2 allows 2**32 seals per key; the busiest
key here, the manifest's, makes one per checkpoint: a few millions a year). A sealed blob is ``nonce || ciphertext ||
tag``. Nothing here does I/O but drawing entropy from the kernel.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vault.errors import BadRequestError, IntegrityError

KEY_BYTES: Final = 32
"""Of every symmetric key, and of an Ed25519 seed and public key."""

NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
SALT_BYTES: Final = 16
SIGNATURE_BYTES: Final = 64

MIN_RSA_BITS: Final = 2048
"""GitHub makes keys of apps with as many."""
MIN_SSH_RSA_BITS: Final = 3072
"""NIST SP 800-57 part 1: 128 bits of security, as of the other kinds."""

RSA_SHA256: Final = "rsa-sha2-256"
RSA_SHA512: Final = "rsa-sha2-512"
_CURVE_HASHES: Final = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384(), "secp521r1": hashes.SHA512()}
"""RFC 5656 section 6.2.1."""

_OPENSSH: Final = b"-----BEGIN OPENSSH PRIVATE KEY-----"

Key = bytes | bytearray
PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


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


def check_app_key(text: bytes) -> None:
    """Refuse what is no private key of a GitHub App.

    Args:
        text: PEM.

    Raises:
        BadRequestError: it is encrypted, damaged, no RSA key, or has less than `MIN_RSA_BITS`.
    """
    key = _private_key(text, trusted=False)
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < MIN_RSA_BITS:
        raise BadRequestError(f"the private key of an app is an RSA key of at least {MIN_RSA_BITS} bits")


def check_ssh_key(text: bytes) -> None:
    """Refuse what is no private key for SSH.

    Args:
        text: PEM, or the form of OpenSSH.

    Raises:
        BadRequestError: it is encrypted, damaged, neither Ed25519 nor ECDSA on a curve of NIST nor RSA, or an RSA key
            with less than `MIN_SSH_RSA_BITS`.
    """
    key = _private_key(text, trusted=False)
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MIN_SSH_RSA_BITS:
        raise BadRequestError(f"an RSA key for ssh has at least {MIN_SSH_RSA_BITS} bits")
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in _CURVE_HASHES:
        raise BadRequestError("an ECDSA key for ssh is on one of the curves P-256, P-384 and P-521")


def ssh_public_key(text: bytes) -> bytes:
    """Return the public key of a private key that was checked, in its form on the wire (RFC 4253 section 6.6)."""
    public = _private_key(text, trusted=True).public_key()
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return base64.b64decode(line.split(b" ")[1])


def ssh_signature(text: bytes, algorithm: str, message: bytes) -> bytes:
    """Return the signature part of a signature of SSH, without the name of its algorithm.

    Args:
        text: Private key that was checked.
        algorithm: One that fits the key; of RSA keys it tells the hash.
        message: What is signed.
    """
    key = _private_key(text, trusted=True)
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(message)  # RFC 8709 section 6
    if isinstance(key, rsa.RSAPrivateKey):
        # RFC 8332 section 3.
        return key.sign(message, padding.PKCS1v15(), hashes.SHA512() if algorithm == RSA_SHA512 else hashes.SHA256())
    # RFC 5656 section 3.1.2.
    numbers = decode_dss_signature(key.sign(message, ec.ECDSA(_CURVE_HASHES[key.curve.name])))
    return b"".join(_mpint(number) for number in numbers)


def _mpint(number: int) -> bytes:
    # RFC 4251 section 5: big-endian, with a zero in front when the highest bit would say that it is negative.
    return ssh_string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def ssh_string(value: bytes) -> bytes:
    """Return a string as SSH writes it: four bytes of length, then the bytes (RFC 4251 section 5)."""
    return len(value).to_bytes(4, "big") + value


def _private_key(text: bytes, *, trusted: bool) -> PrivateKey:
    # Whether an RSA key holds together takes a fifth of a second to find out: once, when it is put.
    load = serialization.load_ssh_private_key if _OPENSSH in text else serialization.load_pem_private_key
    try:
        key = load(text, None, unsafe_skip_rsa_key_validation=trusted)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Not chained and not quoted: whatever it says, it says about a key.
        raise BadRequestError("the private key is encrypted, damaged, or in an unknown form") from None
    if not isinstance(key, PrivateKey):
        raise BadRequestError("the private key is of a kind that is not taken: use ed25519, ecdsa or rsa")
    return key
