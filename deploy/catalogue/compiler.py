"""Puts together what is known of every operation of a service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connectors.aws.catalogue.model import UNBOUND, AccessClass
from deploy.catalogue import gateway
from deploy.catalogue.access import access_of, escalates, is_idempotent
from deploy.catalogue.actions import actions_of
from deploy.catalogue.pairs import Draft, is_complete, pairs_of
from deploy.catalogue.prefixes import prefix_of
from deploy.catalogue.roles import role_members
from deploy.catalogue.secrets import returns_secrets
from deploy.catalogue.sources import Sources
from deploy.catalogue.traits import members_of, output_names, token_member


@dataclass(frozen=True, slots=True)
class CompiledOperation:
    """One operation; the fields mean what they mean in `connectors.aws.catalogue.model.Entry`."""

    name: str
    pairs: tuple[Draft, ...]
    access: AccessClass
    token_member: str
    role_members: tuple[str, ...]
    idempotent: bool
    streaming_input: bool
    streaming_output: bool
    event_stream: bool
    returns_secrets: bool
    complete: bool
    exact: bool
    escalates: bool


@dataclass(frozen=True, slots=True)
class CompiledService:
    """One service.

    Args:
        name: botocore's folder name.
        prefix: Under which IAM knows it.
        operations: Sorted by name.
        other_actions: Names IAM has under the prefix that no operation asks for, sorted.
    """

    name: str
    prefix: str
    operations: tuple[CompiledOperation, ...]
    other_actions: tuple[str, ...]


def compile_service(service: str, sources: Sources) -> CompiledService:
    """Compile one service.

    Args:
        service: botocore's folder name.
        sources: Public data.
    """
    model = sources.model(service)
    prefix = prefix_of(service, model, sources)
    operations = tuple(
        _compile(service, model.operation_model(name), prefix, sources) for name in sorted(_names(model))
    )
    asked = {draft.action for operation in operations for draft in operation.pairs}
    known = sources.actions.get(prefix, {}).values()
    others = sorted(action.name for action in known if action.full_name not in asked)
    return CompiledService(service, prefix, operations, tuple(others))


def _names(model: Any) -> list[str]:  # noqa: ANN401 - botocore has no types
    return list(model.operation_names)


def _compile(service: str, model: Any, prefix: str, sources: Sources) -> CompiledOperation:  # noqa: ANN401 - botocore's
    actions = actions_of(service, model.name, prefix, sources)
    by_path = not actions and service in gateway.SERVICES
    if by_path:
        actions = (sources.actions["apigateway"][model.http["method"].lower()],)
        groups = [gateway.drafts(model)]
    else:
        members = members_of(model.input_shape)
        groups = [pairs_of(action, model.name, members) for action in actions]
    outputs = output_names(model.output_shape)
    secret = returns_secrets(
        service, model.name, outputs, exposing=any(each.full_name.lower() in sources.exposing for each in actions)
    )
    grants = escalates(service, model.name, actions, sources)
    access = access_of(service, model.name, actions)
    return CompiledOperation(
        name=model.name,
        pairs=_unique(groups) or (Draft(f"{prefix}:{model.name}", UNBOUND, complete=False),),
        access=_gravest(access, secret=secret, grants=grants),
        token_member=token_member(model.input_shape),
        role_members=role_members(service, model.name, model.input_shape),
        idempotent=is_idempotent(access, model),
        streaming_input=bool(model.has_streaming_input),
        streaming_output=bool(model.has_streaming_output),
        event_stream=bool(model.has_event_stream_input or model.has_event_stream_output),
        returns_secrets=secret,
        complete=bool(groups) and all(is_complete(group) for group in groups),
        exact=bool(actions),
        escalates=grants,
    )


def _gravest(access: AccessClass, *, secret: bool, grants: bool) -> AccessClass:
    if secret:
        return AccessClass.SECRET
    return AccessClass.ESCALATION if grants else access


def _unique(groups: list[tuple[Draft, ...]]) -> tuple[Draft, ...]:
    return tuple(dict.fromkeys(draft for group in groups for draft in group))
