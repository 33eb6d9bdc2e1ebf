"""Runs the corpus beside this file: policies, requests, expected decisions, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.engine import compile_policy
from policies.loader import load_policy
from policies.model import AccessRequest, Decision, Requirement

CORPUS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("decisions.yaml").read_text("utf-8"))
CASES = [
    pytest.param(group["policy"], case, id=f"{group['name']}: {', '.join(case['ask'])}")
    for group in CORPUS
    for case in group["requests"]
]


def deciding_rule(decision: Decision) -> str:
    return next((reason.rule_id for reason in decision.reasons if reason.effect is decision.effect), "")


def test_the_corpus_is_read_whole() -> None:
    assert len(CASES) >= 50


@pytest.mark.req("P2")
@pytest.mark.parametrize(("policy", "case"), CASES)
def test_the_decision_is_the_expected_one(policy: str, case: dict[str, Any]) -> None:
    compiled = compile_policy(load_policy(policy.encode(), file="policies/bot.yaml").policy)
    asked = tuple(Requirement(*text.split(" on ", 1)) for text in case["ask"])
    decision = compiled.decide(AccessRequest("bot", "p", asked))
    assert (decision.effect.value, deciding_rule(decision)) == (case["expect"], case["rule"])
