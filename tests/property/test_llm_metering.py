"""Metering of streamed answers against slow, obvious references, on generated streams and on nonsense."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_CEILING
from itertools import pairwise
from typing import Any

from genai_prices import Usage, calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.llm import prices
from connectors.llm.metering.follow import follower
from connectors.llm.metering.tally import Tally
from connectors.llm.metering.whole import tally_of
from connectors.llm.words import Dialect, Phase
from tests.unit.connectors.llm.metering.wire import DONE, PING, STOP, chunk, delta, event, response, start, text

STREAMED = (Dialect.MESSAGES, Dialect.CHAT, Dialect.RESPONSES)
TOKENS = st.none() | st.integers(0, 10**7)
WORDS = st.text(max_size=12) | st.sampled_from(
    ['"', "\\", '"usage":{', "\n\nevent: message_stop\n\n", "data: [DONE]", '"error"', "é", "😀", '","delta":"',
     '"logprobs"']
)  # fmt: skip
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
NOISE = st.sampled_from([b": comment\n\n", b"\n", b"\n\n", b"id: 3\n\n", b"data: {\n\n"])
CUTS = st.lists(st.integers(0, 4000), max_size=12)
NONSENSE = st.lists(
    st.binary(max_size=30)
    | WORDS.map(lambda word: word.encode("utf-8", "surrogatepass"))
    | st.sampled_from(
        [b"\n", b"\r", b"\n\n", b"\r\n", b"\r\n\r\n", b"data: ", b"data: {}", b"event: message_delta\n", STOP, DONE,
         PING, b'{"usage":', b'{"type":"message_start","message":{"usage":', b"}}\n\n", b"\xef\xbb\xbf",
         b'event: response.completed\ndata: {"response":[]}\n\n', b'data: {"choices":[3,null,{"delta":4}]}\n\n']
    ),
    max_size=30,
).map(b"".join)  # fmt: skip


@st.composite
def anthropic_usage(draw: st.DrawFn) -> dict[str, Any]:
    keys = st.sampled_from(("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"))
    usage: dict[str, Any] = draw(st.dictionaries(keys, TOKENS))
    if draw(st.booleans()):
        usage["cache_creation"] = {"ephemeral_5m_input_tokens": draw(TOKENS), "ephemeral_1h_input_tokens": draw(TOKENS)}
    if draw(st.booleans()):
        usage["server_tool_use"] = {"web_search_requests": draw(TOKENS)}
    if draw(st.booleans()):
        kinds = st.sampled_from(("message", "compaction", "advisor_message"))
        counts = st.integers(0, 10**6)
        entry = st.fixed_dictionaries({"type": kinds, "input_tokens": counts, "output_tokens": counts})
        usage["iterations"] = draw(st.none() | st.lists(entry, max_size=3))
    return usage


@st.composite
def messages(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[str], list[bytes], bool]:
    """Return what is said of usage in order, all texts, the events, and whether the answer ends."""
    said = draw(st.lists(anthropic_usage(), min_size=1, max_size=4))
    texts = draw(st.lists(WORDS, max_size=6))
    ends = draw(st.booleans())
    events = [start(**said[0]), PING, *(text(each) for each in texts), *(delta(**each) for each in said[1:])]
    return said, texts, [*events, *([STOP] if ends else [])], ends


def last(said: list[dict[str, Any]], *path: str) -> int:
    """Return the last value under a path that is not null."""
    found = 0
    for each in said:
        value: Any = each
        for key in path:
            value = value.get(key) if value else None
        found = found if value is None else value
    return found


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    marks = sorted({0, len(stream), *(each % (len(stream) + 1) for each in cuts)})
    return [stream[one:two] for one, two in pairwise(marks)]


def run(dialect: Dialect, parts: list[bytes], *, hide: bool = False) -> tuple[bytes, Tally, Any]:
    found = follower(dialect, hide_usage=hide)
    pieces = [piece for part in parts for piece in found.feed(part)] + found.finish()
    return b"".join(piece.raw for piece in pieces), found.tally, (found.ended, found.failure)


@settings(max_examples=60)
@given(messages())
def test_a_message_comes_to_the_last_values_that_were_said(
    made: tuple[list[dict[str, Any]], list[str], list[bytes], bool],
) -> None:
    said, texts, events, ends = made
    _, tally, (ended, failure) = run(Dialect.MESSAGES, events)
    five, hour = (last(said, "cache_creation", f"ephemeral_{each}_input_tokens") for each in ("5m", "1h"))
    entries: list[dict[str, Any]] = []
    for each in said:
        entries = entries if each.get("iterations") is None else each["iterations"]
    apart = [entry for entry in entries if entry["type"] != "message"]
    expected = {
        "input_tokens": last(said, "input_tokens"),
        "output_tokens": last(said, "output_tokens"),
        "cache_read_tokens": last(said, "cache_read_input_tokens"),
        "cache_write_tokens": max(last(said, "cache_creation_input_tokens"), five + hour),
        "cache_write_1h_tokens": hour,
        "web_searches": last(said, "server_tool_use", "web_search_requests"),
        "iterations_input_tokens": sum(entry["input_tokens"] for entry in apart),
        "iterations_output_tokens": sum(entry["output_tokens"] for entry in apart),
        "final": ends and any(each.get("output_tokens") is not None for each in said[1:]),
    }
    assert {key: getattr(tally, key) for key in expected} == expected
    assert (ended, failure) == (ends, None)
    real = sum(len(each.encode("utf-8", "surrogatepass")) for each in texts)
    assert real <= tally.text_bytes <= 6 * real


@st.composite
def chats(draw: st.DrawFn) -> tuple[list[str], dict[str, Any] | None, list[bytes]]:
    texts = draw(st.lists(WORDS.filter(bool), max_size=6))
    usage = draw(
        st.none()
        | st.fixed_dictionaries(
            {
                "prompt_tokens": st.integers(0, 10**6),
                "completion_tokens": st.integers(0, 10**6),
                "prompt_tokens_details": st.fixed_dictionaries({"cached_tokens": TOKENS, "cache_write_tokens": TOKENS}),
            }
        )
    )
    events = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": each}, usage=None) for each in texts)]
    events += [chunk({}, finish="stop")] + ([chunk(usage=usage)] if usage else [])
    return texts, usage, [*events, DONE]


@settings(max_examples=60)
@given(chats(), st.booleans())
def test_a_chat_comes_to_what_its_last_chunk_says(
    made: tuple[list[str], dict[str, Any] | None, list[bytes]], hide: bool
) -> None:
    texts, usage, events = made
    passed, tally, (ended, failure) = run(Dialect.CHAT, events, hide=hide)
    assert passed == b"".join(each for each in events if not (hide and usage and each == events[-2]))
    assert (ended, failure) == (True, None)
    assert tally.final == (usage is not None)
    assert tally.text_bytes >= sum(len(each.encode("utf-8", "surrogatepass")) for each in texts)
    if usage:
        assert tally.input_tokens + tally.cache_read_tokens + tally.cache_write_tokens == usage["prompt_tokens"]
        assert tally.cache_read_tokens == min(
            usage["prompt_tokens_details"]["cached_tokens"] or 0, usage["prompt_tokens"]
        )
        assert tally.output_tokens == usage["completion_tokens"]


@st.composite
def streams(draw: st.DrawFn) -> tuple[Dialect, bytes]:
    """Return a stream of any dialect, with noise in it, and lines that end in one of the three ways."""
    dialect = draw(st.sampled_from(STREAMED))
    match dialect:
        case Dialect.MESSAGES:
            events = draw(messages())[2]
        case Dialect.CHAT:
            events = draw(chats())[2]
        case _:
            said = draw(st.lists(WORDS, max_size=5))
            usage = {"input_tokens": draw(TOKENS), "output_tokens": draw(TOKENS)}
            events = [response("response.created"), response("response.completed", usage=usage)]
            events[1:1] = [event("response.output_text.delta", delta=each) for each in said]
    for noise in draw(st.lists(NOISE, max_size=2)):
        events.insert(draw(st.integers(0, len(events))), noise)
    return dialect, b"".join(events).replace(b"\n", draw(ENDS))


@settings(max_examples=150)
@given(streams(), CUTS, st.booleans())
def test_however_a_stream_is_cut_the_same_passes_and_the_same_is_counted(
    made: tuple[Dialect, bytes], cuts: list[int], hide: bool
) -> None:
    dialect, stream = made
    assert run(dialect, cut(stream, cuts), hide=hide) == run(dialect, [stream], hide=hide)
    assert run(dialect, cut(stream, cuts))[0] == stream


@settings(max_examples=200)
@given(st.sampled_from(STREAMED), NONSENSE, CUTS)
def test_nonsense_passes_byte_for_byte_and_raises_nothing(dialect: Dialect, stream: bytes, cuts: list[int]) -> None:
    whole, parts = run(dialect, [stream]), run(dialect, cut(stream, cuts))
    assert whole == parts
    assert whole[0] == stream
    assert tally_of(dialect, stream).text_bytes >= 0


@settings(max_examples=100)
@given(st.sampled_from(STREAMED), NONSENSE, st.binary(max_size=20))
def test_after_an_end_nothing_but_the_end_comes(dialect: Dialect, stream: bytes, more: bytes) -> None:
    found = follower(dialect)
    last_phase: Phase | None = None
    for piece in found.feed(stream) + found.feed(more + b"\n\n") + found.finish():
        if last_phase in {Phase.END, Phase.ERROR}:
            assert piece.phase is last_phase
        assert last_phase is not Phase.CONTENT or piece.phase is not Phase.PRELUDE
        last_phase = piece.phase


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("usage", "type", "message", "delta", "choices", "response", "error", "iterations", "model", "output",
                 "input_tokens", "output_tokens", "prompt_tokens", "completion_tokens", "cache_creation", "details")
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)  # fmt: skip
KINDS = st.sampled_from(
    ("message_start", "message_delta", "error", "content_block_delta", "response.created", "response.failed", "x")
)


@settings(max_examples=150)
@given(st.sampled_from(STREAMED), KINDS, st.dictionaries(st.sampled_from(("message", "usage", "delta", "choices",
    "error", "response", "type", "code")), JSON))  # fmt: skip
def test_events_of_the_wrong_shape_raise_nothing(dialect: Dialect, kind: str, fields: dict[str, Any]) -> None:
    stream = event(kind, **{key: value for key, value in fields.items() if key != "type"})
    found = follower(dialect)
    assert b"".join(piece.raw for piece in found.feed(stream)) == stream
    prices.cost(found.tally, "anthropic", "claude-opus-4-8")


LISTED = (
    ("anthropic", "claude-opus-4-8"), ("anthropic", "claude-sonnet-4-5"), ("anthropic", "claude-haiku-5-5"),
    ("anthropic", "claude-opus-4-6"), ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
)  # fmt: skip


@settings(max_examples=60)
@given(st.sampled_from(LISTED), *[st.integers(0, 400_000) for _ in range(5)])
def test_prices_agree_with_the_library_they_come_from(
    listed: tuple[str, str], read: int, cached: int, short: int, hour: int, written: int
) -> None:
    provider, model = listed
    library = calc_price(
        Usage(
            input_tokens=read + cached + short + hour,
            cache_read_tokens=cached,
            cache_write_tokens=short + hour,
            cache_write_1h_tokens=hour,
            output_tokens=written,
        ),
        model,
        provider_id=provider,
        genai_request_timestamp=datetime(2026, 11, 20, tzinfo=UTC),
    )
    tally = Tally(read, cached, short + hour, hour, written)
    expected = (library.total_price * 10**9).to_integral_value(ROUND_CEILING)
    assert prices.cost(tally, provider, model) == expected
    worst = prices.worst_case(provider, model)
    assert prices.cost(tally, provider, model) <= (read + cached + short + hour) * worst[0] + written * worst[1]
