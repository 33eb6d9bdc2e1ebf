from __future__ import annotations

from typing import Any

from openapi_spec_validator import validate

from broker.doors.openapi import PUBLIC
from broker.doors.problems import MEDIA_TYPE, TABLE
from broker.outcome import ProblemKind
from tests.unit.broker.doors.asgi import Client


def test_the_document_is_valid_openapi_3_1(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.1.0"
    validate(described)


async def test_it_is_served_without_a_token(client: Client, described: dict[str, Any]) -> None:
    assert (await client.call("GET", "/v1/openapi.json")).json() == described


async def test_every_route_of_it_answers_and_every_route_with_a_token_asks_for_one(
    client: Client, described: dict[str, Any]
) -> None:
    asked = []
    for path, item in described["paths"].items():
        for method, operation in item.items():
            reply = await client.call(method.upper(), path)
            if path in PUBLIC:
                assert operation["security"] == []
                assert reply.status in (200, 503)
            else:
                assert "security" not in operation
                assert reply.kind == "unauthenticated"
                asked.append((method, path))
    assert ("post", "/v1/intents") in asked
    assert len(asked) > 10


def test_every_problem_has_a_status_and_a_title_and_no_two_titles_are_the_same() -> None:
    assert set(TABLE) == set(ProblemKind)
    assert all(400 <= status <= 504 for status, _ in TABLE.values())
    assert len({title for _, title in TABLE.values()}) == len(TABLE)


def test_every_problem_is_documented_where_intents_are_made(described: dict[str, Any]) -> None:
    responses = described["paths"]["/v1/intents"]["post"]["responses"]
    for kind, (status, _) in TABLE.items():
        assert f"`{kind}`" in responses[str(status)]["description"]
        assert MEDIA_TYPE in responses[str(status)]["content"]


def test_nothing_is_documented_that_frameworks_send_and_this_api_does_not(described: dict[str, Any]) -> None:
    assert not {"HTTPValidationError", "ValidationError"} & described["components"]["schemas"].keys()
    assert "HTTPValidationError" not in str(described)
