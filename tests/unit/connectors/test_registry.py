from __future__ import annotations

from collections.abc import Mapping

import pytest

from connectors.aws.connector import AwsConnector
from connectors.base import Access, Connector, Operation
from connectors.guard import AddressGuard
from connectors.registry import REGISTRY, Premises, RegistryError, build_connectors, connector_for

NO_ROW = Operation("t:Do", Access.READ, True, "do", (), {}, {})  # noqa: FBT003 - idempotent


class Other(AwsConnector):
    """A connector that says of itself what a test wants."""

    def __init__(self, name: str, services: frozenset[str], operations: Mapping[str, Operation]) -> None:
        super().__init__()
        self._said = (name, services, operations)

    @property
    def name(self) -> str:
        return self._said[0]

    @property
    def services(self) -> frozenset[str]:
        return self._said[1]

    @property
    def operations(self) -> Mapping[str, Operation]:
        return self._said[2]


def maker(name: str, service: str, operations: Mapping[str, Operation] | None = None) -> object:
    return lambda _premises: Other(name, frozenset({service}), operations or {})


def test_every_line_makes_a_connector_of_its_name() -> None:
    built = build_connectors(Premises(AddressGuard()))
    assert built.keys() == REGISTRY.keys()
    assert all(connector.name == name for name, connector in built.items())


@pytest.mark.parametrize(
    ("registry", "words"),
    [
        ({"a": maker("b", "s")}, "registered as `a` is called `b`"),
        ({"a": maker("a", "s"), "b": maker("b", "s")}, "`b` and `a` both serve `s`"),
        ({"a": maker("a", "s", {"t:Do": NO_ROW})}, "not an action of its services"),
    ],
)
def test_a_registry_that_contradicts_itself_is_refused(registry: Mapping[str, object], words: str) -> None:
    with pytest.raises(RegistryError, match=words):
        build_connectors(registry=registry)  # type: ignore[arg-type]  # makers of any shape


def test_a_service_finds_its_connector() -> None:
    found = connector_for("s3")
    assert found is not None
    assert found.name == "aws"
    assert connector_for("nope") is None
    assert connector_for("s3", {}) is None
    mine: dict[str, Connector] = {"aws": AwsConnector()}
    assert connector_for("s3", mine) is mine["aws"]
