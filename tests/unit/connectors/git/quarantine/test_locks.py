from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import NotSentError
from connectors.git.quarantine.locks import claimed, locked


async def test_a_lock_is_shared_by_readers_and_not_by_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    async with locked(path, exclusive=False, seconds=0.0), locked(path, exclusive=False, seconds=0.0):
        with pytest.raises(NotSentError):
            async with locked(path, exclusive=True, seconds=0.0):
                pass
        with claimed(path) as free:
            assert not free
    with claimed(path) as free:
        assert free
        with pytest.raises(NotSentError):
            async with locked(path, exclusive=False, seconds=0.0):
                pass


async def test_a_lock_is_no_link_to_another_file(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="lock"):
        async with locked(tmp_path / "lock", exclusive=True, seconds=0.0):
            pass
