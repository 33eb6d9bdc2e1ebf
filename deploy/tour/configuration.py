"""What the tour's Ostiary is told: its upstreams, its people, and what the agent may do."""

from __future__ import annotations

from typing import Final

AGENT: Final = "ci-runner"
APPROVER: Final = "alice"
BUCKET: Final = "data-lake"
KEY: Final = "raw/x.csv"
REPO: Final = "acme/app"

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
"""

_HEAD: Final = """\
version: 1
projects:
  shop: {{connections: [{names}]}}
agents:
  ci-runner: {{project: shop}}
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
"""
_HUB: Final = """\
  hub:
    connector: github
    credential: github/hub
    url: {hub_url}
"""


def ostiary_yaml(*, account: str, region: str, endpoint: str, git_url: str, hub_url: str) -> str:
    """Return the configuration of the tour.

    Args:
        account: Of AWS.
        region: Of AWS.
        endpoint: URL of S3.
        git_url: Of the git host.
        hub_url: Of GitHub's API; empty for none.
    """
    names = ", ".join(["lake", "code", *(["hub"] if hub_url else [])])
    head = _HEAD.format(names=names, account=account, region=region, endpoint=endpoint, git_url=git_url)
    return head + (_HUB.format(hub_url=hub_url) if hub_url else "")
