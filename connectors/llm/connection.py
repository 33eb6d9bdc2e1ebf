"""The options of an ``llm`` connection in ``ostiary.yaml``: upstreams, which of them serve a model, names for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from connectors.base import Connection, JsonObject
from connectors.errors import InvalidParamsError
from connectors.llm.models import NAME, PROVIDER, read_canonical
from connectors.llm.words import Dialect, Speaks

FIRST_BYTE_SECONDS: Final = 60
ANSWER_SECONDS: Final = 600
"""How long an answer that is no stream may take; the SDKs of Anthropic and OpenAI wait as long."""
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]", re.ASCII)
_PATH: Final = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_ANTHROPIC: Final = "https://api.anthropic.com"
_OPENAI: Final = "https://api.openai.com"
_MOST_PARSED: Final = 64


def _base(url: str) -> str:
    """Return a URL as ``scheme://host[:port][/path]``, lower-case host, without a default port of https."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or set("?#@\\%").intersection(url) or not url.isascii():
        raise ValueError("expected `https://host[:port]`, with a path or without, and no query, user or `%`")
    host, port = (parts.hostname or ""), parts.port
    text = f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/")
    if _HOST.fullmatch(text) is None or port == 0:
        raise ValueError("expected a host name or an address, in ASCII, and a port from 1 to 65535")
    if _PATH.fullmatch(path) is None:
        raise ValueError("expected a path of plain segments")
    if path.endswith("/v1"):
        raise ValueError("the path ends before `/v1`, which is added")
    if parts.scheme == "http":
        return f"http://{text}:{port or 80}{path}"
    return f"https://{text}" + ("" if port in {None, 443} else f":{port}") + path


def _canonical(text: str) -> str:
    try:
        return read_canonical(text).id
    except InvalidParamsError as error:
        raise ValueError(str(error)) from None


Url = Annotated[str, StringConstraints(min_length=1, max_length=512), AfterValidator(_base)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Credential = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)+$", max_length=128)
]
Provider = Annotated[str, StringConstraints(pattern=rf"^{PROVIDER}$", max_length=32)]
ModelName = Annotated[str, StringConstraints(pattern=rf"^{NAME}$", max_length=96)]
OwnId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,511}$")]
Alias = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
Canonical = Annotated[str, StringConstraints(max_length=128), AfterValidator(_canonical)]
Glob = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._*-]+/[a-z0-9._*-]+$|^\*$", max_length=128)]
Seconds = Annotated[int, Field(ge=1, le=3600)]
OnDisconnect = Literal["abort", "drain"]


class _Options(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class Upstream(_Options):
    """Somebody who serves models.

    Args:
        name: Its name here and in routes.
        speaks: Its protocol.
        url: Without ``/v1``; the provider's own when not given, which Azure has not.
        credential: The connection's when not given.
        provider: Whose models it serves, as in ``models/{provider}/…``; that of its protocol when not given.
        region: Bedrock: of the endpoint and the signature.
        profile: Bedrock: prefix of the inference profiles, ``eu``, ``global``; empty for none.
        api_version: Azure: ``v1``, or the date of a version.
        deployments: Azure: name of the deployment, by model; one that is not there is called as the model.
        models: This upstream's own ids, by model, where they are not the model's name.
        first_byte_seconds: Until a stream brings content; the connection's when not given.
        answer_seconds: Until an answer that is no stream is there; the connection's when not given.
        on_disconnect: What becomes of a stream nobody reads on: cut off, or read to its end for its usage, where it is
            paid for all the same; the connection's when not given.
    """

    name: Name
    speaks: Literal["anthropic", "openai", "azure", "bedrock"]
    url: Url | None = None
    credential: Credential | None = None
    provider: Provider | None = None
    region: (
        Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[a-z]+){1,3}-[0-9]{1,2}$", max_length=32)] | None
    ) = None
    profile: Annotated[str, StringConstraints(pattern=r"^([a-z]{2,6}(-[a-z]{2,4})?)?$")] | None = None
    api_version: Annotated[str, StringConstraints(pattern=r"^v1$|^[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?$")] | None = (
        None
    )
    deployments: Annotated[dict[ModelName, ModelName | OwnId], Field(max_length=256)] = {}
    models: Annotated[dict[ModelName, OwnId], Field(max_length=256)] = {}
    first_byte_seconds: Seconds | None = None
    answer_seconds: Seconds | None = None
    on_disconnect: OnDisconnect | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        only = {
            "region": "bedrock", "profile": "bedrock", "api_version": "azure", "deployments": "azure",
        }  # fmt: skip
        for option, kind in only.items():
            if getattr(self, option) and self.speaks != kind:
                raise ValueError(f"`{option}` of upstream `{self.name}` is for an upstream that speaks {kind}")
        needed = {"bedrock": ("region",), "azure": ("url", "api_version")}.get(self.speaks, ())
        for option in needed:
            if not getattr(self, option):
                raise ValueError(f"upstream `{self.name}` needs `{option}`")
        if self.speaks == "bedrock" and self.provider not in {None, "anthropic"}:
            raise ValueError(f"upstream `{self.name}` serves models of `anthropic` only")
        if any("/" in own for own in self.deployments.values()):
            raise ValueError(f"a deployment of upstream `{self.name}` has a slash in its name")
        return self

    @cached_property
    def kind(self) -> Speaks:
        """What it speaks."""
        return Speaks(self.speaks)

    @cached_property
    def base(self) -> str:
        """The URL that paths are put behind."""
        if self.url:
            return self.url
        if self.kind is Speaks.BEDROCK:
            suffix = "amazonaws.com.cn" if (self.region or "").startswith("cn-") else "amazonaws.com"
            return f"https://bedrock-runtime.{self.region}.{suffix}"
        return _ANTHROPIC if self.kind is Speaks.ANTHROPIC else _OPENAI

    @cached_property
    def host(self) -> str:
        """``host`` or ``host:port``, as the vault compares it."""
        return urlsplit(self.base).netloc

    @cached_property
    def serves(self) -> str:
        """Whose models it serves."""
        return self.provider or ("anthropic" if self.kind in {Speaks.ANTHROPIC, Speaks.BEDROCK} else "openai")

    @cached_property
    def regional(self) -> bool:
        """Whether it is asked through a profile of a region, which Bedrock takes more money for."""
        return bool(self.profile) and self.profile != "global"

    def understands(self, dialect: Dialect) -> bool:
        """Tell whether a request in this dialect can be sent to it, as it is or translated."""
        match dialect:
            case Dialect.MESSAGES:
                return self.kind in {Speaks.ANTHROPIC, Speaks.BEDROCK}
            case Dialect.CHAT | Dialect.RESPONSES:
                return self.kind in {Speaks.OPENAI, Speaks.AZURE}
            case Dialect.INVOKE:
                return self.kind is Speaks.BEDROCK


class Route(_Options):
    """Which upstreams are asked for some models, in order.

    Args:
        models: Pattern of canonical names; ``*`` is any characters.
        upstreams: Their names.
        instead: The model an upstream is asked for in place of the one that was asked, by its name; policy must allow
            that model too.
    """

    models: Glob
    upstreams: Annotated[list[Name], Field(min_length=1, max_length=16)]
    instead: Annotated[dict[Name, Canonical], Field(max_length=16)] = {}

    def covers(self, model: str) -> bool:
        """Tell whether a canonical name fits the pattern."""
        return re.fullmatch(".*".join(map(re.escape, self.models.split("*"))), model) is not None


class LlmConnection(_Options):
    """Upstreams behind one name.

    Args:
        upstreams: In the order they are asked without a route.
        routes: The first that covers a model counts.
        aliases: Names agents may use besides, each for one model.
        unknown_models: What becomes of a model that is on no list of prices: counted as the dearest, or refused.
        first_byte_seconds: Until a stream brings content.
        answer_seconds: Until an answer that is no stream is there.
        on_disconnect: As in `Upstream`; when not given, ``drain`` for Bedrock, which is paid to the end, and ``abort``.
    """

    upstreams: Annotated[list[Upstream], Field(min_length=1, max_length=16)]
    routes: Annotated[list[Route], Field(max_length=64)] = []
    aliases: Annotated[dict[Alias, Canonical], Field(max_length=256)] = {}
    unknown_models: Literal["price_high", "deny"] = "price_high"
    first_byte_seconds: Seconds = FIRST_BYTE_SECONDS
    answer_seconds: Seconds = ANSWER_SECONDS
    on_disconnect: OnDisconnect | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        by_name = {each.name: each for each in self.upstreams}
        if len(by_name) != len(self.upstreams):
            raise ValueError("two upstreams have the same name")
        for route in self.routes:
            for fault in _faults(route, by_name):
                raise ValueError(f"route `{route.models}`: {fault}")
        return self

    def upstream(self, name: str) -> Upstream | None:
        """Return an upstream by its name; None when there is none."""
        return next((each for each in self.upstreams if each.name == name), None)

    def first_byte_of(self, upstream: Upstream) -> int:
        """Return how long a stream may take to bring content, in seconds."""
        return upstream.first_byte_seconds or self.first_byte_seconds

    def answer_of(self, upstream: Upstream) -> int:
        """Return how long an answer that is no stream may take, in seconds."""
        return upstream.answer_seconds or self.answer_seconds

    def drains(self, upstream: Upstream) -> bool:
        """Tell whether a stream nobody reads on is read to its end."""
        chosen = upstream.on_disconnect or self.on_disconnect
        return upstream.kind is Speaks.BEDROCK if chosen is None else chosen == "drain"


def _faults(route: Route, by_name: dict[str, Upstream]) -> Iterator[str]:
    if len(set(route.upstreams)) != len(route.upstreams):
        yield "an upstream is named twice"
    for name in route.upstreams:
        if name not in by_name:
            yield f"there is no upstream `{name}`"
            continue
        serves, provider = by_name[name].serves, route.models.partition("/")[0]
        if "*" not in provider and provider != serves and name not in route.instead:
            yield f"upstream `{name}` serves `{serves}`: say under `instead` which model it is asked for"
    for name, model in route.instead.items():
        if name not in route.upstreams:
            yield f"`instead` names `{name}`, which is not among its upstreams"
        elif by_name[name].serves != model.partition("/")[0]:
            yield f"upstream `{name}` does not serve `{model}`"


_parsed: Final[dict[int, tuple[JsonObject, LlmConnection]]] = {}


def options_of(connection: Connection) -> LlmConnection:
    """Return the typed options of a connection; they were validated when the configuration was loaded.

    The last ones are kept: a configuration is made once and asked for with every call.
    """
    options = connection.options
    known = _parsed.get(id(options))
    # An id is that of another object once the first one is gone; what is kept here is not gone.
    if known is not None and known[0] is options:
        return known[1]
    if len(_parsed) >= _MOST_PARSED:
        _parsed.clear()
    made = LlmConnection.model_validate(options)
    _parsed[id(options)] = (options, made)
    return made
