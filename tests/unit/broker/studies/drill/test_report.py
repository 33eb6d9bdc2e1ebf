from __future__ import annotations

import json

import pytest

from broker.studies.drill.report import Check, CheckName, DrillReport, Verdict

AT_NS = 1_800_000_000_000_000_000


def report(verdict: Verdict = Verdict.PASSED, *, fault: str = "", tried: tuple[str, ...] = ()) -> DrillReport:
    check = Check("ci", CheckName.OUTSIDE_POLICY, verdict, "git:push on a|b", "denied\n*", "default deny", 7)
    return DrillReport(AT_NS, "c0ffee", (check,), 9, fault, tried)


@pytest.mark.parametrize(
    ("drilled", "failed"),
    [
        (report(), False),
        (report(Verdict.NOT_APPLICABLE), False),
        (report(Verdict.NOT_CONFIGURED), False),
        (report(Verdict.FAILED), True),
        (report(fault="the root differs"), True),
        (report(tried=("lease",)), True),
    ],
)
def test_a_drill_fails_by_a_check_a_damaged_ledger_or_anything_that_left(drilled: DrillReport, *, failed: bool) -> None:
    assert (drilled.failed, drilled.exit_status) == (failed, int(failed))
    word = "failed" if failed else "passed"
    assert drilled.to_json()["result"] == word
    assert drilled.to_markdown().startswith(f"# Policy drill of 2027-01-15T08:00:00.000Z: {word}\n")


def test_the_page_holds_every_check_in_a_row_nothing_in_it_can_break() -> None:
    lines = report(fault="the root differs", tried=("lease a", "send b")).to_markdown().splitlines()
    row = next(line for line in lines if line.startswith("| ci "))
    assert row == "| ci | outside policy | passed | git:push on a\\|b | denied \\* | default deny | 7 |"
    assert lines[-2:] == [
        "- Ledger of the drill: 9 events, damaged: the root differs.",
        "- Lent or sent: lease a; send b.",
    ]


def test_the_json_is_dated_and_says_which_configuration_it_is_about() -> None:
    told = json.loads(json.dumps(report().to_json()))
    assert (told["at"], told["configuration"], told["sent"]) == ("2027-01-15T08:00:00.000Z", "c0ffee", [])
    assert told["ledger"] == {"events": 9, "verified": True, "fault": ""}
    assert told["checks"][0]["check"] == "outside policy"
