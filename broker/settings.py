"""The one place that knows the environment: `Settings`, frozen, read by `broker.wiring` and the command line only.

Every setting is an environment variable ``OSTIARY_<NAME>``; an unknown ``OSTIARY_*`` variable is refused, so that a
misspelt one cannot be silently ignored. Secrets never come in values: a setting names a file.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Mapping
from ipaddress import IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from broker.errors import BrokerError

PREFIX: Final = "OSTIARY_"
CLIENT_VARIABLES: Final = frozenset({"OSTIARY_URL", "OSTIARY_TOKEN", "OSTIARY_OUTPUT"})
"""Read by the command line as a client; no settings of a server."""

_SOCKET_PATH_LIMIT: Final = 80
"""Bytes of a run directory's path; sun_path holds 108 (unix(7)) and the socket's own name comes on top."""


_MAPPED: Final = 96
"""Bits before the IPv4 address in an IPv4-mapped IPv6 address, RFC 4291 section 2.5.5.2."""
_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII
)
"""RFC 1123 section 2.1, lower case."""
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?|https?://\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?/?")
"""Of a URL, RFC 6454 section 4."""


class SettingsError(BrokerError):
    """The environment names an unknown setting or a value that does not fit."""


def _networks(written: str) -> tuple[IPv6Network, ...]:
    """Return the networks of a comma-separated list of addresses and CIDR blocks; IPv4 as IPv4-mapped.

    Raises:
        ValueError: one of them is none.
    """
    found = []
    for item in filter(None, (part.strip() for part in written.split(","))):
        network = ip_network(item)
        if network.version == 4:  # noqa: PLR2004 - of the Internet Protocol
            found.append(IPv6Network(f"::ffff:{network.network_address}/{_MAPPED + network.prefixlen}"))
        else:
            found.append(IPv6Network(network))
    return tuple(found)


def _checked_networks(written: str) -> str:
    _networks(written)
    return written


def _host_names(written: str) -> frozenset[str]:
    """Return the names of a comma-separated list of host names, lower case.

    Raises:
        ValueError: one of them is no host name.
    """
    names = frozenset(filter(None, (part.strip().lower() for part in written.split(","))))
    if not all(_HOST_NAME.fullmatch(name) for name in names):
        raise ValueError("expected host names without scheme, port or wildcard")
    return names


def _checked_host_names(written: str) -> str:
    _host_names(written)
    return written


def _base_url(written: str) -> str:
    """Return the URL without a slash at its end.

    Raises:
        ValueError: it is no origin of http or https.
    """
    if written and not _ORIGIN.fullmatch(written):
        raise ValueError("expected `https://host[:port]`")
    return written.rstrip("/")


class Settings(BaseModel):
    """How this process runs.

    Args:
        data: Folder of everything Ostiary keeps.
        config: Folder of ``ostiary.yaml`` and ``policies/``; ``<data>/config`` when not set.
        database_url: SQLAlchemy URL of PostgreSQL; empty means SQLite in ``data``.
        redis_url: URL of Redis or Valkey; empty means the embedded one.
        host: Address the API listens on.
        port: Port the API listens on; 0 takes a free one.
        trusted_proxies: Addresses and CIDR blocks of proxies whose ``X-Forwarded-For`` and ``-Proto`` are believed.
        public_url: Where people reach the API, for links in messages; as the client reached it when empty.
        wire_hosts: Names the AWS wire door answers to; what precedes one in a request to S3 is a bucket.
        wire_approval_wait_seconds: How long the AWS wire door keeps a client waiting for people; botocore reads for 60.
        wire_buffer_bytes: Most memory of the request bodies that the AWS wire door reads whole, all together.
        vault_key_file: File with the vault's root key, mode 0600; empty means a passphrase is asked for by `unseal`.
        vault_kms_key: ARN of the AWS KMS key that wraps the vault's root key, in the place of a key file. The vault's
            process, and no other, then takes credentials for KMS from botocore's default chain.
        vault_kms_endpoint: Where KMS is asked, for VPC endpoints; AWS when empty.
        max_request_bytes: Largest request body.
        max_output_bytes: Largest result body that is kept.
        inline_output_bytes: Result bodies up to this size come back inside the answer.
        output_ttl_seconds: How long a result body can be fetched.
        upstream_timeout_seconds: Longest time a call upstream may take.
        max_concurrent_intents: Most intents one process executes at a time.
        max_concurrent_per_session: Most intents of one session one process executes at a time.
        instance_ttl_seconds: A process without a heartbeat for this long is dead.
        reconcile_seconds: Pause between two rounds of the reconciler.
        kill_poll_seconds: Pause between two looks at killed sessions; half a second keeps the promise of one.
        checkpoint_seconds: Pause between two signed checkpoints while the ledger grows.
        min_free_bytes: Below this much free disk new intents are refused.
        allow_private_upstreams: Let connections reach loopback and private addresses.
        log_level: Of the process's log.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    data: Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())] = Path("ostiary-data")
    config: Path | None = None
    database_url: str = ""
    redis_url: str = ""
    host: str = "127.0.0.1"
    port: int = Field(default=8700, ge=0, le=65535)
    trusted_proxies: Annotated[str, AfterValidator(_checked_networks)] = ""
    public_url: Annotated[str, AfterValidator(_base_url)] = ""
    wire_hosts: Annotated[str, AfterValidator(_checked_host_names)] = ""
    wire_approval_wait_seconds: float = Field(default=45.0, ge=0, le=3600)
    wire_buffer_bytes: int = Field(default=256 << 20, ge=1 << 20)
    vault_key_file: str = "auto"
    vault_kms_key: str = Field(default="", pattern=r"^(arn:[a-z0-9-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$")
    vault_kms_endpoint: Annotated[str, AfterValidator(_base_url)] = ""
    max_request_bytes: int = Field(default=32 << 20, ge=1024)
    max_output_bytes: int = Field(default=5 << 30, ge=0)
    inline_output_bytes: int = Field(default=64 << 10, ge=0, le=1 << 20)
    output_ttl_seconds: int = Field(default=3600, ge=1)
    upstream_timeout_seconds: float = Field(default=60.0, gt=0, le=3600)
    max_concurrent_intents: int = Field(default=256, ge=1)
    max_concurrent_per_session: int = Field(default=64, ge=1)
    instance_ttl_seconds: float = Field(default=15.0, gt=0)
    reconcile_seconds: float = Field(default=2.0, gt=0)
    kill_poll_seconds: float = Field(default=0.5, gt=0, le=1.0)
    checkpoint_seconds: float = Field(default=10.0, gt=0)
    min_free_bytes: int = Field(default=64 << 20, ge=0)
    allow_private_upstreams: bool = False
    log_level: str = "info"

    @field_validator("vault_kms_key")
    @classmethod
    def _one_root_key(cls, written: str, info: ValidationInfo) -> str:
        if written and info.data.get("vault_key_file", "auto") not in {"auto", ""}:
            raise ValueError("expected no key file beside a KMS key")
        return written

    @field_validator("vault_kms_endpoint")
    @classmethod
    def _endpoint_of_a_key(cls, written: str, info: ValidationInfo) -> str:
        if written and not info.data.get("vault_kms_key"):
            raise ValueError("expected a KMS key to ask for there")
        return written

    @property
    def config_dir(self) -> Path:
        """The configuration folder."""
        return (self.config or self.data / "config").expanduser().absolute()

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the store."""
        return self.database_url or f"sqlite:///{self.data / 'ledger.sqlite3'}"

    @property
    def outputs_database(self) -> str:
        """SQLAlchemy URL of the result bodies: a file of its own on SQLite, the same database on PostgreSQL."""
        return self.database_url or f"sqlite:///{self.data / 'outputs.sqlite3'}"

    @property
    def trusted_networks(self) -> tuple[IPv6Network, ...]:
        """Networks of the trusted proxies, IPv4 as IPv4-mapped IPv6."""
        return _networks(self.trusted_proxies)

    @property
    def wire_host_names(self) -> frozenset[str]:
        """Names the AWS wire door answers to, lower case."""
        return _host_names(self.wire_hosts)

    @property
    def run_dir(self) -> Path:
        """Folder of sockets and pid files, mode 0700; under /tmp when the data folder's path is too long for one."""
        inside = self.data / "run"
        if len(os.fsencode(inside)) <= _SOCKET_PATH_LIMIT:
            return inside
        name = hashlib.sha256(str(self.data).encode()).hexdigest()[:16]
        return Path("/tmp") / f"ostiary-{name}"  # noqa: S108 - created 0700 and its owner is checked

    @property
    def job_timeout_seconds(self) -> int:
        """When the queue's library ends a run: four calls upstream at their longest, and a minute for the rest."""
        return math.ceil(self.upstream_timeout_seconds) * 4 + 60

    @property
    def vault_socket(self) -> Path:
        """Unix socket of the vault process."""
        return self.run_dir / "vault.sock"

    @property
    def vault_storage(self) -> Path:
        """File of the sealed credentials; opened by the vault process only."""
        return self.data / "vault.sqlite3"

    @property
    def key_file(self) -> Path | None:
        """File with the vault's root key, None when KMS or a passphrase is used."""
        if self.vault_kms_key:
            return None
        if self.vault_key_file == "auto":
            return self.data / "vault.key"
        return Path(self.vault_key_file).expanduser().absolute() if self.vault_key_file else None

    @property
    def redis(self) -> str:
        """URL of the queue's server."""
        return self.redis_url or f"unix://{self.run_dir / 'valkey.sock'}"


def load_settings(environment: Mapping[str, str], **overrides: object) -> Settings:
    """Read the settings from an environment; ``overrides`` (from the command line) win, None means not given.

    Raises:
        SettingsError: an unknown ``OSTIARY_*`` variable, or a value that does not fit; names the variable only.
    """
    values: dict[str, object] = {}
    for name, value in environment.items():
        if not name.startswith(PREFIX) or name in CLIENT_VARIABLES:
            continue
        field = name.removeprefix(PREFIX).lower()
        if field not in Settings.model_fields:
            raise SettingsError(f"unknown setting `{name}`")
        values[field] = value
    values.update({key: value for key, value in overrides.items() if value is not None})
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        wrong = sorted({PREFIX + str(item["loc"][0]).upper() for item in error.errors()})
        raise SettingsError(f"value does not fit: {', '.join(wrong)}") from None
