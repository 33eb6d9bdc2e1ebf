"""The whole of Ostiary with an S3 upstream, for the modules that want it; a module's own fixtures come first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parts.s3_house import S3House, s3_house


@pytest.fixture(scope="module")
def running() -> Iterator[S3House]:
    with s3_house() as house:
        yield house


@pytest.fixture
def house(running: S3House) -> S3House:
    """The running house with a session of the test's own."""
    running.begin()
    return running
