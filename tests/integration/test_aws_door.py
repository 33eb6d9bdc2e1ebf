"""AWS's own clients through the real house: the same as with keys in hand, where policy allows it, and no keys.

A script of commands of the AWS CLI and boto3 runs twice, against two servers that check every signature: directly with
real keys, and through the door with a session's. What it prints, leaves behind and ends with must be the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.parts.aws_agent import Agent, Done, agent_machine
from tests.parts.aws_compare import settled
from tests.parts.aws_house import ODD, SCRIPTED, SECRET, AwsHouse, aws_house, client_environment
from tests.parts.aws_script import ACTS, Ran, Walk, deploy, prepare, unchecked
from tests.parts.aws_steps import MIB
from tests.parts.aws_tls import tls_terminator
from tests.parts.aws_upstream import misbehaving_upstream
from tests.parts.moto import Moto, moto_server

pytestmark = [pytest.mark.req("A2"), pytest.mark.req("V1")]

RULE = re.compile(r"policies/scripted\.yaml:\d+ \(([\w.-]+)\)")


@dataclass
class World:
    """What runs: a moto for those with keys, a house with a moto of its own, and two agents.

    Args:
        direct: The moto with the keys of which `holder` works.
        house: Ostiary, whose moto is another one.
        holder, agent: The machines of the agent with keys and the agent without.
        session, token: Of the agent without keys.
    """

    direct: Moto
    house: AwsHouse
    holder: Agent
    agent: Agent
    session: str
    token: str


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with ExitStack() as stack:
        direct = stack.enter_context(moto_server({}, actions=("*",)))
        behind = stack.enter_context(moto_server({}, actions=("*",)))
        for moto in (direct, behind):
            deploy(moto)
        odd = stack.enter_context(misbehaving_upstream())
        house = stack.enter_context(aws_house(behind, odd))
        session, token = house.begin(SCRIPTED)
        keys = client_environment(direct.endpoint, direct.access_key, direct.secret_key)
        holder = stack.enter_context(agent_machine(**keys))
        agent = stack.enter_context(agent_machine(**house.environment(token)))
        yield World(direct, house, holder, agent, session, token)


Runs = dict[str, list[tuple[Ran | None, Ran | None]]]


@pytest.fixture(scope="module")
def runs(world: World) -> Runs:
    """Each act, its commands as they went directly (None: left out) and through the door."""
    for machine in (world.holder, world.agent):
        prepare(machine.folder)
    direct = {name: Walk(world.holder, act, through=False) for name, act in ACTS.items()}
    through = {name: Walk(world.agent, act, through=True) for name, act in ACTS.items()}
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(Walk.go, [*through.values(), *direct.values()]))
    unchecked(world.direct.endpoint)
    for walk in direct.values():
        walk.go_unchecked()
    return {name: list(zip(direct[name].ran, through[name].ran, strict=True)) for name in ACTS}


@pytest.mark.parametrize("act", ACTS)
def test_what_policy_allows_ends_and_prints_as_with_the_keys_in_hand(runs: Runs, world: World, act: str) -> None:
    ends = (world.direct.endpoint, world.house.moto.endpoint)
    differences = [
        f"{through.command}\ndirectly {seen[0]}\nthrough the door {seen[1]}"
        for direct, through in runs[act]
        if direct is not None and through is not None
        for seen in [[outcome(ran, endpoint) for ran, endpoint in zip((direct, through), ends, strict=True)]]
        if seen[0] != seen[1]
    ]
    assert not differences, "\n".join(differences)


@pytest.mark.parametrize("act", ACTS)
def test_every_command_ends_as_the_policy_and_the_account_say(runs: Runs, act: str) -> None:
    for _, through in runs[act]:
        assert through is not None
        command, done = through.command, through.done
        assert (done.status == 0) is (not command.code and not command.rule), through
        assert command.code in done.err, through
        if command.rule:
            assert_denied(done, command.rule)


def outcome(ran: Ran, endpoint: str) -> tuple[int, object, bytes | None, list[str]]:
    """All that one must not be able to tell two runs apart by; of what failed, the error code."""
    codes = re.findall(r"An error occurred \((\w+)\)", ran.done.err)
    return ran.done.status, settled(ran.done.out, endpoint), ran.left, codes


def assert_denied(done: Done, rule: str) -> None:
    """A rule's id with its file and line, or that no rule allowed it (``-``)."""
    assert done.status != 0, done
    assert re.search("AccessDenied|UnauthorizedOperation", done.err), done
    named = RULE.findall(done.err)
    assert named == [rule] if rule != "-" else "default deny" in done.err and not named, done


def test_the_script_is_as_long_and_as_wide_as_promised() -> None:
    commands = [command for act in ACTS.values() for command in act]
    lines = [command.line for command in commands if command.line]
    assert len(lines) >= 60
    assert len({line.split()[0] for line in lines}) >= 19
    assert sum(1 for command in commands if command.rule) >= 12
    assert sum(1 for command in commands if command.whole) >= 12


@pytest.mark.usefixtures("runs")
def test_nothing_of_the_agents_machine_holds_a_key_of_aws(world: World) -> None:
    keys = [world.house.moto.access_key, world.house.moto.secret_key, SECRET]
    held = [Path(f"/proc/{pid}/environ").read_bytes() for pid in world.agent.pids]
    held += [path.read_bytes() for path in world.agent.folder.rglob("*") if path.is_file()]
    held += [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in world.agent.pids]
    assert len(held) > 4
    assert not [key for key in keys for text in held if key.encode() in text]


@pytest.mark.usefixtures("runs")
def test_each_command_is_on_the_ledger_as_what_it_was(world: World) -> None:
    types = [each["type"] for each in world.house.events(world.session)]
    assert types.count("intent.denied") >= 12
    assert types.count("intent.succeeded") >= 60
    assert "intent.unknown" not in types


# What goes wrong, and what has to wait.


@pytest.fixture(scope="module")
def odd(world: World) -> Iterator[Agent]:
    """A machine whose session works on the upstream that misbehaves."""
    _, token = world.house.begin(ODD)
    with agent_machine(**world.house.environment(token)) as machine:
        yield machine


@pytest.fixture(autouse=True)
def mended(world: World) -> None:
    """Close what opened because calls failed on purpose."""
    _, found = world.house.call("GET", "/v1/breakers", world.house.admin)
    for breaker in found["breakers"]:
        reset = {"key": breaker["key"], "reason": "they failed on purpose"}
        world.house.call("POST", "/v1/breakers/reset", world.house.admin, reset)


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
@pytest.mark.parametrize("service", ["s3", "dynamodb"])
def test_a_write_whose_outcome_is_unknown_is_sent_once_in_every_retry_mode(
    world: World, odd: Agent, service: str, mode: str
) -> None:
    key = f"free/mute-{mode}"
    names: dict[str, Any] = {"Bucket": "bkt", "Key": key}
    operation, path = "put_object", ("PUT", f"/bkt/{key}")
    if service == "dynamodb":
        operation, names, path = "update_item", {"TableName": "orders", "Key": {"id": {"S": mode}}}, ("POST", "/")
    before = world.house.odd.seen(*path)
    done = odd.boto("outcome_of", service=service, operation=operation, params=names, mode=mode)
    assert done.status == 0, done
    assert json.loads(done.out)["code"] not in {"", "ConnectionClosedError", "EndpointConnectionError"}, done
    assert world.house.odd.seen(*path) == before + 1


def test_after_a_large_upload_was_denied_the_same_client_goes_on(world: World, odd: Agent) -> None:
    done = odd.boto("denied_then_served", bucket="bkt", denied="not/x", allowed="free/x", size=50 * MIB)
    assert done.status == 0, done
    said = json.loads(done.out)
    assert [code for code, _ in said["codes"]] == ["AccessDenied"] * 2
    assert all("(not-there)" in message for _, message in said["codes"])
    assert world.house.odd.seen("PUT", "/bkt/not/x") == 0
    assert world.house.odd.seen("PUT", "/bkt/free/x") == 2


def test_a_killed_session_has_its_download_cut_and_its_next_call_refused(world: World) -> None:
    upstream = world.house.odd
    session, token = world.house.begin(ODD)
    with agent_machine(**world.house.environment(token)) as machine, ThreadPoolExecutor() as pool:
        downloading = pool.submit(machine.boto, "download", bucket="bkt", key="free/drip")
        assert upstream.dripping.wait(20)
        world.house.kill(session)
        # The promise is a second; twice that is left for machines that do ten other things.
        assert upstream.cut.wait(2)
        said = json.loads(downloading.result().out)
        assert said["error"]
        late = machine.aws("s3api get-object --bucket bkt --key free/late late.txt")
    assert late.status != 0
    assert "ExpiredToken" in late.err
    assert upstream.seen("GET", "/bkt/free/late") == 0


def desired(world: World, service: str) -> int:
    ecs = world.house.moto.client("ecs")
    return int(ecs.describe_services(cluster="main", services=[service])["services"][0]["desiredCount"])


def executed(world: World) -> int:
    return [each["type"] for each in world.house.events(world.session)].count("intent.executing")


def test_a_gated_command_waits_for_a_person_and_succeeds(world: World) -> None:
    command = "ecs update-service --cluster main --service prod-api --desired-count 3"
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(world.agent.process, command)
        world.house.approve(world.token)
        done = waiting.result()
    assert done.status == 0, done
    assert json.loads(done.out)["service"]["desiredCount"] == 3
    assert desired(world, "prod-api") == 3


def test_a_gated_command_nobody_looked_at_says_so_and_succeeds_when_it_is_asked_again(world: World) -> None:
    command = "ecs update-service --cluster main --service prod-late --desired-count 5"
    first = world.agent.aws(command)
    assert first.status != 0
    assert desired(world, "prod-late") == 1
    (asked,) = world.house.pending(world.token)
    assert "pending approval" in first.err
    assert asked["id"] in first.err
    before = executed(world)
    world.house.approve(world.token)
    again = world.agent.aws(command)
    assert again.status == 0, again
    assert json.loads(again.out)["service"]["desiredCount"] == 5
    assert desired(world, "prod-late") == 5
    assert executed(world) == before + 1
    assert world.house.pending(world.token) == []


def test_over_https_checksums_come_after_the_body_and_everything_is_the_same(world: World, tmp_path: Path) -> None:
    port = int(world.house.url.rpartition(":")[2])
    certificate = tmp_path / "door.pem"
    with tls_terminator(port, certificate) as url:
        _, token = world.house.begin(SCRIPTED)
        given = {**world.house.environment(token), "AWS_ENDPOINT_URL": url, "AWS_CA_BUNDLE": str(certificate)}
        with agent_machine(**given) as machine:
            for step, arguments in (
                ("bucket", {}),
                ("put", {"key": "tls/small.txt", "size": 100}),
                ("checksums", {"key": "tls/sums.bin"}),
                ("multipart", {"key": "tls/multi.bin"}),
            ):
                done = machine.boto(step, bucket="tls", **arguments)
                assert done.status == 0, done
            sent = json.loads(machine.boto("trailing", bucket="tls", key="tls/trailing.bin").out)
    assert sent["x-amz-content-sha256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert sent["x-amz-trailer"].startswith("x-amz-checksum-")
    stored = world.house.moto.client().list_objects_v2(Bucket="tls")["Contents"]
    assert {each["Key"]: each["Size"] for each in stored} == {
        "tls/small.txt": 100, "tls/sums.bin": MIB, "tls/multi.bin": 12 * MIB,
        "tls/trailing.bin": MIB,
    }  # fmt: skip


def test_a_denied_head_says_no_more_than_403_and_its_rule_is_on_the_ledger(world: World) -> None:
    session, token = world.house.begin(SCRIPTED)
    with agent_machine(**world.house.environment(token)) as machine:
        done = machine.aws("s3api head-object --bucket reports --key ledger/2026.txt")
    # An answer to HEAD has no body (RFC 9110 section 9.3.2): no SDK could print a rule.
    assert "(403)" in done.err
    (denied,) = [each for each in world.house.events(session) if each["type"] == "intent.denied"]
    assert RULE.findall(denied["data"]["problem"]["rule"]) == ["the-ledger-is-not-yours"]


def test_no_request_upstream_carried_what_the_agent_holds(world: World) -> None:
    held = world.agent.environment["AWS_ACCESS_KEY_ID"]
    assert world.house.odd.keys
    assert not [value for value in world.house.odd.keys if held in value]
