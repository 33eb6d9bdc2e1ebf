"""RFC 6962 and RFC 9162: the published vectors, and every proof of every small tree."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest

from broker.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

# The eight leaves and roots of the Certificate Transparency project's reference tests (merkle_tree_test.cc).
LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]

# Audit paths of the same tests: (0-based index, size) to the path.
PATHS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
# Consistency proofs of the same tests: (old size, new size) to the proof.
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}

SMALL = [leaf_hash(bytes([number])) for number in range(70)]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert tree_root([]) == Frontier().root() == EMPTY_ROOT == hashlib.sha256().digest()


@pytest.mark.req("E1")
@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_the_published_ones(size: int) -> None:
    tree = Frontier()
    for leaf in HASHES[:size]:
        tree.append(leaf)
    assert tree_root(HASHES[:size]).hex() == tree.root().hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_inclusion_proofs_are_the_published_ones(index: int, size: int) -> None:
    assert [each.hex() for each in inclusion_proof(HASHES[:size], index)] == PATHS[index, size]


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(old: int, new: int) -> None:
    assert [each.hex() for each in consistency_proof(HASHES[:new], old)] == CONSISTENCY[old, new]


def test_every_inclusion_proof_of_every_small_tree_verifies_and_no_other_leaf_does() -> None:
    for size in range(1, len(SMALL) + 1):
        root = tree_root(SMALL[:size])
        for index in range(size):
            proof = inclusion_proof(SMALL[:size], index)
            assert verify_inclusion(SMALL[index], index, size, proof, root)
            assert not verify_inclusion(SMALL[index - 1], index, size, proof, root) or size == 1
            assert not verify_inclusion(SMALL[index], index, size, [*proof, root], root)
            assert not proof or not verify_inclusion(SMALL[index], index, size, proof[:-1], root)
            if proof:
                bent = [node_hash(proof[0], root), *proof[1:]]
                assert not verify_inclusion(SMALL[index], index, size, bent, root)


def test_every_consistency_proof_of_every_small_tree_verifies_and_no_other_root_does() -> None:
    roots = [tree_root(SMALL[:size]) for size in range(len(SMALL) + 1)]
    for new in range(1, len(SMALL) + 1):
        for old in range(1, new + 1):
            proof = consistency_proof(SMALL[:new], old)
            assert verify_consistency(old, new, roots[old], roots[new], proof)
            assert not verify_consistency(old, new, roots[old - 1], roots[new], proof)
            assert not verify_consistency(old, new, roots[old], roots[new - 1], proof)
            assert not verify_consistency(old, new, roots[old], roots[new], [*proof, roots[1]])
            assert not proof or not verify_consistency(old, new, roots[old], roots[new], proof[:-1])


def test_a_frontier_grows_as_the_definition_says_and_survives_storage() -> None:
    tree = Frontier()
    for size, leaf in enumerate(SMALL, start=1):
        tree.append(leaf)
        assert tree.root() == tree_root(SMALL[:size])
        stored = tree.to_bytes()
        assert len(stored) == 32 * size.bit_count()
        assert Frontier(size, stored).root() == tree.root() == tree.copy().root()


@pytest.mark.parametrize(
    ("size", "stored"), [(1, b""), (0, b"x" * 32), (3, b"x" * 32), (2, b"x" * 31), (-1, b"x" * 32)]
)
def test_a_frontier_that_does_not_fit_its_size_is_refused(size: int, stored: bytes) -> None:
    with pytest.raises(ValueError, match="full subtrees"):
        Frontier(size, stored)


def test_proofs_outside_the_tree_are_refused() -> None:
    for index in (-1, 8):
        with pytest.raises(ValueError, match="no leaf"):
            inclusion_proof(HASHES, index)
        assert not verify_inclusion(HASHES[0], index, 8, [], HASHES[0])
    for old in (0, 9):
        with pytest.raises(ValueError, match="no tree"):
            consistency_proof(HASHES, old)
        assert not verify_consistency(old, 8, HASHES[0], HASHES[0], [])
    assert not verify_consistency(3, 8, HASHES[0], HASHES[0], [])
    assert all(bytes.fromhex(left) != bytes.fromhex(right) for left, right in pairwise(ROOTS))
