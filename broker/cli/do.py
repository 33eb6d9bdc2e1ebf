"""``ostiary do``: ask for one action, wait for it, and take its body."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import typer

from broker.cli.client import Answer, Api, api_from, segment
from broker.cli.output import ExitCode, OutputFormat, OutputOption, emit, fail, say
from broker.cli.params import params_of
from broker.cli.upload import form_of, opened
from broker.clock import NS_PER_SECOND, SystemClock

MAX_WAIT_SECONDS: Final = 60
"""Longest wait of one request; longer ones are made of several."""

PATH: Final = "/v1/intents"
PAGINATE: Final = "Paginate"
WAIT_FOR: Final = "WaitFor"
"""Params of the connector of AWS for what is beside an operation."""

_PENDING: Final = 202
_COLUMNS: Final = ("intent", "state", "approval", "output", "decision", "result")


def do(  # noqa: PLR0913 - each option is a parameter in Typer
    ctx: typer.Context,
    action: Annotated[str, typer.Argument(help="`service:Operation`, as `s3:GetObject`.")],
    params: Annotated[list[str] | None, typer.Argument(help="KEY=text, KEY:=json or KEY=@file.")] = None,
    *,
    params_file: Annotated[Path | None, typer.Option(help="JSON object with params.")] = None,
    upload: Annotated[str, typer.Option(help="KEY=FILE, sent piece by piece; `-` for what comes in.")] = "",
    paginate: Annotated[bool, typer.Option("--paginate", help="All pages, a line each, as the body.")] = False,
    wait_for: Annotated[str, typer.Option(help="Ask until this is so, as `bucket_exists`.")] = "",
    resource: Annotated[str, typer.Option(help="What you believe it touches; refused if it does not.")] = "",
    connection: Annotated[str, typer.Option(help="Which connection, where there are several.")] = "",
    reason: Annotated[str, typer.Option(help="Your words for the approver.")] = "",
    idempotency_key: Annotated[str, typer.Option(help="The same key brings back the first outcome.")] = "",
    wait: Annotated[int, typer.Option(min=0, help="Seconds to wait for a person.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide only; do nothing.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the body to this file; `-` for stdout.")] = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Ask for one action, as an agent."""
    given = params_of(params or [], params_file)
    for name, value in ((PAGINATE, paginate), (WAIT_FOR, wait_for)):
        if value:
            _add(given, name, value)
    intent = {
        "action": action,
        "params": given,
        "resource": resource,
        "connection": connection,
        "reason": reason,
        "dry_run": dry_run,
    }
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    if not all("!" <= char <= "~" for char in idempotency_key):
        fail("an idempotency key has visible ASCII characters only", ExitCode.USAGE)
    with api_from(ctx) as api:
        answer = awaited(api, lambda seconds: _sent(api, intent, upload, headers, seconds), wait)
        finish(api, answer, None if dry_run else out, output)


def _sent(api: Api, intent: dict[str, Any], upload: str, headers: dict[str, str], wait: int) -> Answer:
    if not upload:
        return api.post(PATH, intent, headers=headers, wait=wait)
    with opened(upload) as body:
        _add(intent["params"], body.member, body.declaration)
        if intent["dry_run"]:
            return api.post(PATH, intent, headers=headers, wait=wait)
        form = form_of(intent, body)
        return api.stream(PATH, form.pieces, headers={**headers, **form.headers}, wait=wait)


def _add(params: dict[str, Any], name: str, value: Any) -> None:  # noqa: ANN401 - JSON
    if name in params:
        fail(f"param `{name}` stands twice", ExitCode.USAGE)
    params[name] = value


def awaited(api: Api, ask: Callable[[int], Answer], wait: int) -> Answer:
    """Ask, and look again until the intent ends or ``wait`` seconds are over.

    Args:
        api: The client.
        ask: Sends the first request, given the seconds it may wait.
        wait: Seconds in all.
    """
    clock = SystemClock()
    deadline_ns = clock.monotonic_ns() + wait * NS_PER_SECOND
    answer = ask(min(wait, MAX_WAIT_SECONDS))
    while answer.status == _PENDING:
        left = (deadline_ns - clock.monotonic_ns()) // NS_PER_SECOND
        if left < 1:
            break
        # The path is made from the id, never taken from the Location of the answer.
        answer = api.get(intent_path(answer.body), wait=min(left, MAX_WAIT_SECONDS))
    return answer


def finish(api: Api, answer: Answer, out: Path | None, output: OutputFormat) -> None:
    """Take the body where one is wanted, show the rest, and exit 8 when the intent is still pending."""
    shown = dict(answer.body)
    if out is not None and answer.status != _PENDING:
        _take_body(api, shown, out)
    # With `--out -` stdout belongs to the body alone.
    if out is None or str(out) != "-":
        emit(shown, output, columns=[name for name in _COLUMNS if shown.get(name)])
    if answer.status == _PENDING:
        say("ostiary: pending; a person or a worker is asked")
        raise typer.Exit(ExitCode.PENDING)


def intent_path(shown: dict[str, Any]) -> str:
    """Return the path of the intent an answer is about."""
    return f"{PATH}/{segment(str(shown.get('intent', '')))}"


def _take_body(api: Api, shown: dict[str, Any], out: Path) -> None:
    if shown.get("output"):
        with _opened(out) as file:
            api.download(intent_path(shown) + "/output", file)
        return
    result: dict[str, Any] = shown.get("result") or {}
    inline = result.get("body")
    if not isinstance(inline, dict) or "data" not in inline:
        fail("the action gave no body to write", ExitCode.FAILED)
    with _opened(out) as file:
        file.write(base64.b64decode(inline["data"]))
    shown["result"] = {name: value for name, value in result.items() if name != "body"}


@contextmanager
def _opened(out: Path) -> Iterator[BinaryIO]:
    if str(out) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    # Written beside its place and moved there whole, so that a cut download leaves no half a file under the name.
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        fail(f"cannot write `{out}`: {(error.strerror or 'unknown').lower()}", ExitCode.FAILED)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
