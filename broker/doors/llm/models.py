"""The models a session may use: those its connections can reach and its policy lets it ask, or ask people for.

They are listed under the ids clients use, in the form of whoever asks: Anthropic's clients are shown what can be asked
in Anthropic's format, all others the rest. That a model is listed says that prices of it are known and policy names it,
not that the provider still serves it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

from broker.doors.llm.answer import Answer, json_answer
from broker.doors.llm.places import Place, Want
from broker.doors.llm.reading import ACTIONS
from broker.doors.llm.refusals import No, no
from broker.doors.llm.words import Envelope
from broker.doors.ports import BrokerPort
from broker.doors.requests import header
from broker.model import JsonObject, Session
from broker.outcome import ProblemKind
from connectors.base import Connection
from connectors.errors import InvalidParamsError
from connectors.llm.connection import LlmConnection, options_of
from connectors.llm.prices import known_models, rates
from connectors.llm.targets import model_of, targets_of
from connectors.llm.words import Dialect

CONNECTOR: Final = "llm"

_LONG_AGO: Final = "1970-01-01T00:00:00Z"
"""What Anthropic's API says of a model whose date of release is not known."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A model that can be reached.

    Args:
        id: As clients write it.
        provider: Whose it is.
        resource: What policy decides on: the model that the first upstream would be asked for.
    """

    id: str
    provider: str
    resource: str


def envelope_of(scope: Scope) -> Envelope:
    """Return in whose form a list is wanted."""
    anthropic = header(scope, b"anthropic-version") or header(scope, b"x-api-key")
    return Envelope.ANTHROPIC if anthropic else Envelope.OPENAI


async def answer_of(broker: BrokerPort, session: Session, place: Place, envelope: Envelope) -> Answer | No:
    """Return the list of models, or the one that is asked for.

    Args:
        broker: Knows connections and policy.
        session: Who asks.
        place: Names a connection or none, and a model or none.
        envelope: In whose form.

    Raises:
        StoreUnavailableError: policy cannot be asked.
    """
    connections = connections_of(broker, session.project, place.connection)
    # The names come from a list of prices, which is read when it is first asked for.
    offered = await asyncio.to_thread(offered_by, connections, envelope)
    if place.want is Want.MODEL:
        offered = [each for each in offered if each.id == place.model]
    action = ACTIONS[Want.INVOKE]
    allowed = await broker.allowed(session, action, [each.resource for each in offered])
    listed = [each for each, may in zip(offered, allowed, strict=True) if may]
    if place.want is Want.MODEL and not listed:
        return no(ProblemKind.NOT_FOUND, f"no model `{place.model[:80]}` that this session may use")
    shown = [_shown(each, envelope) for each in listed]
    return json_answer(200, shown[0] if place.want is Want.MODEL else _list_of(shown, envelope), {})


def connections_of(broker: BrokerPort, project: str, name: str) -> list[Connection]:
    """Return the connections to models a project has, or the named one of them."""
    configuration = broker.configuration()
    entry = configuration.projects.get(project)
    named = (configuration.connections.get(each) for each in (entry.connections if entry else ()))
    return [each for each in named if each is not None and each.connector == CONNECTOR and name in {"", each.name}]


def offered_by(connections: Sequence[Connection], envelope: Envelope) -> list[Offered]:
    """Return the models that can be reached in a format, each once, those of names of one's own first.

    Args:
        connections: To models.
        envelope: Of the format.
    """
    dialect = Dialect.MESSAGES if envelope is Envelope.ANTHROPIC else Dialect.CHAT
    found: dict[str, Offered] = {}
    for connection in connections:
        for offered in _offers(options_of(connection), dialect):
            found.setdefault(offered.id, offered)
    return list(found.values())


def _offers(options: LlmConnection, dialect: Dialect) -> Iterator[Offered]:
    named = [*options.aliases, *sorted(_names(options, dialect))]
    for written in named:
        with contextlib.suppress(InvalidParamsError):
            model = model_of(options, dialect, written)
            first = targets_of(options, dialect, model, counting=False)[0].model
            if options.unknown_models != "deny" or rates(first.provider, first.name).known:
                yield Offered(_shortest(options, dialect, written), model.provider, first.resource)


def _names(options: LlmConnection, dialect: Dialect) -> set[str]:
    """Return the canonical names that are known for the upstreams of a format."""
    routed = {each.models for each in options.routes if "*" not in each.models}
    serving = (each for each in options.upstreams if each.understands(dialect))
    own = ((each.serves, (*known_models(each.serves), *each.deployments, *each.models)) for each in serving)
    return routed.union(f"{provider}/{name}" for provider, names in own for name in names)


def _shortest(options: LlmConnection, dialect: Dialect, written: str) -> str:
    """Return a name without its provider, where that means the same model, as most clients write it."""
    _, _, name = written.partition("/")
    with contextlib.suppress(InvalidParamsError):
        if name and model_of(options, dialect, name) == model_of(options, dialect, written):
            return name
    return written


def _shown(offered: Offered, envelope: Envelope) -> JsonObject:
    if envelope is Envelope.ANTHROPIC:
        return {"type": "model", "id": offered.id, "display_name": offered.id, "created_at": _LONG_AGO}
    return {"id": offered.id, "object": "model", "created": 0, "owned_by": offered.provider}


def _list_of(shown: list[JsonObject], envelope: Envelope) -> JsonObject:
    """Return the whole list: there is always one page."""
    if envelope is not Envelope.ANTHROPIC:
        return {"object": "list", "data": shown}
    ends = {"first_id": shown[0]["id"], "last_id": shown[-1]["id"]} if shown else {"first_id": None, "last_id": None}
    return {"data": shown, "has_more": False, **ends}
