"""What an intent holds of budgets, and how that is settled whoever writes its outcome."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.holds import HOUR_NS, NOTHING, Unit, facts_of, settlement, used
from broker.ids import Digest, IntentId, SessionId
from broker.model import IntentRecord, IntentState
from broker.store.base import Accrue
from connectors.usage import Usage

pytestmark = pytest.mark.req("L1")

RECORD = IntentRecord(
    IntentId("int_1"), SessionId("ses_1"), "scribe", "desk", "llm:InvokeModel", (), Digest(""), Digest(""),
    IntentState.EXECUTING, 1, 1, "ins_1", "read", "", "", 0, 0,
    hold={"lines": [["a/tokens", "tokens", 100], ["b/money", "nano_dollars", 900], ["c/calls", "calls", 1]]},
)  # fmt: skip
SPENT = Usage(input_tokens=30, output_tokens=12, nano_dollars=77, model="acme/large", upstream="one")


def settled(usage: Usage | None) -> dict[str, tuple[int, int]]:
    steps = [step for step in settlement(RECORD, usage, 0) if isinstance(step, Accrue) and step.table == "budgets"]
    return {step.key["key"]: (step.add["used"], step.add["reserved"]) for step in steps}


def test_what_was_used_is_settled_and_the_whole_reservation_given_back() -> None:
    assert settled(SPENT) == {"a/tokens": (42, -100), "b/money": (77, -900), "c/calls": (1, -1)}


def test_what_nobody_knows_counts_as_all_that_was_reserved() -> None:
    assert settled(None) == {"a/tokens": (100, -100), "b/money": (900, -900), "c/calls": (1, -1)}


def test_what_was_never_sent_uses_nothing() -> None:
    assert settled(NOTHING) == {"a/tokens": (0, -100), "b/money": (0, -900), "c/calls": (0, -1)}


def test_a_metered_call_is_summed_under_its_hour() -> None:
    *_, account = settlement(RECORD, SPENT, 3 * HOUR_NS + 5)
    assert isinstance(account, Accrue)
    assert (account.table, account.key["hour_ns"], account.key["model"]) == ("usage_hours", 3 * HOUR_NS, "acme/large")
    assert account.add["input_tokens"] == 30


def test_a_call_without_a_model_has_no_usage_to_tell_of() -> None:
    assert facts_of(Usage()) == {}
    assert settlement(replace(RECORD, hold={}), Usage(), 0) == ()
    assert "usage_estimated" not in facts_of(SPENT)["usage"]


@pytest.mark.parametrize(("unit", "amount"), [("tokens", 42), ("nano_dollars", 77), ("calls", 1), ("sessions", 0)])
def test_each_unit_is_counted(unit: str, amount: int) -> None:
    assert used(Unit(unit), SPENT) == amount
