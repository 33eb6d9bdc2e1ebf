from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parts.process import borrowed_process


@pytest.fixture
def own_process() -> Iterator[None]:
    with borrowed_process():
        yield
