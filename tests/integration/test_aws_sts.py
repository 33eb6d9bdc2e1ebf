"""Credentials that STS mints for a plan: what exactly is asked, what they open, and what is said when it gives none."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from urllib.parse import parse_qsl

import pytest

from connectors.aws.connector import AwsConnector
from connectors.aws.session_policy import session_policy
from connectors.base import Connection, Plan
from connectors.guard import AddressGuard, endpoint_of
from connectors.streams import read_all
from connectors.transport import HttpTransport
from tests.parts.moto import Moto, moto_server
from tests.parts.threaded_http import QuietHandler, threaded
from tests.unit.vault.process import VaultProcess, running_vault, short_folder
from vault.client import VaultClient
from vault.errors import IssuerUnavailableError, LeaseRefusal, LeaseRefusedError, VaultError
from vault.issuers.aws_sts import ATTEMPTS
from vault.model import CredentialKind, CredentialRef, MintRequest, SecretValue, SigningRequest
from vault.variants import PIECE_BYTES

LAKE = CredentialRef("aws/lake")
ROLE = "reader"
HOLDER = "research-bot/ses_01jd3v0k6qf2m9c8x7w5t4s3r2"
EXTERNAL_ID = "acme:42"
DENIED = b"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>planted words of the upstream</Message></Error></ErrorResponse>"""
NO_KEYS = b"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult/>
</AssumeRoleResponse>"""
NO_DATE = b"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>short</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2020-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
OVER = NO_DATE.replace(b">short<", b">a/secret/of/forty/characters<").replace(b">t<", b">a-session-token<")


class RecordingSts:
    """Stands before STS: writes down what is asked, and hands it on or answers by itself.

    Attributes:
        asked: Form fields of each request.
        says: Status and body of its own answers; empty to hand on.
        hold: What a request waits for.
    """

    def __init__(self, moto: Moto) -> None:
        self.asked: list[dict[str, str]] = []
        self.says: tuple[int, bytes] | None = None
        self.hold = threading.Event()
        self.hold.set()
        self.upstream = moto.endpoint.removeprefix("http://")
        self.host = ""

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Return the answer of one request."""
        self.asked.append(dict(parse_qsl(body.decode())))
        assert self.hold.wait(30)
        if self.says is not None:
            return self.says
        connection = HTTPConnection(self.upstream)
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found


@contextmanager
def recording_sts(moto: Moto) -> Iterator[RecordingSts]:
    """Serve on a free loopback port."""
    recorder = RecordingSts(moto)

    class Handler(QuietHandler):
        def respond(self) -> None:
            status, answer = recorder.answer(self.path, dict(self.headers), self.body())
            with suppress(ConnectionError):  # who waited for it may have gone
                self.reply(status, answer)

    with threaded(Handler) as host:
        recorder.host = host
        try:
            yield recorder
        finally:
            recorder.hold.set()


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with moto_server({"lake": {"a.txt": b"plain"}}, actions=("s3:*", "sts:*", "iam:*")) as server:
        allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Principal": {"AWS": "*"}}]}
        iam = server.client("iam")
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust))
        iam.put_role_policy(RoleName=ROLE, PolicyName="all", PolicyDocument=json.dumps(allow))
        yield server


@pytest.fixture(scope="module")
def sts(moto: Moto) -> Iterator[RecordingSts]:
    with recording_sts(moto) as recorder:
        yield recorder


@pytest.fixture(scope="module")
def process() -> Iterator[VaultProcess]:
    """A vault on a machine that is set up to lead AWS clients astray."""
    with pytest.MonkeyPatch.context() as patch, short_folder() as folder:
        config = folder / "config"
        config.write_text("[profile planted]\nendpoint_url = http://127.0.0.1:1\nca_bundle = /nowhere\n")
        models = folder / ".aws" / "models" / "sts" / "2011-06-15"
        models.mkdir(parents=True)
        (models / "service-2.json").write_text("{}")
        for name, value in {
            "AWS_PROFILE": "not-there",
            "AWS_CONFIG_FILE": str(config),
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1",
            "AWS_ACCESS_KEY_ID": "AKIAPLANTED",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_DATA_PATH": str(folder),
            "HTTP_PROXY": "http://127.0.0.1:1",
            "http_proxy": "http://127.0.0.1:1",
            "ALL_PROXY": "http://127.0.0.1:1",
            "HOME": str(folder),
        }.items():
            patch.setenv(name, value)
        with running_vault(folder) as running:
            yield running
            assert running.stop() == 0


@pytest.fixture
async def vault(process: VaultProcess, moto: Moto, sts: RecordingSts) -> AsyncIterator[VaultClient]:
    client = VaultClient(process.socket)
    await client.put(LAKE, CredentialKind.AWS, stored_key(moto), (moto.endpoint.removeprefix("http://"), sts.host))
    sts.asked.clear()
    sts.says = None
    yield client
    await client.destroy(LAKE)
    await client.close()


def stored_key(moto: Moto) -> dict[str, SecretValue | str]:
    return {"access_key_id": moto.access_key, "secret_access_key": SecretValue(moto.secret_key.encode())}


def planned(moto: Moto, sts: RecordingSts, key: str = "a.txt") -> tuple[Plan, Connection, MintRequest]:
    place = {"account": moto.account, "regions": [moto.region], "endpoint": moto.endpoint}
    connection = Connection("lake", "aws", LAKE, place)
    plan = AwsConnector().plan("s3:GetObject", {"Bucket": "lake", "Key": key}, connection)
    mint = MintRequest(
        role=f"arn:aws:iam::{moto.account}:role/{ROLE}",
        policy=session_policy(plan.requirements),
        duration_seconds=1800,
        endpoint=f"http://{sts.host}",
        region=moto.region,
        external_id=EXTERNAL_ID,
    )
    return plan, connection, mint


def aws_request(moto: Moto) -> SigningRequest:
    """Return a request that the vault signs now."""
    digest = hashlib.sha256(b"").hexdigest()
    headers = {
        "host": moto.endpoint.removeprefix("http://"),
        "x-amz-date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
        "x-amz-content-sha256": digest,
    }
    return SigningRequest("GET", "/lake/a.txt", "", headers, digest, moto.region, "s3")


async def read(moto: Moto, sts: RecordingSts, vault: VaultClient) -> tuple[bytes, str]:
    """Return what a plan reads with a minted credential, and the credential's access key id."""
    plan, connection, mint = planned(moto, sts)
    transport = HttpTransport(AddressGuard([endpoint_of(moto.endpoint)]))
    try:
        async with vault.lease(LAKE, host=plan.host, purpose="int_1", mint=mint, holder=HOLDER) as lease:
            result = await AwsConnector().execute(plan, connection, lease, transport)
            assert result.body is not None
            return await read_all(result.body, 1000), lease.info.identity
    finally:
        await transport.aclose()


@pytest.mark.req("V1")
async def test_sts_is_asked_for_exactly_what_the_plan_requires_once_and_what_it_gives_opens_it(
    moto: Moto, sts: RecordingSts, vault: VaultClient
) -> None:
    content, identity = await read(moto, sts, vault)
    assert content == b"plain"
    assert identity.startswith("ASIA")
    assert await read(moto, sts, vault) == (content, identity)
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/a.txt"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
    assert sts.asked == [
        {
            "Action": "AssumeRole",
            "Version": "2011-06-15",
            "RoleArn": f"arn:aws:iam::{moto.account}:role/{ROLE}",
            "RoleSessionName": "research-bot@ses_01jd3v0k6qf2m9c8x7w5t4s3r2",
            "Policy": policy,
            "DurationSeconds": "1800",
            "ExternalId": EXTERNAL_ID,
        }
    ]


@pytest.mark.req("V2")
async def test_the_secrets_of_a_minted_credential_are_masked_and_the_vault_shows_none(
    moto: Moto, sts: RecordingSts, vault: VaultClient, process: VaultProcess
) -> None:
    plan, _, mint = planned(moto, sts)
    async with vault.lease(LAKE, host=plan.host, purpose="int_1", mint=mint, holder=HOLDER) as lease:
        content, _ = await read(moto, sts, vault)
        assert content == b"plain"
        # The token is the one secret of it that leaves; the lease that signed holds it.
        await lease.sign_aws(aws_request(moto))
        assert lease.security_token is not None
        token = lease.security_token.reveal()
    masked, _ = await vault.scrub(b"<" + token + b">")
    assert masked == b"<" + token[:-PIECE_BYTES] + b"*" * len(token[-PIECE_BYTES:]) + b">"
    assert [info.identity for info in await vault.list()] == [moto.access_key]
    assert token.decode() not in process.log


async def test_a_restarted_vault_has_forgotten_it_and_an_open_lease_has_it_minted_again_once(
    moto: Moto, sts: RecordingSts, vault: VaultClient
) -> None:
    plan, _, mint = planned(moto, sts)
    async with vault.lease(LAKE, host=plan.host, purpose="int_1", mint=mint, holder=HOLDER) as lease:
        first = lease.info.identity
        await vault.seal()
        await vault.unseal(None)
        assert f"Credential={first}/" not in await lease.sign_aws(aws_request(moto))
        assert lease.info.identity != first
        assert f"Credential={lease.info.identity}/" in await lease.sign_aws(aws_request(moto))
    assert len(sts.asked) == 2


async def test_a_rotated_credential_mints_with_its_new_key(moto: Moto, sts: RecordingSts, vault: VaultClient) -> None:
    _, first = await read(moto, sts, vault)
    await vault.rotate(LAKE, {**stored_key(moto), "secret_access_key": SecretValue(b"wrong/" * 6)})
    with pytest.raises(LeaseRefusedError) as caught:
        await read(moto, sts, vault)
    assert caught.value.reason is LeaseRefusal.ISSUER
    await vault.rotate(LAKE, stored_key(moto))
    assert (await read(moto, sts, vault))[1] != first


async def test_other_answers_do_not_wait_for_sts_and_many_who_ask_get_one(
    moto: Moto, sts: RecordingSts, vault: VaultClient
) -> None:
    plan, _, mint = planned(moto, sts)
    sts.hold.clear()

    async def identity() -> str:
        async with vault.lease(LAKE, host=plan.host, purpose="int_1", mint=mint, holder=HOLDER) as lease:
            return lease.info.identity

    waiting = [asyncio.create_task(identity()) for _ in range(100)]
    async with vault.lease(LAKE, host=plan.host, purpose="int_2") as stored:
        assert moto.access_key in await stored.sign_aws(aws_request(moto))
    assert await vault.scrub(b"plain") == (b"plain", 0)
    assert not any(task.done() for task in waiting)
    sts.hold.set()
    assert len(set(await asyncio.gather(*waiting))) == 1
    assert len(sts.asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "asked", "error"),
    [
        (403, DENIED, 1, LeaseRefusedError),
        (400, DENIED.replace(b"AccessDenied", b"Throttling"), ATTEMPTS, IssuerUnavailableError),
        (500, b"", ATTEMPTS, IssuerUnavailableError),
        (200, b"<html>", 1, IssuerUnavailableError),
        (200, NO_KEYS, 1, IssuerUnavailableError),
        (200, NO_DATE, 1, IssuerUnavailableError),
        (200, OVER, 1, IssuerUnavailableError),
        (403, DENIED.replace(b"AccessDenied", b"a b"), 1, LeaseRefusedError),
    ],
)
async def test_what_sts_says_instead_of_a_key_is_told_without_its_words(
    moto: Moto, sts: RecordingSts, vault: VaultClient, status: int, body: bytes, asked: int, error: type[VaultError]
) -> None:
    sts.says = (status, body)
    with pytest.raises(error) as caught:
        await read(moto, sts, vault)
    assert len(sts.asked) == asked
    assert "planted" not in str(caught.value)
    assert (": AccessDenied" in str(caught.value)) == (body == DENIED)
    sts.says = None
    assert (await read(moto, sts, vault))[0] == b"plain"


async def test_an_sts_that_is_not_there_is_told(moto: Moto, sts: RecordingSts, vault: VaultClient) -> None:
    plan, _, mint = planned(moto, sts)
    await vault.destroy(LAKE)
    await vault.put(LAKE, CredentialKind.AWS, stored_key(moto), (plan.host, "127.0.0.1:1"))
    with pytest.raises(IssuerUnavailableError):
        async with vault.lease(
            LAKE,
            host=plan.host,
            purpose="int_1",
            mint=replace(mint, endpoint="http://127.0.0.1:1", external_id=""),
            holder=HOLDER,
        ):
            pass
