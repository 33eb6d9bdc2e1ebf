"""Names that come from outside: what may stand in a path of the API and in the name of a resource.

A value never leaves its place: in a path it is percent-encoded, and no `.`, `..` or empty segment gets in. A part of a
resource is narrower still. Branches and tags have the alphabet of the git connector, so that a rule on a ref means the
same through every door. What GitHub takes in any case is folded, so that one thing has one name in a policy.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import quote

from connectors.errors import InvalidParamsError

MAX_NAME_CHARS: Final = 255
MAX_REF_CHARS: Final = 200
"""As the git connector: below what hosts take (255 bytes per path part), far above what people type."""
UNKNOWN: Final = "\x00"
"""Stands in a resource for a part that is not known: the character of `policies.patterns.pattern.UNKNOWN`, which only a
wildcard of the policy covers."""

_ACCOUNT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}(\[bot\])?")
_REPOSITORY: Final = re.compile(r"[a-z0-9._-]{1,100}")
_REF_PART: Final = re.compile(r"[A-Za-z0-9_@+=#,][A-Za-z0-9_@+=#,.-]*")
_KINDS: Final = {"refs/heads/": "branches", "refs/tags/": "tags"}
_MISTAKEN: Final = ("refs/", "heads/", "tags/")
"""How no name begins: operations that take short names might read it as another ref."""
_SHA: Final = re.compile(r"[0-9a-f]{40}")
_DOTS: Final = frozenset({"", ".", ".."})
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def shown(text: str) -> str:
    """Return a text cut short and in ASCII, so that a message carries no control characters and no flood."""
    return ascii(text[:80])[1:-1]


def check_account(text: str, name: str) -> str:
    """Return the login of a user or an organisation, in lower case.

    Raises:
        InvalidParamsError: it is none.
    """
    folded = text.lower() if text.isascii() else ""
    if _ACCOUNT.fullmatch(folded) is None:
        raise InvalidParamsError(f"`{name}` is not the name of an account, found `{shown(text)}`")
    return folded


def check_repository(text: str, name: str) -> str:
    """Return the name of a repository without its owner, in lower case.

    Raises:
        InvalidParamsError: it is none, or ends as another spelling of one (``.git``).
    """
    folded = text.lower() if text.isascii() else ""
    if _REPOSITORY.fullmatch(folded) is None or folded in _DOTS or folded.endswith(".git"):
        raise InvalidParamsError(f"`{name}` is not the name of a repository, found `{shown(text)}`", "leave `.git` out")
    return folded


def check_sha(text: str, name: str) -> str:
    """Return a full object id.

    Raises:
        InvalidParamsError: it is none.
    """
    if _SHA.fullmatch(text) is None:
        raise InvalidParamsError(f"`{name}` must be 40 lower-case hex digits, found `{shown(text)}`")
    return text


def check_ref(text: str, name: str) -> str:
    """Return the full name of a branch or tag, in the alphabet of the git connector.

    Raises:
        InvalidParamsError: it is anything else, ``refs/pull/…`` and ``HEAD`` included.
    """
    prefix = next((prefix for prefix in _KINDS if text.startswith(prefix)), "")
    short = text.removeprefix(prefix)
    fits = all(map(_fits_ref_part, short.split("/"))) and short.upper() != "HEAD"
    if not prefix or len(text) > MAX_REF_CHARS or not fits or short.lower().startswith(_MISTAKEN):
        raise InvalidParamsError(
            f"`{name}` is not the name of a branch or tag that may be used here, found `{shown(text)}`",
            "letters, digits and `_ @ + = # , . - /`",
        )
    return text


def check_branch(text: str, name: str) -> str:
    """Return the short name of a branch.

    Raises:
        InvalidParamsError: as `check_ref`.
    """
    return check_ref(f"refs/heads/{text}", name).removeprefix("refs/heads/")


def ref_resource(repo: str, ref: str) -> str:
    """Return the resource of a checked ref: ``repos/acme/app/branches/main`` or ``…/tags/v1``."""
    prefix = next(prefix for prefix in _KINDS if ref.startswith(prefix))
    return f"repos/{repo}/{_KINDS[prefix]}/{ref.removeprefix(prefix)}"


def check_part(text: str, name: str) -> str:
    """Return a value that fills one part of a path or of a resource.

    Raises:
        InvalidParamsError: it is empty, too long, `.` or `..`, or holds a separator or a character nobody sees.
    """
    if text in _DOTS or len(text) > MAX_NAME_CHARS or set("/:").intersection(text) or not is_visible(text):
        raise InvalidParamsError(f"`{name}` cannot be a part of a name, found `{shown(text)}`", "no `/`, `:`, `..`")
    return text


def check_path(text: str, name: str) -> str:
    """Return a value of several parts with `/` between them, as the path of a file.

    Raises:
        InvalidParamsError: a part is empty, `.` or `..`, or it holds a character nobody sees.
    """
    parts = text.split("/") if text else []  # the root of a repository has the empty path
    if len(text) > 16 * MAX_NAME_CHARS or _DOTS.intersection(parts) or not is_visible(text):
        raise InvalidParamsError(f"`{name}` is not a path, found `{shown(text)}`", "no empty part, `.` or `..`")
    return text


def encoded(text: str, *, parts: bool) -> str:
    """Return a checked value as it stands in a URL.

    Args:
        text: The value.
        parts: It has several parts; the `/` between them stay.
    """
    return quote(text, safe="/" if parts else "")


def is_visible(text: str) -> bool:
    """Tell whether every character of a text is one that people can see, or a space."""
    return not any(unicodedata.category(char) in _HIDDEN for char in text)


def _fits_ref_part(part: str) -> bool:
    well_formed = _REF_PART.fullmatch(part) is not None and ".." not in part and part != "@"
    return well_formed and not part.lower().endswith((".", ".lock"))
