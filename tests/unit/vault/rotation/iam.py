"""An IAM of paper behind the real Protocol, and a vault over it that can die at every step and come back."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from tests.unit.vault.samples import CHEAP, PASSPHRASE, Ticking
from vault.credential import Credential, check_fields
from vault.errors import IamRefusedError, VaultError
from vault.model import CredentialKind, CredentialRef, SecretValue
from vault.rotation.iam import AccessKey, Identity, LastUse, NewKey
from vault.rotation.model import IamEndpoints, RotationTerms, Step
from vault.rotation.rotations import Rotations
from vault.service import Vault
from vault.storage import MemoryStorage

USER = "robot"
ARN = f"arn:aws:iam::123456789012:user/bots/{USER}"
REF = CredentialRef("aws/prod")
ENDPOINTS = IamEndpoints("https://iam.amazonaws.com", "us-east-1", "https://sts.eu-west-1.amazonaws.com", "eu-west-1")
TERMS = RotationTerms(ENDPOINTS, watch_seconds=900, grace_seconds=3600, settle_seconds=0)
AT_ONCE = RotationTerms(ENDPOINTS, grace_seconds=0, settle_seconds=0, ignore_use=True)


HOUR = 3600
PATH = [
    *("identity", "keys", "write"),  # planned
    *("keys", "create", "write"),  # created
    *("identity", "identity", "identity", "write"),  # verified
    "write",  # switched
    *("last_use", "deactivate", "write"),  # deactivated, when the watch is over
    *("keys", "delete", "write"),  # done, when the grace period is over
]
NOT_AGAIN = PATH.index("create")
"""The one act that leaves something when the process dies right after it."""


class KilledError(Exception):
    """Stands for a process that is gone: nothing of ours catches it on purpose."""


@dataclass
class Faults:
    """Counts what is done and raises at one of it, before or after its effect; the dead do nothing more."""

    done: list[str] = field(default_factory=list)
    at: int = -1
    after: bool = False
    error: Exception = field(default_factory=KilledError)
    dead: bool = False

    def around(self, name: str, act: Callable[[], object]) -> None:
        if self.dead:
            raise KilledError
        here = len(self.done) == self.at
        self.done.append(name)
        self.dead = here and isinstance(self.error, KilledError)
        if here and not self.after:
            raise self.error
        act()
        if here:
            raise self.error

    def clear(self) -> None:
        self.done.clear()
        self.at, self.dead = -1, False


@dataclass
class PaperKey:
    secret: str
    by: str
    active: bool = True
    last_use: LastUse | None = None


class PaperIam:
    """IAM of one user with at most two keys, as IAM has it; remembers who changed which key.

    A call is refused when its key is unknown, inactive, or newer than what IAM's other places have seen (``slow``).
    """

    def __init__(self, clock: Callable[[], int], faults: Faults) -> None:
        self.clock = clock
        self.faults = faults
        self.arn = ARN
        self.keys: dict[str, PaperKey] = {}
        self.acts: list[tuple[str, str]] = []
        self.made: set[str] = set()
        """Ids of the keys the vault had made, gone or not."""
        self.slow = 0
        self.hides = False
        self.creating, self.may_create = threading.Event(), threading.Event()
        self.may_create.set()
        self.answers: dict[str, list[VaultError | Identity | NewKey]] = {}
        self._numbers = itertools.count(1)

    def make(self, by: str) -> str:
        if len(self.keys) >= 2:
            raise IamRefusedError("`iam:CreateAccessKey` was refused: LimitExceeded", "LimitExceeded")
        number = next(self._numbers)
        key_id = f"AKIA{number:016}"
        self.keys[key_id] = PaperKey(f"secret-{number:033}", by)
        return key_id

    def fields(self, key_id: str) -> dict[str, bytes]:
        return {"access_key_id": key_id.encode(), "secret_access_key": self.keys[key_id].secret.encode()}

    def use(self, key_id: str) -> None:
        """Somebody uses a key now."""
        self.keys[key_id].last_use = LastUse(self.clock(), "s3", "eu-west-1")

    def connect(self, endpoints: IamEndpoints, credential: Credential) -> PaperKeyApi:
        return PaperKeyApi(self, credential)

    def touched(self) -> set[str]:
        """Keys the vault made inactive or deleted, or tried to."""
        return {key_id for _, key_id in self.acts}


class PaperKeyApi:
    """`KeyApi` over a `PaperIam`."""

    def __init__(self, iam: PaperIam, credential: Credential) -> None:
        self._iam = iam
        self._credential = credential

    def identity(self) -> Identity:
        self._sent("identity")
        known = self._iam.keys[self._credential.identity]
        if known.by == "vault" and self._iam.slow:
            self._iam.slow -= 1
            raise IamRefusedError("`sts:GetCallerIdentity` was refused: InvalidClientTokenId", "InvalidClientTokenId")
        planned = self._planned("identity")
        return planned if isinstance(planned, Identity) else Identity("123456789012", self._iam.arn)

    def keys(self, user: str) -> tuple[AccessKey, ...]:
        self._sent("keys")
        shown = {} if self._iam.hides else self._iam.keys
        return tuple(AccessKey(key_id, active=key.active) for key_id, key in shown.items())

    def create(self, user: str) -> NewKey:
        made: list[str] = []
        self._iam.creating.set()
        assert self._iam.may_create.wait(10)
        self._sent("create", lambda: made.append(self._iam.make("vault")))
        self._iam.made |= set(made)
        planned = self._planned("create")
        if isinstance(planned, NewKey):
            return planned
        return NewKey(made[0], check_fields(CredentialKind.AWS, self._iam.fields(made[0])))

    def deactivate(self, user: str, key_id: str) -> None:
        self._sent("deactivate", lambda: self._deactivate(key_id))

    def delete(self, user: str, key_id: str) -> None:
        self._sent("delete", lambda: self._delete(key_id))

    def last_use(self, key_id: str) -> LastUse | None:
        self._sent("last_use")
        key = self._iam.keys.get(key_id)
        return key.last_use if key else None

    def _deactivate(self, key_id: str) -> None:
        self._iam.acts.append(("deactivate", key_id))
        if key_id in self._iam.keys:
            self._iam.keys[key_id].active = False

    def _delete(self, key_id: str) -> None:
        self._iam.acts.append(("delete", key_id))
        self._iam.keys.pop(key_id, None)

    def _sent(self, name: str, act: Callable[[], object] = lambda: None) -> None:
        secret = self._credential.fields["secret_access_key"].reveal().decode()
        key = self._iam.keys.get(self._credential.identity)
        if key is None or not key.active or key.secret != secret:
            raise IamRefusedError(f"`{name}` was refused: InvalidClientTokenId", "InvalidClientTokenId")
        planned = self._iam.answers.get(name)
        error = planned[0] if planned else None
        if planned and isinstance(error, VaultError):
            planned.pop(0)
            raise error
        self._iam.faults.around(name, act)

    def _planned(self, name: str) -> object:
        planned = self._iam.answers.get(name)
        return planned.pop(0) if planned else None


class MortalStorage(MemoryStorage):
    """Rows in memory that outlive the process that dies while it writes them."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults

    def apply(self, puts: Mapping[str, bytes], deletes: Collection[str] = ()) -> None:
        self._faults.around("write", lambda: super(MortalStorage, self).apply(puts, deletes))


class Rig:
    """A vault with one AWS credential, its rotations, and the IAM they speak to."""

    def __init__(self) -> None:
        self.clock = Ticking()
        self.faults = Faults()
        self.iam = PaperIam(self.clock, self.faults)
        self.storage = MortalStorage(self.faults)
        self.pauses: list[float] = []
        self.vault = Vault(self.storage, cost=CHEAP, clock=self.clock)
        self.vault.initialise(SecretValue(PASSPHRASE))
        self.rotations = self._rotations()
        self.old = self.iam.make("operator")
        self.put(REF, self.old)
        self.faults.clear()

    def put(self, ref: str, key_id: str) -> None:
        self.vault.put(ref, CredentialKind.AWS, self.iam.fields(key_id), ["*.amazonaws.com"])

    def restart(self) -> None:
        """The process is gone; another one opens what it left."""
        self.faults.clear()
        self.vault = Vault(self.storage, cost=CHEAP, clock=self.clock)
        self.vault.unseal(SecretValue(PASSPHRASE))
        self.rotations = self._rotations()

    async def begin(self, terms: RotationTerms = TERMS) -> None:
        self.rotations.begin(REF, terms)
        await self.rotations.idle()

    def step(self) -> Step | None:
        """The last step that is stored."""
        return self.rotations.status(REF).step

    async def run_to_the_end(self) -> None:
        """Begin, and let the watch and the grace period go by."""
        await self.begin()
        await self.tick(HOUR)
        await self.tick(2 * HOUR)

    async def reaches(self, step: Step) -> None:
        """Wait until a running rotation has stored a step."""
        async with asyncio.timeout(10):
            while self.step() is not step:  # noqa: ASYNC110 - nothing tells of a step but the status
                await asyncio.sleep(0)

    async def abort(self) -> None:
        self.rotations.abort(REF)
        await self.rotations.idle()

    async def tick(self, seconds: int = 0) -> None:
        self.clock.now_ns += seconds * 1_000_000_000
        self.rotations.tick()
        await self.rotations.idle()

    @property
    def current(self) -> str:
        """The key the credential holds."""
        return next((info.identity for info in self.vault.list() if info.ref == REF), "")

    async def _pause(self, seconds: float, event: asyncio.Event) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def _rotations(self) -> Rotations:
        return Rotations(self.vault._changing, clock=self.clock, connect=self.iam.connect, pause=self._pause)
