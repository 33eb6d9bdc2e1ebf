"""Verbatim bytes of events."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.canonical import canonical_bytes
from broker.ledger.events import UnreadableEventError, draft, fields_of, parse_event
from broker.store.base import Event, EventType
from tests.parts.ledgers import event

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)
EVENTS = st.builds(
    Event, id=TEXT, type=st.sampled_from(EventType), at_ns=st.integers(0, 2**63 - 1), agent=TEXT, project=TEXT,
    session_id=TEXT, intent_id=TEXT, action=TEXT, operator=TEXT, data=st.dictionaries(TEXT, JSON, max_size=4),
)  # fmt: skip


@given(EVENTS, st.integers(1, 2**63 - 1))
def test_an_event_comes_back_from_its_bytes_which_are_canonical(wanted: Event, seq: int) -> None:
    body = draft(wanted).body(seq)
    assert parse_event(body) == wanted
    assert fields_of(body)["seq"] == seq
    assert canonical_bytes(orjson.loads(body)) == body


def test_the_bytes_of_version_1_never_change() -> None:
    known = event(7, EventType.INTENT_DENIED, data={"rule": "ci.yaml:3"}, operator="olivia", intent_id="int_1")
    assert draft(known).body(42) == (
        b'{"action":"s3:GetObject","agent":"ci-runner","at_ns":1800000000000000007,"data":{"rule":"ci.yaml:3"},'
        b'"id":"evt_00000000000000000000000007","intent_id":"int_1","operator":"olivia","project":"acme","seq":42,'
        b'"session_id":"ses_1","type":"intent.denied","v":1}'
    )


@pytest.mark.parametrize(
    "body",
    [
        b"", b"nothing", b"[]", b"{}", b'{"v":1}',
        draft(event(1)).body(1).replace(b'"v":1', b'"v":2'),
        draft(event(1)).body(1).replace(b'"v":1', b'"v":1,"x":1'),
        draft(event(1)).body(1).replace(b'"agent"', b'"agens"'),
    ],
)  # fmt: skip
def test_bytes_that_are_no_event_of_a_known_version_are_refused(body: bytes) -> None:
    with pytest.raises(UnreadableEventError):
        fields_of(body)


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(UnreadableEventError, match="type"):
        parse_event(draft(event(1)).body(1).replace(b"intent.executing", b"intent.invented"))
