"""Where IAM and STS may be asked: only where the credential may be used, over TLS or on this machine."""

from __future__ import annotations

import re
from typing import Final

from vault.aws import host_of
from vault.errors import BadRequestError, LeaseRefusal, LeaseRefusedError
from vault.hosts import host_is_bound
from vault.rotation.model import IamEndpoints

_MAX_SHOWN_CHARS: Final = 64
_REGION: Final = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)


def check_endpoints(endpoints: IamEndpoints, hosts: tuple[str, ...], ref: str) -> None:
    """Refuse endpoints that a credential may not be used with.

    Args:
        endpoints: Unverified origins and regions.
        hosts: Normalised host patterns the credential is bound to.
        ref: Its name, for the message.

    Raises:
        BadRequestError: one is no origin, is neither TLS nor on this machine, or a region is malformed.
        LeaseRefusedError: a host is not bound to the credential.
    """
    for region in (endpoints.iam_region, endpoints.sts_region):
        if not _REGION.fullmatch(region):
            raise BadRequestError("a region has lower-case letters, digits and hyphens")
    for origin in (endpoints.iam, endpoints.sts):
        host = host_of(origin)
        if not host_is_bound(host, hosts):
            raise LeaseRefusedError(f"credential `{ref}` is not bound to host `{host}`", LeaseRefusal.HOST)


def published_endpoints(region: str) -> IamEndpoints:
    """Return where AWS itself serves IAM and STS for a region, from botocore's data.

    Raises:
        BadRequestError: there is no such region.
    """
    from botocore.loaders import create_loader
    from botocore.regions import EndpointResolver

    resolver = EndpointResolver(create_loader().load_data("endpoints"))
    found = {service: resolver.construct_endpoint(service, region) for service in ("iam", "sts")}
    if any(endpoint is None for endpoint in found.values()):
        shown = region.encode("unicode_escape").decode()[:_MAX_SHOWN_CHARS]
        raise BadRequestError(f"`{shown}` is no region of AWS")
    origins = {service: f"https://{endpoint['hostname']}" for service, endpoint in found.items()}
    scopes = {service: endpoint.get("credentialScope", {}).get("region", region) for service, endpoint in found.items()}
    return IamEndpoints(iam=origins["iam"], iam_region=scopes["iam"], sts=origins["sts"], sts_region=scopes["sts"])
