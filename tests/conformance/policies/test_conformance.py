"""Runs the corpus beside this file against the library: policies, questions, expected answers, refusals, as data."""

from __future__ import annotations

import pytest

from policies.document.strict_yaml import parse
from policies.errors import LoadError, YamlError
from policies.model import Decision
from policies.suites.suite import EXPECTATIONS
from tests.conformance.policies.corpus import Question, Refusal, questions, refusals
from tests.conformance.policies.deciding import compiled, decide, load

QUESTIONS = questions()
REFUSALS = refusals()


def deciding(decision: Decision) -> tuple[str, str]:
    """Return rule and layer of the reason that gave the decision its effect."""
    return next(
        ((each.rule_id, each.layer.value) for each in decision.reasons if each.effect is decision.effect), ("", "")
    )


def test_the_corpus_is_read_whole() -> None:
    assert len(QUESTIONS) >= 250
    assert len(REFUSALS) >= 70
    assert {question.expect for question in QUESTIONS} == set(EXPECTATIONS)


@pytest.mark.req("P2")
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_the_answer_is_the_expected_one(question: Question) -> None:
    decision = decide(question, compiled(question))
    rule, layer = deciding(decision)
    assert decision.effect is EXPECTATIONS[question.expect]
    assert question.rule in (None, rule)
    assert question.layer in (None, layer)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_a_text_that_could_be_read_in_two_ways_is_refused_where_it_begins_to(refusal: Refusal) -> None:
    with pytest.raises((LoadError, YamlError)) as caught:
        load(refusal.file, refusal.text)
    first = caught.value.findings[0]
    assert (first.file, first.line, first.column) == (refusal.file, refusal.line, refusal.column)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_a_refusal_says_truly_whether_it_is_yaml(refusal: Refusal) -> None:
    try:
        parse(refusal.text.encode(), refusal.file)
    except YamlError:
        readable = False
    else:
        readable = True
    assert readable is refusal.strict_yaml
