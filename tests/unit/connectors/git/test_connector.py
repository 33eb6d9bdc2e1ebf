from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connectors.base import Connection
from connectors.errors import InvalidParamsError, NotSentError, UpstreamRefusedError
from connectors.git.area import make_area
from connectors.git.connector import GitConnector, Machine, machine_at
from connectors.git.lfs.operations import LFS_OPERATIONS
from connectors.git.operations import OPERATIONS
from connectors.git.plans import plan_push
from connectors.inspection import Inquiry, Inspector, Settler
from tests.fakes import Answer, FakeLease, FakeTransport
from tests.parts.git_bench import NoSecrets
from tests.parts.git_wire import NEW, OLD, ZERO, packets
from tests.unit.connectors.git.test_plans import FORGE, ONE, pushed, seen
from vault.errors import LeaseRefusedError
from vault.model import CredentialKind

CONNECTOR = GitConnector()
LEASE = FakeLease("bot", "Bearer tok-1", CredentialKind.BEARER)
TRACE = {"repo": "acme/app", "refs": {"refs/heads/main": {"old": OLD, "new": NEW}}}
READ = {"repo": "acme/app"}


def listed(service: str, *refs: str) -> Answer:
    head = packets(f"# service={service}") + b"0000"
    lines = [f"{NEW} {ref}" for ref in refs] or [f"{ZERO} capabilities^{{}}"]
    first, *others = lines
    body = packets(f"{first}\0report-status delete-refs", *others) + b"0000"
    return Answer(200, {"Content-Type": f"application/x-{service}-advertisement"}, (head + body,))


def test_it_looks_into_pushes_and_settles_them() -> None:
    assert isinstance(CONNECTOR, Inspector)
    assert isinstance(CONNECTOR, Settler)
    assert {action for action in CONNECTOR.operations if CONNECTOR.inspects(action)} == {"git:push"}
    assert CONNECTOR.operations.keys() == OPERATIONS.keys() | LFS_OPERATIONS.keys()


@pytest.mark.parametrize("action", ["git:delete", "git:", "", "github:pulls.merge"])
def test_an_action_nobody_knows_is_refused(action: str) -> None:
    with pytest.raises(InvalidParamsError):
        CONNECTOR.plan(action, READ, FORGE)


def test_a_push_is_asked_planned_and_shown_by_its_own_modules() -> None:
    params, found = pushed("force"), seen("force")
    (ask,) = CONNECTOR.asks("git:push", params, FORGE)
    assert (ask.action, ask.params["what"]) == ("git:read", "mirror")
    plan = CONNECTOR.plan_on("git:push", params, FORGE, found)
    assert plan == plan_push(params, FORGE, found)
    assert CONNECTOR.preview(plan, {}, ())["kind"] == "git.push"
    assert CONNECTOR.preview_asks(replace(plan, call={**plan.call, "changes": {}})) == ()


def test_what_is_not_looked_into_asks_for_nothing_and_is_planned_from_its_params() -> None:
    assert CONNECTOR.asks("git:read", READ, FORGE) == ()
    assert CONNECTOR.plan_on("git:read", READ, FORGE, {}) == CONNECTOR.plan("git:read", READ, FORGE)


def test_an_unknown_push_is_looked_for_by_a_read_of_its_refs() -> None:
    look = CONNECTOR.look("git:push", TRACE, FORGE)
    assert look is not None
    assert (look.action, look.call["refs"]) == ("git:read", ["refs/heads/main"])
    assert CONNECTOR.look("git:push", {}, FORGE) is None
    assert CONNECTOR.look("git:lfs-write", TRACE, FORGE) is None
    settled = CONNECTOR.settle("git:push", TRACE, {"refs": [{"name": "refs/heads/main", "oid": NEW}]})
    assert settled is not None
    assert settled.happened
    assert CONNECTOR.settle("git:lfs-write", TRACE, {"refs": []}) is None
    with pytest.raises(InvalidParamsError):
        CONNECTOR.look("git:push", {**TRACE, "repo": "../app"}, FORGE)


async def test_refs_are_read_with_the_credential_of_the_lease() -> None:
    transport = FakeTransport(listed("git-upload-pack", "refs/heads/main"))
    result = await CONNECTOR.execute(CONNECTOR.plan("git:read", READ, FORGE), FORGE, LEASE, transport)
    assert result.data["refs"] == [{"name": "refs/heads/main", "oid": NEW}]
    assert transport.sent[0].headers["Authorization"] == "Bearer tok-1"
    assert transport.open == 0


@pytest.mark.req("A3")
async def test_a_push_goes_out_only_when_it_was_looked_into_and_to_no_other_upstream() -> None:
    unseen = CONNECTOR.plan("git:push", {"repo": "acme/app", "bundle": ONE}, FORGE)
    plan = CONNECTOR.plan_on("git:push", pushed("delete"), FORGE, seen("delete"))
    elsewhere = replace(FORGE, options={"url": "https://evil.test"})
    transport = FakeTransport()
    with pytest.raises(NotSentError, match="not looked into"):
        await CONNECTOR.execute(unseen, FORGE, LEASE, transport)
    with pytest.raises(NotSentError, match="another upstream"):
        await CONNECTOR.execute(plan, elsewhere, LEASE, transport)
    assert transport.sent == []
    with pytest.raises(UpstreamRefusedError) as caught:
        await CONNECTOR.execute(plan, FORGE, LEASE, FakeTransport(listed("git-receive-pack", "refs/heads/old")))
    assert caught.value.code == "stale"
    result = await CONNECTOR.execute(plan, FORGE, LEASE, FakeTransport(listed("git-receive-pack")))
    assert result.data["refs"][0]["status"] == "up to date"


async def test_large_files_have_a_way_of_their_own() -> None:
    plan = CONNECTOR.plan("git:lfs-read", LFS_OPERATIONS["git:lfs-read"].example, FORGE)
    transport = FakeTransport(Answer(404))
    with pytest.raises(UpstreamRefusedError):
        await CONNECTOR.execute(plan, FORGE, LEASE, transport)
    assert transport.sent[0].url.endswith("/info/lfs/objects/batch")


async def test_an_ssh_host_needs_a_key_and_gets_no_password(tmp_path: Path) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
    options = {"url": "ssh://git@127.0.0.1:1", "host_keys": [key]}
    place = replace(FORGE, options=options)
    transport = FakeTransport()
    connector = GitConnector(machine=Machine(folder=tmp_path))
    with pytest.raises((LeaseRefusedError, NotSentError)):
        await connector.execute(connector.plan("git:read", READ, place), place, LEASE, transport)
    assert transport.sent == []


@pytest.mark.parametrize("what", ["mirror", "bundle"])
async def test_a_machine_that_cannot_run_git_sends_nothing(tmp_path: Path, what: str) -> None:
    place = replace(FORGE, options={"url": "http://127.0.0.1:1"})
    connector = GitConnector(machine=Machine(folder=tmp_path, git=str(tmp_path / "none")))
    plan = connector.plan("git:read", {**READ, "what": what}, place)
    with pytest.raises(NotSentError):
        await connector.execute(plan, place, LEASE, FakeTransport(listed("git-upload-pack", "refs/heads/main")))


async def test_a_disk_that_fails_is_told_without_the_words_of_the_machine(tmp_path: Path) -> None:
    transport = FakeTransport(OSError(5, "I/O error", str(tmp_path)))
    with pytest.raises(NotSentError, match="disk of the broker's machine") as caught:
        await CONNECTOR.execute(CONNECTOR.plan("git:read", READ, FORGE), FORGE, LEASE, transport)
    assert str(tmp_path) not in str(caught.value)


async def test_a_process_without_a_folder_mirrors_nothing() -> None:
    plan = CONNECTOR.plan("git:read", {**READ, "what": "mirror"}, FORGE)
    with pytest.raises(NotSentError, match="no folder"):
        await CONNECTOR.execute(plan, FORGE, LEASE, FakeTransport(listed("git-upload-pack", "refs/heads/main")))
    with pytest.raises(NotSentError, match="no folder"):
        async with CONNECTOR.inspect("git:push", pushed("delete"), FORGE, Inquiry(({},), NoSecrets())):
            pytest.fail("it must not get here")


async def test_a_push_is_looked_into_in_the_folder(tmp_path: Path) -> None:
    connector = GitConnector(machine=Machine(folder=tmp_path))
    answer = {"refs": [{"name": "refs/heads/old", "oid": OLD}]}
    with pytest.raises(NotSentError, match="not been read yet"):
        async with connector.inspect("git:push", pushed("delete"), FORGE, Inquiry((answer,), NoSecrets())):
            pytest.fail("it must not get here")


async def test_what_a_killed_process_left_is_removed_before_the_first_call_and_only_then(tmp_path: Path) -> None:
    connector = GitConnector(machine=Machine(folder=tmp_path))
    plan = connector.plan("git:read", READ, FORGE)
    left = [abandoned(tmp_path)]
    await connector.execute(plan, FORGE, LEASE, FakeTransport(listed("git-upload-pack")))
    assert not left[0].exists()
    left.append(abandoned(tmp_path))
    await connector.execute(plan, FORGE, LEASE, FakeTransport(listed("git-upload-pack")))
    assert left[1].exists()


def abandoned(folder: Path) -> Path:
    """Return a working area whose process is gone."""
    area = make_area(folder)
    (area.path / "lock").unlink()
    (area.path / "lock").touch(0o600)
    return area.path


def test_the_machine_is_told_apart_by_its_folder_and_the_certificates_it_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    assert machine_at(None) == Machine()
    assert machine_at(tmp_path) == Machine(folder=tmp_path / "git")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert machine_at(None).ca_file == tmp_path / "ca.pem"


def test_a_connection_is_of_its_own_kind() -> None:
    made = Connection("x", "git", FORGE.credential, CONNECTOR.connection_model(url="https://git.test").model_dump())
    assert CONNECTOR.plan("git:read", READ, made).host == "git.test"
