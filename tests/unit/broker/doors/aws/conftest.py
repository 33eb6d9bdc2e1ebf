from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.doors.app import create_app
from tests.unit.broker.doors.aws.house import Clients, WireWorld, make_wire_world
from tests.unit.broker.doors.server import serving


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WireWorld, str, int]]:
    """One broker and one real server for all tests here."""
    world = make_wire_world(tmp_path_factory.mktemp("wire"), wire_hosts="broker.test", wire_buffer_bytes=64 << 20)
    with serving(create_app(world)) as (host, port):
        yield world, host, port


@pytest.fixture(scope="session")
def clients(served: tuple[WireWorld, str, int]) -> Iterator[Clients]:
    made = Clients(f"http://{served[1]}:{served[2]}")
    yield made
    made.close()


@pytest.fixture
def world(served: tuple[WireWorld, str, int]) -> WireWorld:
    served[0].begin()
    return served[0]
