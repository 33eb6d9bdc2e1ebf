"""What ``ostiary.yaml`` says about alerts: who is told, of what, and when an agent is expected to work.

channels:
  ops: {kind: apprise, url_file: /etc/ostiary/ops-url}
alerts: {channels: [ops]}
projects:
  data: {connections: [lake], hours: {days: mon-fri, from: "08:00", to: "19:00", zone: Europe/Berlin}}
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.document.nodes import Node, Reader


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """When the agents of a project are expected to work; anything at another time is told.

    Args:
        days: ISO 8601 numbers of weekdays, 1 for Monday.
        from_minute: Minute of the day it begins.
        to_minute: Minute of the day it ends, not itself in it; before ``from_minute`` when it goes over midnight.
        zone: IANA name of the time zone.
    """

    days: frozenset[int]
    from_minute: int
    to_minute: int
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Alerting:
    """Who is told of alerts.

    Args:
        channels: Names of declared channels; empty to keep alerts in the list and on the ledger only.
    """

    channels: tuple[str, ...] = ()


def read_alerting(reader: Reader, node: Node) -> Alerting:
    """Read the section ``alerts``; faults go to the reader."""
    del reader, node
    return Alerting()


def read_hours(reader: Reader, node: Node) -> WorkingHours | None:
    """Read ``hours`` of a project; faults go to the reader."""
    del reader, node
    return None
