from __future__ import annotations

import pytest

from connectors.llm.bedrock.models import bedrock_id, is_before_4_7


@pytest.mark.parametrize(
    ("model", "profile", "expected"),
    [
        ("claude-opus-4-8", "us", "us.anthropic.claude-opus-4-8"),
        ("claude-opus-4-8", "", "anthropic.claude-opus-4-8"),
        ("claude-sonnet-5", "global", "global.anthropic.claude-sonnet-5"),
        ("claude-opus-4-6", "eu", "eu.anthropic.claude-opus-4-6-v1"),
        ("claude-sonnet-4-6", "eu", "eu.anthropic.claude-sonnet-4-6"),
        ("claude-opus-4-5", "apac", "apac.anthropic.claude-opus-4-5-20251101-v1:0"),
        ("claude-sonnet-4-5-20250929", "us", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("claude-3-5-sonnet-20241022", "us", "us.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("us.anthropic.claude-opus-4-8", "eu", "us.anthropic.claude-opus-4-8"),
        ("arn:aws:bedrock:eu-west-1:123456789012:inference-profile/x", "eu", None),
    ],
)
def test_a_model_has_the_id_the_provider_documents(model: str, profile: str, expected: str | None) -> None:
    assert bedrock_id(model, profile) == (expected or model)


def test_what_a_connection_names_counts_before_every_rule() -> None:
    own = {"claude-opus-4-8": "anthropic.claude-opus-4-8-v1:0"}
    assert bedrock_id("claude-opus-4-8", "us", own) == "anthropic.claude-opus-4-8-v1:0"
    assert bedrock_id("claude-sonnet-5", "us", own) == "us.anthropic.claude-sonnet-5"


@pytest.mark.parametrize(
    ("model", "early"),
    [
        ("claude-opus-4-6", True),
        ("claude-sonnet-4-6", True),
        ("claude-haiku-4-5", True),
        ("claude-opus-4-1-20250805", True),
        ("claude-opus-4-7", False),
        ("claude-sonnet-5", False),
        ("", False),
    ],
)
def test_models_before_4_7_are_known(model: str, *, early: bool) -> None:
    assert is_before_4_7(model) is early
