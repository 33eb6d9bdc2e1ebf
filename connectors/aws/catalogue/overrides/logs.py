"""Amazon CloudWatch Logs.

IAM names a log group with ``:*`` behind it, which stands for its streams; so do the requirements, also where a request
gives the ARN without. Only tags are on the group itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, Kind, as_given, read_arn
from connectors.aws.catalogue.overrides.kms import uses_key
from connectors.aws.catalogue.overrides.passing import passes
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import given, shown, text
from connectors.aws.catalogue.place import UNKNOWN, Params, Place
from connectors.errors import InvalidParamsError

_LOGS: Final = Service("logs", "logs")
_NAME: Final = re.compile("[^:]+")
"""Log groups and streams may have slashes in their names, and no colon."""


def _with_streams(name: str) -> str:
    return f"{name.removesuffix(':*')}:*"


GROUP: Final = Kind("logs", "log-group:{}:*", form=_NAME, settle=_with_streams)
_ITSELF: Final = Kind("logs", "log-group:{}", form=_NAME)
_DESTINATION: Final = Kind("logs", "destination:{}")
_DELIVERY: Final = Kind("logs", "delivery:{}")
_DELIVERY_SOURCE: Final = Kind("logs", "delivery-source:{}")
_DELIVERY_TARGET: Final = Kind("logs", "delivery-destination:{}")
_DETECTOR: Final = Kind("logs", "anomaly-detector:{}", form=ARN_ONLY)


def groups(params: Params, place: Place) -> Iterator[str]:
    """Return every log group of a request, by whichever members it names them; unknown when it names none."""
    named = False
    for path in (
        "logGroupName",
        "logGroupIdentifier",
        "logGroupNames[]",
        "logGroupIdentifiers[]",
        "resourceIdentifier",
    ):
        for resource in GROUP.where(path)(params, place):
            named = True
            yield resource
    if not named:
        yield GROUP.named(place, UNKNOWN)


def _streams(params: Params, place: Place) -> Iterator[str]:
    value = params.get("logStreamName")
    name = UNKNOWN if value is None else text(value, "logStreamName")
    if _NAME.fullmatch(name) is None:
        raise InvalidParamsError(f"`logStreamName` is `{shown(name)}`", fix="a name without `:`")
    for group in groups(params, place):
        yield f"{group.removesuffix('*')}log-stream:{name}"


def _chooses_groups(params: Params) -> bool:
    """Tell whether a query says itself where it looks."""
    query = params.get("queryString")
    return isinstance(query, str) and "source" in query.lower()


def _subscribed(params: Params, place: Place) -> Iterator[str]:
    """Return the destination of a subscription when it is one of this service."""
    value = params.get("destinationArn")
    arn = None if value is None else read_arn(text(value, "destinationArn"), "destinationArn")
    if arn is not None and arn.service == "logs":
        yield from _DESTINATION.where("destinationArn")(params, place)


TABLE: Final[Rows] = merged(
    _LOGS.each(
        "AssociateKmsKey CreateExportTask DeleteDataProtectionPolicy DeleteLogGroup DeleteMetricFilter "
        "DeleteRetentionPolicy DeleteSubscriptionFilter DeleteTransformer DescribeLogStreams DescribeMetricFilters "
        "DescribeSubscriptionFilters DisassociateKmsKey FilterLogEvents GetDataProtectionPolicy GetLogGroupFields "
        "GetTransformer ListTagsLogGroup PutBearerTokenAuthentication PutDataProtectionPolicy "
        "PutLogGroupDeletionProtection PutMetricFilter PutRetentionPolicy PutTransformer StartLiveTail TagLogGroup "
        "UntagLogGroup",
        groups,
    ),
    _LOGS.each("CreateLogGroup", groups, more=(Need("logs:TagResource", _ITSELF.at("logGroupName"), given("tags")),)),
    _LOGS.each("CreateLogStream DeleteLogStream GetLogEvents PutLogEvents", _streams),
    _LOGS.each("StartQuery", groups, more=(Need("logs:StartQuery", GROUP.some(), _chooses_groups),)),
    # What a query or a pointer leads to is not in the request.
    _LOGS.each("GetLogRecord GetQueryResults", GROUP.some()),
    _LOGS.each("CreateLogAnomalyDetector", GROUP.at("logGroupArnList[]"), more=uses_key("kmsKeyId", "CreateGrant")),
    _LOGS.each(
        "DeleteLogAnomalyDetector GetLogAnomalyDetector ListAnomalies UpdateAnomaly UpdateLogAnomalyDetector",
        _DETECTOR.at("anomalyDetectorArn"),
    ),
    _LOGS.each("PutSubscriptionFilter", groups, _subscribed, more=passes("roleArn")),
    _LOGS.each("DeleteDestination PutDestinationPolicy", _DESTINATION.at("destinationName")),
    _LOGS.each("PutDestination", _DESTINATION.at("destinationName"), more=passes("roleArn")),
    _LOGS.each("DeleteDelivery GetDelivery", _DELIVERY.at("id")),
    _LOGS.each("GetDeliverySource PutDeliverySource", _DELIVERY_SOURCE.at("name")),
    _LOGS.each("DeleteDeliveryDestination GetDeliveryDestination", _DELIVERY_TARGET.at("name")),
    _LOGS.each("PutDeliveryDestination", _DELIVERY_TARGET.at("name"), more=passes("roleArn")),
    _LOGS.each(
        "DeleteDeliveryDestinationPolicy GetDeliveryDestinationPolicy PutDeliveryDestinationPolicy",
        _DELIVERY_TARGET.at("deliveryDestinationName"),
    ),
    _LOGS.each(
        "CreateDelivery",
        _DELIVERY.some(),
        _DELIVERY_SOURCE.at("deliverySourceName"),
        _DELIVERY_TARGET.at("deliveryDestinationArn"),
    ),
    _LOGS.each("ListTagsForResource TagResource UntagResource", as_given("logs", "resourceArn")),
)
