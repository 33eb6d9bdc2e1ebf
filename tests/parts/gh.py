"""GitHub's own command line, unmodified, as an agent runs it against a GitHub Enterprise host.

It speaks https only, so a terminator stands in front of a plain port, with a certificate that `gh` is told to believe;
paths begin with `/api/v3`, GraphQL is at `/api/graphql`. Whether there is a `gh` depends on the machine: see
`deploy/github_cli.py`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from deploy.environment import Checkout
from deploy.github_cli import find_gh
from tests.parts.aws_tls import tls_terminator

_ROOT: Final = Path(__file__).resolve().parents[2]
_DEADLINE_SECONDS: Final = 60

needs_gh = pytest.mark.skipif(
    find_gh(Checkout(_ROOT)) is None,
    reason="there is no gh on PATH, and none could be unpacked: only a Debian or Ubuntu gives it without root",
)
"""On tests that use `gh_client`."""


@dataclass(frozen=True, slots=True)
class Gh:
    """A `gh` that is signed in to one host.

    Args:
        program: Its binary.
        environment: All of its environment; holds the token.
    """

    program: Path
    environment: dict[str, str] = field(repr=False)

    def run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run it to its end.

        Args:
            *arguments: As one types them.
            given: Standard input.
        """
        return subprocess.run(
            [self.program, *arguments],
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=_DEADLINE_SECONDS,
            check=False,
        )


@contextmanager
def gh_client(port: int, token: str, folder: Path) -> Iterator[Gh]:
    """Yield a `gh` for what listens on a port of this machine, over https.

    Args:
        port: Plain HTTP.
        token: What it shows.
        folder: Empty; its configuration, its home and the certificate go there.
    """
    certificate = folder / "host.pem"
    with tls_terminator(port, certificate) as url:
        signed_in = {"GH_HOST": url.removeprefix("https://"), "GH_ENTERPRISE_TOKEN": token}
        yield gh_with(signed_in, certificate, folder)


def gh_with(variables: Mapping[str, str], certificate: Path, folder: Path) -> Gh:
    """Return a `gh` with some variables and nothing of the machine.

    Args:
        variables: Where it is signed in.
        certificate: To be believed.
        folder: Its configuration and its home go there.
    """
    program = find_gh(Checkout(_ROOT))
    assert program is not None, "mark the test with `needs_gh`"
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "GH_CONFIG_DIR": str(folder / "gh"),
        "GH_NO_UPDATE_NOTIFIER": "1",
        "GH_PROMPT_DISABLED": "1",
        "NO_COLOR": "1",
        "SSL_CERT_FILE": str(certificate),
        **variables,
    }
    return Gh(program, environment)
