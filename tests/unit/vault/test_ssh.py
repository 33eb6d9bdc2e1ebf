"""What the vault signs for SSH, looked at with asyncssh: one's own user authentication, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.packet import Byte, String

from tests.parts.ssh_git import private_key
from tests.unit.vault.samples import AWS, S3_HOSTS
from vault.client import VaultClient
from vault.credential import check_fields
from vault.errors import BadRequestError, CredentialMissingError, LeaseRefusal, LeaseRefusedError, VaultError
from vault.model import CredentialKind, CredentialRef
from vault.service import Vault
from vault.ssh import MAX_DATA_BYTES

REF = CredentialRef("git/ssh")
HOST = "git.example.com:22"
KEYS = {
    "ed25519": ("ed25519", 0, ""),
    "p256": ("ecdsa", 256, ""),
    "p384": ("ecdsa", 384, "PKCS8"),
    "p521": ("ecdsa", 521, "PEM"),
    "rsa": ("rsa", 3072, "PEM"),
}
SIGNED = [(kind, 0) for kind in KEYS if "rsa" not in kind] + [("rsa", 2), ("rsa", 4), ("rsa-openssh", 4)]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("keys")
    made = {name: private_key(folder, *how) for name, how in KEYS.items()}
    return made | {"rsa-openssh": asyncssh.import_private_key(made["rsa"]).export_private_key("openssh").decode()}


async def put(client: VaultClient, key: str) -> None:
    await client.put(REF, CredentialKind.SSH, {"private_key": key}, [HOST])


def authentication(public: bytes, named: bytes, **changes: Any) -> bytes:
    parts: dict[str, bytes] = {
        "session": String(b"s" * 32),
        "kind": Byte(50),
        "user": String(b"git"),
        "service": String(b"ssh-connection"),
        "method": String(b"publickey"),
        "signed": Byte(1),
        "algorithm": String(named),
        "key": String(public),
        "rest": b"",
        **changes,
    }
    return b"".join(parts.values())


def algorithm_of(public: bytes, flags: int) -> bytes:
    name = public[4 : 4 + int.from_bytes(public[:4], "big")]
    return {0: name, 2: b"rsa-sha2-256", 4: b"rsa-sha2-512"}[flags]


@pytest.mark.req("V1")
@pytest.mark.parametrize(("kind", "flags"), SIGNED)
async def test_a_user_authentication_is_signed_as_ssh_wants_it(
    client: VaultClient, keys: dict[str, str], kind: str, flags: int
) -> None:
    await put(client, keys[kind])
    theirs = asyncssh.import_private_key(keys[kind])
    async with client.lease(REF, host=HOST, purpose="x") as lease:
        assert lease.ssh_public_key == theirs.public_data
        assert lease.info.identity == theirs.get_fingerprint()
        algorithm = algorithm_of(theirs.public_data, flags)
        plain = authentication(theirs.public_data, algorithm)
        bound = authentication(
            theirs.public_data,
            algorithm,
            method=String(b"publickey-hostbound-v00@openssh.com"),
            rest=String(b"host key"),
        )
        for data in (plain, bound):
            signature = await lease.sign_ssh(data, flags)
            assert signature.startswith(String(algorithm))
            assert theirs.convert_to_public().verify(data, signature)


STRANGE: list[dict[str, Any]] = [
    {"session": b""},
    {"session": String(b"")},
    {"session": String(b"s" * 65)},
    {"session": b"SSHSIG" + String(b"git")},
    {"kind": Byte(5)},
    {"user": String(b"u" * 257)},
    {"service": String(b"ssh-userauth")},
    {"method": String(b"hostbased")},
    {"signed": Byte(0)},
    {"algorithm": String(b"ssh-rsa")},
    {"key": String(b"another key")},
    {"rest": b"\0"},
    {"rest": String(b"host key")},
    {"method": String(b"publickey-hostbound-v00@openssh.com")},
    {"key": b"\xff\xff\xff\xff"},
]


@pytest.mark.req("V1")
@pytest.mark.parametrize("changes", STRANGE)
async def test_anything_else_is_not_signed(client: VaultClient, keys: dict[str, str], changes: dict[str, Any]) -> None:
    await put(client, keys["ed25519"])
    async with client.lease(REF, host=HOST, purpose="x") as lease:
        data = authentication(lease.ssh_public_key, b"ssh-ed25519", **changes)
        with pytest.raises(BadRequestError):
            await lease.sign_ssh(data, 0)


async def test_flags_that_do_not_fit_and_data_without_end_are_refused(
    client: VaultClient, keys: dict[str, str]
) -> None:
    await put(client, keys["rsa"])
    async with client.lease(REF, host=HOST, purpose="x") as lease:
        data = authentication(lease.ssh_public_key, b"ssh-rsa")
        for flags in (0, 1, 6):
            with pytest.raises(BadRequestError):
                await lease.sign_ssh(data, flags)
        with pytest.raises(BadRequestError):
            await lease.sign_ssh(data + b"x" * MAX_DATA_BYTES, 2)


async def test_a_commit_cannot_be_signed_with_it(client: VaultClient, keys: dict[str, str], tmp_path: Path) -> None:
    """`ssh-keygen -Y sign` has an agent sign "SSHSIG": the bytes are made here as it makes them."""
    await put(client, keys["ed25519"])
    text = b"SSHSIG" + String(b"git") + String(b"") + String(b"sha512") + String(b"h" * 64)
    async with client.lease(REF, host=HOST, purpose="x") as lease:
        with pytest.raises(BadRequestError):
            await lease.sign_ssh(text, 0)


async def test_a_lease_ends_with_the_key_the_host_or_itself(
    client: VaultClient, served: Vault, keys: dict[str, str]
) -> None:
    await put(client, keys["ed25519"])
    with pytest.raises(LeaseRefusedError):
        await client.lease(REF, host="git.example.com", purpose="x").__aenter__()
    async with client.lease(REF, host=HOST, purpose="x") as lease:
        data = authentication(lease.ssh_public_key, b"ssh-ed25519")
        with pytest.raises(LeaseRefusedError):
            lease.header()
        with pytest.raises(LeaseRefusedError) as caught:
            served.lending.sign_ssh(REF, 1, "evil.com", data, 0)
        assert caught.value.reason is LeaseRefusal.HOST
        await client.rotate(REF, {"private_key": keys["p256"]})
        with pytest.raises(LeaseRefusedError) as caught:
            await lease.sign_ssh(data, 0)
        assert caught.value.reason is LeaseRefusal.STALE
        await client.destroy(REF)
        with pytest.raises(CredentialMissingError):
            await lease.sign_ssh(data, 0)
    with pytest.raises(LeaseRefusedError) as caught:
        _ = lease.ssh_public_key
    assert caught.value.reason is LeaseRefusal.CLOSED


async def test_only_a_key_of_ssh_signs_for_it(client: VaultClient, served: Vault) -> None:
    served.put("aws/prod", CredentialKind.AWS, AWS, S3_HOSTS)
    with pytest.raises(LeaseRefusedError) as caught:
        served.lending.sign_ssh("aws/prod", 1, "s3.amazonaws.com", b"", 0)
    assert caught.value.reason is LeaseRefusal.KIND
    async with client.lease(CredentialRef("aws/prod"), host="s3.amazonaws.com", purpose="x") as lease:
        with pytest.raises(LeaseRefusedError):
            await lease.sign_ssh(b"", 0)


@pytest.mark.req("V2")
@pytest.mark.parametrize("kind", [*KEYS, "rsa-openssh"])
async def test_a_key_is_found_in_results_whatever_breaks_its_lines(
    client: VaultClient, keys: dict[str, str], kind: str
) -> None:
    await put(client, keys[kind])
    for text in (
        keys[kind],
        keys[kind].replace("\n", "\r\n"),
        keys[kind].replace("\n", "\\n"),
        keys[kind].replace("\n", ""),
    ):
        clean, hits = await client.scrub(text.encode())
        assert hits
        lines = [line for line in keys[kind].splitlines() if len(line) >= 16 and "-----" not in line]
        assert not any(line.encode() in clean for line in lines[1:])


@pytest.mark.parametrize("kind", ["dsa-like", "encrypted", "small", "curve", "public", "cut", "none", "x25519"])
@pytest.mark.parametrize("target", [CredentialKind.SSH, CredentialKind.GITHUB_APP])
def test_what_is_no_private_key_is_not_kept_and_not_shown(
    keys: dict[str, str], tmp_path: Path, kind: str, target: CredentialKind
) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519

    def pem(key: Any) -> str:
        form = serialization.PrivateFormat.PKCS8
        return str(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode())

    encrypted = tmp_path / "k"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "planted words", "-f", str(encrypted)], check=True)
    bad = {
        "dsa-like": "-----BEGIN DSA PRIVATE KEY-----\nplanted\n-----END DSA PRIVATE KEY-----\n",
        "encrypted": encrypted.read_text(),
        "small": pem(rsa.generate_private_key(65537, 1024)),  # noqa: S505 - that is the point
        "curve": pem(ec.generate_private_key(ec.SECP256K1())),
        "public": asyncssh.import_private_key(keys["rsa"]).export_public_key("pkcs8-pem").decode(),
        "cut": keys["rsa"][:700],
        "none": "planted secret of some length",
        "x25519": pem(x25519.X25519PrivateKey.generate()),
    }[kind]
    fields = {"private_key": bad.encode()} | ({"app_id": b"1"} if target is CredentialKind.GITHUB_APP else {})
    with pytest.raises(VaultError) as caught:
        check_fields(target, fields)
    assert isinstance(caught.value, BadRequestError)
    assert "planted" not in str(caught.value)
