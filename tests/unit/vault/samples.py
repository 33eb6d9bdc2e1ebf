"""Credentials, requests and faults that many tests of the vault need."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from vault.crypto import PassphraseCost
from vault.errors import StorageError
from vault.model import SigningRequest
from vault.storage import MemoryStorage

NOW_NS = 1_500_000_000 * 1_000_000_000  # long ago: nothing of the machine's own clock comes near it
"""2026-11-20T12:00:00Z."""
STAMP = datetime.fromtimestamp(NOW_NS / 1e9, UTC).strftime("%Y%m%dT%H%M%SZ")
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
AWS = {"access_key_id": b"AKIAIOSFODNN7EXAMPLE", "secret_access_key": AWS_SECRET.encode()}
TEMPORARY = {**AWS, "session_token": b"FwoGZXIvYXdzEXAMPLETOKEN/with+signs="}
BASIC = {"username": b"robot", "password": b"correct horse battery"}
BEARER = {"token": b"ghs_abcdefghijklmnopqrstuvwxyz0123456789"}
S3_HOSTS = ["*.amazonaws.com", "127.0.0.1:9000"]
CHEAP = PassphraseCost(memory_kib=8, iterations=1, lanes=1)
PASSPHRASE = b"correct horse battery staple"


def request(**changes: object) -> SigningRequest:
    """Return a request the vault signs at `NOW_NS`, with changes."""
    values: dict[str, object] = {
        "method": "GET",
        "path": "/data-lake/raw/x.csv",
        "query": "",
        "headers": {
            "host": "s3.eu-west-1.amazonaws.com",
            "x-amz-date": STAMP,
            "x-amz-content-sha256": EMPTY_SHA256,
        },
        "payload_sha256": EMPTY_SHA256,
        "region": "eu-west-1",
        "service": "s3",
    }
    return SigningRequest(**{**values, **changes})  # type: ignore[arg-type]  # tests pass what they like


def with_header(name: str, value: str) -> SigningRequest:
    """Return `request` with one more or another header."""
    return request(headers={**request().headers, name: value})


class Ticking:
    """A clock that tests set."""

    def __init__(self, now_ns: int = NOW_NS) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns


class FailingStorage(MemoryStorage):
    """Rows in memory whose next change fails: before it is made, after it is made, or so that nobody can tell."""

    def __init__(self) -> None:
        super().__init__()
        self.fail = ""
        self.unreadable = False

    def get(self, name: str) -> bytes | None:
        if self.unreadable:
            raise StorageError("cannot read the storage (SQLITE_IOERR)")
        return super().get(name)

    def apply(self, puts: Mapping[str, bytes], deletes: Collection[str] = ()) -> None:
        fail, self.fail = self.fail, ""
        if fail != "before":
            super().apply(puts, deletes)
        self.unreadable = fail == "blind"
        if fail:
            raise StorageError("cannot write the storage (SQLITE_FULL)")
