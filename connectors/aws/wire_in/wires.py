"""Per service: its shapes and routes, made from botocore's model when it is first spoken to."""

from __future__ import annotations

from functools import lru_cache

from connectors.aws.model import MAX_MODELS
from connectors.aws.model import service as load_service
from connectors.aws.wire_in.parse_rest import RestInput, rest_input
from connectors.aws.wire_in.route import RouteTable
from connectors.aws.wire_in.shapes import Node, ShapeTable


class ServiceWire:
    """What is looked up again and again about one service.

    Args:
        name: botocore's folder name.
    """

    def __init__(self, name: str) -> None:
        self._model = load_service(name).model
        self._shapes = ShapeTable()
        self._routes: RouteTable | None = None
        self._inputs: dict[str, Node | None] = {}
        self._rest: dict[str, RestInput | None] = {}
        self._names = frozenset(self._model.operation_names)

    @property
    def routes(self) -> RouteTable:
        """Its REST routes; the first look takes up to 100 ms."""
        if self._routes is None:
            self._routes = RouteTable(self._model.operation_model(name) for name in sorted(self._names))
        return self._routes

    def has(self, operation: str) -> bool:
        """Tell whether it has an operation."""
        return operation in self._names

    def input(self, operation: str) -> Node | None:
        """Return the input of an operation it has, None when that takes nothing."""
        if operation not in self._inputs:
            shape = self._model.operation_model(operation).input_shape
            self._inputs[operation] = None if shape is None else self._shapes.node(shape)
        return self._inputs[operation]

    def rest(self, operation: str) -> RestInput | None:
        """Return where the members of that input are in a REST request."""
        if operation not in self._rest:
            node = self.input(operation)
            self._rest[operation] = None if node is None else rest_input(node)
        return self._rest[operation]


@lru_cache(maxsize=MAX_MODELS)
def wire_of(service: str) -> ServiceWire:
    """Return the wire of a service, which must exist."""
    return ServiceWire(service)
