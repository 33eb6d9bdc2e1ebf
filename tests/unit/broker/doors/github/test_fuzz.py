"""Whatever comes in is one intent or a clear no: never a fault, never two intents, never a param nobody sent."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from broker.doors.app import create_app
from broker.outcome import Outcome
from connectors.github.catalogue import actions
from tests.unit.broker.doors.asgi import Client
from tests.unit.broker.doors.github.house import GitHubWorld, Seen, make_github_world

ENTRIES = sorted({(entry.method, entry.path) for entry in actions().values()})
PART = st.sampled_from(
    ["acme", "app", "7", "..", ".", "", "%2e%2e", "%2F", "a%2Fb", "%00", "%c0%ae", "main", "é", "\\"]
)
NAME = st.sampled_from(["page", "state", "owner", "repo", "accept", "sha", "title", "body", "labels", "_method", "x"])
VALUE = st.sampled_from(["1", "true", "open", "%", "%ff", "a+b", "", "[]"]) | st.integers().map(str)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAME, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, Any]:
    method, template = draw(st.sampled_from(ENTRIES))
    parts = [draw(PART) if part.startswith("{") else part for part in template.split("/")]
    query = "&".join(f"{name}={value}" for name, value in draw(st.lists(st.tuples(NAME, VALUE), max_size=3)))
    return method, "/".join(parts) + (f"?{query}" if query else ""), draw(st.none() | JSON)


def made() -> GitHubWorld:
    world = make_github_world(Path(tempfile.gettempdir()))

    async def act(seen: Seen) -> Outcome:
        return seen.done({})

    world.act = act
    return world


WORLD = made()
CLIENT = Client(create_app(WORLD))


@given(requests())
def test_any_request_is_one_intent_or_a_clear_no(request: tuple[str, str, Any]) -> None:
    WORLD.seen.clear()
    method, path, body = request
    headers = {"Authorization": f"token {WORLD.pusher_token}", "Host": "o.test"}
    reply = asyncio.run(CLIENT.call(method, "/api/v3" + path, headers=headers, json_body=body))
    assert reply.status in ({200} if WORLD.seen else {400, 403, 404, 422}), reply.body
    for draft in WORLD.seen:
        entry = actions()[draft.action]
        assert entry.method == method
        assert draft.params.keys() <= {*entry.in_path, *entry.in_query, *entry.in_body}
        assert dict.fromkeys(entry.in_path, "").keys() <= draft.params.keys()
