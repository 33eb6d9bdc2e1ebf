"""What of Anthropic's requests goes to Bedrock, and what keeps it from being asked."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.llm.bedrock.capabilities import CAPABILITIES, FIELDS, Capabilities, Verdict
from connectors.llm.bedrock.translate import Translated, Untranslatable, to_bedrock

BODY: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 64000,
    "stream": True,
    "messages": [{"role": "user", "content": "hi"}],
}
CLAUDE_CODE = (
    "claude-code-20250219, context-1m-2025-08-07, interleaved-thinking-2025-05-14, thinking-token-count-2026-05-13,"
    "context-management-2025-06-27, prompt-caching-scope-2026-01-05, mid-conversation-system-2026-04-07,"
    "effort-2025-11-24, advanced-tool-use-2025-11-20"
)


def top_of(body: str) -> dict[str, bytes]:
    return {name: bytes(raw) for name, raw in msgspec.json.decode(body, type=dict[str, msgspec.Raw]).items()}


def translate(
    headers: dict[str, str] | None = None, capabilities: Capabilities = CAPABILITIES, **fields: Any
) -> Translated | Untranslatable:
    return to_bedrock(top_of(json.dumps({**BODY, **fields})), headers or {}, capabilities)


def sent(headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    found = translate(headers, **fields)
    assert isinstance(found, Translated), found
    body: dict[str, Any] = json.loads(found.body)
    return body


def dropped(headers: dict[str, str] | None = None, **fields: Any) -> tuple[str, ...]:
    found = translate(headers, **fields)
    assert isinstance(found, Translated), found
    return found.dropped


def test_a_turn_of_claude_code_has_the_fields_claude_code_itself_sends_to_bedrock() -> None:
    headers = {"anthropic-version": "2023-06-01", "anthropic-beta": CLAUDE_CODE}
    body = sent(
        headers,
        system=[{"type": "text", "text": "x-anthropic-billing-header: first"}],
        tools=[{"name": "Bash", "input_schema": {"type": "object"}}],
        metadata={"user_id": "u"},
        thinking={"type": "adaptive"},
        context_management={"edits": []},
        output_config={"effort": "high"},
    )
    assert body.keys() == {
        "messages",
        "system",
        "tools",
        "metadata",
        "max_tokens",
        "thinking",
        "anthropic_beta",
        "anthropic_version",
    }
    assert body["anthropic_version"] == "bedrock-2023-05-31"
    assert body["anthropic_beta"] == [
        "context-1m-2025-08-07",
        "interleaved-thinking-2025-05-14",
        "tool-search-tool-2025-10-19",
    ]


def test_what_was_left_out_is_named() -> None:
    names = dropped(
        {"anthropic-beta": "claude-code-20250219, odd beta\u2028"},
        service_tier="auto",
        speed="fast",
        context_management={},
        output_config={"effort": "low"},
    )
    assert names == (
        "anthropic-beta: claude-code-20250219",
        "anthropic-beta: …",
        "context_management",
        "output_config.effort",
        "service_tier",
        "speed",
    )


def test_values_stay_as_they_were_written() -> None:
    raw = (
        '{"model":"claude-x","messages": [ {"role":"user","content":"\\u00e9 1.50"} ] ,"temperature":1.00,"top_k":1e1}'
    )
    found = to_bedrock(top_of(raw), {})
    assert isinstance(found, Translated)
    assert b'"messages":[ {"role":"user","content":"\\u00e9 1.50"} ]' in found.body
    assert b'"temperature":1.00,"top_k":1e1' in found.body


@pytest.mark.parametrize(
    "fields",
    [
        {"container": "c"},
        {"mcp_servers": [{"url": "https://x"}]},
        {"inference_geo": "us"},
        {"workspace_id": "w"},
        {"something_new": 1},
        {"anthropic_version": "bedrock-2023-05-31"},
        {"anthropic_beta": ["x"]},
        {"output_config": {"effort": "high", "something_new": 1}},
        {"output_config": "high"},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"tools": [{"name": "a"}, {"type": "code_execution_20250825", "name": "c"}]},
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://x"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]}]},
        {"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]},
    ],
)
def test_what_would_change_the_meaning_keeps_bedrock_from_being_asked(fields: dict[str, Any]) -> None:
    assert isinstance(translate(**fields), Untranslatable)


@pytest.mark.parametrize(
    "fields",
    [
        {"container": None},
        {"mcp_servers": []},
        {"inference_geo": None},
        {"something_new": None},
        {"output_config": None},
        {"output_config": {}},
    ],
)
def test_a_field_that_asks_for_nothing_is_left_out(fields: dict[str, Any]) -> None:
    assert sent(**fields).keys() == {"max_tokens", "messages", "anthropic_version"}


@pytest.mark.parametrize(
    "text",
    [
        'say {"role": "system"} and {"type": "web_search_20250305"}',
        '"source": {"type": "url"}',
        '"cache_control": {"type": "ephemeral", "scope": "global"}',
    ],
)
def test_a_text_that_speaks_of_such_things_passes_as_it_is(text: str) -> None:
    message = [{"role": "user", "content": text}]
    assert sent(messages=message)["messages"] == message


def test_a_schema_for_the_answer_goes_and_the_effort_does_not() -> None:
    schema = {"type": "json_schema", "schema": {"type": "object"}}
    body = sent(output_config={"effort": "high", "format": schema})
    assert body["output_config"] == {"format": schema}


def test_marks_for_caching_go_without_who_shares_the_cache() -> None:
    system = [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "scope": "global", "ttl": "1h"}}]
    body = sent(system=system)
    assert body["system"] == [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    assert "cache_control.scope" in dropped(system=system)


@pytest.mark.parametrize("mark", [{"type": "mine", "scope": "x"}, {"scope": "x"}, {"type": "ephemeral", "x": "scope"}])
def test_what_only_looks_like_a_mark_for_caching_stays(mark: dict[str, str]) -> None:
    turn = {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {"cache_control": mark}}],
    }
    assert sent(messages=[turn])["messages"] == [turn]


def test_a_broken_mark_is_not_mended() -> None:
    raw = b'[{"cache_control": {"scope" 1}}]'
    found = to_bedrock({"messages": raw}, {})
    assert isinstance(found, Translated)
    assert raw in found.body


@pytest.mark.parametrize(
    ("version", "model", "expected"),
    [
        ("", "claude-opus-4-5", "bedrock-2023-05-31"),
        ("2023-06-01", "claude-opus-4-8", "bedrock-2023-05-31"),
        ("2026-10-21", "claude-opus-4-8", "2026-10-21"),
        ("2026-10-21", "claude-opus-4-6", None),
        ("2026-10-21", "claude-opus-4-1-20250805", None),
        ("2023-01-01", "claude-opus-4-8", None),
    ],
)
def test_the_version_of_the_api_is_kept_or_bedrock_is_not_asked(version: str, model: str, expected: str | None) -> None:
    found = translate({"anthropic-version": version}, model=model)
    if expected is None:
        assert isinstance(found, Untranslatable)
    else:
        assert isinstance(found, Translated)
        assert json.loads(found.body)["anthropic_version"] == expected


def test_the_model_that_is_invoked_counts_and_not_the_one_that_was_named() -> None:
    headers, top = {"anthropic-version": "2026-10-21"}, {"model": b'"claude-opus-4-8"', "messages": b"[]"}
    assert isinstance(to_bedrock(top, headers), Translated)
    assert isinstance(to_bedrock(top, headers, model="claude-opus-4-6"), Untranslatable)
    assert isinstance(to_bedrock({"model": b"7", "messages": b"[]"}, headers), Translated)


def test_betas_are_asked_for_once_each_and_not_without_end() -> None:
    header = ",".join(
        ["context-1m-2025-08-07", " context-1m-2025-08-07 ", ""] + ["x"] * 70 + ["computer-use-2025-11-24"]
    )
    assert sent({"anthropic-beta": header})["anthropic_beta"] == ["context-1m-2025-08-07"]


def test_an_upstream_may_take_more_than_is_known_here() -> None:
    wide = Capabilities(
        fields={**FIELDS, "context_management": Verdict.PASS},
        output_config={"effort": Verdict.PASS},
        betas={"effort-2025-11-24": "effort-2025-11-24"},
        evidence={},
    )
    found = translate(
        {"anthropic-beta": "effort-2025-11-24"},
        wide,
        context_management={"edits": []},
        output_config={"effort": "high"},
        messages=[{"role": "system", "content": "b"}],
    )
    assert isinstance(found, Translated)
    body = json.loads(found.body)
    assert body["output_config"] == {"effort": "high"}
    assert body["anthropic_beta"] == ["effort-2025-11-24"]
    assert "context_management" in body


def test_a_name_that_is_refused_is_shown_clean_and_short() -> None:
    found = to_bedrock({"a`b\n" + "x" * 200: b"1"}, {})
    assert isinstance(found, Untranslatable)
    assert "`a?b?x" in found.why
    assert len(found.why) < 120


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60)
@given(
    fields=st.dictionaries(st.sampled_from([*FIELDS, "output_config", "new"]), JSON, max_size=6),
    header=st.text(max_size=40),
)
def test_any_request_is_translated_to_json_or_refused_and_nothing_is_made_up(
    fields: dict[str, Any], header: str
) -> None:
    found = to_bedrock(top_of(json.dumps(fields)), {"anthropic-beta": header})
    if isinstance(found, Untranslatable):
        assert found.why
        return
    body = json.loads(found.body)
    assert body.pop("anthropic_version") == "bedrock-2023-05-31"
    body.pop("anthropic_beta", None)
    assert "new" not in body
    body.pop("output_config", None)
    assert all(FIELDS[name] is Verdict.PASS and fields[name] == value for name, value in body.items())
