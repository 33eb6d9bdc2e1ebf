"""Amazon ECS: deployments and revisions, whose ARNs hold those of what is deployed; IAM is asked about both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, Kind, Resources
from connectors.aws.catalogue.overrides.table import Rows, Service, merged
from connectors.aws.catalogue.overrides.values import found
from connectors.aws.catalogue.place import UNKNOWN, Params, Place

_ECS: Final = Service("ecs", "ecs")


def _part_of(owner: str, kind: str, path: str) -> Resources:
    """Return what stands at a path by its ARN, and what it is a part of.

    Args:
        owner: ``service``: what has the first two names behind ``kind``.
        kind: ``service-deployment``.
        path: Of ARNs.
    """
    whole = Kind("ecs", f"{kind}/{{}}", form=ARN_ONLY)

    def resources(params: Params, place: Place) -> Iterator[str]:
        for value in found(params, path) or [None]:
            if value is None or value == "":
                yield from (whole.named(place, UNKNOWN), Kind("ecs", f"{owner}/{{}}").named(place, UNKNOWN))
                continue
            arn = whole.read(value, place, path)
            head, _, rest = arn.partition(f":{kind}/")
            # An old or damaged ARN does not tell its owner.
            names = rest.split("/")
            yield arn
            yield f"{head}:{owner}/{'/'.join(names[:-1]) if len(names) > 2 else UNKNOWN}"  # noqa: PLR2004 - names

    return resources


TABLE: Final[Rows] = merged(
    _ECS.each(
        "ContinueServiceDeployment StopServiceDeployment",
        _part_of("service", "service-deployment", "serviceDeploymentArn"),
    ),
    _ECS.each("DescribeServiceDeployments", _part_of("service", "service-deployment", "serviceDeploymentArns[]")),
    _ECS.each("DescribeServiceRevisions", _part_of("service", "service-revision", "serviceRevisionArns[]")),
    _ECS.each("DescribeDaemonDeployments", _part_of("daemon", "daemon-deployment", "daemonDeploymentArns[]")),
    _ECS.each("DescribeDaemonRevisions", _part_of("daemon", "daemon-revision", "daemonRevisionArns[]")),
    _ECS.each("DescribeGatewayRoute", _part_of("gateway", "gateway-route", "gatewayRouteArn")),
)
