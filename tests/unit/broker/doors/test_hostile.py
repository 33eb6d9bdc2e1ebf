from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.doors.app import create_app
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.world import make_world

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = st.sampled_from(["action", "params", "resource", "connection", "reason", "dry_run", "agent", "labels", "x"])
BODIES = st.binary(max_size=80) | (st.dictionaries(MEMBERS, VALUES, max_size=6) | VALUES).map(
    lambda value: json.dumps(value).encode()
)
PATHS = st.sampled_from(
    ["/v1/intents", "/v1/sessions", "/v1/approvals/apr_" + "0" * 26 + "/reject", "/v1/intents/int_" + "0" * 26]
)
WHO = st.sampled_from(["reader_token", "ana", "ben", "kim", ""])
HEADER = st.text(st.characters(max_codepoint=255), max_size=30)

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.req("O2")
@quick
@given(body=BODIES, path=PATHS, who=WHO, method=st.sampled_from(["POST", "GET", "DELETE", "PUT"]))
async def test_no_body_brings_a_server_error(
    tmp_path: Path, described: dict[str, Any], body: bytes, path: str, who: str, method: str
) -> None:
    world = make_world(tmp_path)
    client = Client(create_app(world), described)
    token = getattr(world, who) if who else ""
    headers = {"Content-Type": "application/json"}
    reply = await client.call(method, path, token=token, body=body, headers=headers)
    assert reply.status < 500, reply.body


@pytest.mark.req("O2")
@quick
@given(
    name=st.sampled_from(["Authorization", "Prefer", "Idempotency-Key", "Content-Type", "Content-Length"]), value=HEADER
)
async def test_no_header_brings_a_server_error(
    tmp_path: Path, described: dict[str, Any], name: str, value: str
) -> None:
    world = make_world(tmp_path)
    client = Client(create_app(world), described)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {world.reader_token}", name: value}
    reply = await client.call("POST", "/v1/intents", body=b'{"action":"s3:HeadObject"}', headers=headers)
    assert reply.status < 500, reply.body


@quick
@given(path=st.text(max_size=40).map(lambda text: "/v1/" + text), query=st.text(st.characters(codec="ascii")))
async def test_no_path_and_no_query_brings_a_server_error(tmp_path: Path, path: str, query: str) -> None:
    world = make_world(tmp_path)
    client = Client(create_app(world))
    for target in (path.replace("?", ""), "/v1/events?" + query, "/v1/approvals?" + query):
        reply = await client.call("GET", target, token=world.eve)
        assert reply.status < 500, reply.body
