"""The one token that is for every repository of an installation: it looks up what ids name, and can do nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.vault.paper_github import APP_ID, PaperGitHub, app_key, paper_github
from tests.unit.vault.samples import CHEAP, PASSPHRASE
from vault.credential import Credential
from vault.errors import BadRequestError, LeaseRefusedError
from vault.issuers.mint import Issuers, check_mint
from vault.model import CredentialKind, CredentialRef, GitHubTokenRequest, SecretValue
from vault.service import Vault
from vault.storage import MemoryStorage

REF = CredentialRef("github/app")
NOW_NS = 0


@pytest.fixture(scope="module")
def served() -> Iterator[PaperGitHub]:
    with paper_github(app_key()) as made:
        yield made


@pytest.fixture
def github(served: PaperGitHub) -> PaperGitHub:
    served.asked.clear()
    served.live.clear()
    served.is_person = False
    return served


@pytest.fixture
def app(github: PaperGitHub) -> Credential:
    vault = Vault(MemoryStorage(), cost=CHEAP)
    vault.initialise(SecretValue(PASSPHRASE))
    fields = {"app_id": APP_ID.encode(), "private_key": github.key.encode()}
    vault.put(REF, CredentialKind.GITHUB_APP, fields, [github.host])
    return vault._open().get(REF)


def look(github: PaperGitHub, **changes: Any) -> GitHubTokenRequest:
    reads = (("issues", "read"), ("metadata", "read"), ("pull_requests", "read"))
    return replace(GitHubTokenRequest("acme", (), reads, github.endpoint, everywhere=True), **changes)


def test_it_is_for_all_of_the_installation(github: PaperGitHub, app: Credential) -> None:
    check_mint(look(github), app)
    Issuers()(app, look(github), "robot/ses_1", now_ns=NOW_NS)
    assert [*github.live.values()] == [{"permissions": dict(look(github).permissions)}]
    assert github.count("/orgs/acme/installation") == 1


def test_the_installation_of_a_person_is_found_for_it_and_for_nothing_else(
    github: PaperGitHub, app: Credential
) -> None:
    github.is_person = True
    Issuers()(app, look(github), "robot/ses_1", now_ns=NOW_NS)
    assert github.count("/users/acme/installation") == 1
    members = look(github, permissions=(("members", "read"),), everywhere=False)
    with pytest.raises(LeaseRefusedError):
        Issuers()(app, members, "robot/ses_1", now_ns=NOW_NS)
    assert github.count("/users/acme/installation") == 1


@pytest.mark.req("V1")
@pytest.mark.parametrize(
    "changes",
    [
        {"permissions": (("contents", "read"),)},
        {"permissions": (("issues", "write"),)},
        {"permissions": (("issues", "admin"),)},
        {"permissions": (("metadata", "read"), ("members", "read"))},
        {"permissions": ()},
        {"repositories": ("app",)},
        {"everywhere": False},
    ],
)
def test_no_other_token_is_for_all_of_an_installation(
    github: PaperGitHub, app: Credential, changes: dict[str, Any]
) -> None:
    with pytest.raises(BadRequestError):
        check_mint(look(github, **changes), app)
