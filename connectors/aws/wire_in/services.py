"""Which services a signature can be for: names, protocols and versions of all of them, without loading any model."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

from botocore.loaders import Loader


class Protocol(StrEnum):
    """How a service is spoken to; the values are botocore's."""

    REST_JSON = "rest-json"
    REST_XML = "rest-xml"
    JSON = "json"
    QUERY = "query"
    EC2 = "ec2"
    CBOR = "smithy-rpc-v2-cbor"


REST: Final = frozenset({Protocol.REST_JSON, Protocol.REST_XML})
FORMS: Final = frozenset({Protocol.QUERY, Protocol.EC2})
S3: Final = "s3"
_HEAD_BYTES: Final = 16 << 10
"""The metadata stands within the first 16 kB of each of botocore's models; of the rest nothing is unpacked."""
_METADATA: Final = b'"metadata":'
_WORDS: Final = re.compile(r"[^a-z0-9]")
_HINT: Final = re.compile(r"(?:^|\s)api/([A-Za-z0-9_.-]{1,64})(?=[#/\s]|$)")


@dataclass(frozen=True, slots=True)
class Summary:
    """One service, from its model's metadata.

    Args:
        name: botocore's folder name.
        signing_name: Name in the credential scope; up to nine services share one.
        protocols: Every protocol its model lists.
        target_prefix: What precedes the operation in ``X-Amz-Target``; empty when it has none.
        api_version: What ``Version`` must say in the query protocols.
        service_id: Letters and digits of its id, lower case, as in the ``api/`` part of a User-Agent.
        query_compatible: Its clients look for the old error codes in a header.
    """

    name: str
    signing_name: str
    protocols: frozenset[Protocol]
    target_prefix: str
    api_version: str
    service_id: str
    query_compatible: bool

    @property
    def rest(self) -> Protocol | None:
        """Its REST protocol, None when it has none."""
        return next(iter(self.protocols & REST), None)

    @property
    def form(self) -> Protocol | None:
        """Its form protocol, None when it has none."""
        return next(iter(self.protocols & FORMS), None)


def signed_as(signing_name: str) -> tuple[Summary, ...]:
    """Return the services a credential scope can mean, by name; empty when there is none."""
    return _by_signing_name().get(signing_name, ())


def hinted_service(user_agent: str) -> str:
    """Return the service id the ``api/`` part of a User-Agent names, empty when there is none: a hint, not a fact."""
    found = _HINT.search(user_agent)
    return _plain(found.group(1)) if found else ""


def bucket_of(host: str, hosts: frozenset[str]) -> str:
    """Return the bucket a virtual host names.

    Args:
        host: Of the request, lower case, without port.
        hosts: Names the door itself answers to.

    Returns:
        What precedes the longest of our names; empty when the host is one of them or none of ours.
    """
    if host in hosts:
        return ""
    above = [own for own in hosts if host.endswith(f".{own}")]
    return host[: -len(max(above, key=len)) - 1] if above else ""


@cache
def summaries() -> Mapping[str, Summary]:
    """Return every service; the first call reads the heads of 439 packaged files, 40 ms and 1 MB."""
    root = Path(Loader.BUILTIN_DATA_PATH)
    found = {}
    for folder in sorted(root.iterdir()):
        # The latest version, as botocore's loader picks it.
        models = sorted(folder.glob("*/service-2.json.gz")) if folder.is_dir() else []
        if models:
            found[folder.name] = _summary(folder.name, _metadata(models[-1]))
    return found


@cache
def _by_signing_name() -> Mapping[str, tuple[Summary, ...]]:
    found: dict[str, tuple[Summary, ...]] = {}
    for each in summaries().values():
        found[each.signing_name] = (*found.get(each.signing_name, ()), each)
    return found


def _metadata(path: Path) -> dict[str, Any]:
    with gzip.open(path, "rb") as file:
        head = file.read(_HEAD_BYTES)
    text = head[head.index(_METADATA) + len(_METADATA) :].decode("utf-8", "replace").lstrip()
    metadata: dict[str, Any] = json.JSONDecoder().raw_decode(text)[0]
    return metadata


def _summary(name: str, metadata: dict[str, Any]) -> Summary:
    return Summary(
        name=name,
        signing_name=metadata.get("signingName", metadata["endpointPrefix"]),
        protocols=frozenset(map(Protocol, metadata.get("protocols", [metadata["protocol"]]))),
        target_prefix=metadata.get("targetPrefix", ""),
        api_version=metadata["apiVersion"],
        service_id=_plain(metadata.get("serviceId", name)),
        query_compatible="awsQueryCompatible" in metadata,
    )


def _plain(text: str) -> str:
    return _WORDS.sub("", text.lower())
