"""Every written form of a model leads to one canonical name, or to a refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import InvalidParamsError
from connectors.llm.models import MAX_NAME_CHARS, Model, read_canonical, read_model, shown

ARN = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-8-v1:0"


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("claude-opus-4-8", "anthropic/claude-opus-4-8"),
        ("claude-opus-4-1-20250805", "anthropic/claude-opus-4-1-20250805"),
        ("openai/gpt-5", "openai/gpt-5"),
        ("gpt-4.1", "anthropic/gpt-4.1"),
        ("anthropic.claude-opus-4-8-v1:0", "anthropic/claude-opus-4-8"),
        ("anthropic.claude-opus-4-8", "anthropic/claude-opus-4-8"),
        ("anthropic.claude-opus-4-6-v1", "anthropic/claude-opus-4-6"),
        ("us.anthropic.claude-opus-4-8-v1:0", "anthropic/claude-opus-4-8"),
        ("us-gov.anthropic.claude-opus-4-8-v1:0", "anthropic/claude-opus-4-8"),
        ("global.anthropic.claude-3-5-sonnet-20241022-v2:0", "anthropic/claude-3-5-sonnet-20241022"),
        (ARN, "anthropic/claude-opus-4-8"),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-4-8-v1:0", "anthropic/claude-opus-4-8"),
    ],
)
def test_every_form_has_one_canonical_name(written: str, canonical: str) -> None:
    model = read_model(written, "anthropic")
    assert model.id == canonical
    assert model.resource == f"models/{canonical}"


def test_an_id_of_bedrock_is_kept_without_the_profile_the_client_chose() -> None:
    assert read_model(ARN, "anthropic").bedrock == "anthropic.claude-opus-4-8-v1:0"
    assert read_model("us.anthropic.claude-opus-4-6-v1", "x").bedrock == "anthropic.claude-opus-4-6-v1"
    assert read_model("claude-opus-4-8", "anthropic").bedrock == ""


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "Claude-opus-4-8",
        "claude-opus-4-8 ",
        "claude%2dopus",
        "cl\u0430ude-opus-4-8",
        "claude-opus-4-8\n",
        "claude..opus",
        "-claude",
        "claude/",
        "/claude",
        "anthropic//claude",
        "anthropic/../claude",
        "anthropic/claude/opus",
        "Anthropic/claude-opus-4-8",
        "*",
        "claude-*",
        "gpt-5[1m]",
        "ft:gpt-4o:acme::x",
        "a" * (MAX_NAME_CHARS + 1),
        "anthropic.claude-v2:1",
        "us.meta.llama3-70b-instruct-v1:0",
        "us.anthropic.claude-opus-4-8-v1:0:200k",
        "anthropic.claude-opus--4-v1:0",
        "x.us.anthropic.claude-opus-4-8",
        "anthropic/us.anthropic.claude-opus-4-8",
        "anthropic/anthropic.claude-opus-4-8",
        "global.eu.anthropic.claude-opus-4-8",
        "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1b2c3",
        "arn:aws:bedrock:eu-west-1:123456789012:provisioned-model/a1b2c3",
        "arn:aws:s3:::bucket",
        f"{ARN}/more",
        f"{ARN}\n",
        "arn:aws:bedrock:" + "x" * 600,
    ],
)
def test_an_odd_name_is_refused_and_not_mended(written: str) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        read_model(written, "anthropic")
    assert str(caught.value).isprintable()


@given(text=st.text(max_size=40) | st.from_regex(r"[a-z0-9._:/-]{1,40}", fullmatch=True))
def test_whatever_is_taken_is_one_segment_below_its_provider(text: str) -> None:
    try:
        model = read_model(text, "anthropic")
    except InvalidParamsError:
        return
    models, provider, name = model.resource.split("/")
    assert models == "models"
    assert provider
    assert name
    assert ":" not in model.resource
    assert read_canonical(model.id) == Model(model.provider, model.name)


def test_what_a_message_repeats_is_short_and_printable() -> None:
    assert shown("a\x1b[2J" + "b" * 200).isprintable()
    assert len(shown("b" * 200)) < 100
