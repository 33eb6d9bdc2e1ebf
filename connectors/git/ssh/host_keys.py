"""Keys of an SSH host as the operator writes them, ``ssh-ed25519 AAAA…``: what ``ssh-keyscan`` says after the host."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Final

MAX_KEY_CHARS: Final = 4096
"""An RSA key of 16384 bits has some 2800."""

_ALGORITHMS: Final = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    # RFC 8332: never with SHA-1.
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}
"""Signature algorithms each type of key is taken with."""


def fault_of(line: str) -> str:
    """Return what is wrong with a host key, empty when nothing is."""
    kind, space, encoded = line.partition(" ")
    if len(line) > MAX_KEY_CHARS or not space or kind not in _ALGORITHMS:
        return f"a host key is `type base64`, of one of the types {', '.join(_ALGORITHMS)}"
    try:
        blob = base64.b64decode(encoded.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return "a host key is not valid base64"
    if not blob.startswith(len(kind).to_bytes(4, "big") + kind.encode()) or len(blob) <= len(kind) + 8:
        return "a host key does not hold a key of the type it names"
    return ""


def algorithms_of(keys: Iterable[str]) -> str:
    """Return the signature algorithms of checked host keys, as ``HostKeyAlgorithms`` takes them."""
    return ",".join(dict.fromkeys(each for key in keys for each in _ALGORITHMS[key.partition(" ")[0]]))


def known_hosts(alias: str, keys: Iterable[str]) -> str:
    """Return the file in which ``ssh`` finds checked keys under one name (sshd(8), known_hosts)."""
    return "".join(f"{alias} {key}\n" for key in keys)
