"""An ASGI client that calls an application in-process and holds its answers to the OpenAPI document."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openapi_schema_validator import OAS31Validator
from starlette.types import ASGIApp, Message


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        return str(self.json()["type"]).removeprefix("urn:ostiary:problem:")


@dataclass
class Client:
    """Calls an ASGI application in-process.

    With a ``document`` every answer must be one the document describes for that route, status and body.
    """

    app: ASGIApp
    document: dict[str, Any] | None = None

    async def call(
        self,
        method: str,
        target: str,
        *,
        token: str = "",
        json_body: object = None,
        body: bytes | list[bytes] = b"",
        headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
        stop_after: int = -1,
    ) -> Reply:
        sent = list(headers.items()) if isinstance(headers, Mapping) else list(headers or [])
        if token:
            sent.append(("Authorization", f"Bearer {token}"))
        if json_body is not None:
            body = json.dumps(json_body).encode()
            sent.append(("Content-Type", "application/json"))
        chunks = [body] if isinstance(body, bytes) else body
        if isinstance(body, bytes) and body and not any(name.lower() == "content-length" for name, _ in sent):
            sent.append(("Content-Length", str(len(body))))
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        reply = await _exchange(self.app, scope, chunks, stop_after)
        if self.document is not None:
            hold_to_document(self.document, method, path, reply)
        return reply


async def _exchange(app: ASGIApp, scope: dict[str, Any], chunks: list[bytes], stop_after: int) -> Reply:
    waiting = [
        {"type": "http.request", "body": chunk, "more_body": index < len(chunks) - 1}
        for index, chunk in enumerate(chunks)
    ]
    messages: list[Message] = []
    gone = asyncio.Event()

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        messages.append(message)
        if len(messages) == stop_after:
            gone.set()
        await asyncio.sleep(0)

    await app(scope, receive, send)
    start: Message = messages[0] if messages else {"status": 0, "headers": []}
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    assert len(headers) == len(start["headers"]), "a header of the answer stands twice"
    body = b"".join(message.get("body", b"") for message in messages[1:])
    complete = bool(messages[1:]) and not messages[-1].get("more_body", False)
    return Reply(start["status"], headers, body, complete)


def hold_to_document(document: dict[str, Any], method: str, path: str, reply: Reply) -> None:
    item = _item_of(document, path)
    if item is None or method.lower() not in item:
        assert reply.status in (400, 404, 405), f"{method} {path} is not in the document and answered {reply.status}"
        return
    described = item[method.lower()]["responses"].get(str(reply.status))
    assert described is not None, f"{method} {path} answered {reply.status}, which its document does not know"
    content = described.get("content")
    if not content:
        assert reply.body == b""
        return
    media_type = reply.headers["content-type"].partition(";")[0]
    wanted = content.get(media_type) or content.get("*/*")
    assert wanted is not None, f"{method} {path} answered as {media_type}, its document knows {list(content)}"
    if media_type.endswith("json"):
        schema = {**wanted["schema"], "components": document["components"]}
        OAS31Validator(schema).validate(json.loads(reply.body))


def _item_of(document: dict[str, Any], path: str) -> dict[str, Any] | None:
    parts = path.split("/")
    for template, item in document["paths"].items():
        names = template.split("/")
        if len(names) == len(parts) and all(
            name == part or name.startswith("{") for name, part in zip(names, parts, strict=True)
        ):
            return dict(item)
    return None
