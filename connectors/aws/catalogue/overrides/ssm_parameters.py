"""AWS Systems Manager: parameters.

A parameter ``/prod/db`` is ``parameter/prod/db``, and one without a slash is the same as one with it. A version or
label behind the name is not part of the resource. Public parameters belong to no account, and those under
``/aws/reference/secretsmanager/`` are secrets. Which key a SecureString needs is not in the request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import Kind, Resources, Scope, read_arn
from connectors.aws.catalogue.overrides.kms import uses_key
from connectors.aws.catalogue.overrides.secretsmanager import SECRET
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import found, given, text, texts
from connectors.aws.catalogue.place import UNKNOWN, Params, Place

_SSM: Final = Service("ssm", "ssm")
_SECRETS: Final = "aws/reference/secretsmanager/"
_NAME: Final = re.compile("[^:]+(:[^:]+)?")


def _bare(name: str) -> str:
    """Return a name without its first slash, and without the version or label behind it."""
    return name.removeprefix("/").partition(":")[0]


_OWN: Final = Kind("ssm", "parameter/{}", form=_NAME, spell=_bare, settle=_bare, also=(Scope.SHARED,))
_PUBLIC: Final = Kind("ssm", "parameter/{}", Scope.SHARED, _NAME, spell=_bare)


def parameter(value: object, place: Place, path: str) -> str:
    """Return the parameter of a name or an ARN."""
    public = isinstance(value, str) and value.startswith("/aws/") and not value.startswith(f"/{_SECRETS}")
    return (_PUBLIC if public else _OWN).read(value, place, path)


def parameters(path: str) -> Resources:
    """Return the parameters at a path."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        for value in found(params, path) or [None]:
            yield parameter(value, place, path)

    return resources


def _secrets(path: str) -> tuple[Need, ...]:
    """Return the need to read the secrets that parameters stand for."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        for name in texts(params, path):
            arn = read_arn(name, path)
            bare = _bare(arn.rest.removeprefix("parameter/") if arn else name)
            if bare.startswith(_SECRETS):
                yield SECRET.read(bare.removeprefix(_SECRETS), place, path)

    return (Need("secretsmanager:GetSecretValue", resources),)


def _below(params: Params, place: Place) -> Iterator[str]:
    """Return a path and, because the answer holds them, the parameters under it."""
    value = params.get("Path")
    path = "" if value is None else text(value, "Path").rstrip("/")
    if not path:
        yield _OWN.named(place, UNKNOWN)
        return
    top = parameter(path, place, "Path")
    yield from (top, f"{top}/{UNKNOWN}")


_AT: Final = parameters("Name")

TABLE: Final[Rows] = merged(
    _SSM.each("DeleteParameter LabelParameterVersion UnlabelParameterVersion", _AT),
    _SSM.each("DeleteParameters", parameters("Names[]")),
    _SSM.each("GetParameter GetParameterHistory", _AT, more=_secrets("Name")),
    _SSM.each("GetParameters", parameters("Names[]"), more=_secrets("Names[]")),
    _SSM.each("GetParametersByPath", _below),
    _SSM.each(
        "PutParameter",
        _AT,
        more=(Need("ssm:AddTagsToResource", _AT, given("Tags")), *uses_key("KeyId", "Encrypt")),
    ),
)
