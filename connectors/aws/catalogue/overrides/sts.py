"""AWS STS: the role or the federated user that credentials are made for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, Kind, Scope, read_arn
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import given, shown, text
from connectors.aws.catalogue.place import UNKNOWN, Params, Place
from connectors.errors import InvalidParamsError

_STS: Final = Service("sts", "sts")
_ROLE: Final = Kind("iam", "role/{}", Scope.GLOBAL, ARN_ONLY).at("RoleArn")
_FEDERATED: Final = Kind("sts", "federated-user/{}", Scope.GLOBAL).at("Name")
_ACCOUNT: Final = re.compile("[0-9]{12}")


def _root(params: Params, place: Place) -> Iterator[str]:
    """Return the root user of an account, which is given by its id or by that user's ARN."""
    target = params.get("TargetPrincipal")
    name = UNKNOWN if target is None else text(target, "TargetPrincipal")
    arn = read_arn(name, "TargetPrincipal")
    if arn is not None and (arn.service, arn.scope, arn.rest) == ("iam", Scope.GLOBAL, "root"):
        yield arn.text
    elif name == UNKNOWN or _ACCOUNT.fullmatch(name) is not None:
        yield f"arn:{place.partition}:iam::{name}:root"
    else:
        raise InvalidParamsError(f"`TargetPrincipal` is `{shown(name)}`", fix="an account id, or the ARN of its root")


TABLE: Final[Rows] = merged(
    _STS.each(
        "AssumeRole",
        _ROLE,
        more=(
            Need("sts:TagSession", _ROLE, given("Tags")),
            Need("sts:SetSourceIdentity", _ROLE, given("SourceIdentity")),
            Need("sts:SetContext", _ROLE, given("ProvidedContexts")),
        ),
    ),
    _STS.each("AssumeRoleWithSAML AssumeRoleWithWebIdentity", _ROLE),
    _STS.each("AssumeRoot", _root),
    _STS.each("GetFederationToken", _FEDERATED, more=(Need("sts:TagSession", _FEDERATED, given("Tags")),)),
    _STS.each("GetCallerIdentity GetSessionToken"),
)
