from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from broker.cli import app
from broker.doors.app import create_app
from tests.unit.broker.doors.server import serving
from tests.unit.broker.doors.world import World, make_world

Run = Callable[..., Result]


@dataclass
class House:
    """A served world and its data folder."""

    world: World
    data: Path
    url: str


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "d"


@pytest.fixture
def world(data: Path) -> World:
    return make_world(data)


@pytest.fixture
def house(world: World, data: Path) -> Iterator[House]:
    with serving(create_app(world)) as (host, port):
        yield House(world, data, f"http://{host}:{port}")


@pytest.fixture
def run(house: House) -> Run:
    """Call the command line as somebody: the token goes by the environment, the URL by an option."""

    def call(*words: str, token: str = "", env: dict[str, str] | None = None) -> Result:
        environment = {"OSTIARY_TOKEN": token or house.world.reader_token, **(env or {})}
        return CliRunner().invoke(app, ["--data", str(house.data), "--url", house.url, *words], env=environment)

    return call
