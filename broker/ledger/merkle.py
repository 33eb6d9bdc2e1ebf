"""The Merkle tree of RFC 6962 section 2.1 (proofs as verified in RFC 9162 section 2.1), pure.

A `Frontier` is the tree's memory while it grows: the roots of its full subtrees, largest first, one per bit set in the
size. It is all that appending and the root need; proofs need every leaf hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

_sha256 = hashlib.sha256


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 || data)."""
    return _sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return _sha256(b"\1" + left + right).digest()


class Frontier:
    """A growing tree.

    Args:
        size: Number of leaves.
        stored: Subtree roots as `to_bytes` gave them.

    Raises:
        ValueError: ``stored`` does not hold one hash per bit set in ``size``.
    """

    __slots__ = ("_roots", "size")

    def __init__(self, size: int = 0, stored: bytes = b"") -> None:
        if size < 0 or len(stored) != HASH_BYTES * size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} full subtrees, found {len(stored)} bytes")
        self.size = size
        self._roots = [stored[at : at + HASH_BYTES] for at in range(0, len(stored), HASH_BYTES)]

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        size = self.size
        roots = self._roots
        # Each bit set at the bottom of the old size is a full subtree the new leaf completes a pair with.
        while size & 1:
            leaf = node_hash(roots.pop(), leaf)
            size >>= 1
        roots.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the tree head."""
        if not self._roots:
            return EMPTY_ROOT
        result = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            result = node_hash(left, result)
        return result

    def to_bytes(self) -> bytes:
        """Return the subtree roots, largest first, joined."""
        return b"".join(self._roots)

    def copy(self) -> Frontier:
        """Return a tree that grows on its own from here."""
        return Frontier(self.size, self.to_bytes())


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Return the head of the tree over ``leaves`` (leaf hashes), by the definition in RFC 6962 section 2.1."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return node_hash(tree_root(leaves[:split]), tree_root(leaves[split:]))


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of leaf ``index`` (0-based), lowest first (RFC 6962 section 2.1.1)."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"no leaf {index} in a tree of {len(leaves)}")
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), tree_root(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), tree_root(leaves[:split])]


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the proof that the tree of the first ``old_size`` leaves is a prefix (RFC 6962 section 2.1.2)."""
    if not 0 < old_size <= len(leaves):
        raise ValueError(f"no tree of {old_size} inside one of {len(leaves)}")
    return _subproof(leaves, old_size, whole=True)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether ``leaf`` is number ``index`` (0-based) in the tree (RFC 9162 section 2.1.3.2).

    Means nothing unless ``root`` comes from a checkpoint whose signature was verified.
    """
    if not 0 <= index < size:
        return False
    node, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and result == root


def verify_consistency(old_size: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether the tree of ``old_size`` is a prefix of the tree of ``size`` (RFC 9162 section 2.1.4.2)."""
    if not 0 < old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == root
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    node, last = old_size - 1, size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old_result = result = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old_result = node_hash(sibling, old_result)
            result = node_hash(sibling, result)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and old_result == old_root and result == root


def _subproof(leaves: Sequence[bytes], old_size: int, *, whole: bool) -> list[bytes]:
    if old_size == len(leaves):
        return [] if whole else [tree_root(leaves)]
    split = _split(len(leaves))
    if old_size <= split:
        return [*_subproof(leaves[:split], old_size, whole=whole), tree_root(leaves[split:])]
    return [*_subproof(leaves[split:], old_size - split, whole=False), tree_root(leaves[:split])]


def _split(size: int) -> int:
    """Return the largest power of two below ``size`` (2 or more)."""
    return 1 << ((size - 1).bit_length() - 1)
