"""Reads ``budget`` of an agent and ``project_budget`` of a project.

    budget:
      max_tokens_per_session: 100000
      max_cost_per_day: $25
      max_sessions_per_day: 50
      max_actions: [{actions: "s3:PutObject", per: day, max: 100}]
      alert_at: 80%
      on_exceed: ask
      ask: {channel: slack:#spend, timeout: 30m, extra: 50%, approvers: [alice]}
      mode: strict
      time_zone: Europe/Berlin
    project_budget: {monthly_limit: $500, alert_thresholds: [50%, 75%, 90%], on_exceed: pause_and_alert}

Money is in US dollars and becomes an integer of nano-dollars, exactly. What would be silently without effect is
refused: a budget that counts nothing, terms of a question that nobody asks, two words for the thresholds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from broker.config.limits import Asking, Budget, BudgetLine, Mode, OnExceed, Period
from broker.holds import Unit
from policies.conditions.zones import load_zone, zone_names
from policies.document.nodes import Node, Reader, describe
from policies.errors import did_you_mean, quote
from policies.language.options import (
    CHANNEL,
    DEFAULT_CHANNEL,
    DEFAULT_TIMEOUT_SECONDS,
    MAX_TIMEOUT_SECONDS,
    NAME,
    TIMEOUT,
)

NANO: Final = 9
"""Decimal places of a dollar that are counted."""
MAX_COUNT: Final = 10**15
"""Most tokens, calls or sessions of a cap."""
MAX_DOLLARS: Final = 10**9
"""Highest cap; in nano-dollars it and all that is used beyond it fit 64 bits."""
DEFAULT_THRESHOLDS: Final = (80,)
"""Percents at which people are told when a budget names none."""
MAX_THRESHOLDS: Final = 10
MAX_EXTRA_PERCENT: Final = 1_000
MAX_ACTION_LINES: Final = 32

_AGENT_LINES: Final = {
    f"max_{word}_per_{period.value}": (unit, period)
    for word, unit in (("tokens", Unit.TOKENS), ("cost", Unit.NANO_DOLLARS))
    for period in (Period.SESSION, Period.DAY, Period.WEEK, Period.MONTH)
} | {"max_sessions_per_day": (Unit.SESSIONS, Period.DAY)}
_PROJECT_LINES: Final = {
    "monthly_limit": (Unit.NANO_DOLLARS, Period.MONTH),
    "weekly_limit": (Unit.NANO_DOLLARS, Period.WEEK),
    "daily_limit": (Unit.NANO_DOLLARS, Period.DAY),
    "monthly_tokens": (Unit.TOKENS, Period.MONTH),
    "daily_tokens": (Unit.TOKENS, Period.DAY),
}
_TERMS: Final = ("max_actions", "alert_at", "alert_thresholds", "on_exceed", "ask", "mode", "time_zone")

_MONEY: Final = re.compile(r"\$ ?([0-9]{1,10}(?:\.[0-9]{1,9})?)|([0-9]{1,10}(?:\.[0-9]{1,9})?) ?USD")
_MONEY_WORDS: Final = "write US dollars, as `$500`, `$0.25` or `500 USD`"
_PERCENT: Final = re.compile(r"([0-9]{1,4})%")
_ACTIONS: Final = re.compile(r"[A-Za-z0-9*][A-Za-z0-9:*_.-]{0,99}")
_ACTIONS_WORDS: Final = "write an action, as `s3:PutObject`, or a pattern, as `s3:Put*`"
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}

_Word = TypeVar("_Word", bound=StrEnum)


def read(reader: Reader, node: Node, *, project: bool) -> Budget | None:
    """Read all budgets of one agent or project.

    Args:
        reader: Collects the findings; with any, what is returned is not to be used.
        node: The mapping.
        project: It is that of a project, whose keys are others.

    Returns:
        The budget; None when it has no line.
    """
    what, known = ("`project_budget`", _PROJECT_LINES) if project else ("`budget`", _AGENT_LINES)
    found = reader.fields(node, what, (*known, *_TERMS))
    lines = [
        BudgetLine(name, unit, period, _cap(reader, found[name], name, unit))
        for name, (unit, period) in known.items()
        if name in found
    ]
    if "max_actions" in found:
        lines += _action_lines(reader, found["max_actions"], _periods(project=project))
    if not lines:
        reader.report(node, f"{what} counts nothing", f"write one of {', '.join(known)}")
        return None
    on_exceed = (
        _word(reader, found["on_exceed"], "on_exceed", tuple(OnExceed)) if "on_exceed" in found else OnExceed.DENY
    )
    return Budget(
        tuple(lines),
        _thresholds(reader, found),
        on_exceed,
        _word(reader, found["mode"], "mode", tuple(Mode)) if "mode" in found else Mode.ADAPTIVE,
        _zone(reader, found["time_zone"]) if "time_zone" in found else "UTC",
        _asking(reader, node, found, on_exceed),
    )


def read_money(reader: Reader, node: Node, what: str) -> int:
    """Read an amount of US dollars, as ``$500``, ``$0.25`` or ``500 USD``.

    Returns:
        Nano-dollars, 0 to ``MAX_DOLLARS * 10**9``; 0 after a finding.
    """
    if not isinstance(node.value, str):
        reader.report(node, f"{what} must be an amount of money, found {describe(node)}", _MONEY_WORDS)
        return 0
    match = _MONEY.fullmatch(node.value)
    if match is None:
        reader.report(node, f"{what} does not fit: {quote(node.value)}", _MONEY_WORDS)
        return 0
    amount = Decimal(match[1] or match[2])
    if amount > MAX_DOLLARS:
        reader.report(node, f"{what} is at most ${MAX_DOLLARS}, found {quote(node.value)}")
        return 0
    return int(amount.scaleb(NANO))


def _cap(reader: Reader, node: Node, name: str, unit: Unit) -> int:
    if unit is Unit.NANO_DOLLARS:
        return read_money(reader, node, f"`{name}`")
    return _count(reader, node, f"`{name}`")


def _count(reader: Reader, node: Node, what: str) -> int:
    count = reader.integer(node, what)
    if 0 <= count <= MAX_COUNT:
        return count
    reader.report(node, f"{what} is 0 to {MAX_COUNT}, found {describe(node)}")
    return 0


def _periods(*, project: bool) -> tuple[Period, ...]:
    """Return the periods calls can be counted in; those of one session are its agent's to bound."""
    return tuple(period for period in Period if not (project and period is Period.SESSION))


def _action_lines(reader: Reader, node: Node, periods: Collection[Period]) -> list[BudgetLine]:
    items = reader.items(node, "`max_actions`")
    if isinstance(node.value, tuple) and not 1 <= len(items) <= MAX_ACTION_LINES:
        reader.report(node, f"`max_actions` has 1 to {MAX_ACTION_LINES} entries, found {len(items)}")
    lines: list[BudgetLine] = []
    for item in items[:MAX_ACTION_LINES]:
        keys = ("actions", "per", "max")
        found = reader.fields(item, "an entry of `max_actions`", keys, required=keys)
        if len(found) < len(keys):
            continue
        actions = reader.text(found["actions"], "`actions`", _ACTIONS, _ACTIONS_WORDS)
        period = _word(reader, found["per"], "per", periods)
        line = BudgetLine(
            f"max_actions({actions})_per_{period.value}",
            Unit.CALLS,
            period,
            _count(reader, found["max"], "`max`"),
            actions,
        )
        if any(line.name == each.name for each in lines):
            reader.report(item, f"{quote(actions)} per {period.value} stands twice in `max_actions`", "delete one")
        else:
            lines.append(line)
    return lines


def _thresholds(reader: Reader, found: Mapping[str, Node]) -> tuple[int, ...]:
    single, several = found.get("alert_at"), found.get("alert_thresholds")
    if single is not None and several is not None:
        reader.report(single, "`alert_at` stands beside `alert_thresholds`", "delete one of them")
    if several is not None:
        items = reader.items(several, "`alert_thresholds`")
        if isinstance(several.value, tuple) and not 1 <= len(items) <= MAX_THRESHOLDS:
            reader.report(several, f"`alert_thresholds` has 1 to {MAX_THRESHOLDS} entries, found {len(items)}")
        percents = [_percent(reader, item, "an entry of `alert_thresholds`", 100) for item in items[:MAX_THRESHOLDS]]
        if len(set(percents)) < len(percents):
            reader.report(several, "a threshold stands twice in `alert_thresholds`", "delete one")
        return tuple(sorted(set(percents)))
    return DEFAULT_THRESHOLDS if single is None else (_percent(reader, single, "`alert_at`", 100),)


def _percent(reader: Reader, node: Node, what: str, most: int) -> int:
    words = "write a whole number of percent, as `80%`"
    if not isinstance(node.value, str):
        reader.report(node, f"{what} must be a percentage, found {describe(node)}", words)
        return 1
    match = _PERCENT.fullmatch(node.value)
    if match is None or not 1 <= int(match[1]) <= most:
        reader.report(node, f"{what} is 1% to {most}%, found {quote(node.value)}", words)
        return 1
    return int(match[1])


def _word(reader: Reader, node: Node, name: str, words: Collection[_Word]) -> _Word:
    """Read one of ``words``; the first of them after a finding."""
    text = reader.text(node, f"`{name}`")
    found = {word.value: word for word in words}
    if text not in found and isinstance(node.value, str):
        fix = did_you_mean(text, found) or f"known here: {', '.join(found)}"
        reader.report(node, f"unknown value {quote(text)} of `{name}`", fix)
    return found.get(text, next(iter(words)))


def _zone(reader: Reader, node: Node) -> str:
    name = reader.text(node, "`time_zone`")
    if load_zone(name) is not None:
        return name
    if isinstance(node.value, str):
        fix = did_you_mean(name, zone_names()) or "write an IANA name, as `Europe/Berlin`"
        reader.report(node, f"no such time zone: {quote(name)}", fix)
    return "UTC"


def _asking(reader: Reader, node: Node, found: Mapping[str, Node], on_exceed: OnExceed) -> Asking | None:
    place = found.get("ask")
    if on_exceed is not OnExceed.ASK:
        if place is not None:
            reader.report(place, "`ask` without `on_exceed: ask` asks nobody", "write `on_exceed: ask`, or delete it")
        return None
    if place is None:
        reader.report(
            found.get("on_exceed", node),
            "`on_exceed: ask` needs `ask`",
            "say what a yes grants, as `ask: {extra: 50%}`",
        )
        return None
    terms = reader.fields(place, "`ask`", ("channel", "timeout", "extra", "approvers"), required=("extra",))
    channel, approvers = DEFAULT_CHANNEL, tuple[str, ...]()
    if "channel" in terms:
        channel = reader.text(terms["channel"], "`channel`", CHANNEL, "a name under `channels:`")
    if "approvers" in terms:
        words = "names under `operators:`, as in `[alice, bob]`"
        approvers = reader.texts(terms["approvers"], "`approvers`", NAME, words)
    extra = _percent(reader, terms["extra"], "`extra`", MAX_EXTRA_PERCENT) if "extra" in terms else 1
    return Asking(
        channel, _timeout(reader, terms["timeout"]) if "timeout" in terms else DEFAULT_TIMEOUT_SECONDS, extra, approvers
    )


def _timeout(reader: Reader, node: Node) -> int:
    text = reader.text(node, "`timeout`", TIMEOUT, "write `90s`, `60m` or `24h`")
    match = TIMEOUT.fullmatch(text)
    if match is None:
        return DEFAULT_TIMEOUT_SECONDS
    seconds = int(match[1]) * _SECONDS[match[2]]
    if not 1 <= seconds <= MAX_TIMEOUT_SECONDS:
        reader.report(node, f"`timeout` is 1s to {MAX_TIMEOUT_SECONDS // 3600}h, found {quote(text)}")
    return seconds
