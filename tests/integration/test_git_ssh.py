"""A git host over SSH: the stock ``ssh``, a real server, real git on both sides, and a key that stays in the vault."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh
import pytest

from connectors.errors import NotSentError, OutcomeUnknownError, UpstreamRefusedError
from connectors.git.advertisement import Service
from connectors.git.area import make_area, remove_area
from connectors.git.connection import GitConnection
from connectors.git.process import GitPrograms
from connectors.git.remote import PushBody, Remote
from connectors.git.ssh import remote as ssh_remote
from connectors.git.ssh.remote import SshReach, open_ssh_remote
from connectors.git.wire.packets import Mark, render
from connectors.git.wire.push_request import NULL_OID, RefUpdate
from connectors.git.wire.report import parse_report
from connectors.git.wire.upstream_push import render_push
from connectors.git.workshop import Cleaner
from connectors.guard import AddressGuard
from connectors.streams import read_all
from tests.parts.ssh_git import SshGitHost, private_key, ssh_git_host
from tests.unit.vault.samples import CHEAP, PASSPHRASE
from vault.client import VaultClient
from vault.errors import LeaseRefusedError
from vault.model import CredentialKind, CredentialRef, Lease, SecretValue
from vault.server import VaultServer
from vault.service import Vault
from vault.storage import MemoryStorage

REF = CredentialRef("git/ssh")
REPO = "acme/app"


@dataclass
class Scene:
    """A host with one repository, and a vault that holds a key it takes."""

    host: SshGitHost
    vault: VaultClient
    first: str

    def options(self, **changes: object) -> GitConnection:
        return GitConnection.model_validate(
            {"url": self.host.url, "host_keys": [*self.host.host_keys.values()], **changes}
        )

    def lease(self) -> AbstractAsyncContextManager[Lease]:
        return self.vault.lease(REF, host=f"127.0.0.1:{self.host.port}", purpose="int_1")

    def open(
        self, lease: Lease, options: GitConnection | None = None, **reach: object
    ) -> AbstractAsyncContextManager[Remote]:
        chosen = options or self.options()
        made = SshReach(AddressGuard(), seconds=20.0, **reach)  # type: ignore[arg-type]  # tests pass what they like
        return open_ssh_remote(chosen.repository_url(REPO), chosen, lease, made)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("keys")
    return {
        "ed25519": private_key(folder, "ed25519"),
        "ecdsa": private_key(folder, "ecdsa", 384, "PEM"),
        "rsa": private_key(folder, "rsa", 3072, "PKCS8"),
    }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshGitHost]:
    with ssh_git_host(tmp_path_factory.mktemp("repos")) as host:
        yield host


@pytest.fixture
async def scene(
    running: SshGitHost, keys: dict[str, str], short_tmp: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Scene]:
    kind = getattr(request, "param", "ed25519")
    running.takes_protocol, running.cut_after_push, running.allowed = True, False, public_keys(keys)
    shutil.rmtree(running.repos.path(REPO), ignore_errors=True)
    running.repos.create_repo(REPO)
    first = running.repos.seed_repo(REPO)
    vault = Vault(MemoryStorage(), cost=CHEAP)
    vault.initialise(SecretValue(PASSPHRASE))
    async with VaultServer(vault, short_tmp / "run" / "v"):
        client = VaultClient(short_tmp / "run" / "v")
        await client.put(REF, CredentialKind.SSH, {"private_key": keys[kind]}, [f"127.0.0.1:{running.port}"])
        yield Scene(running, client, first)
        await client.close()


def public_keys(keys: dict[str, str]) -> set[bytes]:
    return {asyncssh.import_private_key(key).public_data for key in keys.values()}


def commit_on(host: SshGitHost, tmp_path: Path) -> tuple[str, bytes]:
    """Return a new commit on top of ``main`` and the pack that brings it."""

    def git(*arguments: str, stdin: bytes = b"") -> bytes:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        return subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, input=stdin, capture_output=True, check=True
        ).stdout

    git("clone", "--quiet", str(host.repos.path(REPO)), "work")
    git("-C", "work", "commit", "--quiet", "--allow-empty", "--message", "second")
    oid = git("-C", "work", "rev-parse", "HEAD").decode().strip()
    return oid, git("-C", "work", "pack-objects", "--stdout", "--revs", "--thin", stdin=f"{oid}\n^HEAD~1\n".encode())


async def pieces(pack: bytes, fault: Exception | None = None) -> AsyncIterator[bytes]:
    yield pack[:10]
    if fault is not None:
        raise fault
    yield pack[10:]


@pytest.mark.req("V1")
@pytest.mark.parametrize("scene", ["ed25519", "ecdsa", "rsa"], indirect=True)
async def test_refs_are_read_with_a_key_that_stays_in_the_vault(scene: Scene) -> None:
    async with scene.lease() as lease, scene.open(lease) as remote:
        for service in Service:
            seen = await remote.refs(service)
            assert (seen.refs, seen.head) == (
                {"refs/heads/main": scene.first},
                "refs/heads/main",
            ) or service is Service.PUSH
            assert seen.refs == {"refs/heads/main": scene.first}
    assert set(scene.host.asked[-2:]) == {("git", f"{service} '/{REPO}.git'") for service in Service}


async def test_a_client_of_smart_http_is_served_in_protocol_version_2(scene: Scene) -> None:
    listing = render(b"command=ls-refs\n") + Mark.DELIM.value + render(b"ref-prefix refs/heads/") + Mark.FLUSH.value
    fetch = render(b"command=fetch") + Mark.DELIM.value
    fetch += render(f"want {scene.first}".encode()) + render(b"done") + Mark.FLUSH.value
    async with scene.lease() as lease, scene.open(lease) as remote:
        offered = await read_all(await remote.advertise("version=2"), 1 << 20)
        assert offered.startswith(b"001e# service=git-upload-pack\n0000000eversion 2\n")
        assert b"fetch=" in offered
        assert offered.endswith(b"0000")
        listed = await read_all(await remote.upload_pack(listing, "version=2"), 1 << 20)
        assert listed == render(f"{scene.first} refs/heads/main\n".encode()) + Mark.FLUSH.value
        fetched = await read_all(await remote.upload_pack(fetch, "version=2"), 1 << 20)
        assert fetched.startswith(render(b"packfile\n"))
        assert b"PACK" in fetched
        assert await read_all(await remote.upload_pack(Mark.FLUSH.value, "version=2"), 1 << 20) == b""


@pytest.mark.parametrize("protocol", ["", "version=1"])
async def test_other_versions_are_refused_and_a_host_without_version_2_too(scene: Scene, protocol: str) -> None:
    async with scene.lease() as lease, scene.open(lease) as remote:
        for act in (remote.advertise(protocol), remote.upload_pack(b"0000", protocol)):
            with pytest.raises(UpstreamRefusedError) as caught:
                await act
            assert caught.value.code == "protocol-version"
        scene.host.takes_protocol = False
        with pytest.raises(UpstreamRefusedError) as caught:
            await remote.advertise("version=2")
        assert caught.value.code == "bad-answer"


async def test_a_push_lands_and_is_reported(scene: Scene, tmp_path: Path) -> None:
    oid, pack = commit_on(scene.host, tmp_path)
    async with scene.lease() as lease, scene.open(lease) as remote:
        seen = await remote.refs(Service.PUSH)
        updates = [RefUpdate("refs/heads/main", scene.first, oid), RefUpdate("refs/heads/new", NULL_OID, oid)]
        head = render_push(updates, seen.capabilities, atomic=True)
        report = parse_report(await remote.receive_pack(PushBody(head, pieces(pack), len(pack))), Cleaner(""))
        assert report.results == {"refs/heads/main": "", "refs/heads/new": ""}
        deletion = render_push([RefUpdate("refs/heads/new", oid, NULL_OID)], seen.capabilities, atomic=True)
        report = parse_report(await remote.receive_pack(PushBody(deletion, None, 0)), Cleaner(""))
        assert report.results == {"refs/heads/new": ""}
    assert scene.host.repos.refs(REPO) == {"refs/heads/main": oid}


async def test_a_pack_that_breaks_off_moves_nothing(scene: Scene, tmp_path: Path) -> None:
    oid, pack = commit_on(scene.host, tmp_path)
    async with scene.lease() as lease, scene.open(lease) as remote:
        seen = await remote.refs(Service.PUSH)
        head = render_push([RefUpdate("refs/heads/main", scene.first, oid)], seen.capabilities, atomic=True)
        with pytest.raises(ZeroDivisionError):
            await remote.receive_pack(PushBody(head, pieces(pack, ZeroDivisionError()), len(pack)))
    assert scene.host.repos.refs(REPO) == {"refs/heads/main": scene.first}


async def test_a_push_that_is_cut_before_its_report_is_unknown(scene: Scene, tmp_path: Path) -> None:
    oid, pack = commit_on(scene.host, tmp_path)
    async with scene.lease() as lease, scene.open(lease) as remote:
        seen = await remote.refs(Service.PUSH)
        scene.host.cut_after_push = True
        head = render_push([RefUpdate("refs/heads/main", scene.first, oid)], seen.capabilities, atomic=True)
        with pytest.raises(OutcomeUnknownError):
            await remote.receive_pack(PushBody(head, pieces(pack), len(pack)))
    assert scene.host.repos.refs(REPO) == {"refs/heads/main": oid}


async def test_git_fetch_goes_the_same_way(scene: Scene) -> None:
    programs, area = GitPrograms(), make_area(None)
    try:
        async with scene.lease() as lease, scene.open(lease) as remote, remote.fetch_access(area.path) as access:
            config = access.config
            shown = {**access.environment}
            assert config.protocol == "ssh"
            assert access.url == scene.options().repository_url(REPO)
            config = replace(config, environment=shown)
            await programs.run(area, config, ("init", "--quiet", "--bare", "--template="))
            fetched = await programs.run(area, config, ("fetch", "--quiet", access.url, "+refs/heads/*:refs/heads/*"))
            assert fetched.ok, fetched.stderr
            listed = await programs.run(area, config, ("for-each-ref", "--format=%(objectname)"))
        assert listed.stdout.decode().split() == [scene.first]
        assert not (area.path / "config").exists()
    finally:
        remove_area(area)


async def test_a_key_the_host_does_not_take_is_a_definite_no(scene: Scene) -> None:
    scene.host.allowed = set()
    async with scene.lease() as lease, scene.open(lease) as remote:
        with pytest.raises(UpstreamRefusedError) as caught:
            await remote.refs(Service.FETCH)
    assert caught.value.code == "unauthorized"


async def test_a_repository_that_is_not_there_is_a_definite_no(scene: Scene) -> None:
    options = scene.options()
    reach = SshReach(AddressGuard(), seconds=20.0)
    async with (
        scene.lease() as lease,
        open_ssh_remote(options.repository_url("acme/none"), options, lease, reach) as remote,
    ):
        with pytest.raises(UpstreamRefusedError) as caught:
            await remote.refs(Service.FETCH)
    assert caught.value.code == "not-found"


async def test_a_host_with_another_key_learns_nothing(scene: Scene) -> None:
    other = " ".join(asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()[:2])
    before = len(scene.host.asked)
    async with scene.lease() as lease, scene.open(lease, scene.options(host_keys=[other])) as remote:
        with pytest.raises(NotSentError):
            await remote.refs(Service.FETCH)
        assert isinstance(remote, ssh_remote.SshRemote)
        assert not remote.agent.was_asked
    assert len(scene.host.asked) == before


async def test_a_lease_that_is_closed_sends_nothing_and_says_so(scene: Scene) -> None:
    async with scene.lease() as lease, scene.open(lease) as remote:
        await scene.vault.destroy(REF)
        with pytest.raises(Exception, match="git/ssh") as caught:
            await remote.refs(Service.FETCH)
    assert type(caught.value).__module__ == "vault.errors"


async def test_without_ssh_or_an_address_or_a_folder_nothing_is_sent(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene.lease() as lease:
        async with scene.open(lease, program=str(tmp_path / "none")) as remote:
            with pytest.raises(NotSentError):
                await remote.refs(Service.FETCH)
        odd = GitConnection.model_validate(
            {"url": "ssh://git@nowhere.invalid:22", "host_keys": [*scene.host.host_keys.values()]}
        )
        with pytest.raises(NotSentError):
            await scene.open(lease, odd).__aenter__()
        with pytest.raises(NotSentError):
            await open_ssh_remote(
                "ssh://git@127.0.0.1:1/a'b/c.git", scene.options(), lease, SshReach(AddressGuard())
            ).__aenter__()
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(NotSentError):
            await scene.open(lease).__aenter__()


async def test_a_credential_that_is_no_ssh_key_is_refused_before_anything(scene: Scene) -> None:
    await scene.vault.put(
        CredentialRef("git/token"), CredentialKind.BEARER, {"token": "a-token-of-some-length"}, ["h.example"]
    )
    async with scene.vault.lease(CredentialRef("git/token"), host="h.example", purpose="int_1") as lease:
        with pytest.raises(LeaseRefusedError):
            await scene.open(lease).__aenter__()
