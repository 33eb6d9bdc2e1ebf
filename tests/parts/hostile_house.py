"""A house to throw things at: real connectors, an S3 that counts, a real git host, and a policy that allows nearly all.

So only planning and the doors stand between bad input and the upstreams, and whatever gets through is seen there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tests.parts.counting_s3 import CountingS3, counting_s3
from tests.parts.git_server import GitServer, git_server
from tests.parts.s3_house import SECRET, seal_key
from tests.parts.up import Up, data_folder
from tests.parts.wall import Reply, Wall

CONFIG: Final = """\
version: 1
projects: {{p: {{connections: [s3, code]}}}}
agents: {{agent: {{project: p}}}}
operators:
  admin: {{roles: [admin]}}
  alice: {{roles: [approver]}}
connections:
  s3: {{connector: aws, credential: aws/k, account: "123456789012", regions: [eu-west-1], endpoint: "{s3}"}}
  code: {{connector: git, credential: git/k, url: "{git}"}}
"""
POLICY: Final = """\
  - s3:* on bkt/**
  - s3:* on bkt
  - git:* on repos/**
"""
MAX_REQUEST_BYTES: Final = 4 << 20


@dataclass
class Scene:
    """The running house, its upstreams, and a hostile client."""

    up: Up
    s3: CountingS3
    git: GitServer
    wall: Wall
    admin: str

    @property
    def touched(self) -> int:
        """Requests the upstreams have seen."""
        return self.s3.requests + len(self.git.seen)

    def post(self, body: bytes, **headers: str) -> Reply:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.wall.send("POST", "/v1/intents", body, headers=sent)

    def ask(self, action: Any, params: Any, **members: Any) -> Reply:
        return self.post(json.dumps({"action": action, "params": params, **members}).encode())


@contextmanager
def hostile_house() -> Iterator[Scene]:
    """Run it until the block ends; then its log must tell of nothing that nobody foresaw."""
    with (
        counting_s3() as s3,
        data_folder(OSTIARY_MAX_REQUEST_BYTES=str(MAX_REQUEST_BYTES)) as up,
        git_server(up.folder / "g") as git,
    ):
        git.create_repo("acme/app")
        git.seed_repo("acme/app")
        up.configure(CONFIG.format(s3=s3.url, git=git.url), agent=POLICY)
        up.start()
        seal_key(up, s3)
        up.seal("git/k", "basic", git.url.removeprefix("http://"), username="machine", password=git.rw_token)
        admin = (up.data / "operator.token").read_text().strip()
        token = up.answer("session", "start", "--agent", "agent")["token"]
        wall = Wall(up.ready["url"], token, (SECRET, git.rw_token, token, admin))
        yield Scene(up, s3, git, wall, admin)
        wall.close()
        log = (up.data / "logs" / "api.log").read_text()
        up.end()
        assert "door.fault" not in log
