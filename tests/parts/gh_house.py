"""The whole of Ostiary between the real `gh` and a GitHub with both interfaces, by a token of a person and an App."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.parts.aws_tls import tls_terminator
from tests.parts.gh import Gh, gh_with
from tests.parts.github import ADMIN_TOKEN, APP_ID, OWNER, free_port
from tests.parts.github_house import GitHubHouse
from tests.parts.github_script import ScriptedGitHub
from tests.parts.graphql_upstream import GraphQLUpstream
from tests.parts.up import data_folder

WAIT_SECONDS: Final = 1
"""A client's patience with people, in this house."""
_CONFIG: Final = """\
version: 1
projects: {{app: {{connections: [hub]}}, robots: {{connections: [robot]}}}}
agents: {{coder: {{project: app}}, stranger: {{project: app}}, robot: {{project: robots}}}}
operators:
  admin: {{roles: [admin]}}
  alice: {{roles: [approver]}}
connections:
  hub: {{connector: github, credential: github/hub, url: "{url}"}}
  robot: {{connector: github, credential: github/app, url: "{url}", app: true, account: {account}}}
"""
_CODER: Final = """\
  - git:read on repos/acme/app
  - git:read on nodes
  - git:read on github
  - git:read on user
  - git:open-pr on repos/acme/app
  - git:comment on repos/acme/app/*
  - git:review on repos/acme/app/*
  - github:issues.create on repos/acme/app
  - github:issues.update on repos/acme/app/*
  - github:pulls.update on repos/acme/app/*
  - {allow: "git:merge on repos/acme/app/pull-requests/*", id: merges, requires_approval: true}
  - {deny: "github:issues.update on repos/acme/app/*", id: keep-incidents, when: {params.labels: incident}}
"""
_POLICY_HEAD_LINES: Final = 3
_STRANGER: Final = "  - git:read on repos/acme/app\n"


def rule_at(rule: str) -> str:
    """Return how a rule of the coder's is named in an answer: file, line and id."""
    at = next(number for number, line in enumerate(_CODER.splitlines(), 1) if f"id: {rule}" in line)
    return f"policies/coder.yaml:{at + _POLICY_HEAD_LINES} ({rule})"


@dataclass
class GhHouse(GitHubHouse):
    """A house behind a proxy that ends TLS, as `gh` speaks https only.

    Args:
        https_url: Where clients reach it.
        certificate: What they must believe.
    """

    https_url: str
    certificate: Path

    def gh(self, token: str, folder: Path) -> Gh:
        """Return a `gh` with what `ostiary session env --github` exports for a session, and no other token.

        Args:
            token: Of the session.
            folder: Empty; its configuration goes there.
        """
        given = {"OSTIARY_TOKEN": token, "SSL_CERT_FILE": str(self.certificate)}
        said = self.up.cli("--url", self.https_url, "session", "env", "--github", "--shell", "json", **given)
        assert said.returncode == 0, said.stderr
        changes = json.loads(said.stdout)
        before = {"GH_TOKEN": "of-a-person", "GITHUB_TOKEN": "of-a-person", "GH_HOST": "github.com"}
        left = {name: value for name, value in before.items() if name not in changes["unset"]}
        return gh_with({**left, **changes["set"]}, self.certificate, folder)


@contextmanager
def gh_house(upstream: GraphQLUpstream, folder: Path) -> Iterator[GhHouse]:
    """Run it until the block ends.

    Args:
        upstream: What it acts on.
        folder: For the certificate.
    """
    hub, port, certificate = upstream.hub, free_port(), folder / "host.pem"
    with ExitStack() as stack:
        https_url = stack.enter_context(tls_terminator(port, certificate))
        settings = {"OSTIARY_WIRE_APPROVAL_WAIT_SECONDS": str(WAIT_SECONDS), "OSTIARY_PUBLIC_URL": https_url}
        up = stack.enter_context(data_folder(**settings))
        up.configure(_CONFIG.format(url=upstream.url, account=OWNER), coder=_CODER, stranger=_STRANGER, robot=_CODER)
        up.start(port=port)
        up.seal("github/hub", "bearer", upstream.host, token=ADMIN_TOKEN)
        up.seal("github/app", "github-app", upstream.host, app_id=str(APP_ID), private_key=hub.app_key)
        admin = (up.data / "operator.token").read_text().strip()
        alice = up.answer("operator", "token", "alice")["token"]
        yield GhHouse(up, hub, ScriptedGitHub(), admin, alice, https_url, certificate)
        up.end()
