"""From the model a client names to the upstreams that are asked for it, in order, and what is sent to each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from connectors.errors import InvalidParamsError
from connectors.llm.bedrock.models import bedrock_id
from connectors.llm.bedrock.signing import path_of
from connectors.llm.connection import LlmConnection, Upstream
from connectors.llm.models import Model, read_canonical, read_model, shown
from connectors.llm.words import Dialect, Speaks

_PATHS: Final = {
    Dialect.MESSAGES: "/v1/messages",
    Dialect.CHAT: "/v1/chat/completions",
    Dialect.RESPONSES: "/v1/responses",
}
_AZURE_PATHS: Final = {Dialect.CHAT: "/chat/completions", Dialect.RESPONSES: "/responses"}
_FIRST_PARTY: Final = {
    Dialect.MESSAGES: "anthropic",
    Dialect.INVOKE: "anthropic",
    Dialect.CHAT: "openai",
    Dialect.RESPONSES: "openai",
}


class Change(StrEnum):
    """What is done to a body before it is sent."""

    NOTHING = "nothing"
    """The bytes of the client."""
    MEMBERS = "members"
    """Another ``model``, or ``stream_options`` with the usage; every other byte of a value stays."""
    TRANSLATED = "translated"
    """Written for Bedrock."""


@dataclass(frozen=True, slots=True)
class Target:
    """One upstream for one request.

    Args:
        upstream: Who is asked.
        model: The model it serves, as policy and prices name it.
        own: The same as this upstream names it.
    """

    upstream: Upstream
    model: Model
    own: str

    def url(self, dialect: Dialect, *, stream: bool, counting: bool) -> str:
        """Return where a request goes.

        Args:
            dialect: What the client speaks.
            stream: Whether the answer is to come as a stream.
            counting: Tokens are counted, and nothing is answered.
        """
        base = self.upstream.base
        if self.upstream.kind is Speaks.BEDROCK:
            return base + path_of(self.own, streaming=stream)
        if self.upstream.kind is Speaks.ANTHROPIC or self.upstream.kind is Speaks.OPENAI:
            return base + _PATHS[dialect] + ("/count_tokens" if counting else "")
        path, version = _AZURE_PATHS[dialect], self.upstream.api_version
        if version == "v1":
            return f"{base}/openai/v1{path}"
        deployment = f"/deployments/{quote(self.own, safe='')}" if self.names_in_path(dialect) else ""
        return f"{base}/openai{deployment}{path}?api-version={version}"

    def names_in_path(self, dialect: Dialect) -> bool:
        """Tell whether the model stands in the path, and not in the body."""
        if self.upstream.kind is Speaks.BEDROCK:
            return True
        return self.upstream.kind is Speaks.AZURE and self.upstream.api_version != "v1" and dialect is Dialect.CHAT


def model_of(options: LlmConnection, dialect: Dialect, asked: str) -> Model:
    """Return the model a client names.

    Args:
        options: Of the connection; its aliases come first.
        dialect: What the client speaks; a name without a provider is one of its own.
        asked: As the client wrote it.

    Raises:
        InvalidParamsError: it is no name of a model.
    """
    alias = options.aliases.get(asked)
    if alias is not None:
        return read_canonical(alias)
    serving = [each.serves for each in options.upstreams if each.understands(dialect)]
    own = _FIRST_PARTY[dialect]
    return read_model(asked, own if own in serving or not serving else serving[0])


def helpers_of(model: Model, helpers: str) -> tuple[Model, ...]:
    """Return the models that tools of the provider ask besides; they are its own, by the names it has for them.

    Args:
        model: The one that is asked.
        helpers: Their names, with blanks between.

    Raises:
        InvalidParamsError: one is written otherwise; aliases are ours, and nobody would resolve them there.
    """
    found = tuple(read_model(each, model.provider) for each in helpers.split())
    for each, written in zip(found, helpers.split(), strict=True):
        if each.name != written:
            raise InvalidParamsError(
                f"`{shown(written)}` in `tools` is not the name of a model of `{model.provider}`",
                fix="write it there as its provider does",
            )
    return found


def targets_of(options: LlmConnection, dialect: Dialect, model: Model, *, counting: bool) -> tuple[Target, ...]:
    """Return who is asked for a model, in order; at least one.

    Args:
        options: Of the connection.
        dialect: What the client speaks.
        model: What it asks for.
        counting: Only its tokens are to be counted.

    Raises:
        InvalidParamsError: nobody serves it in this dialect.
    """
    found = tuple(each for each in _candidates(options, model) if _can(each, dialect, counting=counting))
    if found:
        return found
    what = "counts tokens for" if counting else "serves"
    raise InvalidParamsError(
        f"no upstream of the connection {what} `{shown(model.id)}` in the dialect `{dialect}`",
        fix="name another model, or ask an operator to add an upstream or a route",
    )


def _candidates(options: LlmConnection, model: Model) -> Iterator[Target]:
    route = next((each for each in options.routes if each.covers(model.id)), None)
    names = [each.name for each in options.upstreams] if route is None else route.upstreams
    for upstream in filter(None, map(options.upstream, names)):
        instead = route.instead.get(upstream.name) if route else None
        served = read_canonical(instead) if instead else model
        if served.provider == upstream.serves:
            yield Target(upstream, served, _own_id(upstream, served))


def _can(target: Target, dialect: Dialect, *, counting: bool) -> bool:
    upstream = target.upstream
    return upstream.understands(dialect) and (not counting or upstream.kind is Speaks.ANTHROPIC)


def _own_id(upstream: Upstream, model: Model) -> str:
    given = {**upstream.models, **upstream.deployments}.get(model.name)
    if given is not None or upstream.kind is not Speaks.BEDROCK:
        return given or model.name
    # The profile decides where a request is computed and is the operator's to choose, whatever the client wrote.
    if model.bedrock:
        return f"{upstream.profile}.{model.bedrock}" if upstream.profile else model.bedrock
    return bedrock_id(model.name, upstream.profile or "")
