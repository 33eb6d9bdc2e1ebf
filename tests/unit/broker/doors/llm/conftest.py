from __future__ import annotations

from pathlib import Path

import pytest

from broker.doors.app import create_app
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.llm.house import LlmWorld, make_llm_world


@pytest.fixture
def world(tmp_path: Path) -> LlmWorld:
    return make_llm_world(tmp_path, wire_approval_wait_seconds=7, max_request_bytes=100_000)


@pytest.fixture
def client(world: LlmWorld) -> Client:
    return Client(create_app(world))
