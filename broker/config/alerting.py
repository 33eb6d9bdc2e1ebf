"""What ``ostiary.yaml`` says about alerts: who is told, of what, and when an agent is expected to work.

channels:
  ops: {kind: apprise, url_file: /etc/ostiary/ops-url}
  soc: {kind: webhook, url: https://soc.example/alerts, secret_file: /etc/ostiary/soc-secret}
alerts: {channels: [ops, soc], rotation_days: 90, kinds: [denied, breaker, halt]}
projects:
  data: {connections: [lake], hours: {days: mon-fri, from: "08:00", to: "19:00", zone: Europe/Berlin}}

A secret never stands there: ``url_file`` and ``secret_file`` name files for their owner alone, which are read when an
alert is sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from policies.document.nodes import Fields, Node, Reader, describe
from policies.errors import did_you_mean, quote

DEFAULT_ROTATION_DAYS: Final = 90
MAX_ROTATION_DAYS: Final = 3650
MAX_URL_CHARS: Final = 2000

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_WORDS: Final = "days are `mon-fri`, `sat`, or a list such as `[mon, wed]`"
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00)", re.ASCII)
_ANY_TEXT: Final = re.compile(r".*", re.DOTALL)
_URL: Final = re.compile(r"https?://[!-~]+")
_PLAIN_PATH: Final = re.compile(r"/[^\0\n]*")


class AlertKind(StrEnum):
    """What alerts are about; closed. A name may be added, never changed or reused."""

    DENIED = "denied"
    VOLUME = "volume"
    OFF_HOURS = "off-hours"
    NEW_RESOURCE = "new-resource"
    BUDGET = "budget"
    RATE = "rate"
    BREAKER = "breaker"
    HALT = "halt"
    LEDGER = "ledger"
    VAULT = "vault"
    QUEUE = "queue"
    ROTATION = "rotation"
    TEST = "test"


class ChannelKind(StrEnum):
    """How a channel reaches people."""

    LOG = "log"
    """Nobody is called: the approval waits in the list and in the log, an alert is a line of the worker's log."""
    APPRISE = "apprise"
    """Chats, mail and pagers, by the URLs of the library of that name."""
    WEBHOOK = "webhook"
    """A signed POST, by the Standard Webhooks specification."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A place where people are asked and told.

    Args:
        name: Its name.
        kind: How it reaches people.
        url: Where a webhook is sent.
        secret_file: File with the secret it is signed with.
        url_file: File with the URLs of `ChannelKind.APPRISE`.
    """

    name: str
    kind: ChannelKind
    url: str = ""
    secret_file: str = ""
    url_file: str = ""


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
        rotation_days: A credential that is older is overdue.
        kinds: Which alerts the channels get; empty for all. What they do not get is in the list all the same.
    """

    channels: tuple[str, ...] = ()
    rotation_days: int = DEFAULT_ROTATION_DAYS
    kinds: frozenset[AlertKind] = frozenset()


def read_alerting(reader: Reader, node: Node, channels: Collection[str] = ()) -> Alerting:
    """Read the section ``alerts``; faults go to the reader.

    Args:
        reader: Collects faults.
        node: The section.
        channels: Names of the declared channels.
    """
    found = reader.fields(node, "`alerts`", ("channels", "rotation_days", "kinds"))
    known = [kind.value for kind in AlertKind if kind is not AlertKind.TEST]
    return Alerting(
        _references(reader, found["channels"], "`channels`", channels) if "channels" in found else (),
        _rotation_days(reader, found["rotation_days"]) if "rotation_days" in found else DEFAULT_ROTATION_DAYS,
        frozenset(map(AlertKind, _references(reader, found["kinds"], "`kinds`", known)))
        if "kinds" in found
        else frozenset(),
    )


def read_channel(reader: Reader, name: str, node: Node) -> Channel:
    """Read a channel; faults go to the reader."""
    kinds = [kind.value for kind in ChannelKind]
    written = node.value.get("kind") if isinstance(node.value, Fields) else None
    chosen = reader.text(written.value, "a kind of channel") if written else ""
    if written and chosen and chosen not in kinds:
        fix = did_you_mean(chosen, kinds) or f"known here: {', '.join(sorted(kinds))}"
        reader.report(written.value, f"unknown kind of channel {quote(chosen)}", fix)
    match ChannelKind(chosen) if chosen in kinds else ChannelKind.LOG:
        case ChannelKind.WEBHOOK:
            names = ("kind", "url", "secret_file")
            found = reader.fields(node, "a channel", names, required=names)
            url = _url(reader, found["url"]) if "url" in found else ""
            secret_file = _path(reader, found["secret_file"], "`secret_file`") if "secret_file" in found else ""
            return Channel(name, ChannelKind.WEBHOOK, url=url, secret_file=secret_file)
        case ChannelKind.APPRISE:
            found = reader.fields(node, "a channel", ("kind", "url_file"), required=("kind", "url_file"))
            url_file = _path(reader, found["url_file"], "`url_file`") if "url_file" in found else ""
            return Channel(name, ChannelKind.APPRISE, url_file=url_file)
        case ChannelKind.LOG:
            # Keys of a kind that was misspelt are no faults of their own.
            more = () if chosen == ChannelKind.LOG or not chosen else ("url", "secret_file", "url_file")
            reader.fields(node, "a channel", ("kind", *more), required=("kind",))
            return Channel(name, ChannelKind.LOG)


def read_hours(reader: Reader, node: Node) -> WorkingHours | None:
    """Read ``hours`` of a project; faults go to the reader."""
    required = ("days", "from", "to")
    before = len(reader.findings)
    found = reader.fields(node, "`hours`", (*required, "zone"), required=required)
    if not all(name in found for name in required):
        return None
    days = _days(reader, found["days"])
    begins, ends = _minute(reader, found["from"], "`from`"), _minute(reader, found["to"], "`to`")
    if begins == ends and len(reader.findings) == before:
        reader.report(found["to"], "`to` is the same as `from`", 'write `from: "00:00"` and `to: "24:00"` for all day')
    zone = _zone(reader, found["zone"]) if "zone" in found else "UTC"
    return WorkingHours(days, begins, ends, zone)


def _references(reader: Reader, node: Node, what: str, known: Collection[str]) -> tuple[str, ...]:
    names = reader.texts(node, what, _ANY_TEXT, "")
    for item in reader.items(node, what) if isinstance(node.value, tuple) else ():
        if isinstance(item.value, str) and item.value not in known:
            listed = f"known here: {', '.join(sorted(known))}" if known else "none is declared"
            reader.report(
                item, f"unknown entry {quote(item.value)} of {what}", did_you_mean(item.value, known) or listed
            )
    return tuple(name for name in names if name in known)


def _rotation_days(reader: Reader, node: Node) -> int:
    days = reader.integer(node, "`rotation_days`")
    if isinstance(node.value, int) and not 1 <= days <= MAX_ROTATION_DAYS:
        reader.report(node, f"`rotation_days` is 1 to {MAX_ROTATION_DAYS}, found {days}")
    return days


def _days(reader: Reader, node: Node) -> frozenset[int]:
    if isinstance(node.value, tuple):
        names = reader.texts(node, "`days`", _ANY_TEXT, "")
        ranges = [reader_range for name in names if (reader_range := _range(name))]
        if len(ranges) < len(names):
            reader.report(node, "`days` holds what is no day", _DAY_WORDS)
        return frozenset(day for each in ranges for day in each)
    found = _range(node.value) if isinstance(node.value, str) else ()
    if not found:
        reader.report(node, f"`days` does not fit: {describe(node)}", _DAY_WORDS)
    return frozenset(found)


def _range(written: str) -> tuple[int, ...]:
    """Return the days of ``mon`` or ``fri-mon``; empty for what is neither."""
    first, dash, last = written.partition("-")
    if first not in _DAYS or (dash and last not in _DAYS):
        return ()
    begins, ends = _DAYS.index(first), _DAYS.index(last if dash else first)
    return tuple((begins + step) % 7 + 1 for step in range((ends - begins) % 7 + 1))


def _minute(reader: Reader, node: Node, what: str) -> int:
    written = reader.text(node, what, _TIME, 'a time of day in quotes, `"08:00"`')
    hours, _, minutes = written.partition(":")
    return int(hours) * 60 + int(minutes) if written else 0


def _zone(reader: Reader, node: Node) -> str:
    name = reader.text(node, "`zone`")
    try:
        return ZoneInfo(name).key if name else "UTC"
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # Names that lead out of the database of zones are ValueErrors, those of its folders OSErrors.
        reader.report(node, f"unknown time zone {quote(name)}", "an IANA name, such as `Europe/Berlin`")
        return "UTC"


def _path(reader: Reader, node: Node, what: str) -> str:
    path = reader.text(node, what, _PLAIN_PATH, "an absolute path")
    if path and ".." in PurePosixPath(path).parts:
        reader.report(node, f"{what} leads through `..`", "an absolute path")
    return path


def _url(reader: Reader, node: Node) -> str:
    url = reader.text(node, "`url`")
    try:
        parts = urlsplit(url)
        fits = _URL.fullmatch(url) and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        fits = False
    if url and not (fits and len(url) <= MAX_URL_CHARS):
        # It is not shown: people put tokens into such places.
        reader.report(node, "`url` is no URL, has a user or a wrong port, or is too long", "`https://HOST/PATH`")
        return ""
    return url
