from __future__ import annotations

import hashlib

import pytest

from broker.doors.aws.hashing import BATCH_BYTES, BackgroundDigest


@pytest.mark.parametrize("pieces", [0, 1, 15, 16, 17, 70])
def test_the_digest_is_that_of_all_pieces_in_their_order(pieces: int) -> None:
    sent = [bytes([number % 256]) * (BATCH_BYTES // 16) for number in range(pieces)]
    digest = BackgroundDigest()
    for piece in sent:
        digest.update(piece)
    assert digest.hexdigest() == hashlib.sha256(b"".join(sent)).hexdigest()


def test_a_piece_larger_than_a_batch_is_hashed_too() -> None:
    digest = BackgroundDigest()
    digest.update(b"x" * (3 * BATCH_BYTES + 1))
    digest.update(b"y")
    assert digest.hexdigest() == hashlib.sha256(b"x" * (3 * BATCH_BYTES + 1) + b"y").hexdigest()
