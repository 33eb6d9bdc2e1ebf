"""The tour's chapter on models: an unmodified SDK asks, a budget says no before money is spent, a kill cuts an answer.

The models are a script that speaks Anthropic's wire format and takes its key alone; nobody thinks here. What is counted
is what the script says it used, as it would be with a provider that says it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeVar

from deploy.tour.agent import Agent, Running
from deploy.tour.configuration import AGENT, BUDGET_TOKENS, MODEL, OTHER_MODEL
from deploy.tour.stage import MODEL_KEY, Stage
from deploy.tour.step import Said, Step
from tests.parts import llm_script
from tests.parts.llm_script import Provider, Reply

T = TypeVar("T")

OK: Final = 200
DENIED: Final = 403
SPENT: Final = 429
KILLED: Final = frozenset({401, 403})
"""It asks again the moment its stream breaks: all it asks is refused already, its session may not have ended yet."""
TEXT: Final = "Fewer queries, and a cache."
USED: Final = 1000
"""Tokens of one call, by the script."""
MOST: Final = 1000
"""What the call asks for that does not fit."""
REASON: Final = "it talks too much"
_EVENTS_WITH_A_WORD: Final = 4
"""Of Anthropic's stream: the beginning of the message, a ping, the beginning of the text, its first word."""
_PROGRAM: Final = f"""\
import json
import anthropic

client = anthropic.Anthropic(timeout=30)

def asked(model, most):
    question = {{"role": "user", "content": "How does it become faster?"}}
    return {{"model": model, "max_tokens": most, "messages": [question]}}

def ask(model, most):
    try:
        return {{"status": 200, "told": client.messages.create(**asked(model, most)).content[0].text}}
    except anthropic.APIStatusError as error:
        return {{"status": error.status_code, "told": error.body["error"]["message"]}}

print(json.dumps([ask("{MODEL}", 100), ask("{OTHER_MODEL}", 100), ask("{MODEL}", {MOST})]), flush=True)
input()
try:
    with client.messages.stream(**asked("{MODEL}", 100)) as stream:
        for word in stream.text_stream:
            print(word, flush=True)
except Exception as error:
    print(json.dumps({{"ended": type(error).__name__, "then": ask("{MODEL}", 100)}}))
"""
"""What the agent runs; it goes on to its last question when it is told to."""


class ModelsChapter:
    """Plays it.

    Args:
        stage: Where.
        agent: Who.
    """

    def __init__(self, stage: Stage, agent: Agent) -> None:
        self._stage = stage
        self._agent = agent
        self._answers: list[dict[str, Any]] = []

    def steps(self) -> Iterator[Callable[[], Step]]:
        """Yield its steps in order; the agent's program runs until the last one, or until nobody asks for more."""
        models = self._stage.models
        models.reply = Reply(TEXT, input_tokens=USED - 100, output_tokens=100, cache_read=0, cache_write=0)
        taken = self._agent.take_up("--llm")
        with self._agent.begin(_PROGRAM) as running:
            yield partial(self._call, taken, running)
            yield from (self._other_model, self._budget, self._usage, partial(self._kill, running))

    def _call(self, taken: Said, running: Running) -> Step:
        said = running.line()
        self._answers = _parsed(said, [{"status": 0, "told": said}] * 3)
        shown = [
            value.removeprefix("Bearer ")
            for request in self._stage.models.requests
            for name, value in request.headers.items()
            if name in {"authorization", "x-api-key"}
        ]
        ok = (taken.status, self._answers[0]["told"], shown) == (0, TEXT, [MODEL_KEY])
        title = "Anthropic's SDK asks a model (a script here) with no key but its session's"
        return Step("model-call", title, ok, (
            f"$ {taken.command}", *self._shown(0, MODEL, 100), "the provider saw its key, and nothing of the agent's",
        ), {**self._answers[0], "keys_upstream": len(shown)})  # fmt: skip

    def _other_model(self) -> Step:
        ok = self._answers[1]["status"] == DENIED and len(self._stage.models.requests) == 1
        return Step("model-denied", "a model that the policy does not name is refused", ok,
                    self._shown(1, OTHER_MODEL, 100), self._answers[1])  # fmt: skip

    def _budget(self) -> Step:
        ok = self._answers[2]["status"] == SPENT and len(self._stage.models.requests) == 1
        lines = (*self._shown(2, MODEL, MOST), "nothing was sent: the provider still saw one request")
        return Step(
            "model-budget", "a budget refuses what may not fit, before it is spent", ok, lines, self._answers[2]
        )

    def _usage(self) -> Step:
        said = self._stage.operator("usage", "--agent", AGENT, "--by", "model", "-o", "json")
        total: dict[str, Any] = said.output["total"] if said.status == 0 else {}
        tokens = total.get("input_tokens", 0) + total.get("output_tokens", 0)
        return Step("usage", "what the agent spent, in tokens and dollars", (total.get("calls"), tokens) == (1, USED), (
            f"$ {said.command}",
            f"{total.get('calls')} call, {tokens} of {BUDGET_TOKENS} tokens, ${total.get('dollars')}",
        ), total)  # fmt: skip

    def _kill(self, running: Running) -> Step:
        gate = self._stage.models.gate()
        self._stage.models.script(Provider.ANTHROPIC, llm_script.Step(drip=gate))
        gate.release(_EVENTS_WITH_A_WORD)
        running.go_on()
        word = running.line()
        said = self._stage.operator("kill", "agent", AGENT, "--reason", REASON, "-o", "json")
        last = running.line()
        found: dict[str, Any] = _parsed(last, {"ended": "", "then": {"status": 0, "told": last}})
        ended, then = found["ended"], found["then"]
        cut = said.output["report"]["calls"] if said.status == 0 else 0
        ok = bool(word and ended) and cut == 1 and then["status"] in KILLED
        return Step("kill", "a person kills the agent while a model answers it", ok, (
            f">>> client.messages.stream(model='{MODEL}', …)", f"{word} …", f"$ {said.command}",
            f"the answer ends there: {ended}", f"asked again: {then['status']}: {then['told']}",
        ), {"exit": said.status, "calls_cut": cut, "ended": ended, **then})  # fmt: skip

    def _shown(self, number: int, model: str, most: int) -> tuple[str, str]:
        answer = self._answers[number]
        told = answer["told"] if answer["status"] == OK else f"{answer['status']}: {answer['told']}"
        return f">>> client.messages.create(model='{model}', max_tokens={most}, …)", str(told)


def _parsed(line: str, otherwise: T) -> T:
    """Return what a line of JSON says, or ``otherwise``, when a program failed before it."""
    try:
        found: T = json.loads(line)
    except ValueError:
        return otherwise
    return found
