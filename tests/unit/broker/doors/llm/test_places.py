from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.doors.app import create_api
from broker.doors.llm.places import _FAMILIES, NOWHERE, Place, Want, is_llm, is_query, place_of
from broker.doors.openapi import document
from connectors.llm.words import Dialect
from tests.unit.broker.doors.world import World

pytestmark = pytest.mark.req("A5")

ARN = "arn:aws:bedrock:eu-west-1:1:inference-profile/us.anthropic.claude-opus-4-8-v1:0"
SERVED = [
    ("/v1/messages", Place(Want.INVOKE, Dialect.MESSAGES)),
    ("/v1/messages/count_tokens", Place(Want.COUNT, Dialect.MESSAGES)),
    ("/v1/chat/completions", Place(Want.INVOKE, Dialect.CHAT)),
    ("/v1/responses", Place(Want.INVOKE, Dialect.RESPONSES)),
    ("/v1/models", Place(Want.MODELS)),
    ("/v1/models/gpt-5", Place(Want.MODEL, model="gpt-5")),
    ("/v1/models/mistral%2Fmistral-large", Place(Want.MODEL, model="mistral/mistral-large")),
    ("/v1/models/mistral/mistral-large", Place(Want.MODEL, model="mistral/mistral-large")),
    ("/", Place(Want.PROBE)),
    ("/model/anthropic.claude-v1%3A0/invoke", Place(Want.INVOKE, Dialect.INVOKE, "", "anthropic.claude-v1:0")),
    ("/model/a.b-v1:0/invoke-with-response-stream", Place(Want.INVOKE, Dialect.INVOKE, "", "a.b-v1:0", stream=True)),
    (f"/model/{ARN.replace('/', '%2F')}/invoke", Place(Want.INVOKE, Dialect.INVOKE, "", ARN)),
]  # fmt: skip


@pytest.mark.parametrize(("path", "place"), SERVED)
def test_a_path_is_one_place_with_and_without_a_connection(path: str, place: Place) -> None:
    assert place_of(path.encode()) == place
    named = place_of(f"/llm/main-2{path}".encode())
    assert named == Place(place.want, place.dialect, "main-2", place.model, place.stream)


def test_the_address_of_a_connection_is_a_probe_with_and_without_its_slash() -> None:
    assert place_of(b"/llm/main") == place_of(b"/llm/main/") == Place(Want.PROBE, None, "main")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages/batches", "/v1/messages/batches/b1/results", "/v1/messages/", "/v1/complete", "/v1/files",
        "/v1/embeddings", "/v1/responses/r1", "/v1/responses/", "/v1/batches", "/v1/chat/completions/c1", "/v1/models/",
        "/v1/audio/speech", "/v1/images/generations", "/v1/realtime", "/v1/skills", "/v1/organizations/x",
        "/openai/deployments/d/chat/completions", "/openai/v1/responses", "/inference-profiles",
        "/inference-profiles/x", "/model/x/converse", "/model/x/converse-stream", "/model/x/count-tokens",
        "/model/x/invoke/", "/model//invoke", "/model/x/invoke-with-bidirectional-stream", "/model/x%zz/invoke",
        "/model/x%25/invoke", "/model/x%0a/invoke", "/model/x%C3%A9/invoke", "/model/a/b/invoke",
        "/llm/Main/v1/messages", "/llm//v1/messages", "/llm/a/llm/b/v1/messages", "/llm/a/v1/sessions",
        "/llm/a/v1/files", "/llm/main/anything", f"/v1/models/{'x' * 2048}",
    ],
)  # fmt: skip
def test_every_other_path_of_those_apis_belongs_to_the_door_and_is_no_place(path: str) -> None:
    assert is_llm("POST", path)
    assert place_of(path.encode()).want is Want.NOTHING


@pytest.mark.parametrize(
    "path",
    [
        "/v1//messages", "/v1/./messages", "/v1/x/../messages", "/v1/%6dessages", "/v1/messages%2F", "/v1/messages?x",
        "/v1/messages\n", "/V1/messages", "//v1/messages", "/v1/messages;x", "v1/messages", "",
    ],
)  # fmt: skip
def test_a_path_with_two_readings_is_no_place(path: str) -> None:
    assert place_of(path.encode()).want is Want.NOTHING


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/messages/batches", Dialect.MESSAGES),
        ("/llm/main/v1/complete", Dialect.MESSAGES),
        ("/inference-profiles", Dialect.INVOKE),
        ("/model/x/converse", Dialect.INVOKE),
        ("/model/x%25/invoke", Dialect.INVOKE),
        ("/v1/files", None),
        ("/openai/v1/responses", None),
        ("/v1", None),
    ],
)
def test_what_is_not_served_is_refused_in_the_form_of_whose_path_it_is(path: str, dialect: Dialect | None) -> None:
    assert place_of(path.encode()).dialect is dialect


def test_a_path_that_is_too_long_is_nowhere() -> None:
    assert place_of(b"/v1/models/" + b"x" * 2048) == NOWHERE


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="/v1model.-%2Fesagbtchik ~\x00\xff", max_size=40))
def test_no_path_raises_and_only_the_served_ones_are_places(text: str) -> None:
    place = place_of(text.encode("latin-1"))
    if place.want in {Want.INVOKE, Want.COUNT}:
        assert place.dialect is not None
    assert place.want is Want.NOTHING or text.isascii()


def test_only_a_head_of_the_root_is_the_doors() -> None:
    assert is_llm("HEAD", "/")
    assert not is_llm("GET", "/")


def test_no_noun_of_our_own_api_is_taken_by_the_door(world: World) -> None:
    paths = document(create_api(world))["paths"]
    ours = {path.split("/")[2] for path in paths if path.startswith("/v1/")}
    future = {
        "sessions",
        "intents",
        "approvals",
        "events",
        "actions",
        "usage",
        "budgets",
        "halts",
        "alerts",
        "breakers",
    }
    assert not (ours | future) & _FAMILIES
    assert not any(is_llm("POST", path) for path in paths)
    assert not any(is_llm("GET", f"/v1/{noun}") for noun in future)


@pytest.mark.parametrize(
    ("query", "fits"), [(b"", True), (b"beta=true&x=%20", True), (b"%2", False), (b"a b", False), (b"\xff", False),
                        (b"x" * 2049, False), (b"a=1#b", False)],
)  # fmt: skip
def test_a_query_is_one_or_not(query: bytes, fits: bool) -> None:
    assert is_query(query) is fits
