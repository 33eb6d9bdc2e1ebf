"""``rate_limits`` of an agent or a connection: how fast requests may come, and how many at once.

    rate_limits: {max_requests_per_minute: 30, on_exceed: throttle_and_alert}

    rate_limits:
      max_requests_per_minute: 60
      burst: 10
      max_concurrent: 4
      per: agent
      on_exceed: throttle_and_alert
      max_delay: 10s
      groups:
        - {name: reads, actions: "s3:Get*", max_requests_per_minute: 600}

What stands beside ``groups`` counts every action; a group counts its own as well. What would be silently without effect
is refused: a burst without a rate, a delay where nobody waits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from broker.config.limits import OnRate, Per, RateLimit
from policies.document.nodes import Node, Reader
from policies.errors import did_you_mean, quote
from policies.language.loader import NAME

DEFAULT_NAME: Final = "requests"
"""Of the limit beside the groups."""
DEFAULT_DELAY_SECONDS: Final = 10.0
"""How long a throttled request waits at most; a client that waits for a model waits longer."""
MAX_DELAY_SECONDS: Final = 60
"""As `broker.limits.gcra.MAX_PATIENCE_NS`: nobody keeps a connection open for longer without an answer."""
MAX_PER_MINUTE: Final = 1_000_000
MAX_CONCURRENT: Final = 10_000
MAX_GROUPS: Final = 32
BURST_SECONDS: Final = 10
"""How much of the rate may come at once where no ``burst`` is written."""

_LIMIT: Final = ("max_requests_per_minute", "burst", "max_concurrent", "per", "on_exceed", "max_delay")
_DELAY: Final = re.compile(r"([0-9]{1,5})(ms|s|m)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0}
_ACTIONS: Final = re.compile(r"(?=[^*]*(?:\*[^*]*){0,4}\Z)[A-Za-z0-9:*_.-]{1,200}")
_ACTIONS_WORDS: Final = "write an action, with at most four `*` for anything, as in `s3:Get*`"
_OWNERS: Final = {Per.SESSION: (Per.SESSION, Per.AGENT), Per.CONNECTION: tuple(Per)}
"""Whose requests may be counted together, by whose they are where nothing is written."""


def read_rate_limits(reader: Reader, node: Node, per: Per) -> tuple[RateLimit, ...]:
    """Read ``rate_limits``; faults go to the reader, and what has one is not to be used.

    Args:
        reader: Where faults go.
        node: The value.
        per: Whose requests are counted together where nothing is written: `Per.SESSION` for an agent,
            `Per.CONNECTION` for a connection.
    """
    found = reader.fields(node, "`rate_limits`", (*_LIMIT, "groups"))
    limits = []
    if found.keys() & set(_LIMIT) or "groups" not in found:
        limits.append(_limit(reader, node, found, per))
    if "groups" in found:
        items = reader.items(found["groups"], "`groups`")
        if isinstance(found["groups"].value, tuple) and not 1 <= len(items) <= MAX_GROUPS:
            reader.report(found["groups"], f"`groups` has 1 to {MAX_GROUPS} entries, found {len(items)}")
        for item in items[:MAX_GROUPS]:
            group = _group(reader, item, per)
            if group.name and group.name in {each.name for each in limits}:
                reader.report(item, f"the name {quote(group.name)} stands twice in `rate_limits`", "choose another one")
            limits.append(group)
    return tuple(limits)


def _group(reader: Reader, node: Node, per: Per) -> RateLimit:
    found = reader.fields(node, "a group", ("name", "actions", *_LIMIT), required=("name", "actions"))
    name, actions = "", "*"
    if "name" in found:
        name = reader.text(found["name"], "`name`", NAME, "lower-case letters, digits and `-`, at most 63")
    if "actions" in found:
        actions = reader.text(found["actions"], "`actions`", _ACTIONS, _ACTIONS_WORDS)
    return replace(_limit(reader, node, found, per), name=name, actions=actions)


def _limit(reader: Reader, node: Node, found: Mapping[str, Node], per: Per) -> RateLimit:
    rate = _number(reader, found, "max_requests_per_minute", MAX_PER_MINUTE)
    concurrent = _number(reader, found, "max_concurrent", MAX_CONCURRENT)
    if not found.keys() & {"max_requests_per_minute", "max_concurrent"}:
        reader.report(node, "a rate limit has neither `max_requests_per_minute` nor `max_concurrent`")
    burst = max(1, rate * BURST_SECONDS // 60)
    if "burst" in found:
        burst = _number(reader, found, "burst", MAX_PER_MINUTE)
        if "max_requests_per_minute" not in found:
            reader.report(found["burst"], "`burst` without `max_requests_per_minute`", "delete it")
        elif burst > rate > 0:
            reader.report(found["burst"], f"`burst` is more than comes in a minute, {burst} of {rate}")
    on_exceed, delay = _exceeding(reader, found)
    return RateLimit(
        DEFAULT_NAME,
        _per(reader, found, per),
        rate,
        burst,
        concurrent,
        on_exceed=on_exceed,
        max_delay_seconds=delay,
    )


def _exceeding(reader: Reader, found: Mapping[str, Node]) -> tuple[OnRate, float]:
    chosen = OnRate.DENY
    if "on_exceed" in found:
        chosen = OnRate(_word(reader, found["on_exceed"], "`on_exceed`", tuple(OnRate)) or OnRate.DENY)
    waits = chosen is OnRate.THROTTLE_AND_ALERT
    if "max_delay" not in found:
        return chosen, DEFAULT_DELAY_SECONDS if waits else 0.0
    node = found["max_delay"]
    if not waits:
        reader.report(node, "`max_delay` without `on_exceed: throttle_and_alert`", "delete it, or let requests wait")
    text = reader.text(node, "`max_delay`", _DELAY, "write `500ms`, `10s` or `1m`")
    match = _DELAY.fullmatch(text)
    if match is None:
        return chosen, 0.0
    seconds = int(match[1]) * _SECONDS[match[2]]
    if not 0 < seconds <= MAX_DELAY_SECONDS:
        reader.report(node, f"`max_delay` is 1ms to {MAX_DELAY_SECONDS}s, found {quote(text)}")
    return chosen, seconds


def _per(reader: Reader, found: Mapping[str, Node], default: Per) -> Per:
    if "per" not in found:
        return default
    return Per(_word(reader, found["per"], "`per`", _OWNERS[default]) or default)


def _word(reader: Reader, node: Node, what: str, known: tuple[str, ...]) -> str:
    text = reader.text(node, what)
    if text and text not in known:
        names = [str(name) for name in known]
        reader.report(node, f"unknown value {quote(text)} of {what}", did_you_mean(text, names) or ", ".join(names))
        return ""
    return text


def _number(reader: Reader, found: Mapping[str, Node], name: str, most: int) -> int:
    if name not in found:
        return 0
    value = reader.integer(found[name], f"`{name}`")
    if isinstance(found[name].value, int) and not 1 <= value <= most:
        reader.report(found[name], f"`{name}` is 1 to {most}, found {value}")
        return 1
    return value
