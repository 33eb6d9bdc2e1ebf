from __future__ import annotations

from pathlib import Path

import pytest

from broker.doors.app import create_app
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.github.house import GitHubWorld, make_github_world


@pytest.fixture
def world(tmp_path: Path) -> GitHubWorld:
    return make_github_world(tmp_path, wire_approval_wait_seconds=7)


@pytest.fixture
def client(world: GitHubWorld) -> Client:
    return Client(create_app(world))
