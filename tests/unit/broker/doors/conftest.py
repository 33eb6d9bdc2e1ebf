from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.doors.app import create_api, create_app
from broker.doors.openapi import document
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture(scope="session")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return document(create_api(make_world(tmp_path_factory.mktemp("described"))))


@pytest.fixture
def client(world: World, described: dict[str, Any]) -> Client:
    return Client(create_app(world), described)
