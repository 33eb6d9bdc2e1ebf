"""From params to plans: one for each upstream that may be asked, in the order in which they are asked. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from connectors.base import Connection, JsonObject, Plan
from connectors.errors import InvalidParamsError
from connectors.llm.connection import LlmConnection, options_of
from connectors.llm.operations import INVOKE, OPERATIONS
from connectors.llm.params import Asked, check_params
from connectors.llm.pricing import estimate_of, is_known
from connectors.llm.targets import Change, Target, helpers_of, model_of, targets_of
from connectors.llm.words import Dialect, Speaks
from policies.model import Requirement
from vault.model import CredentialRef

MAX_PATIENCE_SECONDS: Final = 3600


def planned(connector: str, action: str, params: JsonObject, connection: Connection) -> Plan:
    """Return the plan for the first upstream, with those for the others as its fallbacks.

    Args:
        connector: Name of the connector.
        action: One of its operations.
        params: As sent.
        connection: Where to.

    Raises:
        InvalidParamsError: the params do not fit, or no upstream serves them.
    """
    asked, options = check_params(action, params), options_of(connection)
    model = model_of(options, asked.dialect, asked.model)
    targets = _priced(options, targets_of(options, asked.dialect, model, counting=asked.counting))
    needed = [(each.model, *helpers_of(each.model, asked.peeked.helpers)) for each in targets]
    estimate = estimate_of(asked, targets, needed)
    patience = sum(_patience(options, asked, each) for each in targets)
    first, *others = (
        Plan(
            connector=connector,
            action=action,
            connection=connection.name,
            credential=CredentialRef(each.upstream.credential or connection.credential),
            call=_call(asked, each),
            requirements=tuple(Requirement(INVOKE, model.resource) for model in dict.fromkeys(models)),
            access=OPERATIONS[action].access,
            idempotent=OPERATIONS[action].idempotent,
            summary=_summary(asked, each),
            host=each.upstream.host,
            payload=asked.payload or b"",
            estimate=estimate,
            upload=asked.upload,
        )
        for each, models in zip(targets, needed, strict=True)
    )
    return replace(first, fallbacks=tuple(others), patience_seconds=min(patience, MAX_PATIENCE_SECONDS))


def _priced(options: LlmConnection, targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """Return the targets whose price is known, where others are not wanted.

    Raises:
        InvalidParamsError: that of the first one is not.
    """
    if options.unknown_models != "deny":
        return targets
    if not is_known(targets[0].model):
        raise InvalidParamsError(
            f"the price of `{targets[0].model.id}` is not known, and the connection wants known prices only",
            fix="name a model that is on the list of prices, or ask for `unknown_models: price_high`",
        )
    return tuple(each for each in targets if is_known(each.model))


def _call(asked: Asked, target: Target) -> JsonObject:
    """Return the request to one upstream as data."""
    call: JsonObject = {
        "upstream": target.upstream.name,
        "url": target.url(asked.dialect, stream=asked.stream, counting=asked.counting),
        "dialect": asked.dialect.value,
        "stream": asked.stream,
        "asked": asked.model,
        "model": target.model.id,
        "sent": target.own,
        "change": _change(asked, target).value,
        "headers": dict(asked.headers),
        "body": {"bytes": asked.size_bytes, "sha256": asked.sha256},
        "peeked": asked.peeked.to_json(),
    }
    if asked.client:
        call["client"] = asked.client
    if asked.payload is not None:
        call["payload_sha256"] = asked.sha256
    return call


def _change(asked: Asked, target: Target) -> Change:
    if asked.dialect is Dialect.INVOKE:
        return Change.NOTHING
    if target.upstream.kind is Speaks.BEDROCK:
        return Change.TRANSLATED
    renamed = target.own != asked.model and not target.names_in_path(asked.dialect)
    unmetered = asked.dialect is Dialect.CHAT and asked.stream and not asked.peeked.include_usage
    return Change.MEMBERS if renamed or unmetered else Change.NOTHING


def _patience(options: LlmConnection, asked: Asked, target: Target) -> int:
    return options.first_byte_of(target.upstream) if asked.stream else options.answer_of(target.upstream)


def _summary(asked: Asked, target: Target) -> str:
    verb = "count tokens for" if asked.counting else "ask"
    how = f"{asked.dialect}, {asked.size_bytes} bytes{', as a stream' if asked.stream else ''}"
    return f"{verb} {target.model.id} at {target.upstream.name}: {how}"
