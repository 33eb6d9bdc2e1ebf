"""Bodies of the pack protocol for tests: packets from lines, and pieces as a connection brings them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from connectors.git.wire.packets import Mark, render

OLD = "a" * 40
NEW = "b" * 40
ZERO = "0" * 40
PACK = b"PACK\0\0\0\2\0\0\0\0" + bytes.fromhex("029d08823bd8a8eab510ad6ac75c823cfd3ed31e")
"""An empty pack, whole."""


def packets(*items: str | bytes | Mark) -> bytes:
    """Return lines and marks as packets."""
    return b"".join(
        item.value if isinstance(item, Mark) else render(item.encode() if isinstance(item, str) else item)
        for item in items
    )


async def pieces(body: bytes, size: int = 1 << 16) -> AsyncIterator[bytes]:
    """Yield ``body`` in pieces of ``size`` bytes."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def joined(body: AsyncIterator[bytes]) -> bytes:
    """Return all of a body."""
    return b"".join([piece async for piece in body])
