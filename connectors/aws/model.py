"""botocore's service models: one per service, read on first use from the package's own data.

Nothing comes from ``~/.aws``, ``AWS_DATA_PATH`` or any other place of the machine. A model is read when its service is
first named and the least recently used ones are dropped, so that an agent that asks about every service there is costs
time and not memory. Documentation is dropped on reading, but for the first sentence of each operation.
"""

from __future__ import annotations

import html
import re
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from weakref import WeakValueDictionary

from botocore.model import OperationNotFoundError, ServiceModel

from connectors.aws.model_files import new_loader, share_references

MAX_MODELS: Final = 48
"""Services kept in memory; each takes 0.5 to 15 MB."""
_in_memory: WeakValueDictionary[str, Service] = WeakValueDictionary()
_reading = threading.Lock()
"""What the cache of `service` holds; it cannot be asked itself."""
_TAG: Final = re.compile(r"<[^>]{0,200}>")
_SENTENCE: Final = re.compile(r"(.{8,200}?[a-z0-9)])\.(?:\s|$)", re.DOTALL)
_DOCUMENT_CHARS: Final = 800
"""Characters of an operation's documentation in which its first sentence is looked for."""


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """One operation of a service, with what planning and sending look up again and again.

    Args:
        service: Name of the service.
        name: Name of the operation.
        model: botocore's model of it.
        protocol: Protocol the service is spoken to in.
        members: Input members by name; botocore shapes.
        required: Input members that must be given.
        tokens: Input members the SDKs fill with a fresh token.
        payload: Input member whose bytes are the body; empty when there is none.
        streams: The output has a body of raw bytes.
        spelling: Lower-case header name to the spelling the output's model looks it up by.
    """

    service: str
    name: str
    model: Any
    protocol: str
    members: dict[str, Any]
    required: tuple[str, ...]
    tokens: tuple[str, ...]
    payload: str
    streams: bool
    spelling: dict[str, str]

    @property
    def action(self) -> str:
        """Canonical action."""
        return f"{self.service}:{self.name}"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Service:
    """One service.

    Args:
        name: As botocore's folder is called.
        model: botocore's model of it.
        made: Operations looked up so far.
    """

    name: str
    model: Any
    made: dict[str, ApiOperation] = field(default_factory=dict)

    def operation(self, name: str) -> ApiOperation | None:
        """Return an operation, None when the service has none of that name."""
        known = self.made.get(name)
        if known is None:
            try:
                known = self.made[name] = _operation(self.name, self.model, name)
            except OperationNotFoundError:
                return None
        return known


@lru_cache(maxsize=1)
def service_names() -> frozenset[str]:
    """Return the name of every service, from the listing of botocore's folders."""
    return frozenset(new_loader().list_available_services("service-2"))


def service(name: str) -> Service:
    """Return a service, which must exist; its model is read once, however many threads ask for it.

    Args:
        name: One of `service_names`.
    """
    if name in _in_memory:
        return read_model(name)
    with _reading:
        return read_model(name)


@lru_cache(maxsize=MAX_MODELS)
def read_model(name: str) -> Service:
    """Do as `service`, for one thread at a time: of two that read, one would keep what nobody else can find."""
    data = new_loader().load_service_model(name, "service-2")
    _drop_documentation(data)
    share_references(data)
    found = _in_memory[name] = Service(name, ServiceModel(data, name))
    return found


def is_in_memory(name: str) -> bool:
    """Tell whether the model of a service is there, so that looking at it reads no file."""
    return name in _in_memory


def operation(service_name: str, name: str) -> ApiOperation | None:
    """Return an operation of a service, None when there is none of that name."""
    return service(service_name).operation(name) if service_name in service_names() else None


def load_data(service_name: str, kind: str) -> Any:  # noqa: ANN401 - JSON has no useful static type
    """Return another data file of a service, as ``endpoint-rule-set-1``."""
    return new_loader().load_service_model(service_name, kind)


def load_partitions() -> Any:  # noqa: ANN401 - JSON has no useful static type
    """Return botocore's table of partitions."""
    return new_loader().load_data("partitions")


def _operation(service_name: str, model: Any, name: str) -> ApiOperation:  # noqa: ANN401 - botocore has no types
    api = model.operation_model(name)
    inputs, outputs = api.input_shape, api.output_shape
    members = {} if inputs is None else dict(inputs.members)
    payload = "" if inputs is None else inputs.serialization.get("payload", "")
    return ApiOperation(
        service=service_name,
        name=name,
        model=api,
        protocol=model.resolved_protocol,
        members=members,
        required=() if inputs is None else tuple(inputs.required_members),
        tokens=tuple(api.idempotent_members),
        payload=payload if payload and members[payload].type_name == "blob" else "",
        streams=api.has_streaming_output,
        spelling={} if outputs is None else _spelling(outputs),
    )


def _spelling(outputs: Any) -> dict[str, str]:  # noqa: ANN401 - botocore has no types
    headers = [
        (name, shape) for name, shape in outputs.members.items() if shape.serialization.get("location") == "header"
    ]
    names = [shape.serialization.get("name", name) for name, shape in headers]
    return {name.lower(): name for name in names}


def _drop_documentation(data: dict[str, Any]) -> None:
    """Take the documentation out of a model; it is most of its size."""
    data.pop("documentation", None)
    for shape in data["shapes"].values():
        shape.pop("documentation", None)
        for part in ("member", "key", "value"):
            shape.get(part, {}).pop("documentation", None)
        for member in shape.get("members", {}).values():
            member.pop("documentation", None)
    for each in data["operations"].values():
        each["documentation"] = _first_sentence(each.get("documentation", ""))
        for part in ("input", "output"):
            each.get(part, {}).pop("documentation", None)
        for error in each.get("errors", ()):
            error.pop("documentation", None)


def _first_sentence(text: str) -> str:
    plain = " ".join(html.unescape(_TAG.sub(" ", text[:_DOCUMENT_CHARS])).split())
    match = _SENTENCE.match(plain)
    return match.group(1) if match else ""
