"""What looks like a secret in prompts and answers is written over, wherever JSON and streams have put it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.contents.masking import Texts, changed, is_text, leaks_of, mask, texts_of
from connectors.git.leaks.scan import LeakRules
from tests.unit.connectors.git.leaks.samples import filled

TOKEN = filled("ghp_{C}")
PASSWORD = filled("{a30}")


@pytest.fixture(scope="module")
def rules() -> LeakRules:
    return LeakRules()


def masked(rules: LeakRules, data: bytes, *, cut: bool = False) -> bytes:
    return mask(data, leaks_of(rules, data, cut=cut))


def delta(text: str, index: int = 0) -> bytes:
    event = {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}
    return f"event: content_block_delta\ndata: {json.dumps(event)}\n\n".encode()


@pytest.mark.parametrize(
    "text",
    [
        f"use {TOKEN} for it",
        f'token = "{PASSWORD}"',
        f"# settings\nAPI_TOKEN={PASSWORD}\nother=1",
        f"API_TOKEN={PASSWORD}",
        f"\tAPI_TOKEN={PASSWORD}\n",
    ],
)
def test_a_secret_in_a_prompt_is_masked_and_nothing_moves(rules: LeakRules, text: str) -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    found = masked(rules, body)
    assert TOKEN.encode() not in found
    assert PASSWORD.encode() not in found
    assert len(found) == len(body)
    assert json.loads(found)["model"] == "m"


def test_a_token_that_a_model_writes_in_many_events_is_masked_in_each_of_them(rules: LeakRules) -> None:
    parts = ["The token is ", TOKEN[:3], TOKEN[3:11], TOKEN[11:12], TOKEN[12:], ". Keep it."]
    stream = b"".join(map(delta, parts))
    found = masked(rules, stream)
    assert len(found) == len(stream)
    said = "".join(json.loads(line[6:])["delta"]["text"] for line in found.decode().split("\n") if line[:5] == "data:")
    assert said == f"The token is {'*' * len(TOKEN)}. Keep it."


def test_the_words_of_every_dialect_are_put_together(rules: LeakRules) -> None:
    events: list[dict[str, object]] = [{"choices": [{"delta": {"content": piece}}]} for piece in (TOKEN[:9], TOKEN[9:])]
    events += [{"type": "response.output_text.delta", "delta": piece} for piece in (TOKEN[:9], TOKEN[9:])]
    events += [{"delta": {"type": "input_json_delta", "partial_json": piece}} for piece in (TOKEN[:9], TOKEN[9:])]
    stream = b"".join(f"data: {json.dumps(each)}\n\n".encode() for each in events)
    found = masked(rules, stream)
    assert TOKEN[:9].encode() not in found
    assert TOKEN[9:].encode() not in found


def test_what_may_be_the_beginning_of_a_secret_at_a_cut_is_masked_too(rules: LeakRules) -> None:
    body = f'{{"content": "say {TOKEN[:20]}'.encode()
    assert TOKEN[:20].encode() in masked(rules, body)
    assert masked(rules, body, cut=True) == body.replace(TOKEN[:20].encode(), b"*" * 20)
    stream = delta("say ") + delta(TOKEN[:10]) + delta(TOKEN[10:20])
    found = masked(rules, stream, cut=True)
    assert TOKEN[:10].encode() not in found
    assert TOKEN[10:20].encode() not in found
    assert masked(rules, b"the end. ", cut=True) == b"the end. "


def test_what_is_no_stream_has_no_texts() -> None:
    assert texts_of(b'{"text": "data: x"}') == ()
    assert [bytes(each.joined) for each in texts_of(delta("a") + delta("") + delta('b"'))] == [b'ab\\"']


def test_masks_are_found_again() -> None:
    assert changed(b"a * secret *", b"a * ****** *") == [(4, 10)]
    assert changed(b"same ** here", b"same ** here") == []


@pytest.mark.parametrize(
    ("data", "cut", "text"),
    [
        (b"plain \xc3\xa4", False, True),
        (b"plain \xc3", False, False),
        (b"plain \xc3", True, True),
        (b"\xff", True, False),
    ],
)
def test_text_is_told_from_bytes(data: bytes, cut: bool, text: bool) -> None:
    assert is_text(data, cut=cut) is text


@settings(max_examples=60)
@given(st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=6)), max_size=6), st.data())
def test_spans_of_what_was_put_together_lie_on_the_same_bytes_in_the_stream(
    pieces: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    texts, stream = Texts(), b""
    for between, text in pieces:
        stream += between
        texts.add(text, len(stream))
        stream += text
    size = len(texts.joined)
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    found = b"".join(stream[first:last] for first, last in texts.back([(start, stop)]))
    assert found == bytes(texts.joined[start:stop])
