from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker.limits.admission import Admission, Reservation
from broker.outcome import Problem, ProblemKind


def test_a_session_at_its_limit_is_refused_and_others_are_not() -> None:
    gate = Admission(total=3, per_session=1)
    held = gate.reserve("a")
    assert isinstance(held, Reservation)
    refused = gate.reserve("a")
    assert isinstance(refused, Problem)
    assert refused.kind is ProblemKind.TOO_BUSY
    assert refused.retry_after_seconds > 0
    with held:
        assert isinstance(gate.reserve("b"), Reservation)
    assert isinstance(gate.reserve("a"), Reservation)


def test_a_full_process_refuses_everybody() -> None:
    gate = Admission(total=1, per_session=5)
    assert isinstance(gate.reserve("a"), Reservation)
    assert isinstance(gate.reserve("b"), Problem)


class AdmissionMachine(RuleBasedStateMachine):
    """However reservations come and go, no limit is exceeded and nothing stays held."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Admission(total=4, per_session=2)
        self.held: list[tuple[str, Reservation]] = []

    @rule(session=st.sampled_from(["a", "b", "c"]))
    def reserve(self, session: str) -> None:
        mine = sum(1 for name, _ in self.held if name == session)
        answer = self.gate.reserve(session)
        assert isinstance(answer, Reservation) == (mine < 2 and len(self.held) < 4)
        if isinstance(answer, Reservation):
            self.held.append((session, answer))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        _, held = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        with held:
            pass

    @invariant()
    def counts_agree(self) -> None:
        assert self.gate.in_use == len(self.held)


TestAdmissionMachine = AdmissionMachine.TestCase
