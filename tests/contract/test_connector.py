"""What must hold for every connector of the registry; a connector gets all of this for one line in `SAMPLES`."""

from __future__ import annotations

import asyncio
import base64
import logging
import sys
import traceback
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from broker.catalog import plan_digest_of
from connectors.base import Access, Connection, Connector, JsonObject, Operation, Plan
from connectors.errors import (
    ConnectorError,
    InvalidParamsError,
    NotSentError,
    OutcomeUnknownError,
    UpstreamRefusedError,
)
from connectors.inspection import Inspector
from connectors.registry import REGISTRY, build_connectors
from policies.patterns.pattern import UNKNOWN
from policies.resources.catalogue import build_catalogue
from tests.contract.samples import CANARY, SAMPLES
from tests.fakes import Answer, FakeLease, FakeTransport
from vault.model import CredentialRef

ROOT = Path(__file__).parents[2]


def connectors() -> dict[str, Connector]:
    """Return new instances."""
    return build_connectors()


CONNECTORS = connectors()


CATALOGUE = build_catalogue([each for connector in CONNECTORS.values() for each in connector.resource_types], {})
OPERATIONS = [
    (name, action) for name, sample in SAMPLES.items() for action in sample.operations or CONNECTORS[name].operations
]
every_connector = pytest.mark.parametrize("name", sorted(REGISTRY))
every_operation = pytest.mark.parametrize(("name", "action"), OPERATIONS)

HOSTILE = st.sampled_from(
    ["*", "**", "../x", "a/../b", "%2e%2e/", "a\x00", "a\nb", "\x1b[2J", "", " ", "r\u0430w", "\u202e", "\ud800", "?",
     "--upload-pack=x", "ext::sh", "{}", "$(id)", "`id`", "x" * 5000, "refs/heads/*", "refs/heads/../x"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | HOSTILE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


def connection_of(name: str) -> Connection:
    sample = SAMPLES[name]
    options = CONNECTORS[name].connection_model.model_validate(sample.options).model_dump(mode="json")
    return Connection("sample", name, CredentialRef("test/credential"), options)


def operation_of(name: str, action: str) -> Operation:
    return CONNECTORS[name].operations[action]


def planned(name: str, action: str, params: JsonObject, connector: Connector | None = None) -> Plan:
    return planned_by(connector or CONNECTORS[name], action, params, connection_of(name))


def planned_by(serving: Connector, action: str, params: JsonObject, connection: Connection) -> Plan:
    found = SAMPLES[serving.name].found.get(action)
    if found is None:
        return serving.plan(action, params, connection)
    assert isinstance(serving, Inspector)
    return serving.plan_on(action, params, connection, deepcopy(found))


def example_plan(name: str, action: str) -> Plan:
    return planned(name, action, deepcopy(operation_of(name, action).example))


def executable_plan(name: str, action: str) -> Plan:
    serving, executed = CONNECTORS[name], SAMPLES[name].executed.get(action)
    if executed is None:
        return example_plan(name, action)
    assert isinstance(serving, Inspector)
    params, found = deepcopy(executed)
    return serving.plan_on(action, params, connection_of(name), found)


def lease_of(name: str) -> FakeLease:
    return FakeLease("identity", SAMPLES[name].secret, SAMPLES[name].kind)


def test_every_connector_has_a_sample_here() -> None:
    assert SAMPLES.keys() == REGISTRY.keys()


@every_connector
def test_the_name_is_the_folder_and_services_and_operations_are_there(name: str) -> None:
    connector = CONNECTORS[name]
    assert (ROOT / "connectors" / name / "connector.py").is_file()
    assert connector.name == name
    assert connector.services
    assert connector.operations


@every_connector
def test_a_connection_with_an_unknown_option_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        CONNECTORS[name].connection_model.model_validate({**SAMPLES[name].options, "profile": "default"})
    with pytest.raises(ValidationError):
        CONNECTORS[name].connection_model.model_validate({})


@every_connector
def test_an_unknown_action_is_refused(name: str) -> None:
    service = min(CONNECTORS[name].services)
    for action in (f"{service}:NoSuchThing", f"{service}:*", service, "", "\x00"):
        with pytest.raises(InvalidParamsError):
            planned(name, action, {})


@every_operation
def test_a_row_says_what_it_is(name: str, action: str) -> None:
    row = operation_of(name, action)
    assert row.action == action
    assert row.summary
    assert row.resources
    service, _, operation = action.partition(":")
    assert service in CONNECTORS[name].services
    assert operation.lower() not in {"", "request", "call", "raw"}


@every_operation
def test_the_schema_of_the_params_is_closed_at_every_level(name: str, action: str) -> None:
    schema = operation_of(name, action).params_schema
    assert schema["additionalProperties"] is False
    for part in objects_in(schema):
        assert part.get("additionalProperties", True) is not True


@every_operation
def test_the_example_plans_completely(name: str, action: str) -> None:
    row, plan = operation_of(name, action), example_plan(name, action)
    assert (plan.connector, plan.action, plan.connection) == (name, action, "sample")
    assert (plan.credential, plan.access, plan.idempotent) == ("test/credential", row.access, row.idempotent)
    assert plan.requirements
    assert plan.host
    assert plan.summary == " ".join(plan.summary.split())
    assert plan.summary[0].islower()
    assert plan.estimate.request_bytes >= len(plan.payload)
    check_requirements(name, action, plan)


@every_operation
def test_the_same_params_make_the_same_plan_in_any_instance(name: str, action: str) -> None:
    example = operation_of(name, action).example
    other = planned(name, action, dict(reversed(deepcopy(example).items())), connectors()[name])
    assert plan_digest_of(example_plan(name, action)) == plan_digest_of(other)
    assert example_plan(name, action) == other


@every_operation
def test_planning_changes_nothing_it_was_given(name: str, action: str) -> None:
    params, connection = deepcopy(operation_of(name, action).example), connection_of(name)
    planned_by(CONNECTORS[name], action, params, connection)
    assert params == operation_of(name, action).example
    assert connection == connection_of(name)


@every_operation
def test_planning_touches_no_socket_no_file_and_no_process(name: str, action: str) -> None:
    example_plan(name, action)  # models are read once
    with watched() as events:
        example_plan(name, action)
    assert events == []


@every_operation
def test_every_param_is_in_the_plan_or_refused(name: str, action: str) -> None:
    row = operation_of(name, action)
    before = plan_digest_of(example_plan(name, action))
    for param, schema in row.params_schema["properties"].items():
        current = row.example.get(param, schema.get("default"))
        for value in other_values(current, schema):
            try:
                plan = planned(name, action, {**deepcopy(row.example), param: value})
            except InvalidParamsError:
                continue
            is_same = SAMPLES[name].same(param, value, current)
            assert (plan_digest_of(plan) == before) is is_same, f"`{param}` is taken and not in the plan"


@every_operation
def test_a_missing_param_is_refused(name: str, action: str) -> None:
    row = operation_of(name, action)
    for param in row.params_schema["required"]:
        with pytest.raises(InvalidParamsError, match=param):
            planned(name, action, {key: value for key, value in row.example.items() if key != param})


@every_operation
@given(unknown=st.text(max_size=40) | HOSTILE, value=JSON)
def test_an_unknown_param_is_refused(name: str, action: str, unknown: str, value: Any) -> None:
    row = operation_of(name, action)
    if unknown not in row.params_schema["properties"]:
        with pytest.raises(InvalidParamsError):
            planned(name, action, {**row.example, unknown: value})


@every_operation
@given(data=st.data())
def test_any_value_is_planned_completely_or_refused(name: str, action: str, data: st.DataObject) -> None:
    row = operation_of(name, action)
    param = data.draw(st.sampled_from(sorted(row.params_schema["properties"])))
    try:
        plan = planned(name, action, {**deepcopy(row.example), param: data.draw(JSON | st.text() | HOSTILE)})
    except InvalidParamsError as error:
        words = f"{error}{error.fix}"
    else:
        check_requirements(name, action, plan)
        words = plan_digest_of(plan)
    assert words
    assert not any(unicodedata.category(char) in {"Cc", "Cs"} for char in words)


@pytest.mark.parametrize(("name", "action"), [(name, action) for name in SAMPLES for action in SAMPLES[name].executed])
async def test_what_must_be_looked_into_first_is_not_sent_without(name: str, action: str) -> None:
    check_requirements(name, action, executable_plan(name, action))
    transport = FakeTransport()
    with pytest.raises(NotSentError):
        await CONNECTORS[name].execute(example_plan(name, action), connection_of(name), lease_of(name), transport)
    assert transport.sent == []


@every_operation
async def test_what_was_not_sent_is_said_to_be_not_sent(name: str, action: str) -> None:
    with pytest.raises(NotSentError):
        await attempt(name, action, FakeTransport(NotSentError("no connection")))


@every_operation
async def test_what_got_no_answer_is_not_taken_for_done_or_for_a_no(name: str, action: str) -> None:
    transport = FakeTransport(OutcomeUnknownError("cut"))
    with pytest.raises(OutcomeUnknownError if SAMPLES[name].direct else (OutcomeUnknownError, NotSentError)):
        await attempt(name, action, transport)
    assert len(transport.sent) == 1


@every_operation
async def test_a_no_nobody_has_heard_of_is_a_refusal(name: str, action: str) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await attempt(name, action, FakeTransport(Answer(418, chunks=(b"teapot",))))
    assert caught.value.status == 418
    assert caught.value.code


@every_operation
async def test_a_read_uses_safe_methods_only(name: str, action: str) -> None:
    if operation_of(name, action).access is Access.READ:
        transport = FakeTransport(Answer(404))
        with pytest.raises(UpstreamRefusedError):
            await attempt(name, action, transport)
        safe = SAMPLES[name].safe_methods | ({"POST"} if action in SAMPLES[name].posted else set())
        assert {sent.method for sent in transport.sent} <= safe


@every_operation
async def test_a_connection_is_let_go_whatever_the_answer(name: str, action: str) -> None:
    for step in (Answer(403), Answer(200, chunks=(b"garbage",)), Answer(200, cut=OutcomeUnknownError("cut"))):
        transport = FakeTransport(step)
        try:
            result = await attempt(name, action, transport)
        except ConnectorError:
            pass
        else:
            if result.body is not None:
                await result.body.aclose()
        assert transport.open == 0


@pytest.mark.req("V2")
@every_operation
async def test_the_secret_is_in_no_error_plan_or_log(name: str, action: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = [repr(example_plan(name, action)), repr(lease_of(name).info)]
    for step in (
        NotSentError("no"),
        OutcomeUnknownError("cut"),
        Answer(403, chunks=(b"<Error><Code>No</Code></Error>",)),
        Answer(500),
        Answer(200, chunks=(b"\x00garbage",)),
    ):
        transport = FakeTransport(step)
        try:
            result = await attempt(name, action, transport)
        except ConnectorError as error:
            said += ["".join(traceback.format_exception(error)), repr(error), repr(vars(error)), str(error)]
        else:
            said.append(repr(result))
            if result.body is not None:
                await result.body.aclose()
    said += [record.getMessage() for record in caplog.records]
    text = "\n".join(said)
    assert CANARY not in text
    assert base64.b64encode(CANARY.encode()).decode() not in text


@every_operation
async def test_cancelling_a_call_cancels_it(name: str, action: str) -> None:
    with pytest.raises(asyncio.CancelledError):
        await attempt(name, action, FakeTransport(asyncio.CancelledError()))


async def attempt(name: str, action: str, transport: FakeTransport) -> Any:
    plan = executable_plan(name, action)
    return await CONNECTORS[name].execute(plan, connection_of(name), lease_of(name), transport)


def check_requirements(name: str, action: str, plan: Plan) -> None:
    """Every requirement is a whole, readable name, of a declared type where its service has any; the plan is JSON."""
    row = operation_of(name, action)
    starts = tuple(template.partition("{")[0] for template in row.resources if "{" in template or template == "*")
    whole = set(row.resources) - {"*"}
    assert plan.requirements
    assert {need.action for need in plan.requirements} <= set(row.permissions or (action,))
    for need in plan.requirements:
        service, _, operation = need.action.partition(":")
        assert service in CONNECTORS[name].services | SAMPLES[name].asks
        assert operation.replace("-", "").replace(".", "").isalnum()
        # A role that is passed on and a key are touched only when the params say so, which no template does.
        besides = need.action == "iam:PassRole" or need.action.startswith("kms:")
        assert need.resource in whole or need.resource.startswith((*starts, UNKNOWN)) or besides
        assert need.resource == "*" or need.resource not in starts or "" in starts
        if need.resource != "*" and CATALOGUE.types_for(need.action) and UNKNOWN not in need.resource:
            assert CATALOGUE.type_of(need.action, need.resource) is not None
        known = need.resource.replace(UNKNOWN, "")
        assert not any(unicodedata.category(char) in {"Cc", "Cs"} for char in known)
    assert orjson.loads(orjson.dumps(plan.call)) == plan.call
    assert plan.summary.isprintable()


def objects_in(schema: Any) -> Iterator[JsonObject]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects_in(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects_in(value)


def other_values(current: Any, schema: JsonObject) -> list[Any]:
    """Some values a param of this schema could have instead."""
    base: list[Any] = ["other", "a/b", "2026-03-04T12:00:00Z", "123456789012", "bytes=0-1", 1, 7, True, False]
    base += list(schema.get("enum", ()))
    if isinstance(current, str):
        base += [current + "x", current[:-1], current.upper(), f"{current} ", current.replace("/", "//")]
    if isinstance(current, int):
        base.append(current + 1)
    base += [{"a": "b"}, ["refs/heads/main"], {"refs/heads/feature/x": "0" * 40}]
    base.append({"Bucket": "elsewhere", "Key": "k", "VersionId": "v"})
    return [value for value in base if type(value) is not type(current) or value != current]


_watching: list[list[str]] = []


def _note(event: str, _arguments: object) -> None:
    if _watching and (event == "open" or event.startswith(("socket.", "subprocess.", "os."))):
        _watching[-1].append(event)


sys.addaudithook(_note)


@contextmanager
def watched() -> Iterator[list[str]]:
    """Collect what the interpreter reports of files, sockets and processes inside the block."""
    events: list[str] = []
    _watching.append(events)
    try:
        yield events
    finally:
        _watching.pop()
