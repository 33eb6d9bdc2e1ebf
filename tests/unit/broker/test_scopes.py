from __future__ import annotations

from dataclasses import replace

import pytest

from broker.ids import SessionId
from broker.model import Session
from broker.outcome import ProblemKind
from broker.scopes import _outside, faults_of, policy_of, too_wide
from policies.analysis.coverage import Witness
from policies.errors import LoadError
from policies.language.loader import load_scope
from policies.model import Layer, Requirement
from policies.resources.catalogue import UNCHECKED
from tests.house import House

READ_A = "paper:Read on sheets/a"


def session(**fields: object) -> Session:
    return replace(Session(SessionId("ses_1"), "scribe", "desk", "olivia", 0, 100), **fields)  # type: ignore[arg-type]


async def test_no_scope_has_no_faults(house: House) -> None:
    assert faults_of((), house.policies()) is None
    assert faults_of((READ_A, "deny paper:* on **"), house.policies()) is None


async def test_every_fault_of_a_scope_has_its_place(house: House) -> None:
    problem = faults_of((READ_A, "paper:Reed on sheets/a", "nonsense"), house.policies())
    assert problem is not None
    assert problem.kind is ProblemKind.INVALID_PARAMS
    assert [each["line"] for each in problem.extra["errors"]] == [2, 3]
    assert problem.detail.startswith("rule 2 ")


@pytest.mark.req("S1")
async def test_a_scope_of_denials_alone_hands_out_nothing_and_is_not_too_wide(house: House) -> None:
    assert too_wide(("deny paper:* on **",), session(), house.policies()) is None


@pytest.mark.req("S1")
async def test_where_nothing_is_held_any_more_nothing_is_handed_out(house: House) -> None:
    configuration = house.policies()
    gone = replace(configuration, layers={})
    cases = (too_wide((READ_A,), session(), gone), too_wide((READ_A,), session(scopes=(("x",),)), configuration))
    for problem in cases:
        assert problem is not None
        assert problem.kind is ProblemKind.SCOPE_TOO_WIDE


@pytest.mark.req("S1")
async def test_a_variable_stands_for_the_same_value_in_every_session_below(house: House) -> None:
    configuration = house.policies()
    parent = session(labels={"sheet": "a", "id": "a"}, scopes=((READ_A,),))
    assert too_wide(("paper:Read on sheets/${session.sheet}",), parent, configuration) is None
    # The id of the session is another one in each.
    assert too_wide(("paper:Read on sheets/${session.id}",), parent, configuration) is not None


def test_a_scope_is_a_layer_of_its_own() -> None:
    policy = policy_of((READ_A,), "scribe", UNCHECKED)
    assert (policy.agent, policy.layer, len(policy.rules)) == ("scribe", Layer.SESSION, 1)
    with pytest.raises(LoadError):
        policy_of(("nonsense",), "scribe", UNCHECKED)


@pytest.mark.parametrize("decided", [True, False])
def test_what_would_be_opened_is_named_even_when_the_comparison_gave_up(decided: bool) -> None:
    [rule] = load_scope((READ_A,), UNCHECKED)
    problem = _outside(Witness(Requirement("paper:Read", "sheets/a"), rule, Layer.AGENT, decided))
    assert problem.extra["witness"] == {"action": "paper:Read", "resource": "sheets/a"}
    assert problem.kind is ProblemKind.SCOPE_TOO_WIDE
    assert ("may not" in problem.detail) is decided
