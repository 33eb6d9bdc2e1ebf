"""The vault as a process of its own: what it refuses, what it survives, and what nobody can read."""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import select
import signal
import socket as sockets
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog.testing

from tests.unit.vault.bad_requests import BAD_REQUESTS
from tests.unit.vault.process import ROOT, VaultProcess, command, running_vault, short_folder
from tests.unit.vault.samples import AWS, AWS_SECRET, BASIC, PASSPHRASE, S3_HOSTS
from vault.client import VaultClient
from vault.errors import (
    CheckpointRefusedError,
    RootKeyError,
    SealedError,
    VaultError,
    VaultUnavailableError,
)
from vault.hardening import give_up, harden
from vault.model import CredentialKind, CredentialRef, SecretValue, VaultState
from vault.protocol import FrameDecoder, encode_frame
from vault.server import VaultServer
from vault.service import Vault
from vault.storage import MemoryStorage
from vault.variants import variants

NOBODY = 65534
IS_ROOT = os.geteuid() == 0
AWS_REF, GIT_REF = CredentialRef("aws/prod"), CredentialRef("git/acme")


@pytest.fixture
def vault(folder: Path) -> Iterator[VaultProcess]:
    with running_vault(folder) as process:
        yield process


async def put_both(client: VaultClient) -> None:
    await client.put(AWS_REF, CredentialKind.AWS, {name: SecretValue(value) for name, value in AWS.items()}, S3_HOSTS)
    await client.put(GIT_REF, CredentialKind.BASIC, {name: SecretValue(v) for name, v in BASIC.items()}, ["x.com"])


async def test_a_vault_with_a_key_file_is_ready_at_once_and_keeps_all_over_restarts(vault: VaultProcess) -> None:
    client = VaultClient(vault.socket)
    await put_both(client)
    infos, key = await client.list(), await client.public_key()
    await client.sign_note(5, bytes(32), "log")
    assert vault.stop() == 0
    assert not vault.socket.exists()
    with pytest.raises(VaultUnavailableError):
        await client.list()
    with running_vault(vault.folder):
        assert await client.list() == infos
        assert await client.public_key() == key
        with pytest.raises(CheckpointRefusedError):
            await client.sign_note(4, bytes(32), "log")
    await client.close()


async def test_a_vault_with_a_passphrase_waits_for_it(folder: Path) -> None:
    with running_vault(folder, passphrase=True) as vault:
        client = VaultClient(vault.socket)
        assert (await client.status()).state is VaultState.UNINITIALISED
        await client.initialise(SecretValue(PASSPHRASE))
        await put_both(client)
        vault.kill()
        await client.close()
    with running_vault(folder, passphrase=True) as vault:
        client = VaultClient(vault.socket)
        assert (await client.status()).state is VaultState.SEALED
        with pytest.raises(SealedError):
            await client.list()
        with pytest.raises(RootKeyError):
            await client.unseal(SecretValue(b"another passphrase"))
        await client.unseal(SecretValue(PASSPHRASE))
        assert [info.ref for info in await client.list()] == [AWS_REF, GIT_REF]
        await client.close()


@pytest.mark.req("V1")
async def test_a_killed_vault_is_unavailable_and_its_acknowledged_changes_are_kept(vault: VaultProcess) -> None:
    client = VaultClient(vault.socket)
    await put_both(client)
    os.kill(vault.process.pid, signal.SIGSTOP)
    waiting = [asyncio.create_task(client.scrub(b"x" * 100)) for _ in range(5)]
    await asyncio.sleep(0)
    vault.kill()
    for task in waiting:
        with pytest.raises(VaultUnavailableError):
            await task
    with running_vault(vault.folder):
        assert [info.version for info in await client.list()] == [1, 1]
    await client.close()


def test_a_second_vault_on_the_same_storage_does_not_start(vault: VaultProcess) -> None:
    other = [*command(vault.folder)]
    other[other.index("--socket") + 1] = str(vault.folder / "run" / "other.sock")
    told = subprocess.run(other, cwd=ROOT, capture_output=True, check=False)
    assert told.returncode == 1
    assert b"another vault process holds it" in told.stderr
    assert vault.process.poll() is None
    assert vault.socket.exists()


@pytest.mark.parametrize("fault", ["key file open", "key file lost", "storage changed", "folder open"])
def test_a_vault_that_cannot_be_trusted_does_not_start_and_says_why(folder: Path, fault: str) -> None:
    with running_vault(folder) as vault:
        vault.stop()
    if fault == "key file open":
        vault.key_file.chmod(0o644)
    elif fault == "key file lost":
        vault.key_file.unlink()
    elif fault == "folder open":
        vault.socket.parent.chmod(0o755)
    else:
        data = vault.storage.read_bytes()
        at = data.index(b"manifest") + 40
        vault.storage.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    told = subprocess.run(command(folder), cwd=ROOT, capture_output=True, check=False)
    assert told.returncode == 1
    assert b"vault.start_failed" in told.stderr
    assert b"Traceback" not in told.stderr


def test_socket_storage_and_key_file_are_private(vault: VaultProcess) -> None:
    assert stat.S_IMODE(vault.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(vault.socket.parent.stat().st_mode) == 0o700
    for file in vault.folder.glob("vault.*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.req("V1")
@pytest.mark.skipif(not IS_ROOT, reason="only root can become another user")
def test_another_user_is_cut_off_even_when_the_files_let_it_in(vault: VaultProcess) -> None:
    for path in (vault.folder, vault.socket.parent):
        path.chmod(0o711)
    vault.socket.chmod(0o666)
    script = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        "try: s.sendall(bytes.fromhex(sys.argv[2])); print(len(s.recv(100)))\n"
        "except OSError as error: print(0, type(error).__name__)"
    )
    ask = encode_frame({"i": 1, "op": "status"}).hex()
    arguments = ["/usr/bin/env", "python3", "-c", script, str(vault.socket), ask]
    own = subprocess.run(arguments, capture_output=True, text=True, check=True)
    other = subprocess.run(
        arguments, capture_output=True, text=True, check=True, user=NOBODY, group=NOBODY, extra_groups=[]
    )
    assert int(own.stdout.split()[0]) > 0
    assert other.stdout.split()[0] == "0"
    assert f'"peer_uid": {NOBODY}' in vault.log


@pytest.mark.req("V1")
def test_nobody_of_its_own_user_reads_or_traces_the_vault() -> None:
    user = NOBODY if IS_ROOT else None
    script = (
        "import ctypes, sys; pid = sys.argv[1]\n"
        "for name in ('mem', 'environ', 'maps'):\n"
        "    try: open(f'/proc/{pid}/{name}', 'rb').read(1); print(name, 'read')\n"
        "    except OSError as error: print(name, type(error).__name__)\n"
        "print('ptrace', ctypes.CDLL(None, use_errno=True).ptrace(16, int(pid), 0, 0))"
    )
    with short_folder(user) as folder, running_vault(folder, user=user) as vault:
        told = subprocess.run(
            ["/usr/bin/env", "python3", "-c", script, str(vault.process.pid)],
            capture_output=True, text=True, check=True, user=user, group=user,
            extra_groups=[] if user is not None else None,
        )  # fmt: skip
    assert told.stdout.split("\n")[:-1] == [
        "mem PermissionError", "environ PermissionError", "maps PermissionError", "ptrace -1",
    ]  # fmt: skip


@pytest.mark.req("V1")
def test_the_vault_leaves_no_core_and_gains_no_rights(vault: VaultProcess) -> None:
    assert resource.prlimit(vault.process.pid, resource.RLIMIT_CORE) == (0, 0)
    status = Path(f"/proc/{vault.process.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status


@pytest.mark.req("V1")
async def test_no_secret_is_in_any_file_or_log_of_the_vault(vault: VaultProcess) -> None:
    client = VaultClient(vault.socket)
    await put_both(client)
    await client.rotate(GIT_REF, {"username": "robot", "password": "a second password"})
    with pytest.raises(VaultError):
        await client.put(CredentialRef("aws/bad"), CredentialKind.AWS, {"secret_access_key": AWS_SECRET}, ["x.com"])
    with pytest.raises(VaultError):
        async with client.lease(GIT_REF, host="evil.com", purpose="int_1"):
            pass
    await client.close()
    vault.kill()
    key = bytes.fromhex(vault.key_file.read_text())
    secrets = [AWS_SECRET.encode(), BASIC["password"], b"a second password", key]
    files = [file for file in vault.folder.rglob("*") if file.is_file() and file != vault.key_file]
    assert vault.storage in files
    content = b"".join(file.read_bytes() for file in files)
    assert not [form for secret in secrets for form in variants(secret) if form in content]
    assert '"credential": "git/acme"' in vault.log
    assert '"purpose": "int_1"' in vault.log


NONSENSE = [
    b"GET / HTTP/1.1\r\n\r\n",
    struct.pack(">II", 1 << 31, 8),
    struct.pack(">II", 8, 1 << 31),
    struct.pack(">II", 6, 2) + b"{}",
    struct.pack(">II", 12, 8) + b"\xff" * 8,
]


@pytest.mark.req("O2")
@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_a_frame_that_does_not_parse_ends_its_connection_and_no_other(
    client: VaultClient, socket: Path, nonsense: bytes
) -> None:
    await client.status()
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(encode_frame({"i": 1, "op": "status"}) + nonsense)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1 << 20)
    writer.close()
    assert (await client.status()).state is VaultState.UNSEALED


@pytest.mark.req("O2")
@pytest.mark.parametrize(("header", "raw"), BAD_REQUESTS)
async def test_a_bad_request_is_answered_with_its_fault(
    client: VaultClient, socket: Path, header: dict[str, object], raw: bytes
) -> None:
    await client.status()
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(encode_frame({"i": 7, **header}, raw))
    ((answer, _),) = FrameDecoder().feed(await reader.read(65536))
    assert (answer["i"], answer["e"]) == (7, "bad-request")
    writer.close()
    await writer.wait_closed()


async def test_a_fault_of_the_vault_denies_the_request_and_tells_nothing(socket: Path) -> None:
    class Broken(MemoryStorage):
        def get(self, name: str) -> bytes | None:
            raise RuntimeError("planted secret")

    with structlog.testing.capture_logs() as logs:
        async with VaultServer(Vault(Broken()), socket):
            client = VaultClient(socket)
            with pytest.raises(VaultError) as caught:
                await client.status()
            await client.close()
    assert (type(caught.value), str(caught.value)) == (VaultError, "the vault failed")
    assert logs == [{"event": "vault.fault", "operation": "status", "error": "RuntimeError", "log_level": "error"}]


async def test_a_client_that_does_not_read_is_not_read_from_and_others_are_served(
    client: VaultClient, socket: Path
) -> None:
    await client.status()
    with sockets.socket(sockets.AF_UNIX) as greedy:
        greedy.connect(str(socket))
        greedy.setblocking(False)  # noqa: FBT003 - the library's signature
        requests = encode_frame({"i": 1, "op": "list", "start": 0, "padding": "x" * 1000}) * 100

        async def send_until_stuck() -> int:
            sent = stuck = 0
            while stuck < 50:
                try:
                    sent += greedy.send(requests)
                    stuck = 0
                except BlockingIOError:
                    stuck += 1
                    assert (await client.status()).state is VaultState.UNSEALED
                assert sent < 1 << 28, "the vault takes requests without end"
            return sent

        assert await send_until_stuck() > 0
        # Once answers are read, the vault goes on where it stopped.
        loop = asyncio.get_running_loop()
        while not select.select([], [greedy], [], 0)[1]:
            assert await loop.sock_recv(greedy, 1 << 16)
        assert await send_until_stuck() > 0


async def test_the_server_replaces_a_left_over_socket_and_removes_only_its_own(served: Vault, socket: Path) -> None:
    socket.parent.mkdir(mode=0o700)
    with sockets.socket(sockets.AF_UNIX) as left_over:
        left_over.bind(str(socket))
    async with VaultServer(served, socket):
        client = VaultClient(socket)
        assert (await client.status()).state is VaultState.UNSEALED
        await client.close()
        os.unlink(socket)  # noqa: PTH108 - a successor takes the name over
        os.mkfifo(socket)
    assert stat.S_ISFIFO(os.stat(socket).st_mode)  # noqa: PTH116


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701])
async def test_a_folder_open_to_others_is_refused(served: Vault, socket: Path, mode: int) -> None:
    socket.parent.mkdir()
    socket.parent.chmod(mode)
    with pytest.raises(VaultError, match="mode 0700"):
        async with VaultServer(served, socket):
            pass
    assert os.listdir(socket.parent) == []  # noqa: PTH208


async def test_a_socket_that_cannot_be_made_is_an_error(served: Vault, folder: Path) -> None:
    (folder / "file").touch()
    (folder / "run").mkdir(mode=0o700)
    for path in (folder / "file" / "s", folder / "run" / ("x" * 200), folder / "run"):
        with pytest.raises(VaultError):
            async with VaultServer(served, path):
                pass


def in_child(act: Callable[[], bool]) -> int:
    """Run ``act`` in a forked child and return its exit code: what it gives up must not be lost to the tests."""
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            code = 0 if act() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_hardening_takes_effect() -> None:
    def act() -> bool:
        harden()
        libc = ctypes.CDLL(None)
        core = resource.getrlimit(resource.RLIMIT_CORE)
        return core == (0, 0) and libc.prctl(3, 0, 0, 0, 0) == 0 and libc.prctl(39, 0, 0, 0, 0) == 1

    assert in_child(act) == 0


def test_a_kernel_that_refuses_keeps_the_vault_from_starting() -> None:
    no_such_option = 9999
    with pytest.raises(VaultError, match="cannot be hardened"):
        give_up(no_such_option, 0)


def test_the_vault_module_explains_itself() -> None:
    told = subprocess.run([sys.executable, "-m", "vault", "--help"], cwd=ROOT, capture_output=True, check=True)
    assert b"--key-file" in told.stdout
