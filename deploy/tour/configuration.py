"""What the tour's Ostiary is told: its upstreams, its people, and what the agent may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AGENT: Final = "ci-runner"
APPROVER: Final = "alice"
BUCKET: Final = "data-lake"
KEY: Final = "raw/x.csv"
REPO: Final = "acme/app"
MODEL: Final = "claude-haiku-4-5"
OTHER_MODEL: Final = "claude-opus-4-8"
BUDGET_TOKENS: Final = 1500
"""Of one session: one call of the story, and not what another one might write."""

POLICY: Final = """\
  - git:read on repos/*
  - git:push on repos/*/branches/feature/*
  - allow: git:push on repos/*/branches/main
    requires_approval: true
    approval_timeout: 10m
  - git:open-pr on repos/acme/app
  - allow: git:merge on repos/acme/app/pull-requests/*
    requires_approval: true
    approval_timeout: 10m
  - s3:GetObject on data-lake/raw/*
  - llm:InvokeModel on models/anthropic/claude-haiku-*
"""

_HEAD: Final = """\
version: 1
projects:
  shop: {{connections: [{names}]}}
agents:
  ci-runner: {{project: shop, budget: {{max_tokens_per_session: {budget}, mode: strict}}}}
operators:
  olivia: {{roles: [admin]}}
  alice: {{roles: [approver]}}
connections:
  lake:
    connector: aws
    credential: aws/lake
    account: "{account}"
    regions: [{region}]
    endpoint: {endpoint}
  code:
    connector: git
    credential: git/code
    url: {git_url}
    protected_branches: [main]
  models:
    connector: llm
    credential: llm/anthropic
    upstreams: [{{name: anthropic, speaks: anthropic, url: "{models_url}"}}]
"""
_HUB: Final = """\
  hub:
    connector: github
    credential: github/hub
    url: {hub_url}
"""


@dataclass(frozen=True, slots=True)
class Account:
    """An account of AWS.

    Args:
        account: Its number.
        region: Where.
        endpoint: URL of S3.
    """

    account: str
    region: str
    endpoint: str


def ostiary_yaml(aws: Account, *, git_url: str, models_url: str, hub_url: str) -> str:
    """Return the configuration of the tour.

    Args:
        aws: Where S3 is.
        git_url: Of the git host.
        models_url: Of who answers for models.
        hub_url: Of GitHub's API; empty for none.
    """
    names = ", ".join(["lake", "code", "models", *(["hub"] if hub_url else [])])
    head = _HEAD.format(
        names=names,
        account=aws.account,
        region=aws.region,
        endpoint=aws.endpoint,
        git_url=git_url,
        models_url=models_url,
        budget=BUDGET_TOKENS,
    )
    return head + (_HUB.format(hub_url=hub_url) if hub_url else "")
