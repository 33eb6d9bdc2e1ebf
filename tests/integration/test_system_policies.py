"""The policy language in force across the processes of one machine: layers, children, limited rules, the ledger."""

from __future__ import annotations

import pytest

from tests.parts.s3_house import POLICY, S3House, put_body
from tests.parts.up import eventually

ENDS = {"intent.succeeded", "intent.denied", "intent.failed"}


def configure(house: S3House, file: str, text: str) -> None:
    """Write one policy file and take it up."""
    path = house.up.data / "config" / "policies" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    taken = house.up.cli("reload")
    assert taken.returncode == 0, taken.stderr


def await_end(house: S3House, intent: str) -> None:
    eventually(lambda: house.state_of(intent) in ENDS, lambda: house.up.said[-2000:])


@pytest.mark.req("P3")
def test_a_guardrail_that_is_taken_up_holds_for_whoever_runs_already(house: S3House) -> None:
    assert house.put("free/before")[0] == 200
    configure(house, "guardrails/freeze.yaml", "policies:\n  - deny s3:Put* on bkt/free/frozen*\n")
    status, refused = house.put("free/frozen")
    assert (status, refused["rule"]) == (403, "policies/guardrails/freeze.yaml:2 (freeze-L2)")
    assert refused["decision"]["reasons"][0]["layer"] == "guardrail"
    assert refused["fix"]
    assert house.upstream.effects["/bkt/free/frozen"] == 0
    assert house.put("free/other")[0] == 200


@pytest.mark.req("S1")
def test_an_agent_hands_out_less_than_it_has_and_never_more(house: S3House) -> None:
    body = {"scope": ["s3:GetObject on bkt/a*"], "ttl_seconds": 60}
    status, child = house.call("POST", "/v1/sessions/children", body=body)
    assert status == 201
    read = {"action": "s3:GetObject", "params": {"Bucket": "bkt", "Key": "a"}}
    assert house.call("POST", "/v1/intents", child["token"], read)[0] == 200
    assert house.call("POST", "/v1/intents", child["token"], put_body("free/x"))[0] == 403
    wider = {"scope": ["s3:PutObject on bkt/**"], "ttl_seconds": 60}
    status, refused = house.call("POST", "/v1/sessions/children", body=wider)
    assert (status, refused["type"]) == (403, "urn:ostiary:problem:scope-too-wide")
    assert refused["witness"]["action"] == "s3:PutObject"
    assert house.kill() == 204
    assert house.call("POST", "/v1/intents", child["token"], read)[0] == 401


@pytest.mark.req("P1")
def test_a_limited_rule_is_counted_over_api_and_worker_together(house: S3House) -> None:
    limited = "  - {allow: s3:PutObject on bkt/twice/*, max_uses: 2, id: twice}\n"
    gated = "  - {allow: s3:PutObject on bkt/once/*, max_uses: 1, id: once, requires_approval: true}\n"
    configure(house, "agent.yaml", "policies:\n" + POLICY + limited + gated)
    assert [house.put("twice/a")[0] for _ in range(3)] == [200, 200, 403]
    first, second = house.put("once/a")[1], house.put("once/b")[1]
    for parked in (first, second):
        assert house.approve(parked["approval"]["id"])[0] == 200
    ends = []
    for parked in (first, second):
        await_end(house, parked["intent"])
        ends.append(house.state_of(parked["intent"]))
    assert sorted(ends) == ["intent.denied", "intent.succeeded"]
    assert house.upstream.effects["/bkt/once/a"] + house.upstream.effects["/bkt/once/b"] == 1


@pytest.mark.req("P4")
def test_operators_ask_what_a_draft_would_have_answered(house: S3House) -> None:
    house.get("read")
    draft = {"removed": ["policies/agent.yaml"], "since_seconds": 3600}
    status, report = house.call("POST", "/v1/policy/replay", house.admin, draft)
    assert status == 200
    assert report["totals"]["allow -> deny"] >= 1
    status, said = house.call("POST", "/v1/explain", body={"action": "s3:GetObject", "resource": "bkt/read"})
    assert (status, said["effect"]) == (200, "allow")
    assert house.call("POST", "/v1/policy/replay", body=draft)[0] == 403
