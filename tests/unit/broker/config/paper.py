"""Two connectors of paper for the tests of the configuration: the real Protocol, no upstream."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator

from connectors.aws.resource_types import RESOURCE_TYPES as AWS_TYPES
from connectors.base import Access, CallResult, Connection, Connector, JsonObject, Operation, Plan, Transport
from connectors.errors import InvalidParamsError, NotSentError
from connectors.git.resource_types import RESOURCE_TYPES as GIT_TYPES
from connectors.github.resource_types import RESOURCE_TYPES as GITHUB_TYPES
from policies.model import ResourceType
from vault.model import Lease


class LakeOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    account: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
    regions: list[Literal["eu-west-1", "eu-west-2"]]
    endpoint: str | None = None

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, value: str | None) -> str | None:
        if value == "bad":
            raise ValueError("Expected another endpoint")
        return value


class HostOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    url: str


class PaperConnector:
    """Plans nothing and sends nothing; the configuration asks only for its tables."""

    def __init__(
        self,
        name: str,
        model: type[BaseModel],
        operations: Mapping[str, tuple[str, ...]],
        types: tuple[ResourceType, ...],
    ) -> None:
        self.name = name
        self.resource_types = types
        self.connection_model = model
        self.services = frozenset(action.partition(":")[0] for action in operations)
        self.operations = {
            action: Operation(
                action=action,
                access=Access.READ,
                idempotent=True,
                summary=action,
                resources=(),
                params_schema={},
                example={},
                permissions=permissions,
            )
            for action, permissions in operations.items()
        }

    def plan(self, action: str, params: JsonObject, connection: Connection) -> Plan:
        raise InvalidParamsError("paper plans nothing")

    async def execute(self, plan: Plan, connection: Connection, lease: Lease, transport: Transport) -> CallResult:
        raise NotSentError("paper sends nothing")


AWS = PaperConnector(
    "aws",
    LakeOptions,
    {"s3:GetObject": (), "s3:HeadObject": ("s3:GetObject",), "s3:ListObjectsV2": ("s3:ListBucket",)},
    AWS_TYPES,
)
GIT = PaperConnector("git", HostOptions, {"git:read": (), "git:push": ()}, (*GIT_TYPES, *GITHUB_TYPES))
CONNECTORS: Final[Mapping[str, Connector]] = {"aws": AWS, "git": GIT}

MAIN: Final = """\
version: 1
projects:
  web:
    description: The shop
    connections: [lake, code]
agents:
  ci-runner:
    project: web
    description: Builds
    owner: alice
  helper: {project: web}
operators:
  alice: {roles: [admin, approver]}
connections:
  lake: {connector: aws, credential: aws/prod, account: "123456789012", regions: [eu-west-1]}
  code:
    connector: git
    credential: git/acme
    url: https://example.org
channels:
  "slack:#deploys": {kind: log}
"""

POLICY: Final = """\
policies:
  - git:read on repos/*
  - allow: git:push on repos/*/branches/main
    requires_approval: true
    approval_channel: slack:#deploys
"""


def write(root: Path, main: str = MAIN, **policies: str) -> Path:
    """Write a configuration folder; ``ci_runner`` writes ``policies/ci-runner.yaml``."""
    (root / "policies").mkdir(parents=True, exist_ok=True)
    (root / "ostiary.yaml").write_text(main, "utf-8")
    for name, text in (policies or {"ci_runner": POLICY}).items():
        (root / "policies" / f"{name.replace('_', '-')}.yaml").write_text(text, "utf-8")
    return root
