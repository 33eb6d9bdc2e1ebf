"""GitHub as far as apps need it, scripted, on loopback: it checks signatures and remembers what it was asked."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.parts.threaded_http import QuietHandler, threaded

APP_ID = "12345"
PREFIX = "/api/v3"


@dataclass
class PaperGitHub:
    """What it answers; tests change it."""

    key: str
    public: rsa.RSAPublicKey
    host: str = ""
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    """Method, path and body."""
    live: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Tokens and what was asked for with them."""
    installation: int = 7
    status: dict[str, int] = field(default_factory=dict)
    """By the last part of the path: what to answer instead."""
    changes: dict[str, Any] = field(default_factory=dict)
    """Into the answer to a new token."""
    headers: tuple[tuple[str, str], ...] = ()
    login: str = "Acme"
    is_person: bool = False
    """The account is no organisation."""
    raw: bytes | None = None
    """Sent in place of every answer's body."""
    valid: timedelta = timedelta(hours=1)

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}{PREFIX}"

    def count(self, part: str) -> int:
        return sum(path.endswith(part) for _, path, _ in self.asked)

    def answer(self, method: str, path: str, authorization: str, body: Any) -> tuple[int, Any]:
        self.asked.append((method, path, body))
        last = path.rpartition("/")[2]
        if last in self.status:
            return self.status[last], {"message": "a planted secret of the upstream"}
        scheme, _, token = authorization.partition(" ")
        assert scheme == "Bearer"
        if method == "DELETE":
            return (204, None) if self.live.pop(token, None) is not None else (401, {})
        self._check_app(token)
        if last == "installation" and self.is_person and path.startswith(f"{PREFIX}/orgs/"):
            return 404, {}
        if last == "installation":
            return 200, {"id": self.installation, "account": {"login": self.login}}
        if path != f"{PREFIX}/app/installations/{self.installation}/access_tokens":
            return 404, {}
        return 201, self._token(body)

    def _token(self, body: dict[str, Any]) -> dict[str, Any]:
        token = f"ghs_{self.count('access_tokens'):036d}"
        self.live[token] = body
        names = body.get("repositories")
        given: dict[str, Any] = {
            "token": token,
            "expires_at": (datetime.now(UTC) + self.valid).isoformat().replace("+00:00", "Z"),
            "permissions": {**body["permissions"], "metadata": "read"},
            "repository_selection": "selected" if names else "all",
        }
        if names:
            given["repositories"] = [{"name": name.title()} for name in names]
        return {name: value for name, value in {**given, **self.changes}.items() if value is not None}

    def _check_app(self, token: str) -> None:
        head, claims, signature = token.split(".")
        self.public.verify(_decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
        said = json.loads(_decoded(claims))
        assert said["iss"] == APP_ID
        assert said["exp"] - said["iat"] <= 600


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def app_key(bits: int = 2048) -> tuple[str, rsa.RSAPublicKey]:
    """Return the private key of an app, as GitHub gives it, and its public key."""
    key = rsa.generate_private_key(65537, bits)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return text.decode(), key.public_key()


@contextmanager
def paper_github(key: tuple[str, rsa.RSAPublicKey]) -> Iterator[PaperGitHub]:
    """Serve until the block ends."""
    github = PaperGitHub(*key)

    class Handler(QuietHandler):
        def do_DELETE(self) -> None:  # noqa: N802 - the base class's form
            self.respond()

        def respond(self) -> None:
            body = self.body()
            status, found = github.answer(
                self.command, self.path, self.headers["Authorization"], json.loads(body) if body else None
            )
            content = b"" if found is None else json.dumps(found).encode()
            self.reply(status, content if github.raw is None else github.raw, *github.headers)

    with threaded(Handler) as host:
        github.host = host
        yield github
