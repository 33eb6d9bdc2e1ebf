"""The options of an ``aws`` connection in ``ostiary.yaml``."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

Partition = Literal["aws", "aws-cn", "aws-us-gov"]

DNS_SUFFIXES: Final[dict[str, str]] = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-us-gov": "amazonaws.com",
}
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")


def _origin(endpoint: str) -> str:
    """Return the endpoint as ``scheme://host[:port]``, lower case, without a default port of https.

    Port 80 is written out: a bare host means port 443 to the vault, which sees hosts and no schemes.
    """
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or parts.path not in {"", "/"} or set("?#@\\").intersection(endpoint):
        raise ValueError("expected `http://host[:port]` or `https://host[:port]` without path, query or user")
    host, port = (parts.hostname or ""), parts.port
    shown = f"[{host}]" if ":" in host else host
    if _HOST.fullmatch(shown) is None or port == 0:
        raise ValueError("expected a host name or an address, in ASCII, and a port from 1 to 65535")
    if parts.scheme == "http":
        return f"http://{shown}:{port or 80}"
    return f"https://{shown}" + ("" if port in {None, 443} else f":{port}")


def _partition_of(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


class AssumeRole(BaseModel):
    """A role that is taken for each plan, held to what the plan requires.

    Args:
        role: Its ARN, in the connection's account.
        external_id: External id of its trust policy.
        duration_seconds: Validity of what is minted; a role's own limit is one to twelve hours.
        also: Actions, as IAM names them, that every minted credential has on everything: for permissions AWS checks
            behind a call and no request names, as ``kms:Decrypt`` for encrypted buckets.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    role: Annotated[
        str, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$", max_length=640)
    ]
    external_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+=,.@:/-]{2,}$", max_length=1224)] | None = None
    duration_seconds: Annotated[int, Field(ge=900, le=43_200)] = 3_600
    also: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+:[A-Za-z0-9]+$", max_length=192)]],
        Field(max_length=16),
    ] = []


class AwsConnection(BaseModel):
    """One AWS account.

    Nothing is taken from the machine: no profile, no default region, no metadata service.

    Args:
        account: Account id, 12 digits.
        regions: Regions that may be used; the first one is used when an intent names none.
        partition: AWS partition of all of the regions.
        endpoint: Origin of another implementation of AWS, addressed path-style; AWS itself when not given.
        assume_role: Mint a short-lived credential for each plan from the stored one, instead of using that.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    account: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
    regions: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[a-z]+){1,3}-[0-9]{1,2}$", max_length=32)]],
        Field(min_length=1, max_length=64),
    ]
    partition: Partition = "aws"
    endpoint: Annotated[str, StringConstraints(max_length=512), AfterValidator(_origin)] | None = None
    assume_role: AssumeRole | None = None

    @model_validator(mode="after")
    def _regions_fit(self) -> Self:
        if len(set(self.regions)) != len(self.regions):
            raise ValueError("a region is named twice")
        foreign = [region for region in self.regions if _partition_of(region) != self.partition]
        if foreign and self.endpoint is None:
            raise ValueError(f"region `{foreign[0]}` is not in partition `{self.partition}`")
        if self.assume_role is not None and self.assume_role.role.split(":")[4] != self.account:
            raise ValueError("the role is not in the connection's account")
        return self
