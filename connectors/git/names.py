"""Names that come from outside: repositories, refs and object ids, each held to an alphabet narrower than git's.

Everything that passes here may stand in a resource name, in a URL and in git's argument list. So the alphabets are
ASCII only (no look-alikes), hold no wildcard, no white space and no `%`, and no name can start with a `-`. The rest
are the rules of ``git check-ref-format``, in Python, because planning starts no process.
"""

from __future__ import annotations

import re
from typing import Final

from connectors.errors import InvalidParamsError

MAX_REF_CHARS: Final = 200
"""Below what file systems and hosts take (255 bytes per path part), and far above what people type."""

_OID: Final = re.compile(r"[0-9a-f]{40}")
_REPO_PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_REF_PART: Final = re.compile(r"[A-Za-z0-9_@+=#,][A-Za-z0-9_@+=#,.-]*")
_KINDS: Final = {"refs/heads/": "branches", "refs/tags/": "tags"}
_NULL_OID: Final = "0" * 40


def check_oid(text: str) -> str:
    """Return ``text`` when it is a full SHA-1 object id in lower-case hex other than the null id.

    Raises:
        InvalidParamsError: it is anything else.
    """
    if _OID.fullmatch(text) is None or text == _NULL_OID:
        raise InvalidParamsError(f"`{_shown(text)}` is not a full sha-1 object id", "give all 40 lower-case hex digits")
    return text


def check_repo(text: str, *, case_sensitive: bool) -> str:
    """Return ``text`` when it is exactly ``owner/name`` in the narrow alphabet.

    Args:
        text: The name as sent.
        case_sensitive: False where the host takes ``Acme/App`` and ``acme/app`` for one repository; upper case is then
            refused, or a rule on the one spelling could be walked around with the other.

    Raises:
        InvalidParamsError: it is anything else.
    """
    parts = text.split("/")
    if len(parts) != 2 or not all(_fits_repo_part(part) for part in parts):  # noqa: PLR2004 - owner and name
        raise InvalidParamsError(
            f"`{_shown(text)}` is not a repository",
            "give `owner/name` in letters, digits, `.`, `_` and `-`, without `.git`",
        )
    if not case_sensitive and text != text.lower():
        raise InvalidParamsError(
            f"repository `{text}` has upper-case letters, which its host does not tell from lower-case ones",
            f"write `{text.lower()}`, or set `case_sensitive: true` on the connection if the host does",
        )
    return text


def check_ref(text: str) -> str:
    """Return ``text`` when it is the full name of a branch or a tag that git would take, in the narrow alphabet.

    Raises:
        InvalidParamsError: it is anything else, ``HEAD`` and ``refs/pull/…`` included.
    """
    prefix = next((prefix for prefix in _KINDS if text.startswith(prefix)), "")
    short = text.removeprefix(prefix)
    if not prefix or len(text) > MAX_REF_CHARS or not all(_fits_ref_part(part) for part in short.split("/")):
        raise InvalidParamsError(
            f"`{_shown(text)}` is not the full name of a branch or tag that may be used here",
            "name it `refs/heads/…` or `refs/tags/…` in letters, digits and `_ @ + = # , . -`",
        )
    # git itself refuses a branch called HEAD; one called refs/… would read like another branch's full name.
    if short.upper() == "HEAD" or short.lower().startswith("refs/"):
        raise InvalidParamsError(f"`{text}` can be mistaken for another ref", "choose another name")
    return text


def repo_resource(repo: str) -> str:
    """Return the resource of a checked repository: ``repos/acme/app``."""
    return f"repos/{repo}"


def ref_resource(repo: str, ref: str) -> str:
    """Return the resource of a checked ref: ``repos/acme/app/branches/feature/x`` or ``…/tags/v1``."""
    prefix = next(prefix for prefix in _KINDS if ref.startswith(prefix))
    return f"repos/{repo}/{_KINDS[prefix]}/{ref.removeprefix(prefix)}"


def is_branch(ref: str) -> bool:
    """Tell whether a checked ref is a branch; if not, it is a tag."""
    return ref.startswith("refs/heads/")


def _fits_repo_part(part: str) -> bool:
    return _REPO_PART.fullmatch(part) is not None and not part.lower().endswith((".", ".git", ".lock"))


def _fits_ref_part(part: str) -> bool:
    well_formed = _REF_PART.fullmatch(part) is not None and ".." not in part and part != "@"
    return well_formed and not part.lower().endswith((".", ".lock"))


def _shown(text: str) -> str:
    """The text cut short and in ASCII, so that an error message cannot carry control characters or a flood."""
    return ascii(text[:80])[1:-1]
