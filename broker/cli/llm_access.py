"""How clients of models get to Ostiary: Claude Code, the SDKs of Anthropic and OpenAI, Codex.

The token of the session stands where they look for a key, and the person's own keys are taken away, as well as what
would lead Claude Code past the address: Bedrock, Vertex, a login. Codex reads no address from the environment; it gets
a folder of its own with a configuration.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

from broker.cli.door_access import DoorAccess
from broker.cli.output import ExitCode, fail
from broker.cli.own_files import write_own
from broker.cli.shells import Changes

CONNECTOR: Final = "llm"
TOKEN: Final = "OSTIARY_TOKEN"  # noqa: S105 - a name of a variable
MARKER: Final = "# written by `ostiary session env --llm --codex`"

_FILE: Final = "config.toml"
_FILE_MODE: Final = 0o600
_CLAUDE: Final = {
    # No updates, reports or telemetry: they would go elsewhere, or here where nobody serves them.
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    # Else a stream that breaks is asked again as a whole, without a stream, and paid twice.
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    # Its list of models is ours.
    "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
}
_REMOVED: Final = (
    "ANTHROPIC_API_KEY",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_VERTEX",
    "AZURE_OPENAI_API_KEY",
    "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID",
)

_FALLBACK: Final = (
    "Claude Code does not ask a broken stream again as a whole, which would be paid twice"
    " (CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK)"
)
_DISCOVERY: Final = (
    "Claude Code lists the models of this API only where CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC is not set"
)
_CODEX: Final = "Codex does not look at OPENAI_BASE_URL: add `--codex DIR`"


def changes(access: DoorAccess, name: str) -> Changes:
    """Return the changes that lead clients of models to Ostiary; ends the command when it is not clear where.

    Args:
        access: Of the session.
        name: The connection to be used; empty for the only one.
    """
    base = base_url(access, name)
    values = {
        "ANTHROPIC_BASE_URL": base,
        "ANTHROPIC_AUTH_TOKEN": access.token,
        "OPENAI_BASE_URL": f"{base}/v1",
        "OPENAI_API_KEY": access.token,
        **_CLAUDE,
    }
    return Changes(values, _REMOVED)


def with_codex(made: Changes, access: DoorAccess, name: str, folder: Path) -> Changes:
    """Write a configuration of Codex and return the changes with what leads Codex to it.

    Args:
        made: The changes for the others.
        access: Of the session.
        name: As for `changes`.
        folder: Where Codex keeps what it has, from then on; the person's own folder is left alone.
    """
    home = folder.absolute()
    write_own(home / _FILE, configuration(base_url(access, name)), marker=MARKER, mode=_FILE_MODE)
    return replace(made, values={**made.values, "CODEX_HOME": str(home), TOKEN: access.token})


def configuration(base: str) -> str:
    """Return what Codex reads (``config.toml``): an address, and where the token is, not the token.

    Args:
        base: Where the API is.
    """
    # A text of JSON is one of TOML (TOML 1.0, basic strings).
    lines = [
        MARKER,
        'model_provider = "ostiary"',
        "",
        "[model_providers.ostiary]",
        'name = "Ostiary"',
        f"base_url = {json.dumps(f'{base}/v1')}",
        f'env_key = "{TOKEN}"',
        'wire_api = "responses"',
    ]
    return "\n".join(lines) + "\n"


def base_url(access: DoorAccess, name: str) -> str:
    """Return where the API is for clients of one connection; ends the command when there are several and no name."""
    found = access.of(CONNECTOR, name)
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        fail("the project has several connections to models", ExitCode.USAGE, fix=f"add `--connection`: {names}")
    return f"{access.url}/llm/{found[0].name}" if name else access.url


def notes(*, codex: bool) -> list[str]:
    """Return what somebody should know who is about to use such a client.

    Args:
        codex: A configuration of Codex was written.
    """
    told = [_FALLBACK, _DISCOVERY]
    return told if codex else [*told, _CODEX]
