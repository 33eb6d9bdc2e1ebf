from __future__ import annotations

from pathlib import Path

import pytest

from broker.config.limits import Asking, Budget, BudgetLine, Mode, OnExceed, Period, read_budget
from broker.config.loader import load_configuration
from broker.holds import Unit
from policies.document.nodes import Reader
from policies.document.strict_yaml import parse
from policies.errors import Finding
from tests.unit.broker.config.paper import CONNECTORS, MAIN, write

NANO = 10**9


def read(text: str, *, project: bool = False) -> tuple[Budget | None, list[Finding]]:
    reader = Reader("ostiary.yaml")
    found = read_budget(reader, parse(text.encode(), "ostiary.yaml"), project=project)
    return found, reader.findings


def good(text: str, *, project: bool = False) -> Budget:
    found, findings = read(text, project=project)
    assert findings == []
    assert found is not None
    return found


def only(text: str, *, project: bool = False) -> Finding:
    _, findings = read(text, project=project)
    assert len(findings) == 1, findings
    return findings[0]


@pytest.mark.req("L1")
def test_the_forms_of_the_brief_load(tmp_path: Path) -> None:
    main = MAIN.replace(
        "    owner: alice\n",
        "    owner: alice\n    budget: {max_tokens_per_session: 100000, max_sessions_per_day: 50, alert_at: 80%}\n",
    ).replace(
        "    connections: [lake, code]\n",
        "    connections: [lake, code]\n"
        "    project_budget: {monthly_limit: $500, alert_thresholds: [50%, 75%, 90%], on_exceed: pause_and_alert}\n",
    )
    found = load_configuration(write(tmp_path, main), CONNECTORS)
    assert found.agents["ci-runner"].budget == Budget(
        (
            BudgetLine("max_tokens_per_session", Unit.TOKENS, Period.SESSION, 100_000),
            BudgetLine("max_sessions_per_day", Unit.SESSIONS, Period.DAY, 50),
        ),
        (80,),
    )
    assert found.projects["web"].budget == Budget(
        (BudgetLine("monthly_limit", Unit.NANO_DOLLARS, Period.MONTH, 500 * NANO),),
        (50, 75, 90),
        OnExceed.PAUSE_AND_ALERT,
    )
    assert found.agents["helper"].budget is None


def test_every_word_of_an_agents_budget_is_read() -> None:
    found = good(
        """
max_tokens_per_session: 1
max_tokens_per_day: 2
max_tokens_per_week: 3
max_tokens_per_month: 0
max_cost_per_session: $0.000000001
max_cost_per_day: "$0.25"
max_cost_per_week: 500 USD
max_cost_per_month: $1000000000
max_sessions_per_day: 5
max_actions:
  - {actions: "s3:PutObject", per: hour, max: 100}
  - {actions: "s3:PutObject", per: session, max: 7}
  - {actions: "*", per: day, max: 9}
alert_thresholds: [90%, 5%]
on_exceed: ask
ask: {channel: "slack:#spend", timeout: 30m, extra: 50%, approvers: [alice, bob]}
mode: strict
time_zone: Europe/Berlin
"""
    )
    assert {(line.name, line.unit, line.period, line.cap, line.actions) for line in found.lines} == {
        ("max_tokens_per_session", Unit.TOKENS, Period.SESSION, 1, "*"),
        ("max_tokens_per_day", Unit.TOKENS, Period.DAY, 2, "*"),
        ("max_tokens_per_week", Unit.TOKENS, Period.WEEK, 3, "*"),
        ("max_tokens_per_month", Unit.TOKENS, Period.MONTH, 0, "*"),
        ("max_cost_per_session", Unit.NANO_DOLLARS, Period.SESSION, 1, "*"),
        ("max_cost_per_day", Unit.NANO_DOLLARS, Period.DAY, NANO // 4, "*"),
        ("max_cost_per_week", Unit.NANO_DOLLARS, Period.WEEK, 500 * NANO, "*"),
        ("max_cost_per_month", Unit.NANO_DOLLARS, Period.MONTH, 10**18, "*"),
        ("max_sessions_per_day", Unit.SESSIONS, Period.DAY, 5, "*"),
        ("max_actions(s3:PutObject)_per_hour", Unit.CALLS, Period.HOUR, 100, "s3:PutObject"),
        ("max_actions(s3:PutObject)_per_session", Unit.CALLS, Period.SESSION, 7, "s3:PutObject"),
        ("max_actions(*)_per_day", Unit.CALLS, Period.DAY, 9, "*"),
    }
    assert found.thresholds == (5, 90)
    assert (found.on_exceed, found.mode, found.zone) == (OnExceed.ASK, Mode.STRICT, "Europe/Berlin")
    assert found.asking == Asking("slack:#spend", 1800, 50, ("alice", "bob"))


def test_every_word_of_a_projects_budget_is_read() -> None:
    found = good(
        "{monthly_limit: $1, weekly_limit: $2, daily_limit: $3, monthly_tokens: 4, daily_tokens: 5, "
        'max_actions: [{actions: "git:push", per: week, max: 6}]}',
        project=True,
    )
    assert [(line.unit, line.period, line.cap) for line in found.lines] == [
        (Unit.NANO_DOLLARS, Period.MONTH, NANO),
        (Unit.NANO_DOLLARS, Period.WEEK, 2 * NANO),
        (Unit.NANO_DOLLARS, Period.DAY, 3 * NANO),
        (Unit.TOKENS, Period.MONTH, 4),
        (Unit.TOKENS, Period.DAY, 5),
        (Unit.CALLS, Period.WEEK, 6),
    ]


def test_what_is_not_written_is_the_safe_default() -> None:
    assert good("max_tokens_per_day: 5") == Budget((BudgetLine("max_tokens_per_day", Unit.TOKENS, Period.DAY, 5),))
    asking = good("{max_tokens_per_day: 5, on_exceed: ask, ask: {extra: 1000%}}").asking
    assert asking == Asking("approvals", 3600, 1000)


@pytest.mark.parametrize(
    ("written", "nano"),
    [("$5", 5 * NANO), ("$ 5", 5 * NANO), ("5USD", 5 * NANO), ("$0", 0), ("$0.1", NANO // 10), ("$0.29", 290_000_000)],
)
def test_money_is_read_to_the_nano_dollar(written: str, nano: int) -> None:
    assert good(f'max_cost_per_day: "{written}"').lines[0].cap == nano


@pytest.mark.parametrize(
    "written",
    [
        "-$5", "$-5", "+$5", "$1e3", "$1,000", "$1_000", "$.5", "$5.", "$0.0000000001", "€5", "5 EUR", "5 usd",
        "$5 USD", "$1000000001", "$1000000000.1", "$NaN", "$Infinity", "$\\u0665", "$5\\n", " $5", "", "5",
    ],
)  # fmt: skip
def test_money_in_any_other_form_is_refused(written: str) -> None:
    finding = only(f'max_cost_per_day: "{written}"')
    assert (finding.line, finding.column) == (1, 19)


@pytest.mark.parametrize(
    ("text", "column", "words", "fix"),
    [
        ("{max_token_per_day: 5, max_cost_per_day: $1}", 2, "unknown key `max_token_per_day`", "`max_tokens_per_day`"),
        ("{monthly_limit: $5, max_cost_per_day: $1}", 2, "unknown key `monthly_limit` in `budget`", "known here"),
        ("{}", 1, "`budget` counts nothing", "max_tokens_per_session"),
        ("{alert_at: 80%}", 1, "`budget` counts nothing", ""),
        ("{max_tokens_per_day: -1}", 22, "0 to 1000000000000000", ""),
        ("{max_tokens_per_day: 1000000000000001}", 22, "0 to 1000000000000000", ""),
        ("{max_tokens_per_day: $5}", 22, "must be a whole number", ""),
        ("{max_tokens_per_day: true}", 22, "must be a whole number", ""),
        ("{max_cost_per_day: 5}", 20, "must be an amount of money, found the number `5`", "write US dollars"),
        ("{max_sessions_per_day: 1, alert_at: 80}", 37, "must be a percentage", "as `80%`"),
        ("{max_sessions_per_day: 1, alert_at: 0%}", 37, "1% to 100%", "as `80%`"),
        ("{max_sessions_per_day: 1, alert_at: 101%}", 37, "1% to 100%", ""),
        ("{max_sessions_per_day: 1, alert_at: 8.5%}", 37, "1% to 100%", ""),
        ("{max_sessions_per_day: 1, alert_at: 5%, alert_thresholds: [6%]}", 37, "beside `alert_thresholds`", "delete"),
        ("{max_sessions_per_day: 1, alert_thresholds: []}", 45, "1 to 10 entries, found 0", ""),
        ("{max_sessions_per_day: 1, alert_thresholds: 5%}", 45, "must be a list", ""),
        ("{max_sessions_per_day: 1, alert_thresholds: [5%, 5%]}", 45, "stands twice", "delete one"),
        ("{max_sessions_per_day: 1, on_exceed: denny}", 38, "unknown value `denny`", "did you mean `deny`?"),
        ("{max_sessions_per_day: 1, on_exceed: nothing}", 38, "unknown value", "deny, pause_and_alert, ask"),
        ("{max_sessions_per_day: 1, on_exceed: [deny]}", 38, "must be text", ""),
        ("{max_sessions_per_day: 1, mode: stricd}", 33, "unknown value `stricd` of `mode`", "did you mean `strict`?"),
        ("{max_sessions_per_day: 1, time_zone: Europe/Berln}", 38, "no such time zone", "`Europe/Berlin`?"),
        ("{max_sessions_per_day: 1, time_zone: localtime}", 38, "no such time zone", "IANA name"),
        ("{max_sessions_per_day: 1, time_zone: ../../etc/passwd}", 38, "no such time zone", ""),
        ("{max_sessions_per_day: 1, time_zone: 1}", 38, "must be text", ""),
        ("{max_sessions_per_day: 1, on_exceed: ask}", 38, "needs `ask`", "extra: 50%"),
        ("{max_sessions_per_day: 1, ask: {extra: 5%}}", 32, "asks nobody", "`on_exceed: ask`"),
        ("{max_sessions_per_day: 1, on_exceed: ask, ask: {}}", 48, "`ask` has no `extra`", ""),
        ("{max_sessions_per_day: 1, on_exceed: ask, ask: {extra: 1001%}}", 56, "1% to 1000%", ""),
        ("{max_sessions_per_day: 1, on_exceed: ask, ask: {extra: 5%, timeout: 0s}}", 69, "1s to 168h", ""),
        ("{max_sessions_per_day: 1, on_exceed: ask, ask: {extra: 5%, timeout: 5d}}", 69, "does not fit", "`90s`"),
        ("{max_sessions_per_day: 1, on_exceed: ask, ask: {extra: 5%, chanel: x}}", 60, "unknown key", "`channel`"),
        ("{max_sessions_per_day: 1, on_exceed: ask, ask: {extra: 5%, approvers: []}}", 71, "1 to 64 entries", ""),
        ("{max_actions: []}", 15, "1 to 32 entries, found 0", ""),
        ("{max_actions: {}}", 15, "must be a list", ""),
        ("{max_sessions_per_day: 1, max_actions: [{per: day, max: 1}]}", 41, "has no `actions`", ""),
        ('{max_actions: [{actions: "s3/x", per: day, max: 1}]}', 26, "`actions` does not fit", "s3:Put*"),
        ('{max_actions: [{actions: "a:b", per: dya, max: 1}]}', 38, "unknown value `dya` of `per`", "mean `day`"),
        ('{max_actions: [{actions: "a:b", per: day, max: x}]}', 48, "must be a whole number", ""),
        (
            '{max_actions: [{actions: "a:b", per: day, max: 1}, {actions: "a:b", per: day, max: 2}]}',
            52, "`a:b` per day stands twice", "delete one",
        ),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place_and_a_way_out(text: str, column: int, words: str, fix: str) -> None:
    _, findings = read(text)
    at_place = [finding for finding in findings if (finding.line, finding.column) == (1, column)]
    assert any(words in finding.message and fix in finding.fix for finding in at_place), findings


def test_a_budget_that_is_no_mapping_is_a_fault() -> None:
    assert "must be a mapping" in read("[max_tokens_per_day]")[1][0].message


def test_a_projects_budget_has_words_of_its_own() -> None:
    assert "did you mean `monthly_limit`?" in only("{monthly_limt: $5, daily_limit: $1}", project=True).fix
    finding = only('{max_actions: [{actions: "a:b", per: session, max: 1}]}', project=True)
    assert "unknown value `session` of `per`" in finding.message
    assert "session" not in finding.fix
