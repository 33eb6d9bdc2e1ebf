"""The times of a ``when``, as they are written: windows of days and hours, and single moments.

    time: {days: mon-fri, hours: "09:00-17:00", zone: Europe/Berlin}
    time: {not: {days: [sat, sun], zone: Europe/Berlin}}
    before: "2027-01-01T00:00:00Z"

The zone is never the machine's: it must be written. Findings are collected on the reader.
"""

from __future__ import annotations

from policies.conditions.facts import TIME
from policies.conditions.moments import parse_moment
from policies.conditions.operands import read_operands, read_string
from policies.conditions.operators import Op
from policies.conditions.windows import ALL_DAY, DAYS, parse_days, parse_hours
from policies.conditions.zones import load_zone, zone_names
from policies.document.nodes import Fields, Node, Reader, describe
from policies.errors import did_you_mean, quote
from policies.model import Condition

_WHAT = "`time`"
_FIELDS = ("days", "hours", "zone")


def read_time(reader: Reader, node: Node) -> tuple[Condition, ...]:
    """Read windows of time, or ``{not: windows}``; no condition after a finding."""
    if isinstance(node.value, Fields) and node.value.get("not") is not None:
        inner = reader.fields(node, _WHAT, ("not",))["not"]
        return _condition(reader, inner, Op.TIME_NOT_IN)
    return _condition(reader, node, Op.TIME_IN)


def read_moment(reader: Reader, node: Node, *, what: str, operator: Op) -> tuple[Condition, ...]:
    """Read one moment; no condition after a finding."""
    text = read_string(reader, node, what)
    if text is None:
        return ()
    moment = parse_moment(text)
    if moment is None:
        fix = 'write as "2027-01-01T00:00:00Z", in quotes, with seconds and an offset'
        reader.report(node, f"{what} is no moment: {quote(text)}", fix)
        return ()
    return (Condition(TIME, operator.value, (moment,)),)


def _condition(reader: Reader, node: Node, operator: Op) -> tuple[Condition, ...]:
    if not isinstance(node.value, Fields):
        reader.report(node, f"{_WHAT} must be a mapping, found {describe(node)}", "write `{days: mon-fri, zone: UTC}`")
        return ()
    found = reader.fields(node, _WHAT, _FIELDS, required=("zone",))
    if found and not found.keys() & {"days", "hours"}:
        reader.report(node, f"{_WHAT} names neither days nor hours")
    zone = _read_zone(reader, found["zone"]) if "zone" in found else ""
    days = _read_days(reader, found["days"]) if "days" in found else DAYS
    hours = _read_hours(reader, found["hours"]) if "hours" in found else (ALL_DAY,)
    if not (zone and days and hours):
        return ()
    return (Condition(TIME, operator.value, (zone, ",".join(days), *hours)),)


def _read_zone(reader: Reader, node: Node) -> str:
    name = read_string(reader, node, "`zone`")
    if name is None or load_zone(name) is not None:
        return name or ""
    fix = did_you_mean(name, zone_names()) or "write an IANA name, as `Europe/Berlin`"
    reader.report(node, f"no such time zone: {quote(name)}", fix)
    return ""


def _read_days(reader: Reader, node: Node) -> tuple[str, ...]:
    """Read days and ranges of days; they come in the order of the week."""
    ranges = [parse_days(str(text)) or () for text in read_operands(reader, node, "`days`", _read_range)]
    return tuple(day for day in DAYS if any(day in days for days in ranges))


def _read_range(reader: Reader, node: Node, what: str) -> str | None:
    text = read_string(reader, node, what)
    if text is None or parse_days(text) is not None:
        return text
    fix = did_you_mean(text.lower(), DAYS) or f"known here: {', '.join(DAYS)}; a range is written `mon-fri`"
    reader.report(node, f"no such day: {quote(text)}", fix)
    return None


def _read_hours(reader: Reader, node: Node) -> tuple[str, ...]:
    return tuple(str(text) for text in read_operands(reader, node, "`hours`", _read_window))


def _read_window(reader: Reader, node: Node, what: str) -> str | None:
    text = read_string(reader, node, what)
    if text is None or parse_hours(text) is not None:
        return text
    reader.report(node, f"not hours of the day: {quote(text)}", "write as `09:00-17:00`; midnight is `24:00`")
    return None
