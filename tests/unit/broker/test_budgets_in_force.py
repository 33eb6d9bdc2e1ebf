from __future__ import annotations

from pathlib import Path

import pytest

from broker.limits.treasury import Account, Extra
from broker.model import IntentState, Operator, Role
from broker.outcome import ProblemKind
from tests.house import OSTIARY_YAML, open_house, write_policy

KEY = "agent/scribe/max_actions(paper:*)_per_day"
OLIVIA = Operator("olivia", frozenset({Role.ADMIN}))


def configure(folder: Path, most: int) -> None:
    write_policy(folder)
    own = f"scribe: {{project: desk, budget: {{max_actions: [{{actions: 'paper:*', per: day, max: {most}}}]}}}}"
    text = OSTIARY_YAML.replace("scribe: {project: desk}", own)
    (folder / "config" / "ostiary.yaml").write_text(text)


@pytest.mark.req("L1")
async def test_what_is_granted_of_a_budget_that_is_spent_is_there_for_the_next_call(tmp_path: Path) -> None:
    configure(tmp_path, 1)
    async with open_house(tmp_path) as house:
        session, treasury = await house.session(), house.broker.treasury
        assert (await house.ask(session, "Read")).state is IntentState.SUCCEEDED
        refused = await house.ask(session, "Read")
        assert refused.problem is not None
        assert refused.problem.kind is ProblemKind.BUDGET_EXCEEDED
        granted = await treasury.grant(KEY, Extra(1), operator=OLIVIA, reason="one more")
        assert isinstance(granted, Account)
        assert (await house.ask(session, "Read")).state is IntentState.SUCCEEDED
        [own] = await treasury.of_session(session)
        assert (own.row.used, own.row.extra, own.left) == (2, 1, 0)
        configure(tmp_path, 5)
        assert await house.broker.reload() == []
        [own] = await treasury.accounts(agent="scribe")
        assert (own.counter.line.cap, own.left) == (5, 4)
