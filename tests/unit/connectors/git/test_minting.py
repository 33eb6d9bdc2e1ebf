from __future__ import annotations

import pytest

from connectors.git.connection import GitConnection
from connectors.git.minting import mint_for
from vault.model import GitHubTokenRequest, TokenScheme

API = "https://api.git.test"


def test_a_connection_without_an_app_mints_nothing() -> None:
    assert mint_for(GitConnection(url="https://git.test"), "acme/app", pushes=True, workflows=True) is None


@pytest.mark.parametrize(
    ("pushes", "workflows", "permissions"),
    [
        (False, False, (("contents", "read"), ("metadata", "read"))),
        (True, False, (("contents", "write"), ("metadata", "read"))),
        (True, True, (("contents", "write"), ("metadata", "read"), ("workflows", "write"))),
    ],
)
def test_a_token_is_for_one_repository_and_can_do_no_more_than_the_plan(
    pushes: bool, workflows: bool, permissions: tuple[tuple[str, str], ...]
) -> None:
    options = GitConnection(url="https://git.test", app_api=API)
    minted = mint_for(options, "acme/app", pushes=pushes, workflows=workflows)
    assert minted == GitHubTokenRequest("acme", ("app",), permissions, API, TokenScheme.BASIC)
