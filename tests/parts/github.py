"""A GitHub that checks tokens, App permissions and branch protection: the pinned emulator, a process on loopback.

What it does otherwise than GitHub, so that no test builds on it:

- A token it does not know acts as the first user of the seed: here one who may nothing.
- The head of a pull request stays where it was when its branch moves; `Hub.advance` moves both, as a push would.
- Files of a pull request are never listed, nor lines counted; a moved head answers 422 where GitHub says 409.
- No GraphQL, no git, no revocation of tokens; `GET …/git/refs/…` is not there, `…/git/ref/…` is.

Used by tests and by the tour, so nothing of pytest is in here.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import tempfile
import time
import urllib.error
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from deploy.environment import Checkout
from deploy.node import find_node
from tests.parts.http_api import call

OWNER: Final = "acme"
REPOSITORY: Final = "acme/app"
OTHER_REPOSITORY: Final = "other/site"
BRANCH: Final = "main"
APP_ID: Final = 4242
INSTALLATION_ID: Final = 4711
ADMIN_TOKEN: Final = "hub-admin-token"
REVIEWER_TOKEN: Final = "hub-reviewer-token"
_ROOT: Final = Path(__file__).resolve().parents[2]
_PROGRAM: Final = _ROOT / "tests" / "integration" / "node_modules" / "emulate" / "dist" / "index.js"
_PERMISSIONS: Final = {
    "contents": "write", "pull_requests": "write", "issues": "write", "checks": "write", "metadata": "read",
}  # fmt: skip
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 5.0
_JWT_SECONDS: Final = 300


class HubError(Exception):
    """The emulator is not there, or a step of the set-up was refused."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """An open pull request.

    Args:
        number: Of it.
        branch: Where it comes from.
        head: Commit it ends with.
    """

    number: int
    branch: str
    head: str


@dataclass(frozen=True, slots=True)
class Hub:
    """A running emulator with `REPOSITORY` (private, `BRANCH` protected: one approving review), and an App on it.

    Args:
        url: ``http://127.0.0.1:port``; the API has no prefix.
        port: Of it.
        app_key: Private key of the App, PEM.
        pid: Of the emulator.
    """

    url: str
    port: int
    app_key: str = field(repr=False)
    pid: int

    def call(self, method: str, path: str, body: Any = None, *, token: str = ADMIN_TOKEN) -> tuple[int, Any]:
        """Return status and parsed body of a request."""
        return call(self.url, method, path, token, body)

    def get(self, path: str, *, token: str = ADMIN_TOKEN) -> Any:
        """Return what stands under a path, for looking at what really happened.

        Raises:
            HubError: there is nothing.
        """
        return self._did("GET", path, token=token)

    def app_jwt(self, *, now: float | None = None, key: str | None = None) -> str:
        """Return what the App shows to be given tokens.

        Args:
            now: When it is made, seconds since 1970.
            key: Another key to sign with, PEM.
        """
        made = int(time.time() if now is None else now)
        claims = {"iat": made - 60, "exp": made + _JWT_SECONDS, "iss": str(APP_ID)}
        signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
        private = serialization.load_pem_private_key((key or self.app_key).encode(), password=None)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise TypeError("an App signs with RSA")
        return f"{signed}.{_base64(private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def installation_token(self, permissions: Mapping[str, str] | None = None) -> str:
        """Return a token of the installation; None is all that it has."""
        path = f"/app/installations/{INSTALLATION_ID}/access_tokens"
        body = None if permissions is None else {"permissions": dict(permissions)}
        return str(self._did("POST", path, body, self.app_jwt())["token"])

    def commit(self, branch: str, files: Mapping[str, str], message: str = "change") -> str:
        """Put a commit with files on a branch, which begins at `BRANCH` when it is new, and return the commit.

        Args:
            branch: Short name.
            files: Path to content.
            message: Of the commit.
        """
        status, ref = self.call("GET", _git(f"ref/heads/{branch}"))
        new = status != 200
        parent = (self.get(_git(f"ref/heads/{BRANCH}")) if new else ref)["object"]["sha"]
        tree = [
            {"path": path, "mode": "100644", "type": "blob", "sha": self._blob(text)} for path, text in files.items()
        ]
        base = self.get(_git(f"commits/{parent}"))["tree"]["sha"]
        made = self._did("POST", _git("trees"), {"base_tree": base, "tree": tree})["sha"]
        commit = self._did("POST", _git("commits"), {"message": message, "tree": made, "parents": [parent]})["sha"]
        if new:
            self._did("POST", _git("refs"), {"ref": f"refs/heads/{branch}", "sha": commit})
        else:
            self._did("PATCH", _git(f"refs/heads/{branch}"), {"sha": commit})
        return str(commit)

    def pull_request(self, branch: str, files: Mapping[str, str], title: str = "a change") -> PullRequest:
        """Open a pull request of a new commit with files onto `BRANCH`."""
        head = self.commit(branch, files, title)
        opened = self._did("POST", _repo("pulls"), {"title": title, "head": branch, "base": BRANCH})
        return PullRequest(int(opened["number"]), branch, head)

    def approve(self, number: int) -> None:
        """Give the review that the protection of `BRANCH` asks for."""
        self._did("POST", _repo(f"pulls/{number}/reviews"), {"event": "APPROVE"}, REVIEWER_TOKEN)

    def advance(self, number: int) -> str:
        """Move the head of a pull request to a new commit, and return it."""
        self._did("PUT", _repo(f"pulls/{number}/update-branch"), {})
        return str(self.get(_repo(f"pulls/{number}"))["head"]["sha"])

    def tip(self, branch: str = BRANCH) -> str:
        """Return where a branch is."""
        return str(self.get(_git(f"ref/heads/{branch}"))["object"]["sha"])

    def _blob(self, text: str) -> str:
        content = base64.b64encode(text.encode()).decode()
        return str(self._did("POST", _git("blobs"), {"content": content, "encoding": "base64"})["sha"])

    def _did(self, method: str, path: str, body: Any = None, token: str = ADMIN_TOKEN) -> Any:
        status, answer = self.call(method, path, body, token=token)
        if not 200 <= status < 300:
            raise HubError(f"`{method} {path}` answered {status}: {answer}")
        return answer


@contextmanager
def github_hub() -> Iterator[Hub]:
    """Run the emulator with its seed.

    Raises:
        HubError: the npm parts are not installed, or it does not start.
    """
    node = find_node(Checkout(_ROOT))
    if node is None or not _PROGRAM.exists():
        raise HubError("the npm parts of the tests are missing: run `python3 deploy/bootstrap.py setup --dev`")
    with tempfile.TemporaryDirectory() as folder:
        key, port = new_app_key(), free_port()
        seed = Path(folder) / "seed.json"
        seed.write_text(json.dumps(_seed(key)))
        url = f"http://127.0.0.1:{port}"
        options = ["--service", "github", "--port", str(port), "--base-url", url, "--seed", str(seed)]
        # The binary itself, no script around it, so that ending it ends it.
        process = subprocess.Popen(
            [str(node), str(_PROGRAM), "start", *options],
            cwd=folder,
            env={"HOME": folder, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            hub = Hub(url, port, key, process.pid)
            _wait(hub, process)
            _protect(hub)
            yield hub
        finally:
            _end(process)


def new_app_key() -> str:
    """Return a private key as GitHub gives one to an App, PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _seed(app_key: str) -> dict[str, Any]:
    app = {"app_id": APP_ID, "slug": "ostiary", "name": "Ostiary", "private_key": app_key, "permissions": _PERMISSIONS}
    installation = {"installation_id": INSTALLATION_ID, "account": OWNER, "permissions": _PERMISSIONS}
    return {
        "tokens": {
            ADMIN_TOKEN: {"login": "ada", "scopes": ["repo", "user", "admin:org"]},
            REVIEWER_TOKEN: {"login": "grace", "scopes": ["repo"]},
        },
        "github": {
            "users": [{"login": "nobody"}, {"login": "ada"}, {"login": "grace"}, {"login": "other"}],
            "orgs": [{"login": OWNER, "members": [{"login": "ada", "role": "admin"}, {"login": "grace"}]}],
            "repos": [
                {"owner": OWNER, "name": "app", "private": True},
                {"owner": OWNER, "name": "site"},
                {"owner": "other", "name": "site"},
            ],
            "apps": [{**app, "installations": [installation]}],
        },
    }


def _protect(hub: Hub) -> None:
    """Let `BRANCH` move by reviewed pull requests only, for everybody; a member may review."""
    rule = {
        "required_status_checks": None,
        "enforce_admins": True,
        "required_pull_request_reviews": {"required_approving_review_count": 1},
        "restrictions": None,
    }
    status, answer = hub.call("PUT", _repo(f"branches/{BRANCH}/protection"), rule)
    if status != 200:
        raise HubError(f"protecting the branch answered {status}: {answer}")


def _wait(hub: Hub, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise HubError(f"the emulator ended with {process.returncode} before it answered")
        try:
            hub.call("GET", "/rate_limit")
        except (OSError, urllib.error.URLError):
            time.sleep(0.02)
        else:
            return
    raise HubError("the emulator did not answer in time")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _repo(path: str) -> str:
    return f"/repos/{REPOSITORY}/{path}"


def _git(path: str) -> str:
    return _repo(f"git/{path}")


def _part(value: Mapping[str, Any]) -> str:
    return _base64(json.dumps(value).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
