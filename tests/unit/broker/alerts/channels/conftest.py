from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.broker.alerts.channels.letters import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened
