"""The GitHub that our tests talk to says no where GitHub does; tests of the broker build on that."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.gh import gh_client, needs_gh
from tests.parts.github import (
    BRANCH,
    INSTALLATION_ID,
    OTHER_REPOSITORY,
    REPOSITORY,
    REVIEWER_TOKEN,
    Hub,
    github_hub,
    new_app_key,
)
from tests.parts.threaded_http import QuietHandler, threaded

TOKENS = f"/app/installations/{INSTALLATION_ID}/access_tokens"
CONTENT = {"message": "direct", "content": "aGk="}


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with github_hub() as running:
        yield running


def contents(repository: str, branch: str = BRANCH) -> tuple[str, dict[str, str]]:
    return f"/repos/{repository}/contents/new-on-{branch}.txt", {**CONTENT, "branch": branch}


def test_an_app_gets_tokens_for_its_own_signature_only(hub: Hub) -> None:
    assert hub.call("POST", TOKENS, token=hub.app_jwt())[0] == 201
    assert hub.call("POST", TOKENS, token=hub.app_jwt(key=new_app_key()))[0] == 401
    assert hub.call("POST", TOKENS, token=hub.app_jwt(now=1_600_000_000))[0] == 401


def test_a_token_of_an_app_may_what_was_asked_for_and_no_more_than_the_app(hub: Hub) -> None:
    reader = hub.installation_token({"contents": "read"})
    hub.commit("feature/read", {"a.txt": "a"})
    path, body = contents(REPOSITORY, "feature/read")
    assert hub.call("GET", f"/repos/{REPOSITORY}/contents/README.md", token=reader)[0] == 200
    assert hub.call("PUT", path, body, token=reader)[0] == 403
    assert hub.call("PUT", path, body, token=hub.installation_token())[0] == 201
    escalated = {"permissions": {"administration": "write"}}
    assert hub.call("POST", TOKENS, escalated, token=hub.app_jwt())[0] == 422
    assert hub.call("PUT", *contents(OTHER_REPOSITORY), token=hub.installation_token())[0] == 403


def test_a_token_that_is_unknown_sees_and_does_nothing_of_the_private_repository(hub: Hub) -> None:
    assert hub.call("GET", f"/repos/{REPOSITORY}/contents/README.md", token="unknown")[0] in {403, 404}
    assert hub.call("PUT", *contents(REPOSITORY), token="unknown")[0] in {403, 404}


def test_a_protected_branch_moves_by_reviewed_pull_requests_only(hub: Hub) -> None:
    before = hub.tip()
    assert hub.call("PUT", *contents(REPOSITORY))[0] == 409
    assert hub.call("PUT", *contents(REPOSITORY), token=hub.installation_token())[0] == 409
    pull = hub.pull_request("feature/x", {"src/a.py": "print(1)\n", "docs/b.md": "# b\n"})
    merge = f"/repos/{REPOSITORY}/pulls/{pull.number}/merge"
    assert hub.call("PUT", merge, {"sha": pull.head})[0] == 422
    assert hub.tip() == before
    hub.approve(pull.number)
    status, merged = hub.call("PUT", merge, {"sha": pull.head}, token=hub.installation_token())
    assert (status, merged["merged"]) == (200, True)
    assert hub.tip() == merged["sha"]
    assert hub.get(f"/repos/{REPOSITORY}/contents/src/a.py")["path"] == "src/a.py"


def test_a_merge_at_a_head_that_moved_is_refused(hub: Hub) -> None:
    pull = hub.pull_request("feature/moving", {"moving.txt": "1\n"})
    hub.approve(pull.number)
    moved = hub.advance(pull.number)
    assert moved != pull.head
    merge = f"/repos/{REPOSITORY}/pulls/{pull.number}/merge"
    assert hub.call("PUT", merge, {"sha": pull.head}, token=REVIEWER_TOKEN)[0] == 422
    assert hub.get(f"/repos/{REPOSITORY}/pulls/{pull.number}")["merged"] is False


class Enterprise(QuietHandler):
    """Answers with what it was asked, where GitHub Enterprise has its API."""

    def respond(self) -> None:
        told = {"method": self.command, "path": self.path, "token": self.headers["Authorization"]}
        body = self.body().decode()
        self.reply(200, json.dumps({**told, "body": body}).encode(), ("Content-Type", "application/json"))


@needs_gh
def test_gh_speaks_to_an_enterprise_host_of_ours_with_a_token_of_ours(tmp_path: Path) -> None:
    with threaded(Enterprise) as address, gh_client(int(address.rpartition(":")[2]), "ost_1", tmp_path) as gh:
        read = gh.run("api", "repos/acme/app/pulls/1")
        written = gh.run("api", "repos/acme/app/issues", "-f", "title=hello")
    assert json.loads(read.stdout) == {
        "method": "GET", "path": "/api/v3/repos/acme/app/pulls/1", "token": "token ost_1", "body": "",
    }  # fmt: skip
    assert json.loads(json.loads(written.stdout)["body"]) == {"title": "hello"}


def test_the_process_is_gone_when_its_block_is_left() -> None:
    with github_hub() as running:
        os.kill(running.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(running.pid, 0)
