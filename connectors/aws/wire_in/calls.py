"""What parsing starts from and what it gives."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.aws.wire_in.services import Protocol


@dataclass(frozen=True, slots=True)
class Scope:
    """What the signature says a request is for, and whom it was sent to.

    Args:
        service: Signing name.
        region: Region.
        presigned: The signature is in the query.
        hosts: Names the door answers to; what precedes one is a bucket.
    """

    service: str
    region: str
    presigned: bool = False
    hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Call:
    """One reading of a request.

    Args:
        service: botocore's folder name.
        operation: Its name.
        params: Canonical JSON: blobs in base64, times in RFC 3339; without a payload of bytes.
        payload_member: Name of the member that is the body as bytes; empty when there is none.
        payload: Those bytes; None when there are none or they are to be streamed.
        checksums: Headers about the body that are no members; they hold for the bytes as sent.
        deprecated: botocore says so; its heir, when it has one on the same path, is a candidate before it.
    """

    service: str
    operation: str
    params: dict[str, Any]
    payload_member: str = ""
    payload: bytes | None = field(default=None, repr=False)
    checksums: Mapping[str, str] = field(default_factory=dict)
    deprecated: bool = False

    @property
    def action(self) -> str:
        """``service:Operation``."""
        return f"{self.service}:{self.operation}"

    @property
    def whole_params(self) -> dict[str, Any]:
        """The params with the payload in base64, as an intent takes them."""
        if self.payload is None:
            return self.params
        return {**self.params, self.payload_member: base64.b64encode(self.payload).decode("ascii")}


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a request says.

    Args:
        candidates: Every reading, the likeliest first, at least one.
        protocol: How it was said, and so how it must be answered.
        hinted: The User-Agent names the service of the first candidate.
    """

    candidates: tuple[Call, ...]
    protocol: Protocol
    hinted: bool = False

    @property
    def service(self) -> str:
        """Of the first candidate."""
        return self.candidates[0].service

    @property
    def operation(self) -> str:
        """Of the first candidate."""
        return self.candidates[0].operation

    @property
    def params(self) -> dict[str, Any]:
        """Of the first candidate."""
        return self.candidates[0].params
