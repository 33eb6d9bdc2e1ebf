"""What is heard of a call."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from broker.config.content import ContentTerms, Store
from broker.contents.capture import MAX_PART_BYTES, STEP_BYTES, Capture, Heard, HeardUpload
from broker.contents.capture import _inline as inline
from broker.ids import Digest, IntentId, SessionId
from broker.model import IntentRecord, IntentState
from broker.redaction import CleanResult
from tests.house import CONNECTION, PaperConnector
from tests.parts.streams import PaperUpload

RECORD = IntentRecord(
    IntentId("int_1"), SessionId("ses_1"), "scribe", "desk", "paper:Read", (), Digest(""), Digest(""),
    IntentState.EXECUTING, 0, 0, "", "", "", "", 0, 0,
)  # fmt: skip
PLAN = replace(PaperConnector().plan("paper:Read", {"name": "a"}, CONNECTION), payload=b"asked in JSON")


def test_pieces_are_held_in_order_and_what_is_too_much_is_cut_and_counted() -> None:
    heard = Heard(lambda: True)
    heard.take(b"one ")
    heard.take(b"two")
    assert (bytes(heard.held), heard.size, heard.cut) == (b"one two", 7, False)
    heard.take(bytes(MAX_PART_BYTES))
    assert (len(heard.held), heard.size, heard.cut) == (MAX_PART_BYTES, MAX_PART_BYTES + 7, True)


def test_what_comes_after_a_cut_is_not_put_together_with_what_was_before_it() -> None:
    rooms = iter([False, True, True])
    heard = Heard(lambda: next(rooms))
    heard.take(b"a" * STEP_BYTES + b"b")
    heard.take(b"c")
    assert (len(heard.held), heard.size) == (STEP_BYTES, STEP_BYTES + 2)
    assert b"c" not in heard.held


def test_a_part_is_cut_where_the_process_has_no_room_and_small_ones_need_none() -> None:
    heard = Heard(lambda: False)
    heard.take(bytes(STEP_BYTES))
    assert not heard.cut
    heard.take(b"x")
    assert heard.cut


def test_the_deaf_hear_nothing() -> None:
    heard = Heard(None)
    heard.take(b"x")
    assert (len(heard.held), heard.size, heard.cut) == (0, 0, False)


async def test_an_upload_that_is_read_twice_is_heard_once() -> None:
    heard = Heard(lambda: True)
    upload = HeardUpload(PaperUpload(b"one ", b"two", trailers={"x": "y"}), heard)
    for _ in range(2):
        assert b"".join([piece async for piece in upload]) == b"one two"
    assert bytes(heard.held) == b"one two"
    assert upload.trailers == {"x": "y"}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"encoding": "base64", "data": base64.b64encode(b"hi").decode()}, b"hi"),
        ({"text": "no, \ud800"}, b"no, ?"),
        ({"data": "***"}, b""),
        ({"data": 5}, b""),
        ("text", b""),
        (None, b""),
    ],
)
def test_a_body_inside_a_result_is_taken_as_its_bytes(body: object, found: bytes) -> None:
    assert inline(body) == found


@pytest.mark.parametrize("store", list(Store))
def test_a_body_in_the_plan_is_heard_where_it_is_to_be_kept(store: Store) -> None:
    capture = Capture(RECORD, ContentTerms(store, 1), lambda: True)
    assert capture.listen(PLAN) == PLAN
    capture.refuse({"body": {"text": "no"}})
    capture.finish(CleanResult({}, 0, body=b", then yes"))
    heard = store is not Store.NONE
    assert bytes(capture.prompt.held) == (b"asked in JSON" if heard else b"")
    assert bytes(capture.answer.held) == (b"no, then yes" if heard else b"")
    assert capture.held_bytes == (25 if heard else 0)
