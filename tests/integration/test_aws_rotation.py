"""Keys of real IAM users (moto, auth on), rotated by the command line through a vault on its socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError

from tests.parts.moto import Moto, moto_server
from tests.unit.vault.process import running_vault, short_folder
from tests.unit.vault.rotation.serving import House, served
from tests.unit.vault.samples import CHEAP, PASSPHRASE
from vault.client import VaultClient
from vault.credential import Credential, check_fields
from vault.model import CredentialKind, CredentialRef, SecretValue
from vault.rotation.botocore_iam import connect_aws
from vault.rotation.model import IamEndpoints, RotationTerms, Step
from vault.rotation.rotations import Rotations
from vault.service import Vault
from vault.storage import MemoryStorage

REF = CredentialRef("aws/prod")
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["iam:*", "sts:*"], "Resource": "*"}]}


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with moto_server({}, actions=("iam:*", "sts:*")) as server:
        yield server


@dataclass(frozen=True)
class User:
    """An IAM user with one key."""

    moto: Moto
    name: str
    key_id: str
    secret: str

    def keys(self) -> dict[str, str]:
        listed = self.moto.client("iam").list_access_keys(UserName=self.name)["AccessKeyMetadata"]
        return {key["AccessKeyId"]: key["Status"] for key in listed}

    @property
    def fields(self) -> dict[str, str]:
        return {"access_key_id": self.key_id, "secret_access_key": self.secret}

    @property
    def host(self) -> str:
        return self.moto.endpoint.removeprefix("http://")


@pytest.fixture
def user(moto: Moto, request: pytest.FixtureRequest) -> User:
    iam, name = moto.client("iam"), request.node.name[:60]
    iam.create_user(UserName=name, Path="/bots/")
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(POLICY))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return User(moto, name, made["AccessKeyId"], made["SecretAccessKey"])


async def no_pause(seconds: float, event: asyncio.Event) -> None:
    await asyncio.sleep(0)


@pytest.fixture
def house(user: User) -> Iterator[House]:
    with short_folder() as folder:
        vault = Vault(MemoryStorage(), cost=CHEAP)
        vault.initialise(SecretValue(PASSPHRASE))
        vault.rotations = Rotations(vault._changing, clock=vault._clock, pause=no_pause)
        with served(vault, folder / "run" / "vault.sock"):
            made = House(folder, vault)
            put = made.run("put", REF, "--kind", "aws", "--host", user.host, stdin=json.dumps(user.fields))
            assert put.exit_code == 0, put.output
            yield made


def asked(user: User, **fields: str) -> str:
    """Return who a key is, as moto says it."""
    values = {name: value.encode() for name, value in fields.items()}
    credential = Credential(REF, CredentialKind.AWS, 1, (user.host,), 0, check_fields(CredentialKind.AWS, values))
    return connect_aws(endpoints(user), credential).identity().arn


def endpoints(user: User) -> IamEndpoints:
    return IamEndpoints(user.moto.endpoint, "us-east-1", user.moto.endpoint, "us-east-1")


def rotate(user: User, *more: str) -> tuple[str, ...]:
    return ("rotate", REF, "--iam", "--endpoint", user.moto.endpoint, *more)


def secrets(house: House) -> dict[str, str]:
    credential = house.vault._open().get(REF)
    return {name: value.reveal().decode() for name, value in credential.fields.items()}


@pytest.mark.req("V1")
def test_one_command_replaces_the_key_and_the_old_one_opens_nothing_any_more(house: House, user: User) -> None:
    rotated = house.run(*rotate(user, "--ignore-use", "--grace", "0s"))
    assert rotated.exit_code == 0, rotated.output
    shown = json.loads(rotated.stdout)
    assert (shown["step"], shown["old_key"], shown["user"].endswith(user.name)) == ("done", user.key_id, True)
    assert user.keys() == {shown["new_key"]: "Active"}
    assert asked(user, **secrets(house)).endswith(user.name)
    with pytest.raises(ClientError):
        user.moto.client("iam").get_access_key_last_used(AccessKeyId=user.key_id)
    assert house.told()[0] == "put"
    assert house.told()[-1] == "rotation-finished"
    assert json.loads(house.run("rotations").stdout) == []
    (listed,) = json.loads(house.run("list").stdout)
    assert (listed["version"], listed["identity"]) == (2, shown["new_key"])
    assert secrets(house)["secret_access_key"] not in rotated.output + (
        house.folder / "ledger.sqlite3"
    ).read_bytes().decode("latin-1")


def test_by_default_the_old_key_stays_for_a_while_and_the_list_says_until_when(house: House, user: User) -> None:
    rotated = house.run(*rotate(user))
    assert rotated.exit_code == 0, rotated.output
    assert set(user.keys().values()) == {"Active"}
    (listed,) = json.loads(house.run("rotations").stdout)
    assert (listed["step"], listed["credential"], listed["next"] > listed["switched"]) == ("switched", REF, True)
    again = house.run(*rotate(user, "--ignore-use"))
    assert (again.exit_code, user.keys()[user.key_id]) == (0, "Inactive")
    assert house.told()[-2:] == ["rotation-switched", "rotation-deactivated"]
    late = house.run("rotate", REF, "--abort")
    assert (late.exit_code, user.keys()[user.key_id]) == (4, "Inactive")


@pytest.mark.req("V1")
def test_a_user_with_another_key_is_refused_and_both_keys_stay_as_they_are(house: House, user: User) -> None:
    other = user.moto.client("iam").create_access_key(UserName=user.name)["AccessKey"]["AccessKeyId"]
    before = user.keys()
    refused = house.run(*rotate(user))
    assert refused.exit_code == 4
    assert other in refused.stderr
    assert user.keys() == before == {user.key_id: "Active", other: "Active"}
    assert house.told()[-1] == "rotation-failed"


UNFIT = [
    (("rotate", "aws/none", "--iam"), 4),
    (("rotate", "aws/none", "--abort"), 4),
    (("rotate", "AWS", "--iam"), 2),
    (("rotate", REF, "--iam", "--region", "mars-1"), 2),
    (("rotate", REF, "--iam", "--endpoint", "iam.example.com"), 2),
    (("rotate", REF, "--iam", "--grace", "soon"), 2),
    (("rotate", REF, "--iam"), 4),  # bound to another host than that of AWS
]


def test_a_command_that_does_not_fit_rotates_nothing(house: House, user: User) -> None:
    assert [house.run(*words).exit_code for words, _ in UNFIT] == [code for _, code in UNFIT]
    assert (user.keys(), house.told()) == ({user.key_id: "Active"}, ["put"])


@pytest.mark.req("V1")
async def test_a_vault_that_is_killed_in_the_middle_is_resumed_by_the_next_process(user: User) -> None:
    terms = RotationTerms(endpoints(user), grace_seconds=0, settle_seconds=600, ignore_use=True)
    with short_folder() as folder:
        with running_vault(folder) as process:
            client = VaultClient(process.socket)
            await client.put(REF, CredentialKind.AWS, {**user.fields}, [user.host])
            await client.rotations.begin(REF, terms)
            created = await reached(client, Step.CREATED)
            process.kill()
            await client.close()
        assert user.keys() == {user.key_id: "Active", created: "Active"}
        with running_vault(folder) as process:
            client = VaultClient(process.socket)
            await client.rotations.begin(
                REF, RotationTerms(endpoints(user), grace_seconds=0, settle_seconds=0, ignore_use=True)
            )
            assert await reached(client, Step.DONE) == created
            (info,) = await client.list()
            assert (info.identity, info.version, user.keys()) == (created, 2, {created: "Active"})
            assert process.stop() == 0
            await client.close()


async def reached(client: VaultClient, step: Step) -> str:
    """Wait until a rotation has stored a step; return the id of its new key."""
    async with asyncio.timeout(30):
        while True:
            status = await client.rotations.status(REF)
            assert status.problem == ""
            if status.step is step:
                return status.new_key_id
            await asyncio.sleep(0.01)  # not a guess at a duration: the condition above is looked at again
