"""A secret is opened in few places, all of them known."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.architecture.tree import ROOMS, ROOT, name_of, parse, python_files

MAY_REVEAL = {
    "broker/access_keys.py": "writes the derived secret of a session as an access key, which opens nothing upstream",
    "broker/doors/aws_keys.py": "hands a session the secret of its own access key, which opens nothing upstream",
    "vault/aws.py": "hands the key to botocore, in the vault's process, for a call of STS",
    "vault/client.py": "sends what a person typed to the vault process",
    "vault/credential.py": "packs a credential to be sealed",
    "vault/issuers/github_app.py": "signs as an app, and makes the header of a minted token or its revocation",
    "vault/issuers/static.py": "builds the header that is lent",
    "vault/operations.py": "puts a lent header or a derived secret on the socket",
    "vault/rotation/model.py": "packs a key that is not in use yet to be sealed, and to be looked for in results",
    "vault/service.py": "derives the root key from the passphrase",
    "vault/ssh.py": "signs a user authentication of ssh",
    "vault/sigv4.py": "derives the signing key",
    "connectors/aws/wire.py": "sends the session token of a temporary credential; the key stays in the vault",
    "connectors/aws/wire_in/sigv4.py": "checks a signature made with an agent's own key, which opens nothing upstream",
    "connectors/github/sending.py": "sends the lent header with a request",
    "connectors/llm/bedrock/signing.py": "sends the session token of a temporary credential, not the key",
    "connectors/llm/keys.py": "sends a provider's key with a request, in the header that provider wants",
    "connectors/git/connector.py": "hands the lent header to git, outside argv and environment",
}
"""Files that may call `reveal`, and what for; add one only after thinking about every copy it makes."""


def reveals(path: Path) -> bool:
    """Tell whether a file calls `reveal`, or takes it to be called later."""
    return any(isinstance(node, ast.Attribute) and node.attr == "reveal" for node in ast.walk(parse(path)))


def test_only_the_named_files_reveal_secrets() -> None:
    found = {name_of(path) for path in python_files(*ROOMS, "deploy") if reveals(path)}
    assert found == set(MAY_REVEAL)


def test_nobody_reaches_round_reveal_to_the_value() -> None:
    owner = ROOT / "vault" / "model.py"
    for path in python_files(*ROOMS):
        names = {node.value for node in ast.walk(parse(path)) if isinstance(node, ast.Constant)}
        assert path == owner or "reveal" not in names, f"{name_of(path)} looks `reveal` up by name"
