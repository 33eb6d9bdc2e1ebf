"""How clients of GitHub get to Ostiary: gh, and whatever reads the address of the API from its environment.

Ostiary is to them a GitHub Enterprise server. The person's own tokens are taken away; the session's token stands where
gh looks for one of such a server, and nowhere a client would send it to GitHub itself.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from broker.cli.door_access import DoorAccess
from broker.cli.output import ExitCode, fail
from broker.cli.shells import Changes

CONNECTOR: Final = "github"

_IN_CODE: Final = (
    "PyGithub and octokit take the address in code: `base_url` from GITHUB_API_URL, the token from GH_ENTERPRISE_TOKEN"
)
_REPOSITORY: Final = "gh finds the repository by `-R OWNER/NAME` or GH_REPO, not by the remotes of a clone"
_HTTPS: Final = "gh speaks https only: give the API a certificate, or put a proxy with one in front of it"

_REMOVED: Final = ("GH_TOKEN", "GITHUB_TOKEN", "GITHUB_ENTERPRISE_TOKEN")


def changes(access: DoorAccess) -> Changes:
    """Return the changes that lead clients of GitHub to Ostiary."""
    access.of(CONNECTOR)
    parts = urlsplit(access.url)
    if parts.path not in ("", "/"):
        fail("clients of GitHub need the API at the root of its host", ExitCode.USAGE, fix="give it a host of its own")
    values = {
        "GH_HOST": parts.netloc,
        "GH_ENTERPRISE_TOKEN": access.token,
        "GITHUB_API_URL": f"{access.url}/api/v3",
        "GITHUB_GRAPHQL_URL": f"{access.url}/api/graphql",
    }
    return Changes(values, _REMOVED)


def notes(access: DoorAccess) -> list[str]:
    """Return what somebody should know who is about to use a client of GitHub."""
    told = [_IN_CODE, _REPOSITORY]
    return told if urlsplit(access.url).scheme == "https" else [*told, _HTTPS]
