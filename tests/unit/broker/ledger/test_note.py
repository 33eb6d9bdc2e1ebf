"""Checkpoints as signed notes."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.ledger.note import (
    Checkpoint,
    MalformedNoteError,
    key_id,
    make_checkpoint,
    parse_checkpoint,
    parse_verifier_key,
    signed_text,
    verifier_key,
)
from vault.crypto import ed25519_public_key, sign_ed25519

SEED = b"k" * 32
KEY = ed25519_public_key(SEED)
ROOT = bytes(range(32))


def signed(origin: str = "ostiary/ledger", size: int = 7, seed: bytes = SEED) -> Checkpoint:
    signature = sign_ed25519(seed, signed_text(origin, size, ROOT))
    return make_checkpoint(origin, size, ROOT, public_key=ed25519_public_key(seed), signature=signature)


# From the example in the specification of signed notes in Go (golang.org/x/mod/sumdb/note).
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=",
)


def test_the_key_id_and_the_signature_of_the_published_example_are_understood() -> None:
    from vault.crypto import verify_ed25519

    name, key = parse_verifier_key(PETER)
    assert (name, key_id(name, key).hex()) == ("PeterNeumann", "c74f20a3")
    assert verifier_key(name, key) == PETER
    text, line = PETER_NOTE
    blob = base64.b64decode(line)
    assert blob[:4].hex() == "c74f20a3"
    assert verify_ed25519(key, text.encode(), blob[4:])


def test_a_note_reads_back_and_its_signature_fits_its_key_alone() -> None:
    made = signed()
    assert made.note.startswith(b"ostiary/ledger\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n")
    assert parse_checkpoint(made.note) == made
    assert made.signed_by(KEY)
    assert not made.signed_by(ed25519_public_key(b"x" * 32))


def test_a_note_with_other_signatures_beside_ours_is_believed_for_ours() -> None:
    made = signed()
    text, _, line = made.note.partition(b"\n\n")
    stranger = "— witness.example/w " + base64.b64encode(b"x" * 76).decode() + "\n"
    assert parse_checkpoint(text + b"\n\n" + stranger.encode() + line).signed_by(KEY)
    assert not parse_checkpoint(text + b"\n\n" + stranger.encode()).signed_by(KEY)


@given(st.integers(0, len(signed().note) - 1), st.integers(1, 255))
def test_a_note_with_any_byte_changed_is_not_believed(position: int, flip: int) -> None:
    note = bytearray(signed().note)
    note[position] ^= flip
    try:
        found = parse_checkpoint(bytes(note))
    except MalformedNoteError:
        return
    # Base64 has spare bits at its end; whatever still reads as the same statement may be believed, nothing else.
    assert not found.signed_by(KEY) or (found.origin, found.size, found.root) == ("ostiary/ledger", 7, ROOT)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff",
        b"o\n7\nAAAA\n\n\xe2\x80\x94 o AAAA\n",
        signed().note[:-1],
        signed().note.replace(b"\n7\n", b"\n07\n"),
        signed().note.replace(b"\n7\n", b"\n-7\n"),
        signed().note.replace(b"\n7\n", b"\n7\nextra\n"),
        signed().note.replace(b"\n7\n", "\n\u0667\n".encode()),
        signed().note.replace(b"ostiary/ledger\n", b"os tiary\n"),
        signed().note.replace("— ".encode(), b"- "),
        signed().note + b"x" * (16 << 10),
        signed().note.replace(b"\n\n", b"\n"),
    ],
)
def test_what_is_no_note_is_refused(note: bytes) -> None:
    with pytest.raises(MalformedNoteError):
        parse_checkpoint(note)


def test_parts_that_make_no_note_are_refused() -> None:
    with pytest.raises(MalformedNoteError):
        make_checkpoint("o", 1, ROOT, public_key=KEY, signature=b"short")
    with pytest.raises(MalformedNoteError):
        make_checkpoint("o rigin", 1, ROOT, public_key=KEY, signature=b"x" * 64)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000",
        PETER.replace("c74f", "c74e"),
        PETER.replace("+AR", "+AB"),
        "a b+" + PETER,
        PETER[:-4],
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(MalformedNoteError):
        parse_verifier_key(text)
