from __future__ import annotations

from typing import Any

import pytest

from broker.clock import NS_PER_SECOND
from broker.doors.llm.remaining import Remaining
from broker.holds import Unit
from broker.limits.budgets import BudgetStatus
from broker.limits.drawing import Scope
from broker.model import IntentState
from broker.outcome import Problem, ProblemKind
from tests.unit.broker.doors.asgi import Client, Reply
from tests.unit.broker.doors.llm.house import LlmWorld, answering, ask, refusing

pytestmark = pytest.mark.req("A5", "L1")

NOW = 1_800_000_000


def budget(
    used: int, *, name: str = "max_tokens_per_day", unit: Unit = Unit.TOKENS, resets: int = 3600, **more: Any
) -> BudgetStatus:
    resets_at_ns = (NOW + resets) * NS_PER_SECOND if resets else 0
    given = {"cap": 1000, "reserved": 0, **more}
    return BudgetStatus(
        f"agent/pusher/{name}", name, Scope.AGENT, "pusher", unit, used=used, resets_at_ns=resets_at_ns, **given
    )


def told(reply: Reply) -> dict[str, str]:
    short = {name.removeprefix("anthropic-ratelimit-"): value for name, value in reply.headers.items()}
    return {name: value for name, value in short.items() if name.startswith(("unified-", "x-ostiary-budget"))}


@pytest.mark.parametrize(
    ("used", "status"), [(0, "allowed"), (749, "allowed"), (750, "allowed_warning"), (950, "allowed_warning"),
                         (1200, "allowed_warning")],
)  # fmt: skip
async def test_a_client_of_anthropic_is_warned_of_the_fullest_budget(
    world: LlmWorld, client: Client, used: int, status: str
) -> None:
    answering(world)
    world.budgets = [budget(0, name="other"), budget(used, name="full")] if used else [budget(used, name="full")]
    assert told(await ask(client, world)) == {
        "unified-status": status,
        "unified-representative-claim": "five_hour",
        "unified-reset": str(NOW + 3600),
        "unified-5h-utilization": f"{min(used // 10, 100) / 100:.2f}",
        "unified-5h-reset": str(NOW + 3600),
        "x-ostiary-budget": "full",
        "x-ostiary-budget-unit": "tokens",
        "x-ostiary-budget-remaining": str(max(1000 - used, 0)),
        "x-ostiary-budget-reset": str(NOW + 3600),
    }


async def test_a_longer_period_is_the_longer_window_and_a_session_ends_with_itself(
    world: LlmWorld, client: Client
) -> None:
    answering(world)
    world.budgets = [budget(10, resets=86_400, reserved=90)]
    found = told(await ask(client, world))
    assert (found["unified-representative-claim"], found["unified-7d-reset"]) == ("seven_day", str(NOW + 86_400))
    assert found["x-ostiary-budget-remaining"] == "900"
    world.clock.at_ns += 6 * NS_PER_SECOND
    world.budgets = [budget(10, resets=0)]
    over = world.session_of(world.pusher_token).expires_at_ns // NS_PER_SECOND
    assert told(await ask(client, world))["unified-reset"] == str(over)


async def test_other_formats_and_streams_are_told_too(world: LlmWorld, client: Client) -> None:
    answering(world)
    world.budgets = [budget(10, unit=Unit.NANO_DOLLARS)]
    found = told(await ask(client, world, "/v1/chat/completions"))
    assert set(found) == {f"x-ostiary-budget{each}" for each in ("", "-unit", "-remaining", "-reset")}
    assert found["x-ostiary-budget-unit"] == "nano_dollars"


async def test_ours_win_over_those_of_the_provider(world: LlmWorld, client: Client) -> None:
    answering(world, headers={"anthropic-ratelimit-unified-status": "allowed", "anthropic-ratelimit-tokens-limit": "5"})
    world.budgets = [budget(800)]
    reply = await ask(client, world)
    assert reply.headers["anthropic-ratelimit-unified-status"] == "allowed_warning"
    assert reply.headers["anthropic-ratelimit-tokens-limit"] == "5"


async def test_who_is_refused_for_a_budget_is_told_it_is_reached(world: LlmWorld, client: Client) -> None:
    world.budgets = [budget(990)]
    refusing(world, Problem(ProblemKind.BUDGET_EXCEEDED, "spent"), IntentState.REFUSED)
    reply = await ask(client, world)
    assert (reply.status, reply.json()["error"]["type"]) == (429, "billing_error")
    assert told(reply)["unified-status"] == "rejected"
    refusing(world, Problem(ProblemKind.DENIED, "no"), IntentState.DENIED)
    assert told(await ask(client, world))["unified-status"] == "allowed_warning"


@pytest.mark.parametrize("budgets", [[], [budget(50, unit=Unit.SESSIONS), budget(50, unit=Unit.CALLS)]])
async def test_without_a_budget_of_what_models_cost_nothing_is_told(
    world: LlmWorld, client: Client, budgets: list[BudgetStatus]
) -> None:
    answering(world)
    world.budgets = budgets
    assert told(await ask(client, world)) == {}


async def test_a_database_that_is_away_keeps_nobody_from_an_answer(world: LlmWorld, client: Client) -> None:
    answering(world)
    world.budgets = [budget(1)]
    world.store_away = True
    reply = await ask(client, world)
    assert (reply.status, told(reply)) == (200, {})


async def test_it_is_looked_up_every_five_seconds_at_most_for_as_many_sessions_as_are_remembered(
    world: LlmWorld,
) -> None:
    known, session = Remaining(world, most=1), world.session_of(world.pusher_token)
    world.budgets = [budget(1)]
    for seconds, looks in ((0.0, 1), (4.9, 1), (0.2, 2), (5.0, 3)):
        world.clock.at_ns += int(seconds * NS_PER_SECOND)
        assert await known.of(session) is not None
        assert world.budget_looks == looks
    await known.of(world.session_of(world.reader_token))
    await known.of(session)
    assert world.budget_looks == 5
