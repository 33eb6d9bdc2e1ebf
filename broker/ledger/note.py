"""Checkpoints as signed notes: C2SP tlog-checkpoint and signed-note, Ed25519.

    ostiary/ledger                                  origin, also the name of the key
    1042                                            number of events
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=    root of the tree, base64
                                                    (empty line; the three lines before it are what is signed)
    — ostiary/ledger Az3grl…                        base64(key id || signature)

A note's text never changes once signed. The public key travels as a verifier key, ``name+id+base64(0x01 || key)``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from broker.ledger.merkle import HASH_BYTES

_ED25519: Final = b"\1"
"""Type of the key in a verifier key and in its id (C2SP signed-note)."""

_ID_BYTES: Final = 4
_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_MAX_NOTE_BYTES: Final = 16 << 10
"""Longer notes are refused unread; ours has one signature and about 200 bytes."""

_ORIGIN: Final = re.compile(r"[\x21-\x2a\x2c-\x7e]{1,255}", re.ASCII)
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class MalformedNoteError(ValueError):
    """The text is no checkpoint, or the key no verifier key."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head as a signed note says it; `signed_by` tells whether to believe it.

    Args:
        origin: Name of the ledger.
        size: Number of events.
        root: Root hash.
        note: The whole note, verbatim.
    """

    origin: str
    size: int
    root: bytes
    note: bytes

    def signed_by(self, public_key: bytes) -> bool:
        """Tell whether the note carries a signature of its origin's key that fits."""
        from vault.crypto import verify_ed25519

        text, _, signatures = self.note.partition(b"\n\n")
        wanted = key_id(self.origin, public_key)
        for line in signatures.decode().splitlines():
            blob = _unbase64(line.removeprefix(f"— {self.origin} "))
            if blob[:_ID_BYTES] == wanted and verify_ed25519(public_key, text + b"\n", blob[_ID_BYTES:]):
                return True
        return False


def signed_text(origin: str, size: int, root: bytes) -> bytes:
    """Return the bytes a signature is made over."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


def make_checkpoint(origin: str, size: int, root: bytes, *, public_key: bytes, signature: bytes) -> Checkpoint:
    """Return a checkpoint from its parts; whether the signature fits is not checked.

    Raises:
        MalformedNoteError: the parts make no note.
    """
    if len(signature) != _SIGNATURE_BYTES:
        raise MalformedNoteError(f"expected a signature of {_SIGNATURE_BYTES} bytes, found {len(signature)}")
    line = base64.b64encode(key_id(origin, public_key) + signature).decode()
    return parse_checkpoint(signed_text(origin, size, root) + f"\n— {origin} {line}\n".encode())


def parse_checkpoint(note: bytes) -> Checkpoint:
    """Read a note strictly: exactly three lines of text and at least one signature line.

    Raises:
        MalformedNoteError: it is no checkpoint.
    """
    if len(note) > _MAX_NOTE_BYTES:
        raise MalformedNoteError("the note is too long")
    try:
        text, separator, signatures = note.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise MalformedNoteError("the note is no text") from None
    lines = text.split("\n")
    if not separator or len(lines) != 3 or not signatures.endswith("\n"):  # noqa: PLR2004 - origin, size, root
        raise MalformedNoteError("expected origin, size, root and a signature")
    origin, size, encoded = lines
    if not _ORIGIN.fullmatch(origin) or not _SIZE.fullmatch(size):
        raise MalformedNoteError("the origin or the size is malformed")
    root = _unbase64(encoded)
    if len(root) != HASH_BYTES:
        raise MalformedNoteError("the root is no SHA-256 hash")
    if not all(line.startswith("— ") for line in signatures.removesuffix("\n").split("\n")):
        raise MalformedNoteError("a signature line is malformed")
    return Checkpoint(origin, int(size), root, note)


def key_id(name: str, public_key: bytes) -> bytes:
    """Return SHA-256(name || 0x0A || 0x01 || key)[:4]."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:_ID_BYTES]


def verifier_key(name: str, public_key: bytes) -> str:
    """Return the text form of a public key."""
    return f"{name}+{key_id(name, public_key).hex()}+{base64.b64encode(_ED25519 + public_key).decode()}"


def parse_verifier_key(text: str) -> tuple[str, bytes]:
    """Return name and public key of a verifier key.

    Raises:
        MalformedNoteError: it is none, or its id does not fit.
    """
    name, _, rest = text.strip().partition("+")
    found_id, _, encoded = rest.partition("+")
    blob = _unbase64(encoded)
    if not _ORIGIN.fullmatch(name) or len(blob) != 1 + _KEY_BYTES or blob[:1] != _ED25519:
        raise MalformedNoteError("expected a verifier key `name+id+base64` of an Ed25519 key")
    if key_id(name, blob[1:]).hex() != found_id:
        raise MalformedNoteError("the id of the verifier key does not fit the key")
    return name, blob[1:]


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
