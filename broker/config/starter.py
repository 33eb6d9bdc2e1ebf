"""A commented first configuration: valid as it stands, safe as it stands, made to be edited.

It is checked by `ostiary check` without a change. Its connections name credentials that do not exist until
`ostiary vault put` makes them, and its agent may read, push to feature branches, and ask before it pushes to ``main``.
The guardrails of the library stand over every agent from the beginning; whoever does not want one deletes its file.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Final

from broker.config.files import GUARDRAIL_FOLDER, MAIN_FILE, POLICY_FOLDER

STARTER_AGENT: Final = "ci-runner"
STARTER_OPERATOR: Final = "admin"

_MAIN: Final = """\
# Ostiary's configuration. Validate it with `ostiary check`, take it up with `ostiary reload`.
version: 1

# Upstreams. Keys never stand here: `credential` is a name in the vault.
#   ostiary vault put aws/example       stores the key of the connection below
connections:
  aws-example:
    connector: aws
    credential: aws/example
    account: "123456789012" # yours, in quotes
    regions: [eu-west-1] # the first one is used when an intent names none
  # ostiary vault put git/example --kind basic --host github.com
  git-example:
    connector: git
    credential: git/example
    url: https://github.com
    # protected_branches: [main, "release/*"] # what approvers are shown as protected
    # app_api: https://api.github.com # when the credential is a GitHub App: each push and fetch gets its own token
  # Over SSH: ostiary vault put git/deploy --kind ssh --host github.com:22
  # git-ssh:
  #   connector: git
  #   credential: git/deploy
  #   url: ssh://git@github.com
  #   host_keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"] # from its page
  # GitHub's API: ostiary vault put github/example --kind bearer --host api.github.com
  # github-example:
  #   connector: github
  #   credential: github/example
  #   url: https://api.github.com # https://HOST/api/v3 of an Enterprise server
  #   app: false # true when the credential is a GitHub App: each act gets its own token
  # Models: ostiary vault put llm/example --kind bearer --host api.anthropic.com
  # llm-example:
  #   connector: llm
  #   credential: llm/example
  #   upstreams: [{name: anthropic, speaks: anthropic}] # more of them take over when the first one is away

# What agents work in: a project sees the connections it lists and no others.
projects:
  example:
    description: The first project
    connections: [aws-example, git-example]
    # project_budget: {monthly_limit: $500, alert_thresholds: [50%, 75%, 90%], on_exceed: pause_and_alert}
    # hours: {days: mon-fri, from: "08:00", to: "19:00", zone: UTC} # what agents do at other times is told

# Who may have sessions. What an agent may do stands in policies/NAME.yaml; without that file: nothing.
agents:
  ci-runner:
    project: example
    owner: admin
    # budget: {max_tokens_per_session: 100000, max_cost_per_day: $5, alert_at: 80%}
    # rate_limits: {max_requests_per_minute: 120, on_exceed: throttle_and_alert}

# People. Roles: viewer, approver, auditor, key-admin, admin. Nobody approves what an agent of their own session asks.
operators:
  admin:
    roles: [admin, approver]
  # alice:
  #   roles: [approver]

# Where approvals are announced. `approvals` exists always; a policy names others by `approval_channel`.
channels:
  approvals:
    kind: log

# Who is told what people should know; without it alerts are in `ostiary alerts list` alone.
# alerts: {channels: [approvals]}
"""

_POLICY: Final = """\
# What the agent `ci-runner` may do. Everything else is denied.
# A rule is `action on resource`. Order does not matter: deny beats approval, approval beats allow.
# A `*` inside stays in one segment, a `*` at the end covers the rest.
version: 1
agent: ci-runner
policies:
  - git:read on repos/*
  - git:push on repos/*/branches/feature/*

  # Waits for a person with the role `approver`; no answer within the hour means no.
  - allow: git:push on repos/*/branches/main
    requires_approval: true
    approval_timeout: 60m

  # With a github connection, which must be in the list of the project.
  # - git:open-pr on repos/*
  # - git:comment on repos/*/pull-requests/*
  # - allow: git:merge on repos/*/pull-requests/*
  #   requires_approval: true

  # With a connection to models, likewise.
  # - llm:InvokeModel on models/anthropic/claude-haiku-*

  # `data-lake/raw/*` is short for `arn:aws:s3:::data-lake/raw/*`.
  - s3:GetObject on data-lake/raw/*
"""

_TESTS: Final = """\
# What the policy beside this file must answer; run by `ostiary policy test`.
version: 1
agent: ci-runner
tests:
  - name: works on feature branches by itself
    action: git:push
    resources: [repos/acme/app/branches/feature/login, repos/acme/app/branches/feature/login/form]
    context: {params: {paths_folded: [src/login.py]}}
    expect: allow
  - name: asks before it changes what workflows do
    action: git:push
    resource: repos/acme/app/branches/feature/login
    context: {params: {paths_folded: [.github/workflows/ci.yaml]}}
    expect: approval
  - name: asks before it changes main
    action: git:push
    resource: repos/acme/app/branches/main
    expect: approval
  - name: never touches tags
    action: git:push
    resource: repos/acme/app/tags/v1
    expect: deny
  - name: reads code
    action: git:read
    resource: repos/acme/app
    expect: allow
  - name: reads raw data
    action: s3:GetObject
    resource: data-lake/raw/2026/a.csv
    expect: allow
  - name: changes no data
    actions: [s3:PutObject, s3:DeleteObject]
    resource: data-lake/raw/2026/a.csv
    expect: deny
"""

_FILES: Final = (
    (MAIN_FILE, _MAIN),
    (f"{POLICY_FOLDER}/{STARTER_AGENT}.yaml", _POLICY),
    (f"{POLICY_FOLDER}/{STARTER_AGENT}_test.yaml", _TESTS),
)


def _guardrails() -> list[tuple[str, str]]:
    """Return the guardrails that ship, with their tests, by the names they get."""
    folder = files("policies").joinpath("library", "guardrails")
    return [
        (f"{GUARDRAIL_FOLDER}/{each.name}", each.read_text("utf-8"))
        for each in sorted(folder.iterdir(), key=lambda each: each.name)
        if each.name.endswith(".yaml")
    ]


def write_starter(root: Path) -> list[Path]:
    """Write what is missing of the starter; a file that is there is never touched.

    Args:
        root: The configuration folder; made with mode 0700 when it is not there.

    Returns:
        The files written, none when all were there.

    Raises:
        OSError: a folder or file cannot be made.
    """
    for folder in (root, root / POLICY_FOLDER, root / GUARDRAIL_FOLDER):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.path.lexists(root / MAIN_FILE):
        # Somebody's own configuration: a policy for an agent it may not know would break it.
        return []
    written: list[Path] = []
    for name, text in (*_FILES, *_guardrails()):
        # Tests of a policy that is somebody's own would test another one.
        tested = root / name.replace("_test.yaml", ".yaml")
        if (tested == root / name or tested in written) and _write(root / name, text):
            written.append(root / name)
    return written


def _write(path: Path, text: str) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(descriptor)
    return True
