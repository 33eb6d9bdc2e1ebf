"""What an operator writes is checked whole before it is in force."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from connectors.base import Connection, JsonObject
from connectors.llm.connection import LlmConnection, Upstream, options_of
from tests.unit.connectors.llm.desk import ANTHROPIC, AZURE, BEDROCK, MISTRAL, OPENAI, SECOND, connection
from vault.model import CredentialRef

PAGE = (Path(__file__).parents[4] / "connectors" / "llm" / "README.md").read_text("utf-8")


def upstream(**options: Any) -> Upstream:
    return Upstream.model_validate({**ANTHROPIC, **options})


def test_the_example_on_the_page_is_one_and_every_file_is_named_there() -> None:
    options: JsonObject = yaml.safe_load(PAGE.split("```yaml\n")[1].split("```")[0])["connections"]["models"]
    assert (options.pop("connector"), options.pop("credential")) == ("llm", "llm/anthropic")
    assert [each.serves for each in LlmConnection.model_validate(options).upstreams] == [
        "anthropic", "anthropic", "anthropic", "openai", "openai", "mistral",
    ]  # fmt: skip
    folder = Path(__file__).parents[4] / "connectors" / "llm"
    files = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert [name for name in files if f"`{name}`" not in PAGE] == []
    named = re.findall(r"^\| `([a-z_]+(?:\.py|/))` \|", PAGE, re.MULTILINE)
    assert [name for name in named if not (folder / name).exists()] == []


def test_an_upstream_without_a_url_is_where_its_provider_is() -> None:
    assert upstream().base == "https://api.anthropic.com"
    assert Upstream.model_validate(OPENAI).base == "https://api.openai.com"
    bedrock = Upstream.model_validate(BEDROCK)
    assert (bedrock.base, bedrock.host) == (
        "https://bedrock-runtime.eu-west-1.amazonaws.com",
        "bedrock-runtime.eu-west-1.amazonaws.com",
    )
    assert Upstream.model_validate({**BEDROCK, "region": "cn-north-1"}).host.endswith(".amazonaws.com.cn")


@pytest.mark.parametrize(
    ("written", "base"),
    [
        ("https://Gateway.Example:443/", "https://gateway.example"),
        ("https://gateway.example:8443/api", "https://gateway.example:8443/api"),
        ("http://127.0.0.1", "http://127.0.0.1:80"),
        ("http://[::1]:9/x/", "http://[::1]:9/x"),
    ],
)
def test_a_url_has_one_form(written: str, base: str) -> None:
    assert upstream(url=written).base == base


@pytest.mark.parametrize(
    "url",
    [
        "ftp://gateway.example",
        "gateway.example",
        "https://user@gateway.example",
        "https://user:pass@gateway.example",
        "https://gateway.example?x=1",
        "https://gateway.example#x",
        "https://gateway.example/../x",
        "https://gateway.example/a/./b",
        "https://gateway.example//a",
        "https://gateway.example/%2e%2e",
        "https://gateway.example/v1",
        "https://gateway.example/a b",
        "https://gateway.example:0",
        "https://gateway.example:70000",
        "https://gat\u0435way.example",
        "https://",
        "",
    ],
)
def test_a_url_with_a_trick_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        upstream(url=url)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"upstreams": []},
        {"upstreams": [ANTHROPIC, ANTHROPIC]},
        {"upstreams": [{**ANTHROPIC, "speaks": "esperanto"}]},
        {"upstreams": [{**ANTHROPIC, "name": "Upper"}]},
        {"upstreams": [{**ANTHROPIC, "region": "eu-west-1"}]},
        {"upstreams": [{**ANTHROPIC, "profile": "eu"}]},
        {"upstreams": [{**ANTHROPIC, "api_version": "v1"}]},
        {"upstreams": [{**OPENAI, "deployments": {"gpt-5": "x"}}]},
        {"upstreams": [{**ANTHROPIC, "credential": "no-folder"}]},
        {"upstreams": [{**ANTHROPIC, "first_byte_seconds": 0}]},
        {"upstreams": [{**ANTHROPIC, "on_disconnect": "wait"}]},
        {"upstreams": [{**ANTHROPIC, "models": {"Upper": "x"}}]},
        {"upstreams": [{**ANTHROPIC, "models": {"claude": "a b"}}]},
        {"upstreams": [{"name": "bedrock", "speaks": "bedrock"}]},
        {"upstreams": [{**BEDROCK, "provider": "meta"}]},
        {"upstreams": [{**BEDROCK, "region": "eu-west-1.evil.example"}]},
        {"upstreams": [{**BEDROCK, "profile": "eu."}]},
        {"upstreams": [{"name": "azure", "speaks": "azure", "url": "https://x.example"}]},
        {"upstreams": [{"name": "azure", "speaks": "azure", "api_version": "v1"}]},
        {"upstreams": [{**AZURE, "api_version": "2025-1-1"}]},
        {"upstreams": [{**AZURE, "deployments": {"gpt-5": "a/b"}}]},
        {"upstreams": [ANTHROPIC], "aliases": {"sonnet": "claude-sonnet-5"}},
        {"upstreams": [ANTHROPIC], "aliases": {"a b": "anthropic/claude-sonnet-5"}},
        {"upstreams": [ANTHROPIC], "aliases": {"x": "anthropic/us.anthropic.claude-sonnet-5"}},
        {"upstreams": [ANTHROPIC], "unknown_models": "free"},
        {"upstreams": [ANTHROPIC], "routes": [{"models": "claude", "upstreams": ["anthropic"]}]},
        {"upstreams": [ANTHROPIC], "routes": [{"models": "anthropic/*", "upstreams": []}]},
        {"upstreams": [ANTHROPIC], "routes": [{"models": "anthropic/*", "upstreams": ["nobody"]}]},
        {"upstreams": [ANTHROPIC], "routes": [{"models": "anthropic/*", "upstreams": ["anthropic", "anthropic"]}]},
        {"upstreams": [OPENAI], "routes": [{"models": "anthropic/*", "upstreams": ["openai"]}]},
        {
            "upstreams": [OPENAI, MISTRAL],
            "routes": [{"models": "openai/*", "upstreams": ["openai"], "instead": {"mistral": "mistral/large"}}],
        },
        {
            "upstreams": [OPENAI, MISTRAL],
            "routes": [
                {"models": "openai/*", "upstreams": ["openai", "mistral"], "instead": {"mistral": "openai/gpt-5"}}
            ],
        },
    ],
    ids=range(33),
)
def test_what_does_not_fit_together_is_refused(options: JsonObject) -> None:
    with pytest.raises(ValidationError):
        LlmConnection.model_validate(options)


def test_a_route_covers_by_whole_names() -> None:
    options = LlmConnection.model_validate(
        {"upstreams": [OPENAI], "routes": [{"models": "openai/gpt-5*", "upstreams": ["openai"]}]}
    )
    route = options.routes[0]
    assert [route.covers(name) for name in ("openai/gpt-5", "openai/gpt-5-mini", "openai/gpt-4", "xopenai/gpt-5")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_times_and_manners_of_an_upstream_come_before_those_of_the_connection() -> None:
    own = {**SECOND, "first_byte_seconds": 5, "answer_seconds": 6, "on_disconnect": "drain"}
    options = options_of(connection(ANTHROPIC, own, BEDROCK, first_byte_seconds=7))
    first, second, bedrock = options.upstreams
    assert [options.first_byte_of(each) for each in (first, second)] == [7, 5]
    assert [options.answer_of(each) for each in (first, second)] == [600, 6]
    assert [options.drains(each) for each in (first, second, bedrock)] == [False, True, True]
    chosen = options_of(connection(BEDROCK, on_disconnect="abort"))
    assert not chosen.drains(chosen.upstreams[0])


def test_only_a_profile_of_a_region_is_regional() -> None:
    profiles = [{**BEDROCK, "profile": profile} for profile in ("eu", "global", "")]
    assert [Upstream.model_validate(each).regional for each in profiles] == [True, False, False]


def test_options_are_read_once_and_never_mixed_up() -> None:
    known = connection()
    assert options_of(known) is options_of(known)
    same = Connection("other", "llm", CredentialRef("a/b"), deepcopy(known.options))
    assert options_of(same) == options_of(known)
    for number in range(200):
        each = connection({**ANTHROPIC, "name": f"n{number}"})
        assert options_of(each).upstreams[0].name == f"n{number}"
