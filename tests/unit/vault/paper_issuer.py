"""An issuer of paper for credentials that are minted, and what it is asked for."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from vault.credential import Credential, check_fields
from vault.issuers.minted import Minted
from vault.model import CredentialKind, Mint, MintRequest

HOST = "s3.eu-west-1.amazonaws.com"
POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'
WANTED = MintRequest(
    role="arn:aws:iam::123456789012:role/reader",
    policy=POLICY,
    duration_seconds=3600,
    endpoint="https://sts.eu-west-1.amazonaws.com",
    region="eu-west-1",
)
SECOND_NS = 1_000_000_000


@dataclass
class PaperIssuer:
    """Mints numbered keys; waits for ``gate`` when there is one, raises ``fault`` when there is one."""

    valid_seconds: int = 3600
    gate: threading.Event | None = None
    fault: Exception | None = None
    asked: list[tuple[Credential, Mint, str]] = field(default_factory=list)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __call__(self, credential: Credential, request: Mint, holder: str, *, now_ns: int) -> Minted:
        self.asked.append((credential, request, holder))
        self.begun.release()
        if self.gate is not None:
            assert self.gate.wait(30)
        if self.fault is not None:
            raise self.fault
        number = len(self.asked)
        fields = {
            "access_key_id": b"ASIA%016d" % number,
            "secret_access_key": b"minted/secret/of/number/%016d" % number,
            "session_token": b"minted/token/of/number/%016d" % number,
        }
        given = replace(credential, fields=check_fields(CredentialKind.AWS, fields))
        return Minted(given, now_ns + self.valid_seconds * SECOND_NS)
