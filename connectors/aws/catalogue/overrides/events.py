"""Amazon EventBridge: a rule stands under its bus, but for the default bus, whose name its rules leave out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import PATH, Kind, Resources, Scope, as_given, segment
from connectors.aws.catalogue.overrides.kms import uses_key
from connectors.aws.catalogue.overrides.passing import passes
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import found, given
from connectors.aws.catalogue.place import UNKNOWN, Params, Place

_EVENTS: Final = Service("events", "events")
_DEFAULT: Final = "default"
BUS: Final = Kind("events", "event-bus/{}", form=PATH)
"""Buses of partners have slashes in their names."""
_SOURCE: Final = Kind("events", "event-source/{}", Scope.SHARED, PATH)
_ARCHIVE: Final = Kind("events", "archive/{}")
_REPLAY: Final = Kind("events", "replay/{}")
_ENDPOINT: Final = Kind("events", "endpoint/{}")
_CONNECTION: Final = Kind("events", f"connection/{{}}/{UNKNOWN}")
_API_DESTINATION: Final = Kind("events", f"api-destination/{{}}/{UNKNOWN}")


def _rules(member: str) -> Resources:
    """Return the rule of a member, under the bus the request names."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        rule = segment(params.get(member), member)
        bus = BUS.read(params.get("EventBusName") or _DEFAULT, place, "EventBusName")
        head, _, name = bus.partition(":event-bus/")
        yield f"{head}:rule/{rule}" if name == _DEFAULT else f"{head}:rule/{name}/{rule}"

    return resources


def _entries(params: Params, place: Place) -> Iterator[str]:
    """Return the bus of each event; the default one for an event that names none."""
    for value in found(params, "Entries[].EventBusName"):
        yield BUS.read(value or _DEFAULT, place, "Entries[].EventBusName")


_RULE: Final = _rules("Name")
_BUS_AT_NAME: Final = BUS.at("Name", _DEFAULT)

TABLE: Final[Rows] = merged(
    _EVENTS.each("DeleteRule DescribeRule DisableRule EnableRule", _RULE),
    _EVENTS.each("PutRule", _RULE, more=(*passes("RoleArn"), Need("events:TagResource", _RULE, given("Tags")))),
    _EVENTS.each("ListTargetsByRule RemoveTargets", _rules("Rule")),
    _EVENTS.each("PutTargets", _rules("Rule"), more=passes("Targets[].RoleArn")),
    _EVENTS.each("PutEvents", _entries),
    _EVENTS.each("DeleteEventBus DescribeEventBus UpdateEventBus", _BUS_AT_NAME),
    _EVENTS.each("CreateEventBus", _BUS_AT_NAME, more=(Need("events:TagResource", _BUS_AT_NAME, given("Tags")),)),
    _EVENTS.each("CreateArchive", _ARCHIVE.at("ArchiveName"), BUS.at("EventSourceArn")),
    _EVENTS.each("DeleteArchive DescribeArchive UpdateArchive", _ARCHIVE.at("ArchiveName")),
    _EVENTS.each("CancelReplay DescribeReplay", _REPLAY.at("ReplayName")),
    _EVENTS.each("StartReplay", _REPLAY.at("ReplayName"), _ARCHIVE.at("EventSourceArn"), BUS.at("Destination.Arn")),
    _EVENTS.each(
        "CreateConnection UpdateConnection", _CONNECTION.at("Name"), more=uses_key("KmsKeyIdentifier", "DescribeKey")
    ),
    _EVENTS.each("DeauthorizeConnection DeleteConnection DescribeConnection", _CONNECTION.at("Name")),
    _EVENTS.each("CreateApiDestination", _API_DESTINATION.at("Name"), _CONNECTION.at("ConnectionArn")),
    _EVENTS.each("UpdateApiDestination", _API_DESTINATION.at("Name"), _CONNECTION.where("ConnectionArn")),
    _EVENTS.each("DeleteApiDestination DescribeApiDestination", _API_DESTINATION.at("Name")),
    _EVENTS.each("CreateEndpoint UpdateEndpoint", _ENDPOINT.at("Name"), more=passes("RoleArn")),
    _EVENTS.each("DeleteEndpoint DescribeEndpoint", _ENDPOINT.at("Name")),
    _EVENTS.each(
        "ActivateEventSource CreatePartnerEventSource DeactivateEventSource DeletePartnerEventSource "
        "DescribeEventSource DescribePartnerEventSource",
        _SOURCE.at("Name"),
    ),
    _EVENTS.each("ListTagsForResource TagResource UntagResource", as_given("events", "ResourceARN")),
)
