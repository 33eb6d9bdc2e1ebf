"""A body has one reading, or is refused; and its facts are those a strict parser finds."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import InvalidParamsError, UploadBrokenError
from connectors.llm.bodies import Peeked, Whole, collect, members, peek, rebuilt, stream_options
from connectors.llm.words import MAX_BODY_BYTES, Dialect
from tests.unit.connectors.llm.desk import CHAT, MESSAGE, RESPONSES, raw

BODIES: dict[Dialect, dict[str, Any]] = {
    Dialect.MESSAGES: MESSAGE,
    Dialect.CHAT: CHAT,
    Dialect.RESPONSES: RESPONSES,
    Dialect.INVOKE: {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 10, "messages": []},
}
SPACE = st.text(" \t\r\n", max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["model", "stream", "a", "b", "é", '"', "\\", "\n"]) | st.text(max_size=4)


class Pieces:
    """A body that comes in pieces."""

    trailers: Mapping[str, str] = {}

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


@st.composite
def objects(draw: st.DrawFn) -> tuple[bytes, bool]:
    """An object as text, and whether each of its names comes once and is written plainly."""
    names, parts = [], []
    plain = True
    for key, value in draw(st.lists(st.tuples(KEYS, VALUES), max_size=5)):
        text = json.dumps(key, ensure_ascii=draw(st.booleans()))
        try:
            text.encode()
        except UnicodeEncodeError:
            text = json.dumps(key)
        names.append(key)
        plain = plain and "\\" not in text
        written = json.dumps(value)  # lone surrogates are escaped, and refused by the parser
        parts.append(f"{draw(SPACE)}{text}{draw(SPACE)}:{draw(SPACE)}{written}{draw(SPACE)}")
    whole = f"{draw(SPACE)}{{{','.join(parts) or draw(SPACE)}}}{draw(SPACE)}"
    return whole.encode(), plain and len(set(names)) == len(names)


@settings(max_examples=150)
@given(made=objects())
def test_what_is_refused_is_exactly_what_has_a_second_reading(made: tuple[bytes, bool]) -> None:
    text, fits = made
    pairs: list[tuple[str, Any]] = []

    def note(found: list[tuple[str, Any]]) -> dict[str, Any]:
        pairs[:] = found
        return dict(found)

    strict = json.loads(text, object_pairs_hook=note)
    if any(0xD800 <= ord(char) <= 0xDFFF for char in json.dumps(strict, ensure_ascii=False)):
        return  # no text of Unicode
    assert fits is (len({name for name, _ in pairs}) == len(pairs) and b"\\" not in b"".join(keys_of(text, pairs)))
    if not fits:
        with pytest.raises(InvalidParamsError):
            members(text)
        return
    found = members(text)
    assert {name: json.loads(value) for name, value in found.items()} == strict
    assert json.loads(rebuilt(found, {})) == strict
    assert list(json.loads(rebuilt(found, {"zz": b"1"}))) == [*strict, *({"zz"} - strict.keys())]


def keys_of(text: bytes, pairs: list[tuple[str, Any]]) -> list[bytes]:
    """The names at the top level as they are written."""
    found, at = [], text.index(b"{") + 1
    decoder = json.JSONDecoder()
    rest = text[at:].decode()
    for _ in pairs:
        rest = rest.lstrip(" \t\r\n,")
        _, end = decoder.raw_decode(rest)
        found.append(rest[:end].encode())
        rest = rest[end:].lstrip(" \t\r\n")[1:].lstrip(" \t\r\n")
        _, end = decoder.raw_decode(rest)
        rest = rest[end:]
    return found


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"{",
        b'{"model":"a"} x',
        b'{"model":"a"}{}',
        b'{"model":"a","model":"a"}',
        b'{"model":"a","x":1,"model":"b"}',
        b'{"model":"a","mod\\u0065l":"b"}',
        b'{"mod\\u0065l":"b"}',
        b'{"model":"a",}',
        b'{"model":"a" /* x */}',
        b'\xef\xbb\xbf{"model":"a"}',
        '{"model":"a"}'.encode("utf-16"),
        b'{"model":"\xff"}',
        b'{"model":"\xc0\xa2"}',
        b'{"model":"a","x":NaN}',
        b'{"model":"a","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"model":"a","x":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
        b"{" + b",".join(b'"k%d":1' % number for number in range(300)) + b"}",
        b'{"model":"' + b"a" * MAX_BODY_BYTES + b'"}',
        b'{"model":"' + "é".encode() * 700_000 + b'\xe9"}',
    ],
    ids=range(23),
)
def test_what_is_no_object_with_one_reading_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidParamsError):
        peek(Dialect.MESSAGES, text)


def test_much_white_space_costs_nothing_and_changes_nothing() -> None:
    blank = b" " * (1 << 20)
    text = blank + b"{" + blank + b'"model"' + blank + b":" + blank + b'"a"' + blank + b"}" + blank
    assert peek(Dialect.MESSAGES, text) == Peeked(Dialect.MESSAGES, model="a")
    assert members(b" { } ") == {}


def test_foreign_letters_pass_and_are_cut_anywhere() -> None:
    text = raw(MESSAGE, system="é" * 600_000)
    plain = json.dumps({**MESSAGE, "system": "aé" * 600_000}, ensure_ascii=False).encode()
    assert peek(Dialect.MESSAGES, text) == peek(Dialect.MESSAGES, plain)


def test_the_facts_of_every_dialect_are_found() -> None:
    messages = raw(MESSAGE, stream=True, speed="fast", inference_geo="us", service_tier="auto")
    assert peek(Dialect.MESSAGES, messages) == Peeked(
        Dialect.MESSAGES, "claude-opus-4-8", stream=True, max_output_tokens=1024, fast=True, geo="us",
        service_tier="auto",
    )  # fmt: skip
    chat = raw(CHAT, stream=True, max_completion_tokens=100, n=3, stream_options={"include_usage": True})
    assert peek(Dialect.CHAT, chat) == Peeked(
        Dialect.CHAT, "gpt-5", stream=True, max_output_tokens=300, include_usage=True
    )
    responses = raw(RESPONSES, max_output_tokens=7, service_tier="priority", background=None)
    assert peek(Dialect.RESPONSES, responses) == Peeked(
        Dialect.RESPONSES, "gpt-5", max_output_tokens=7, service_tier="priority"
    )
    assert peek(Dialect.INVOKE, raw(BODIES[Dialect.INVOKE])) == Peeked(Dialect.INVOKE, max_output_tokens=10)


def test_null_says_nothing_and_the_larger_of_two_limits_counts() -> None:
    nothing = dict.fromkeys(("stream", "max_tokens", "n", "stream_options", "service_tier", "tools"))
    assert peek(Dialect.CHAT, raw(CHAT, **nothing)) == Peeked(Dialect.CHAT, "gpt-5")
    assert peek(Dialect.CHAT, raw(CHAT, max_tokens=5, max_completion_tokens=9)).max_output_tokens == 9


@pytest.mark.parametrize(
    ("dialect", "member", "written"),
    [
        (Dialect.MESSAGES, "model", b"1"),
        (Dialect.MESSAGES, "model", b"null"),
        (Dialect.MESSAGES, "stream", b'"true"'),
        (Dialect.MESSAGES, "stream", b"1"),
        (Dialect.MESSAGES, "max_tokens", b"1e9"),
        (Dialect.MESSAGES, "max_tokens", b"1.0"),
        (Dialect.MESSAGES, "max_tokens", b"-1"),
        (Dialect.MESSAGES, "max_tokens", b"true"),
        (Dialect.MESSAGES, "max_tokens", b"1000000000"),
        (Dialect.MESSAGES, "max_tokens", b'"5"'),
        (Dialect.MESSAGES, "speed", b"1"),
        (Dialect.MESSAGES, "inference_geo", b'"us us"'),
        (Dialect.CHAT, "n", b"129"),
        (Dialect.CHAT, "stream_options", b"[]"),
        (Dialect.CHAT, "stream_options", b'{"include_usage":true,"include_usage":false}'),
        (Dialect.CHAT, "stream_options", b'{"include_usage":"yes"}'),
        (Dialect.RESPONSES, "background", b"true"),
        (Dialect.RESPONSES, "background", b'"true"'),
        (Dialect.INVOKE, "max_tokens", b"[]"),
    ],
)
def test_a_fact_of_another_type_or_a_call_that_cannot_be_metered_is_refused(
    dialect: Dialect, member: str, written: bytes
) -> None:
    text = rebuilt(members(raw(BODIES[dialect])), {member: written})
    with pytest.raises(InvalidParamsError):
        peek(dialect, text)


def test_a_body_without_a_model_is_refused_where_the_path_has_none() -> None:
    for dialect in (Dialect.MESSAGES, Dialect.CHAT, Dialect.RESPONSES):
        with pytest.raises(InvalidParamsError, match="model"):
            peek(dialect, b"{}")
    assert peek(Dialect.INVOKE, b"{}") == Peeked(Dialect.INVOKE)


@pytest.mark.parametrize(
    ("tools", "searches"),
    [
        ([], 0),
        ([{"name": "web_search", "input_schema": {}}], 0),
        ([{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}], 8),
        ([{"type": "web_search_20250305", "name": "web_search"}, {"type": "bash_20250124"}], 10),
        ([{"type": "web_search_preview"}, {"type": None}], 10),
        ([{"type": "web_search_20250305", "max_uses": 10**6}], 1000),
        ([{"type": "web_search_20250305", "max_uses": -5}], 0),
        ([{"type": "web_search", "max_uses": "many"}], 10),
        ([{"type": 1}], 0),
        ("tools", 0),
    ],
)
def test_searches_are_counted_upwards(tools: Any, searches: int) -> None:
    assert peek(Dialect.MESSAGES, raw(MESSAGE, tools=tools)).searches == searches


def test_a_search_is_found_however_its_name_is_written() -> None:
    spelled = rebuilt(members(raw(MESSAGE)), {"tools": b'[{"type":"web\\u005fsearch"}]'})
    assert peek(Dialect.MESSAGES, spelled).searches == 10
    assert peek(Dialect.CHAT, raw(CHAT, web_search_options={})).searches == 10


ADVISOR: dict[str, Any] = {"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-4-8"}
TOOL: dict[str, Any] = {"name": "a", "input_schema": {"properties": {"model": {"type": "string"}}}}


@pytest.mark.parametrize(
    ("tools", "helpers"),
    [
        (None, ""),
        ([TOOL], ""),
        ([TOOL, {**TOOL, "model": None}], ""),
        ([ADVISOR, TOOL, ADVISOR], "claude-opus-4-8"),
        ([ADVISOR, {"type": "image_generation", "model": "a-first"}], "a-first claude-opus-4-8"),
    ],
)
def test_models_that_tools_ask_are_found_and_those_in_schemas_are_none(tools: Any, helpers: str) -> None:
    for dialect, body in BODIES.items():
        assert peek(dialect, raw(body, tools=tools)).helpers == helpers


@pytest.mark.parametrize(
    "tools",
    [
        b'[{"model": "claude-a", "model": "claude-b"}]',
        b'[{"mod\\u0065l": "claude-a"}]',
        b'[{"\\u006dodel": "claude-a"}]',
        b'[{"model": 7}]',
        b'[{"model": ""}]',
        b'[{"model": "two words"}]',
        b'[{"model": "claude\\u2010a"}]',
        b'[{"model": "a"}, 7]',
        b'{"0": {"model": "a"}}',
        b"[%b]" % b",".join(b'{"model": "m-%d"}' % number for number in range(17)),
    ],
)
def test_a_model_in_tools_that_has_a_second_reading_is_refused(tools: bytes) -> None:
    body = b'{"model": "claude-opus-4-8", "max_tokens": 9, "messages": [], "tools": %b}' % tools
    with pytest.raises(InvalidParamsError):
        peek(Dialect.MESSAGES, body)


@pytest.mark.parametrize("name", ["fallback", "fallbacks", "fallback_model", "fallback_models", "models"])
def test_a_request_that_lets_the_provider_choose_among_models_is_refused(name: str) -> None:
    for dialect, body in BODIES.items():
        with pytest.raises(InvalidParamsError, match="choose among models"):
            peek(dialect, raw(body, **{name: ["claude-opus-4-8"]}))
        assert peek(dialect, raw(body, **{name: None})).helpers == ""


def test_facts_go_through_params_and_come_back() -> None:
    for dialect, body in BODIES.items():
        peeked = peek(dialect, raw(body))
        assert Peeked.from_json(dialect, peeked.to_json()) == peeked


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {"other": 1},
        {"dialect": "chat"},
        {"model": 1},
        {"stream": 1},
        {"stream": "true"},
        {"max_output_tokens": True},
        {"max_output_tokens": -1},
        {"max_output_tokens": 10**12},
        {"searches": 10**6},
        {"geo": "us us"},
        {"service_tier": "x" * 65},
    ],
)
def test_what_are_no_facts_are_not_taken_for_some(said: Any) -> None:
    with pytest.raises(InvalidParamsError):
        Peeked.from_json(Dialect.CHAT, said)


async def test_a_whole_body_can_be_read_again_and_says_what_it_is() -> None:
    text = raw(MESSAGE)
    whole = Whole(Dialect.MESSAGES, text)
    assert [piece async for piece in whole] == [piece async for piece in whole] == [text]
    params = whole.params({"a": "b"})
    assert params["body"] == {"upload": {"bytes": len(text), "sha256": whole.sha256}}
    assert params["peeked"] == {"model": "claude-opus-4-8", "max_output_tokens": 1024}
    assert params["headers"] == {"a": "b"}
    assert "model" not in params
    invoked = Whole(Dialect.INVOKE, b"{}").params({}, model="m", stream=True)
    assert (invoked["model"], invoked["stream"]) == ("m", True)


async def test_a_body_in_pieces_is_put_together_and_looked_at() -> None:
    text = raw(MESSAGE)
    whole = await collect(Dialect.MESSAGES, Pieces(text[:9], text[9:]))
    assert (whole.raw, whole.peeked) == (text, peek(Dialect.MESSAGES, text))
    for pieces in ((text[:9],), (b"x" * MAX_BODY_BYTES, b"x")):
        with pytest.raises(UploadBrokenError):
            await collect(Dialect.MESSAGES, Pieces(*pieces))


def test_stream_options_that_are_not_there_are_empty() -> None:
    assert stream_options({}) == stream_options({"stream_options": b"null"}) == {}
    assert stream_options({"stream_options": b'{"a": 1}'}) == {"a": b"1"}
