"""The vault's root key in a KMS that speaks AWS's wire protocol and checks signatures and rights."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from broker.cli import app
from tests.parts.moto import USER, Moto, moto_server
from tests.parts.threaded_http import QuietHandler, threaded
from tests.parts.up import eventually
from tests.unit.vault.process import VaultProcess, running_vault, short_folder
from tests.unit.vault.samples import BASIC
from vault.client import VaultClient
from vault.errors import KmsRefusedError, KmsUnavailableError, RootKeyError, VaultError
from vault.kms import ATTEMPTS, AwsKeyService, KmsKey, _client
from vault.model import CredentialKind, CredentialRef, VaultState

GIT = CredentialRef("git/acme")
CONTEXT = {"ostiary": "vault-root", "vault": "00"}
ASTRAY = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL_KMS": "http://127.0.0.1:1",
    "AWS_DEFAULT_REGION": "us-west-9",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_CA_BUNDLE": "/nowhere",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "http_proxy": "http://127.0.0.1:1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What leads AWS clients elsewhere; nothing of the machine but its credentials is for the vault."""


class Front:
    """Stands before KMS: writes down what is asked, and hands it on or answers by itself.

    Attributes:
        asked: Operation and members of each request.
        says: Status and body of its own answers; None to hand on.
    """

    def __init__(self, moto: Moto) -> None:
        self.asked: list[tuple[str, dict[str, object]]] = []
        self.says: tuple[int, bytes] | None = None
        self.upstream = moto.endpoint.removeprefix("http://")
        self.credentials = {
            "AccessKeyId": moto.access_key,
            "SecretAccessKey": moto.secret_key,
            "Token": "",
            "Expiration": "2099-01-01T00:00:00Z",
        }
        self.endpoint = ""

    def answer(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Return the answer of one request."""
        self.asked.append((headers["X-Amz-Target"].removeprefix("TrentService."), json.loads(body)))
        if self.says is not None:
            return self.says
        connection = HTTPConnection(self.upstream)
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found


@contextmanager
def front_of(moto: Moto) -> Iterator[Front]:
    """Serve on a free loopback port; a GET answers as a container's credentials endpoint does."""
    front = Front(moto)

    class Handler(QuietHandler):
        def respond(self) -> None:
            if self.command == "GET":
                self.reply(200, json.dumps(front.credentials).encode())
            else:
                self.reply(*front.answer(dict(self.headers), self.body()))

    with threaded(Handler) as host:
        front.endpoint = f"http://{host}"
        yield front


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with moto_server({}, actions=("kms:*", "iam:*")) as server:
        yield server


@pytest.fixture(scope="module")
def running_front(moto: Moto) -> Iterator[Front]:
    with front_of(moto) as front:
        yield front


@pytest.fixture
def front(running_front: Front) -> Front:
    running_front.asked.clear()
    running_front.says = None
    return running_front


@pytest.fixture(scope="module")
def arn(moto: Moto) -> str:
    return str(moto.client("kms").create_key()["KeyMetadata"]["Arn"])


@pytest.fixture
def key(arn: str, front: Front) -> KmsKey:
    return KmsKey(arn, front.endpoint)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, moto: Moto) -> None:
    """A machine with a key for KMS in its environment, and much that leads astray."""
    nothing = tmp_path / "nothing"
    nothing.touch()
    models = tmp_path / ".aws" / "models" / "kms" / "2014-11-01"
    models.mkdir(parents=True)
    (models / "service-2.json").write_text("{}")
    own = {"AWS_ACCESS_KEY_ID": moto.access_key, "AWS_SECRET_ACCESS_KEY": moto.secret_key}
    files = {"AWS_CONFIG_FILE": str(nothing), "AWS_SHARED_CREDENTIALS_FILE": str(nothing), "HOME": str(tmp_path)}
    for name, value in {**ASTRAY, **files, **own}.items():
        monkeypatch.setenv(name, value)


def arguments(key: KmsKey) -> tuple[str, ...]:
    return "--kms-key", key.arn, "--kms-endpoint", key.endpoint


async def unsealed(client: VaultClient) -> None:
    async with asyncio.timeout(30):
        while (await client.status()).state is not VaultState.UNSEALED:  # noqa: ASYNC110 - it changes in another process
            await asyncio.sleep(0.02)


def cli(vault: VaultProcess, *words: str, **environment: str) -> Result:
    arguments = ["--data", str(vault.folder), "vault", *words]
    return CliRunner().invoke(app, arguments, env={"OSTIARY_OUTPUT": "json", **environment})


@pytest.mark.req("V1")
async def test_a_vault_unseals_itself_with_kms_over_restarts_and_its_root_key_is_on_no_disk(
    moto: Moto, front: Front, key: KmsKey
) -> None:
    with short_folder() as folder:
        with running_vault(folder, kms=arguments(key)) as vault:
            client = VaultClient(vault.socket)
            assert (await client.status()).state is VaultState.UNINITIALISED
            assert front.asked == []
            await client.initialise(None)
            await client.put(GIT, CredentialKind.BASIC, {n: v.decode() for n, v in BASIC.items()}, ["git.example.com"])
            infos = await client.list()
            await client.close()
            vault.kill()
        with running_vault(folder, kms=arguments(key)) as vault:
            client = VaultClient(vault.socket)
            await unsealed(client)
            assert await client.list() == infos
            await client.close()
            assert vault.stop() == 0
        operations = [operation for operation, _ in front.asked]
        context = front.asked[0][1]["EncryptionContext"]
        assert operations == ["Encrypt", "Decrypt", "Decrypt"]
        assert {json.dumps(asked["EncryptionContext"]) for _, asked in front.asked} == {json.dumps(context)}
        assert {asked["KeyId"] for _, asked in front.asked} == {key.arn}
        wrapped = base64.b64decode(str(front.asked[-1][1]["CiphertextBlob"]))
        root = moto.client("kms").decrypt(CiphertextBlob=wrapped, EncryptionContext=context)["Plaintext"]
        files = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert wrapped.hex().encode() in files
    for form in (root, root.hex().encode(), base64.b64encode(root)):
        assert form not in files


@pytest.mark.req("V1")
def test_a_vault_whose_kms_says_no_stays_sealed_says_why_and_unseals_at_once_when_asked(
    moto: Moto, front: Front, key: KmsKey
) -> None:
    settings = {"OSTIARY_VAULT_KMS_KEY": key.arn, "OSTIARY_VAULT_KMS_ENDPOINT": key.endpoint}
    with short_folder() as folder:
        with running_vault(folder, kms=arguments(key)) as vault:
            assert cli(vault, "initialise", "--kms", key.arn).exit_code == 2
            assert cli(vault, "initialise", "--kms", key.arn + "0", **settings).exit_code == 2
            assert cli(vault, "initialise", "--passphrase-file", "x", **settings).exit_code == 2
            assert front.asked == []
            made = cli(vault, "initialise", "--kms", key.arn, **settings)
            assert made.exit_code == 0, made.output
            assert cli(vault, "initialise", **settings).exit_code == 4
            vault.kill()
        with denied(moto), running_vault(folder, kms=arguments(key)) as vault:
            eventually(lambda: status_of(vault)["reason"])
            assert status_of(vault)["state"] == "sealed"
            reason = str(status_of(vault)["reason"])
            refused = cli(vault, "unseal", **settings)
            assert (refused.exit_code, reason in refused.stderr) == (4, True)
            moto_allows(moto)
            assert cli(vault, "unseal", **settings).exit_code == 0
            assert (status_of(vault)["state"], status_of(vault)["reason"]) == ("unsealed", "")
            assert moto.secret_key not in vault.log


def status_of(vault: VaultProcess) -> dict[str, object]:
    found: dict[str, object] = json.loads(cli(vault, "status").stdout)
    return found


@contextmanager
def denied(moto: Moto) -> Iterator[None]:
    """Take the right to decrypt away."""
    deny = {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    moto.client("iam").put_user_policy(UserName=USER, PolicyName="deny", PolicyDocument=document)
    try:
        yield
    finally:
        moto_allows(moto)


def moto_allows(moto: Moto) -> None:
    iam = moto.client("iam")
    if "deny" in iam.list_user_policies(UserName=USER)["PolicyNames"]:
        iam.delete_user_policy(UserName=USER, PolicyName="deny")


def test_what_was_wrapped_for_another_vault_or_changed_is_not_given(moto: Moto, key: KmsKey) -> None:
    service = AwsKeyService()
    wrapped = service.encrypt(key, bytes(range(32)), CONTEXT)
    assert service.decrypt(key, wrapped, CONTEXT) == bytes(range(32))
    for changed, context in ((wrapped, CONTEXT | {"vault": "01"}), (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), CONTEXT)):
        with pytest.raises(RootKeyError):
            service.decrypt(key, changed, context)
    other = KmsKey(str(moto.client("kms").create_key()["KeyMetadata"]["Arn"]), key.endpoint)
    with pytest.raises(VaultError) as caught:
        service.decrypt(other, wrapped, CONTEXT)
    assert isinstance(caught.value, (RootKeyError, KmsRefusedError))


def test_kms_is_asked_in_the_region_of_its_key_over_tls_that_is_verified(arn: str) -> None:
    client = _client(KmsKey(arn))
    assert client.meta.endpoint_url == "https://kms.eu-central-1.amazonaws.com"
    assert client._endpoint.http_session._verify is True
    assert client._endpoint.http_session._proxy_config._proxies == {}


def said(code: str) -> bytes:
    return json.dumps({"__type": code, "message": "planted words of the upstream"}).encode()


@pytest.mark.parametrize(
    ("status", "body", "asked", "error"),
    [
        (400, said("AccessDeniedException"), 1, KmsRefusedError),
        (400, said("DisabledException"), 1, KmsRefusedError),
        (400, said("NotFoundException"), 1, KmsRefusedError),
        (400, said("KMSInvalidStateException"), 1, KmsRefusedError),
        (400, said("InvalidCiphertextException"), 1, RootKeyError),
        (400, said("IncorrectKeyException"), 1, RootKeyError),
        (400, said("planted words"), 1, KmsRefusedError),
        (500, said("KMSInternalException"), ATTEMPTS, KmsUnavailableError),
        (400, said("ThrottlingException"), ATTEMPTS, KmsUnavailableError),
        (200, b"<html>", 1, KmsUnavailableError),
        (200, b"{}", 1, KmsUnavailableError),
        (200, b'{"KeyId": "%s"}', 1, KmsUnavailableError),
        (200, b'{"KeyId": "another", "Plaintext": "cGxhbnRlZA=="}', 1, KmsUnavailableError),
    ],
)
def test_what_kms_says_instead_is_told_without_its_words(
    front: Front, key: KmsKey, status: int, body: bytes, asked: int, error: type[VaultError]
) -> None:
    front.says = status, body.replace(b"%s", key.arn.encode())
    with pytest.raises(error) as caught:
        AwsKeyService().decrypt(key, b"wrapped", CONTEXT)
    assert type(caught.value) is error
    assert len(front.asked) == asked
    assert "planted" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_kms_that_is_not_there_and_a_machine_without_a_key_are_told(
    key: KmsKey, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KmsUnavailableError):
        AwsKeyService().decrypt(KmsKey(key.arn, "http://127.0.0.1:1"), b"wrapped", CONTEXT)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/vault")
    with pytest.raises(KmsUnavailableError):
        AwsKeyService().decrypt(key, b"wrapped", CONTEXT)
    assert front.asked == []


def test_the_role_of_a_container_is_a_key_too(key: KmsKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{key.endpoint}/credentials")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    service = AwsKeyService()
    assert service.decrypt(key, service.encrypt(key, b"x" * 32, CONTEXT), CONTEXT) == b"x" * 32
