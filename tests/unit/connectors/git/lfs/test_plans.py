from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Access, Connection, Upload
from connectors.errors import InvalidParamsError
from connectors.git.lfs.operations import LFS_OPERATIONS, MAX_OBJECT_BYTES, MAX_OBJECTS
from connectors.git.lfs.plans import plan_lfs
from policies.model import Requirement
from vault.model import CredentialRef

FORGE = Connection("forge", "git", CredentialRef("git/acme"), {"url": "https://git.test/scm"})
ONE, TWO = "a" * 64, "b" * 64
DOWNLOAD = {"repo": "acme/app", "oid": ONE, "size": 5}
UPLOAD = {**DOWNLOAD, "body": {"upload": {"bytes": 5, "sha256": ONE}}}
BATCH = {"repo": "acme/app", "what": "batch", "objects": [{"oid": ONE, "size": 5}, {"oid": TWO, "size": 7}]}


@pytest.mark.parametrize(
    ("action", "params", "summary"),
    [
        ("git:lfs-read", DOWNLOAD, "read large file aaaaaaaaaaaa (5 bytes) of acme/app"),
        ("git:lfs-read", BATCH, "look up 2 large files (12 bytes) of acme/app"),
        ("git:lfs-write", UPLOAD, "store large file aaaaaaaaaaaa (5 bytes) of acme/app"),
        ("git:lfs-write", BATCH, "prepare to store 2 large files (12 bytes) of acme/app"),
    ],
)
def test_each_action_asks_for_its_own_permission_on_the_repository(
    action: str, params: dict[str, Any], summary: str
) -> None:
    plan = plan_lfs(action, params, FORGE)
    assert plan.requirements == (Requirement(action, "repos/acme/app"),)
    assert (plan.summary, plan.host, plan.credential, plan.idempotent) == (summary, "git.test", "git/acme", True)
    assert plan.access is (Access.READ if action == "git:lfs-read" else Access.WRITE)
    assert plan.call["url"] == "https://git.test/scm/acme/app.git"


def test_an_upload_is_bound_to_the_object_it_is_named_as() -> None:
    plan = plan_lfs("git:lfs-write", UPLOAD, FORGE)
    assert plan.upload == Upload(5, sha256=ONE)
    assert plan.call["objects"] == [{"oid": ONE, "size": 5}]
    assert plan_lfs("git:lfs-read", DOWNLOAD, FORGE).upload is None


def test_the_examples_of_the_table_plan() -> None:
    for action, row in LFS_OPERATIONS.items():
        assert plan_lfs(action, row.example, FORGE).action == action


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("git:lfs-lock", DOWNLOAD),
        ("git:lfs-read", {**DOWNLOAD, "what": "upload"}),
        ("git:lfs-write", {**UPLOAD, "what": "download"}),
        ("git:lfs-read", {**DOWNLOAD, "oid": "A" * 64}),
        ("git:lfs-read", {**DOWNLOAD, "oid": "a" * 63}),
        ("git:lfs-read", {**DOWNLOAD, "oid": "a" * 64 + "\n"}),
        ("git:lfs-read", {**DOWNLOAD, "size": -1}),
        ("git:lfs-read", {**DOWNLOAD, "size": MAX_OBJECT_BYTES + 1}),
        ("git:lfs-read", {**DOWNLOAD, "size": "5"}),
        ("git:lfs-read", {**DOWNLOAD, "href": "https://evil.test"}),
        ("git:lfs-read", {**DOWNLOAD, "repo": "Acme/App"}),
        ("git:lfs-read", {**DOWNLOAD, "repo": "acme/../app"}),
        ("git:lfs-read", {"repo": "acme/app"}),
        ("git:lfs-read", {"repo": "acme/app", "oid": ONE}),
        ("git:lfs-read", {**BATCH, "objects": []}),
        ("git:lfs-read", {**BATCH, "oid": ONE}),
        ("git:lfs-read", {**BATCH, "what": "download"}),
        ("git:lfs-read", {**BATCH, "objects": [{"oid": ONE, "size": 5}] * 2}),
        ("git:lfs-read", {**BATCH, "objects": [{"oid": f"{n:064x}", "size": 1} for n in range(MAX_OBJECTS + 1)]}),
        ("git:lfs-write", DOWNLOAD),
        ("git:lfs-write", {**UPLOAD, "body": {"upload": {"bytes": 6, "sha256": ONE}}}),
        ("git:lfs-write", {**UPLOAD, "body": {"upload": {"bytes": 5, "sha256": TWO}}}),
        ("git:lfs-write", {**UPLOAD, "body": {"upload": {"bytes": 5}}}),
    ],
)
def test_params_that_do_not_fit_are_refused(action: str, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        plan_lfs(action, params, FORGE)
    assert str(caught.value).isprintable()


def test_a_host_that_is_reached_over_ssh_serves_no_large_files() -> None:
    key = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes(32)).decode()
    options = {"url": "ssh://git@git.test", "host_keys": [key]}
    with pytest.raises(InvalidParamsError, match="https"):
        plan_lfs("git:lfs-read", DOWNLOAD, replace(FORGE, options=options))


def test_an_app_token_is_minted_for_what_is_done() -> None:
    app = Connection("forge", "git", CredentialRef("git/acme"), {**FORGE.options, "app_api": "https://api.github.com"})
    minted = [plan_lfs(action, LFS_OPERATIONS[action].example, app).mint for action in LFS_OPERATIONS]
    assert ["('contents', 'write')" in str(each) for each in minted] == [False, True]
