from __future__ import annotations

import pytest

from policies.conditions.moments import parse_moment
from policies.conditions.operands import MAX_OPERAND_CHARS, MAX_OPERANDS, MAX_SEARCHED
from policies.conditions.when import MAX_CONDITIONS, parse_when
from policies.document.nodes import Reader
from policies.document.strict_yaml import parse
from policies.errors import Finding, YamlError
from policies.model import Condition, Scalar

VARIABLES = ", ".join(f"'{n}${{project}}'" for n in range(MAX_SEARCHED + 1))
WEEK = "mon,tue,wed,thu,fri,sat,sun"


def read(text: str) -> tuple[tuple[Condition, ...], list[Finding]]:
    reader = Reader("bot.yaml")
    conditions = parse_when(reader, parse(text.encode(), "bot.yaml"))
    return conditions, reader.findings


def one(text: str) -> tuple[str, str, tuple[Scalar, ...]]:
    conditions, findings = read(text)
    assert findings == []
    (condition,) = conditions
    return condition.key, condition.operator, condition.operands


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("source_ip: [10.0.0.0/8, '2001:db8::/32']", ("source_ip", "ip_in", ("10.0.0.0/8", "2001:db8::/32"))),
        ("source_ip: 192.0.2.7", ("source_ip", "ip_in", ("192.0.2.7/32",))),
        ("source_ip: {not: [10.0.0.0/8]}", ("source_ip", "ip_not_in", ("10.0.0.0/8",))),
        ("source_ip: '::ffff:10.0.0.0/104'", ("source_ip", "ip_in", ("10.0.0.0/8",))),
        (
            "time: {days: mon-fri, hours: 09:00-17:00, zone: Europe/Berlin}",
            ("time", "time_in", ("Europe/Berlin", "mon,tue,wed,thu,fri", "09:00-17:00")),
        ),
        ("time: {days: [sun, mon-tue], zone: UTC}", ("time", "time_in", ("UTC", "mon,tue,sun", "00:00-24:00"))),
        (
            "time: {hours: [09:00-12:00, 13:00-17:00], zone: UTC}",
            ("time", "time_in", ("UTC", WEEK, "09:00-12:00", "13:00-17:00")),
        ),
        ("time: {not: {days: sat, zone: UTC}}", ("time", "time_not_in", ("UTC", "sat", "00:00-24:00"))),
        ("before: '2027-01-01T00:00:00Z'", ("time", "before", (parse_moment("2027-01-01T00:00:00Z"),))),
        ("after: '2027-01-01T00:00:00+01:00'", ("time", "after", (parse_moment("2026-12-31T23:00:00Z"),))),
        ("params.InstanceType: [t3.*, t4g.micro]", ("params.InstanceType", "is", ("t3.*", "t4g.micro"))),
        ("params.force: false", ("params.force", "is", (False,))),
        ("params.Count: 5", ("params.Count", "is", (5,))),
        ("params.Count: {min: 1}", ("params.Count", "min", (1,))),
        ("params.Count: {not: [1, 2]}", ("params.Count", "is_not", (1, 2))),
        ("params.Account: {text: '123456789012'}", ("params.Account", "is", ("123456789012",))),
        ("params.Account: {text: ['1', 'true']}", ("params.Account", "is", ("1", "true"))),
        ("params.Account: {not: {text: '1'}}", ("params.Account", "is_not", ("1",))),
        ("params.a.b-c.d_e: x", ("params.a.b-c.d_e", "is", ("x",))),
        ("agent.id: ci-*", ("agent.id", "is", ("ci-*",))),
        ("agent.owner: {not: '${session.owner}'}", ("agent.owner", "is_not", ("${session.owner}",))),
        ("session.owner: [ann, ben]", ("session.owner", "is", ("ann", "ben"))),
        ("session.ticket: '123'", ("session.ticket", "is", ("123",))),
        ("project: web", ("project", "is", ("web",))),
        ("rate_class: [low, normal]", ("rate_class", "is", ("low", "normal"))),
        ("rate_class: {not: high}", ("rate_class", "is_not", ("high",))),
    ],
)
def test_every_key_reads_as_its_condition(text: str, expected: tuple[str, str, tuple[Scalar, ...]]) -> None:
    assert one(text) == expected


def test_a_boolean_stays_a_boolean_and_a_number_a_number() -> None:
    assert [type(value) for value in one("params.x: [true, 1, a]")[2]] == [bool, int, str]


def test_several_keys_are_several_conditions_in_their_order() -> None:
    conditions, findings = read("project: web\nparams.n: {max: 9, min: 1, not: 5}\nagent.id: bot\n")
    assert findings == []
    assert [(condition.key, condition.operator) for condition in conditions] == [
        ("project", "is"),
        ("params.n", "max"),
        ("params.n", "min"),
        ("params.n", "is_not"),
        ("agent.id", "is"),
    ]


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("source-ip: 10.0.0.0/8", (1, 1), "source_ip"),
        ("param.n: 5", (1, 1), "params.NAME"),
        ("colour: red", (1, 1), "known here"),
        ("Session.owner: ann", (1, 1), "session.owner"),
        ("session.A: x", (1, 1), "session.LABEL"),
        ("params.: 5", (1, 1), "params.Name"),
        ("params.a..b: 5", (1, 1), "params.Name"),
        (f"params.{'.'.join('abcdefghi')}: 5", (1, 1), "params.Name"),
        ("[a]", (1, 1), ""),
        ("{}", (1, 1), "leave it out"),
        ("~", (1, 1), "leave it out"),
        ("source_ip: []", (1, 12), ""),
        ("source_ip: 172.20.2.3/12", (1, 12), "`172.16.0.0/12`"),
        ("source_ip: 2001:db8::1/32", (1, 12), "2001:db8::/32"),
        ("source_ip: [10.0.0.0/8, home]", (1, 25), "10.0.0.0/8"),
        ("source_ip: 10.0.0.0/255.0.0.0", (1, 12), "10.0.0.0/8"),
        ("source_ip: 10.0.0.0/33", (1, 12), "10.0.0.0/8"),
        ("source_ip: 5", (1, 12), "quotes"),
        ("time: ~", (1, 7), ""),
        ("time: mon-fri", (1, 7), ""),
        ("time: {days: mon-fri}", (1, 7), ""),
        ("time: {zone: UTC}", (1, 7), ""),
        ("time: {days: mon, zone: Europe/Berlyn}", (1, 25), "Europe/Berlin"),
        ("time: {days: mon, zone: xyzzy}", (1, 25), "IANA"),
        ("time: {days: mon, zone: 5}", (1, 25), "quotes"),
        ("time: {days: monday, zone: UTC}", (1, 14), "`mon`"),
        ("time: {days: [], zone: UTC}", (1, 14), ""),
        ("time: {days: [mon, 5], zone: UTC}", (1, 20), ""),
        ("time: {days: x, zone: UTC}", (1, 14), "known here"),
        ("time: {hours: 9-17, zone: UTC}", (1, 15), "09:00-17:00"),
        ("time: {hours: [9], zone: UTC}", (1, 16), ""),
        ("time: {not: {days: mon, zone: UTC}, days: tue}", (1, 37), ""),
        ("time: {not: {}}", (1, 13), ""),
        ("before: tomorrow", (1, 9), "2027"),
        ("before: '2027-01-01'", (1, 9), "2027"),
        ("after: 5", (1, 8), ""),
        ("before: '2026-01-01T00:00:00Z'\nafter: '2026-01-01T00:00:00Z'", (1, 1), ""),
        ("params.force: 'true'", (1, 15), "drop the quotes"),
        ("params.n: ['5']", (1, 12), "drop the quotes"),
        ("params.n: '-5'", (1, 11), "drop the quotes"),
        ("params.n: ''", (1, 11), ""),
        ("params.n: ~", (1, 11), ""),
        ("params.n: [[a]]", (1, 12), ""),
        ("params.n: {}", (1, 11), "known here"),
        ("params.n: {mim: 5}", (1, 12), "`min`"),
        ("params.n: {min: x}", (1, 17), ""),
        ("params.n: {min: true}", (1, 17), ""),
        ("params.n: {min: 5, max: 4}", (1, 11), ""),
        ("params.n: {min: 5, text: a}", (1, 11), ""),
        ("params.n: {max: 5, not: a}", (1, 11), ""),
        ("params.n: {max: 5, not: [true]}", (1, 11), ""),
        ("params.n: {not: []}", (1, 17), ""),
        ("params.n: {not: 'true'}", (1, 17), "drop the quotes"),
        ("params.n: {not: {}}", (1, 17), ""),
        ("params.n: {not: {text: 5}}", (1, 24), "quotes"),
        ("session.n: 5", (1, 12), "quotes"),
        ("agent.id: true", (1, 11), "quotes"),
        ("project: {not: []}", (1, 16), ""),
        ("rate_class: hihg", (1, 13), "high"),
        ("rate_class: 5", (1, 13), "known here"),
        ("project: '${agent.name}'", (1, 10), "agent.id"),
        ("project: '${xyz}'", (1, 10), "agent.id"),
        ("project: '${agent.id'", (1, 10), "agent.id"),
        (f"project: {'x' * (MAX_OPERAND_CHARS + 1)}", (1, 10), ""),
        ("project: 'a*a*a*a*a*a*a*a*a*'", (1, 10), ""),
        (f"project: [{', '.join(f'a*{n}' for n in range(MAX_SEARCHED + 1))}]", (1, 10), "star"),
        (f"project: [{VARIABLES}]", (1, 10), "star"),
        (f"project: [{', '.join('x' * (MAX_OPERANDS + 1))}]", (1, 10), ""),
        (f"time: {{hours: [{', '.join(['09:00-10:00'] * (MAX_OPERANDS + 1))}], zone: UTC}}", (1, 15), ""),
        ("\n".join(f"params.p{n}: x" for n in range(MAX_CONDITIONS + 1)), (1, 1), ""),
    ],
)
def test_what_could_be_misread_is_refused_at_its_place(text: str, place: tuple[int, int], hint: str) -> None:
    _, findings = read(text)
    assert [(finding.line, finding.column) for finding in findings] == [place]
    assert hint in findings[0].fix


@pytest.mark.parametrize(
    "text", ["params.n: 5\nparams.n: 6", "before: 2027-01-01", "params.force: yes", "params.n: 1.5"]
)
def test_what_the_strict_reader_refuses_never_gets_here(text: str) -> None:
    with pytest.raises(YamlError):
        read(text)


def test_the_limits_are_allowed() -> None:
    values = [f"{'x' * (MAX_OPERAND_CHARS - 2)}{n:02d}" for n in range(MAX_OPERANDS)]
    conditions, findings = read("\n".join(f"params.p{n}: [{', '.join(values)}]" for n in range(MAX_CONDITIONS)))
    assert findings == []
    assert len(conditions) == MAX_CONDITIONS


def test_a_mistyped_not_is_found_and_the_right_one_missed() -> None:
    _, findings = read("source_ip: {nott: 10.0.0.0/8}")
    assert sorted(finding.column for finding in findings) == [12, 13]


def test_values_with_one_star_at_an_end_are_cheap_enough_to_be_many() -> None:
    searched = [f"a*{n}" for n in range(MAX_SEARCHED)]
    values = [f"{n}*" for n in range(MAX_OPERANDS // 2)] + [f"'*{n}'" for n in range(MAX_OPERANDS // 2 - MAX_SEARCHED)]
    _, findings = read(f"project: [{', '.join(searched + values)}]")
    assert findings == []


def test_every_fault_is_told_at_once() -> None:
    _, findings = read("source_ip: home\nparams.n: 'true'\ncolour: red\n")
    assert [finding.line for finding in findings] == [1, 2, 3]
