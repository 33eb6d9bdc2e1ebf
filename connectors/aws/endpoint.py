"""Where a call goes and what its signature is made for, from botocore's endpoint rules.

The rules are data of the package, evaluated without any setting of the machine: no dual stack, no FIPS, no hosts of
accounts (which is all that rules use paths inside params for, so those are not evaluated). A connection's own endpoint
replaces the host and nothing else: the signature still names the service and the region AWS would want. Only ``https``
hosts below AWS's own names come out of the rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError

from connectors.aws.model import MAX_MODELS, ApiOperation, load_data, load_partitions
from connectors.aws.words import shown
from connectors.base import JsonObject
from connectors.errors import InvalidParamsError

_SUFFIXES: Final = (".amazonaws.com", ".api.aws", ".amazonaws.com.cn", ".api.amazonwebservices.com.cn")
_HOST: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII)
"""Rules put params into hosts; none of them may bring a user, a port or a path along."""
_SCOPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", re.ASCII)
"""Names the vault signs for; two old services have capitals in theirs."""
_SIGNATURE: Final = "sigv4"
_PREFIXED_BY_RULES: Final = frozenset({"s3control"})
"""Services whose rules put the account into the host; the model's prefix would do so once more."""
_FIXED: Final[dict[str, str | bool]] = {"AccountIdEndpointMode": "disabled"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a call goes.

    Args:
        origin: ``scheme://host[:port]``.
        signing_name: Service of the credential scope.
        signing_region: Region of the credential scope.
    """

    origin: str
    signing_name: str
    signing_region: str


def endpoint_of(api: ApiOperation, params: JsonObject, region: str, override: str | None) -> Endpoint:
    """Return where a call goes.

    Args:
        api: The operation.
        params: Canonical params.
        region: Region of the connection it is made in.
        override: The connection's own endpoint, used as it is; None for AWS.

    Raises:
        InvalidParamsError: AWS has no endpoint for it, or only one that is signed in another way.
    """
    found = _resolve(api, params, region)
    if override is not None:
        return Endpoint(override, found.signing_name, found.signing_region)
    parts = urlsplit(found.origin)
    host = _prefix(api, params) + parts.netloc
    strange = parts.path not in {"", "/"} or _HOST.fullmatch(host) is None or not host.endswith(_SUFFIXES)
    if parts.scheme != "https" or strange:
        raise InvalidParamsError(f"`{api.action}` has no endpoint of AWS in `{region}`")
    return Endpoint(f"https://{host}", found.signing_name, found.signing_region)


def load_rules(service: str) -> None:
    """Read the endpoint rules of a service, so that `endpoint_of` need not."""
    _provider(service)


def _prefix(api: ApiOperation, params: JsonObject) -> str:
    """Return what the model puts in front of the host; its labels are checked already."""
    prefix = (api.model.endpoint or {}).get("hostPrefix", "")
    if not prefix or api.service in _PREFIXED_BY_RULES:
        return ""
    labels = {name: params[name] for name, shape in api.members.items() if shape.serialization.get("hostLabel")}
    return str(prefix.format(**labels))


def _resolve(api: ApiOperation, params: JsonObject, region: str) -> Endpoint:
    provider = _provider(api.service)
    given: dict[str, Any] = {"Region": region, "UseFIPS": False, "UseDualStack": False, **_FIXED}
    for static in api.model.static_context_parameters:
        given[static.name] = static.value
    for dynamic in api.model.context_parameters:
        given[dynamic.name] = params.get(dynamic.member_name)
    known = provider.ruleset.parameters
    given = {name: value for name, value in given.items() if name in known and value is not None}
    try:
        endpoint = provider.resolve_endpoint(**given)
    except (EndpointProviderError, KeyError, TypeError, ValueError, AttributeError):
        # No chaining: the rules repeat params in their words.
        raise InvalidParamsError(f"`{api.action}` has no endpoint in `{region}` for these params") from None
    name, signing_region = _scope(api, endpoint.properties.get("authSchemes"), region)
    if _SCOPE.fullmatch(name) is None:
        raise InvalidParamsError(f"`{api.action}` has the signing name `{shown(name)}`, which the vault does not sign")
    return Endpoint(endpoint.url, name, signing_region)


def _scope(api: ApiOperation, schemes: Any, region: str) -> tuple[str, str]:  # noqa: ANN401 - botocore's rules
    """Return signing name and region; the first scheme of Signature Version 4 counts."""
    name = str(api.model.service_model.signing_name)
    if not schemes:
        return name, region
    for scheme in schemes:
        if scheme["name"] == _SIGNATURE:
            return str(scheme.get("signingName", name)), str(scheme.get("signingRegion", region))
    found = ", ".join(sorted(str(scheme["name"]) for scheme in schemes))
    raise InvalidParamsError(f"`{api.action}` would have to be signed with `{shown(found)}` for these params")


@lru_cache(maxsize=MAX_MODELS)
def _provider(service: str) -> Any:  # noqa: ANN401 - botocore has no types
    return EndpointProvider(load_data(service, "endpoint-rule-set-1"), _partitions())


@cache
def _partitions() -> Any:  # noqa: ANN401 - JSON has no useful static type
    return load_partitions()
