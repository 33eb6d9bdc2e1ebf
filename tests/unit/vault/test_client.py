"""Client and server over a real socket, in one process."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.vault.samples import AWS, AWS_SECRET, BASIC, BEARER, PASSPHRASE, S3_HOSTS, TEMPORARY, request
from vault.client import SCAN_BYTES, VaultClient
from vault.connection import Connection
from vault.credential import MAX_SECRET_BYTES
from vault.crypto import verify_ed25519
from vault.errors import (
    BadRequestError,
    CheckpointRefusedError,
    CredentialExistsError,
    CredentialMissingError,
    LeaseRefusal,
    LeaseRefusedError,
    RootKeyError,
    SealedError,
    VaultError,
    VaultUnavailableError,
)
from vault.model import CredentialKind, CredentialRef, Lease, SecretValue, SigningRequest, VaultState
from vault.operations import PAGE
from vault.protocol import encode_frame
from vault.server import VaultServer
from vault.service import Vault

AWS_REF = CredentialRef("aws/prod")
GIT_REF = CredentialRef("git/acme")
S3 = "s3.eu-west-1.amazonaws.com"
GIT = "git.example.com"


def texts(fields: dict[str, bytes]) -> dict[str, SecretValue | str]:
    return {name: SecretValue(value) for name, value in fields.items()}


def now(**changes: object) -> SigningRequest:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return dataclasses.replace(request(**changes), headers={**request().headers, "x-amz-date": stamp})


async def put_aws(client: VaultClient, fields: dict[str, bytes] = AWS) -> None:
    await client.put(AWS_REF, CredentialKind.AWS, texts(fields), S3_HOSTS)


async def put_git(client: VaultClient) -> None:
    await client.put(GIT_REF, CredentialKind.BASIC, texts(BASIC), [GIT])


async def test_credentials_are_put_listed_rotated_and_destroyed(client: VaultClient) -> None:
    info = await client.put(GIT_REF, CredentialKind.BASIC, {"username": "robot", "password": "\u00e4 password"}, [GIT])
    assert await client.list() == [info]
    with pytest.raises(CredentialExistsError):
        await put_git(client)
    rotated = await client.rotate(GIT_REF, texts(BASIC))
    assert rotated.version == 2
    status = await client.status()
    assert (status.state, status.credentials) == (VaultState.UNSEALED, 1)
    assert await client.rotate_keyring() == 2
    await client.destroy(GIT_REF)
    assert await client.list() == []
    with pytest.raises(CredentialMissingError):
        await client.destroy(GIT_REF)


async def test_a_long_list_comes_in_pages(client: VaultClient) -> None:
    refs = [CredentialRef(f"git/r{number:03}") for number in range(PAGE + 3)]
    for ref in refs:
        await client.put(ref, CredentialKind.BEARER, texts(BEARER), [GIT])
    assert [info.ref for info in await client.list()] == refs


async def test_a_vault_is_sealed_and_unsealed_with_its_passphrase(client: VaultClient) -> None:
    await client.seal()
    assert (await client.status()).state is VaultState.SEALED
    with pytest.raises(SealedError):
        await client.list()
    for wrong in (SecretValue(b"a wrong passphrase"), None):
        with pytest.raises(RootKeyError):
            await client.unseal(wrong)
    await client.unseal(SecretValue(PASSPHRASE))
    assert (await client.status()).state is VaultState.UNSEALED
    with pytest.raises(VaultError, match="initialised already"):
        await client.initialise(SecretValue(PASSPHRASE))


@pytest.mark.req("V1")
async def test_a_lease_on_an_aws_credential_signs_and_never_carries_the_key(client: VaultClient, served: Vault) -> None:
    await put_aws(client)
    async with client.lease(AWS_REF, host=S3, purpose="int_1") as lease:
        protocol: Lease = lease
        header = await protocol.sign_aws(now())
        assert header.startswith("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/")
        assert lease.security_token is None
        assert AWS_SECRET not in repr(vars(lease))
        with pytest.raises(LeaseRefusedError) as caught:
            lease.header()
        assert caught.value.reason is LeaseRefusal.KIND
    # A sealed vault would say so: a closed lease does not even ask.
    served.seal()
    with pytest.raises(LeaseRefusedError) as caught:
        await lease.sign_aws(now())
    assert caught.value.reason is LeaseRefusal.CLOSED


async def test_a_second_lease_on_an_aws_credential_costs_no_round_trip(client: VaultClient, served: Vault) -> None:
    await put_aws(client)
    async with client.lease(AWS_REF, host=S3, purpose="int_1"):
        pass
    served.seal()
    async with client.lease(AWS_REF, host=S3, purpose="int_2") as lease:
        with pytest.raises(SealedError):
            await lease.sign_aws(now())
    # A refusal makes the client ask again, so it does not go on with what it remembers.
    with pytest.raises(SealedError):
        async with client.lease(AWS_REF, host=S3, purpose="int_3"):
            pass


async def test_a_host_that_is_not_remembered_as_bound_is_asked_for(client: VaultClient) -> None:
    await put_aws(client)
    async with client.lease(AWS_REF, host=S3, purpose="int_1"):
        pass
    with pytest.raises(LeaseRefusedError) as caught:
        async with client.lease(AWS_REF, host="evil.com", purpose="int_2"):
            pass
    assert caught.value.reason is LeaseRefusal.HOST


async def test_a_temporary_credential_hands_its_token_over_with_the_signature(client: VaultClient) -> None:
    await put_aws(client, TEMPORARY)
    async with client.lease(AWS_REF, host=S3, purpose="int_1") as lease:
        await lease.sign_aws(now())
        token = lease.security_token
        assert token is not None
        assert token.reveal() == TEMPORARY["session_token"]
    assert lease.security_token is None


async def test_a_lease_opened_before_a_rotation_signs_with_the_new_key(client: VaultClient, socket: Path) -> None:
    await put_aws(client)
    operator = VaultClient(socket)
    async with client.lease(AWS_REF, host=S3, purpose="int_1") as lease:
        await operator.rotate(AWS_REF, texts({**AWS, "access_key_id": b"AKIANEXTNEXTNEXTNEXT"}))
        assert "Credential=AKIANEXTNEXTNEXTNEXT/" in await lease.sign_aws(now())
        assert lease.info.version == 2
    async with client.lease(AWS_REF, host=S3, purpose="int_2") as lease:
        assert lease.info.version == 2
    await operator.close()


async def test_a_credential_that_became_another_kind_is_not_signed_with(client: VaultClient, socket: Path) -> None:
    await put_aws(client)
    operator = VaultClient(socket)
    async with client.lease(AWS_REF, host=S3, purpose="int_1") as lease:
        await operator.destroy(AWS_REF)
        await operator.put(AWS_REF, CredentialKind.BASIC, texts(BASIC), [S3])
        with pytest.raises(LeaseRefusedError) as caught:
            await lease.sign_aws(now())
        assert caught.value.reason is LeaseRefusal.KIND
        await operator.rotate(AWS_REF, texts(BASIC))
        with pytest.raises(LeaseRefusedError):
            await lease.sign_aws(now())
        with pytest.raises(LeaseRefusedError, match="has no header"):
            lease.header()
    await operator.close()


async def test_a_credential_that_keeps_changing_is_given_up_on(folder: Path) -> None:
    """A peer that always has a newer version; no real vault can be made to be that quick."""
    infos = [
        {"ref": "aws/prod", "kind": "aws", "version": version, "hosts": [S3], "identity": "A", "created_at_ns": 1}
        | {"last_used_at_ns": 0}
        for version in range(1, 4)
    ]
    opened = {"i": 1, "info": infos[0], "header": False, "public": False}
    answers = [opened] + [{"i": n, "stale": infos[n - 1]} for n in (2, 3)]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for header in answers:
            await reader.read(65536)
            writer.write(encode_frame(header))
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(answer, folder / "s")
    client = VaultClient(folder / "s")
    async with client.lease(AWS_REF, host=S3, purpose="int_1") as lease:
        with pytest.raises(LeaseRefusedError) as caught:
            await lease.sign_aws(now())
    assert caught.value.reason is LeaseRefusal.STALE
    await client.close()
    server.close()
    await server.wait_closed()


async def test_a_lease_on_a_header_credential_lends_it_until_it_is_closed(client: VaultClient) -> None:
    await put_git(client)
    async with client.lease(GIT_REF, host=GIT, purpose="int_1") as lease:
        assert lease.header().reveal() == b"Basic " + base64.b64encode(b"robot:correct horse battery")
        assert "horse" not in repr(vars(lease))
        with pytest.raises(LeaseRefusedError) as caught:
            await lease.sign_aws(now())
        assert caught.value.reason is LeaseRefusal.KIND
    with pytest.raises(LeaseRefusedError) as caught:
        lease.header()
    assert caught.value.reason is LeaseRefusal.CLOSED


async def test_a_lease_is_closed_when_its_block_fails(client: VaultClient) -> None:
    await put_git(client)
    opening = client.lease(GIT_REF, host=GIT, purpose="int_1")
    with pytest.raises(RuntimeError):
        async with opening as lease:
            raise RuntimeError
    with pytest.raises(LeaseRefusedError):
        lease.header()


async def test_a_lease_on_nothing_is_refused(client: VaultClient) -> None:
    opening = client.lease(GIT_REF, host=GIT, purpose="int_1")
    with pytest.raises(CredentialMissingError):
        await opening.__aenter__()
    await opening.__aexit__(None, None, None)


@pytest.mark.req("V1")
async def test_a_request_the_vault_does_not_sign_is_refused_over_the_socket(client: VaultClient) -> None:
    await put_aws(client)
    async with client.lease(AWS_REF, host=S3, purpose="int_1") as lease:
        for wanted in (request(), now(payload_sha256="UNSIGNED-PAYLOAD"), now(query="X-Amz-Expires=60")):
            with pytest.raises(BadRequestError):
                await lease.sign_aws(wanted)


@pytest.mark.req("V2")
async def test_a_body_is_scrubbed_in_one_go_and_as_a_stream(client: VaultClient) -> None:
    await put_git(client)
    secret = BASIC["password"]
    assert await client.scrub(b"a " + secret + b" b") == (b"a " + b"*" * len(secret) + b" b", 1)
    assert await client.scrub(b"") == (b"", 0)
    large = (b"." * (SCAN_BYTES - 5) + secret) * 3
    expected = (b"." * (SCAN_BYTES - 5) + b"*" * len(secret)) * 3
    assert await client.scrub(large) == (expected, 3)
    scanner, out = client.scanner(), b""
    for at in range(0, len(large), 50_000):
        out += await scanner.feed(large[at : at + 50_000])
    assert out + await scanner.finish() == expected
    assert scanner.hits == 3


async def test_nothing_held_back_is_released_when_the_vault_is_sealed_mid_stream(client: VaultClient) -> None:
    await put_git(client)
    scanner = client.scanner()
    await scanner.feed(BASIC["password"][:10])
    await client.seal()
    with pytest.raises(SealedError):
        await scanner.finish()


@pytest.mark.req("E1")
async def test_a_checkpoint_is_signed_over_the_socket(client: VaultClient) -> None:
    signature = await client.sign_note(7, bytes(32), "log")
    assert signature == await client.sign_checkpoint("log", 7, bytes(32))
    text = b"log\n7\n" + base64.b64encode(bytes(32)) + b"\n"
    assert verify_ed25519(await client.public_key(), text, signature)
    with pytest.raises(CheckpointRefusedError):
        await client.sign_note(6, bytes(32), "log")
    with pytest.raises(BadRequestError):
        await client.sign_note(-1, bytes(32), "log")


async def test_requests_that_come_before_the_connection_wait_for_one(served: Vault, socket: Path) -> None:
    async with VaultServer(served, socket) as server:
        client = VaultClient(socket)
        await asyncio.gather(*[client.status() for _ in range(10)])
        assert len(server._connections) == 1
        await client.close()


async def test_many_requests_share_a_connection(client: VaultClient) -> None:
    await put_aws(client)
    await put_git(client)

    async def sign(number: int) -> str:
        async with client.lease(AWS_REF, host=S3, purpose=f"int_{number}") as lease:
            return await lease.sign_aws(now(path=f"/data-lake/{number}"))

    signed = await asyncio.gather(*[sign(number) for number in range(100)])
    assert len(set(signed)) == 100


async def test_a_cancelled_request_does_not_disturb_the_others(client: VaultClient) -> None:
    await put_git(client)
    task = asyncio.create_task(client.scrub(b"x" * 1000))
    await asyncio.sleep(0)
    task.cancel()
    assert (await client.scrub(b"abc")) == (b"abc", 0)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_largest_credential_fits_through(client: VaultClient) -> None:
    token = "t" * MAX_SECRET_BYTES
    await client.put(GIT_REF, CredentialKind.BEARER, {"token": token}, [GIT])
    async with client.lease(GIT_REF, host=GIT, purpose="int_1") as lease:
        assert lease.header().reveal() == b"Bearer " + token.encode()


async def test_what_cannot_be_encoded_is_refused_without_showing_it(client: VaultClient) -> None:
    with pytest.raises(BadRequestError) as caught:
        await client.put(GIT_REF, CredentialKind.BEARER, {"token": "planted\ud800"}, [GIT])
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    with pytest.raises(BadRequestError):
        await client.put(GIT_REF, CredentialKind.BEARER, {"token": "t" * 100_000}, [GIT])


async def test_without_a_vault_the_client_says_so_and_finds_it_later(folder: Path, served: Vault, socket: Path) -> None:
    client = VaultClient(socket)
    with pytest.raises(VaultUnavailableError):
        await client.status()
    async with VaultServer(served, socket):
        assert (await client.status()).state is VaultState.UNSEALED
    with pytest.raises(VaultUnavailableError):
        await client.status()
    async with VaultServer(served, socket):
        assert (await client.status()).state is VaultState.UNSEALED
        await client.close()
        with pytest.raises(VaultUnavailableError, match="closed"):
            await client.status()
    await client.close()


async def test_a_socket_path_that_is_too_long_is_unavailable(tmp_path: Path) -> None:
    client = VaultClient(tmp_path / ("x" * 200))
    with pytest.raises(VaultUnavailableError):
        await client.status()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
async def test_a_peer_that_answers_nonsense_or_hangs_up_is_unavailable(folder: Path, answer: bytes) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        if answer:
            await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(reply, folder / "s")
    client = VaultClient(folder / "s")
    with pytest.raises(VaultUnavailableError):
        await client.status()
    await client.close()
    server.close()
    await server.wait_closed()


async def test_a_vault_that_does_not_answer_is_unavailable(folder: Path) -> None:
    asked = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(hold, folder / "s")
    connection = Connection(folder / "s")
    try:
        # Connected at leisure: only the wait for the answer is short.
        await connection._connect()
        connection._answer_seconds = 0.05
        with pytest.raises(VaultUnavailableError):
            await connection.request({"op": "status"})
        async with asyncio.timeout(20):
            await asked.wait()
    finally:
        await connection.close()
        server.close()
        await server.wait_closed()
