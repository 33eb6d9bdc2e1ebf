from __future__ import annotations

from pathlib import Path

import pytest

from broker.config.alerting import Alerting, AlertKind, Channel, ChannelKind, WorkingHours
from broker.config.loader import load_configuration
from broker.config.model import Configuration
from broker.errors import ConfigError, Finding
from tests.unit.broker.config.paper import CONNECTORS, MAIN, write

CHANNELS = '  "slack:#deploys": {kind: log}\n'
OPS = "  ops: {kind: apprise, url_file: /etc/ostiary/ops}\n"
SOC = "  soc: {kind: webhook, url: https://soc.example:8443/a?b=c, secret_file: /etc/ostiary/soc}\n"
HOURS = '{days: mon-fri, from: "08:00", to: "19:00", zone: Europe/Berlin}'


def load(root: Path, text: str) -> Configuration:
    return load_configuration(write(root, text), CONNECTORS)


def faults(root: Path, text: str) -> list[Finding]:
    with pytest.raises(ConfigError) as caught:
        load(root, text)
    return caught.value.findings


def with_hours(hours: str) -> str:
    return MAIN.replace("description: The shop", f"description: The shop\n    hours: {hours}")


@pytest.mark.req("L3")
def test_channels_and_who_is_told_of_what_are_read(tmp_path: Path) -> None:
    found = load(
        tmp_path, MAIN + OPS + SOC + "alerts: {channels: [ops, soc], rotation_days: 30, kinds: [denied, off-hours]}\n"
    )
    assert found.channels["ops"] == Channel("ops", ChannelKind.APPRISE, url_file="/etc/ostiary/ops")
    assert found.channels["soc"] == Channel(
        "soc", ChannelKind.WEBHOOK, url="https://soc.example:8443/a?b=c", secret_file="/etc/ostiary/soc"
    )
    assert found.alerting == Alerting(("ops", "soc"), 30, frozenset({AlertKind.DENIED, AlertKind.OFF_HOURS}))


def test_without_a_word_alerts_are_in_the_list_only(tmp_path: Path) -> None:
    assert load(tmp_path, MAIN).alerting == Alerting((), 90, frozenset())
    assert load(tmp_path, MAIN + "alerts: {}\n").alerting == Alerting()


@pytest.mark.req("L3")
@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (HOURS, WorkingHours(frozenset({1, 2, 3, 4, 5}), 480, 1140, "Europe/Berlin")),
        ('{days: [sat, sun], from: "00:00", to: "24:00"}', WorkingHours(frozenset({6, 7}), 0, 1440, "UTC")),
        ('{days: fri-mon, from: "22:00", to: "06:30"}', WorkingHours(frozenset({5, 6, 7, 1}), 1320, 390)),
        ('{days: wed, from: "22:00", to: "23:59"}', WorkingHours(frozenset({3}), 1320, 1439)),
        ('{days: [mon-tue, sun], from: "01:00", to: "02:00"}', WorkingHours(frozenset({1, 2, 7}), 60, 120)),
    ],
)
def test_hours_of_a_project_are_read(tmp_path: Path, hours: str, expected: WorkingHours) -> None:
    assert load(tmp_path, with_hours(hours)).projects["web"].hours == expected


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("mon-fri", "mon-fry", "`days` does not fit"),
        ("mon-fri", "5", "`days` does not fit"),
        ("mon-fri", "[mon, funday]", "no day"),
        ("mon-fri", "[]", "1 to"),
        ('"08:00"', '"8:00"', "`from` does not fit"),
        ('"08:00"', '"24:30"', "`from` does not fit"),
        ('"08:00"', '"25:00"', "`from` does not fit"),
        ('"19:00"', "1900", "`to` must be text"),
        ('"19:00"', '"08:00"', "the same as `from`"),
        ("Europe/Berlin", "Europe/Berlim", "unknown time zone"),
        ("Europe/Berlin", "Europe", "unknown time zone"),
        ("Europe/Berlin", "../../etc/passwd", "unknown time zone"),
        ("Europe/Berlin", "/etc/passwd", "unknown time zone"),
        ("zone:", "zome:", "unknown key `zome`"),
        ("days: mon-fri, ", "", "has no `days`"),
    ],
)
def test_hours_that_are_none_are_told_with_their_place(tmp_path: Path, old: str, new: str, words: str) -> None:
    found = faults(tmp_path, with_hours(HOURS.replace(old, new)))
    assert [fault.line for fault in found] == [5]
    assert words in found[0].message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (OPS.replace(", url_file: /etc/ostiary/ops", ""), "has no `url_file`"),
        (OPS.replace("/etc/ostiary/ops", "ops-url"), "`url_file` does not fit"),
        (OPS.replace("/etc/ostiary/ops", "/etc/../root/x"), "`..`"),
        (OPS.replace("url_file", "url"), "unknown key `url`"),
        (SOC.replace(", secret_file: /etc/ostiary/soc", ""), "has no `secret_file`"),
        (SOC.replace("secret_file", "secret"), "unknown key `secret`"),
        (SOC.replace("https://soc", "ftp://soc"), "`url` is no URL"),
        (SOC.replace("https://soc", "https://user:hunter2@soc"), "`url` is no URL"),
        (SOC.replace(":8443", ":0"), "`url` is no URL"),
        (SOC.replace(":8443", ":99999"), "`url` is no URL"),
        (SOC.replace("https://soc.example:8443/a?b=c", '"https://soc.example/a b"'), "`url` is no URL"),
        (SOC.replace("a?b=c", "a" * 3000), "`url` is no URL"),
        ("  x: {kind: webhok, url: https://a.example, secret_file: /x}\n", "unknown kind of channel `webhok`"),
        ("  x: {kind: log, url: https://a.example}\n", "unknown key `url`"),
        ("  x: 5\n", "must be a mapping"),
        ("alerts: {channels: [slak]}\n", "unknown entry `slak` of `channels`"),
        ("alerts: {channels: ops}\n", "must be a list"),
        ("alerts: {kinds: [test]}\n", "unknown entry `test` of `kinds`"),
        ("alerts: {kinds: [denid]}\n", "unknown entry `denid` of `kinds`"),
        ("alerts: {rotation_days: 0}\n", "`rotation_days` is 1 to"),
        ("alerts: {rotation_days: 9999}\n", "`rotation_days` is 1 to"),
        ('alerts: {rotation_days: "90"}\n', "must be a whole number"),
        ("alerts: {chanels: []}\n", "unknown key `chanels`"),
    ],
)
def test_channels_and_alerts_that_are_none_are_told(tmp_path: Path, text: str, words: str) -> None:
    found = faults(tmp_path, MAIN + text)
    assert any(words in fault.message for fault in found), found
    assert "hunter2" not in str(found)
