"""How an AWS client gets to Ostiary, and to nothing else: variables, a configuration file, and what to know about both.

A client must never fall back to keys of the person at the machine. So every other source of credentials that SDKs know
is named and shut: profiles, files, roles, metadata services, keys and endpoints of single services.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from broker.cli.client import Api, is_private_road
from broker.cli.output import ExitCode, fail
from broker.cli.shells import Changes

PATH: Final = "/v1/sessions/aws-credentials"
PROFILE_MARKER: Final = "# written by `ostiary session env`"

_REMOVED: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_CREDENTIAL_FILE",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_AUTH_SCHEME_PREFERENCE",
    "AWS_SIGV4A_SIGNING_REGION_SET",
)
"""Other ways to credentials, and what would lead past the endpoint or to a signature the door does not know."""

_OF_ONE_SERVICE: Final = re.compile(r"AWS_(ENDPOINT_URL|BEARER_TOKEN)_[A-Z0-9_]+")
"""One for each service; those that are set here are removed."""

_COMMENT_SIGNS: Final = "#;"
"""Some SDKs end a value of their configuration file at one of these."""

_UNSHIMMED: Final = (
    "version 1 of the AWS command line sends sqs, emr and health, and in us-east-1 rds, docdb and neptune, past"
    " AWS_ENDPOINT_URL to AWS itself, which knows no such key; add `--endpoint-url`, or take `--shim DIR`"
)
_PRESIGN: Final = (
    "`aws s3 presign` of version 1 of the AWS command line makes signatures of version 2 in older regions, which are"
    " refused; `--profile FILE` mends that"
)
_HOST_PREFIXES: Final = (
    "services that put an account or a word before the host name (s3control, logs get-log-object, …) need a DNS name"
    " with a wildcard for the API"
)


@dataclass(frozen=True, slots=True)
class Access:
    """What a session has for AWS clients.

    Args:
        url: Of the API, which is the endpoint.
        connection: Name of the connection that was asked for; empty for the first.
        document: As the API shows it.
    """

    url: str
    connection: str
    document: Mapping[str, Any] = field(repr=False)

    @property
    def region(self) -> str:
        """Region of the connection."""
        return str(self.document["Region"])

    @property
    def document_path(self) -> str:
        """Where the document is, on the API."""
        return PATH + (f"?{urlencode({'connection': self.connection})}" if self.connection else "")


def fetch(api: Api, url: str, connection: str) -> Access:
    """Ask for what the session of the API's token has; ends the command when it has nothing."""
    if urlsplit(url).path not in ("", "/"):
        fail("AWS clients need the API at the root of its host", ExitCode.USAGE, fix="give it a host name of its own")
    document = api.get(PATH, {"connection": connection}).body
    if not all(isinstance(document.get(name), str) for name in ("AccessKeyId", "SecretAccessKey", "Region")):
        fail("the API gave no credentials that can be understood", ExitCode.FAILED)
    return Access(url, connection, document)


def with_keys(access: Access, environment: Iterable[str]) -> Changes:
    """Return the changes that hand the access key itself to clients.

    Args:
        access: Of the session.
        environment: Names of the variables that are set now.
    """
    keys = {
        "AWS_ACCESS_KEY_ID": str(access.document["AccessKeyId"]),
        "AWS_SECRET_ACCESS_KEY": str(access.document["SecretAccessKey"]),
    }
    return _changes(access, keys, environment)


def with_container(access: Access, token: str, environment: Iterable[str]) -> Changes:
    """Return the changes that let clients fetch the access key with the session's token."""
    if not is_private_road(access.url):
        # They refuse it themselves, each in its own words and only at the first call.
        fail("SDKs take container credentials over https or from this machine only", ExitCode.USAGE)
    place = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": access.url + access.document_path,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": f"Bearer {token}",
    }
    return _changes(access, place, environment)


def with_profile(access: Access, profile: Path, environment: Iterable[str]) -> Changes:
    """Return the changes that lead clients to a configuration file of `profile_text`."""
    return _changes(access, {"AWS_CONFIG_FILE": str(profile.absolute())}, environment)


def profile_text(access: Access, token_file: Path | None) -> str:
    """Return a configuration file of AWS clients that asks us for credentials; it holds no secret.

    Args:
        access: Of the session.
        token_file: Where the token is; None when it is in ``OSTIARY_TOKEN``.
    """
    command = [*_program(), "--url", access.url]
    command += ["--token-file", str(token_file.absolute())] if token_file else []
    command += ["session", "aws-credentials"]
    command += ["--connection", access.connection] if access.connection else []
    # SDKs split it as a shell would, or hand it to one.
    values = {"region": access.region, "endpoint_url": access.url, "credential_process": shlex.join(command)}
    for name, value in values.items():
        if not value.isprintable() or any(sign in value for sign in _COMMENT_SIGNS):
            fail(f"`{name}` would hold a character that such a file cannot", ExitCode.USAGE)
    lines = [f"{name} = {value}" for name, value in values.items()]
    style = ["s3 =", "    signature_version = s3v4", "    addressing_style = path"]
    return "\n".join([PROFILE_MARKER, "[default]", *lines, *style, ""])


def notes(*, shimmed: bool, profiled: bool) -> list[str]:
    """Return what somebody should know who is about to use an AWS client.

    Args:
        shimmed: Whether there is an ``aws`` that names the endpoint.
        profiled: Whether there is a configuration file of ours.
    """
    known = [] if shimmed else [_UNSHIMMED]
    known += [] if profiled else [_PRESIGN]
    return [*known, _HOST_PREFIXES]


def process_document(access: Access) -> dict[str, object]:
    """Return what a ``credential_process`` prints."""
    names = ("AccessKeyId", "SecretAccessKey", "Expiration")
    return {"Version": 1, **{name: access.document.get(name) for name in names}}


def _changes(access: Access, credentials: Mapping[str, str], environment: Iterable[str]) -> Changes:
    values = {
        "AWS_ENDPOINT_URL": access.url,
        "AWS_REGION": access.region,
        "AWS_DEFAULT_REGION": access.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "BOTO_CONFIG": os.devnull,
        **credentials,
    }
    single = sorted(name for name in environment if _OF_ONE_SERVICE.fullmatch(name))
    return Changes(values, tuple(name for name in (*_REMOVED, *single) if name not in values))


def _program() -> list[str]:
    installed = Path(sys.executable).with_name("ostiary")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "broker.cli"]
