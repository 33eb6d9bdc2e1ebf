"""GitHub's addresses to ours, so that clients that follow them come back to this door.

Clients follow the ``Link`` header from page to page and the ``url`` of an object to the object. Nothing else is
touched: addresses of web pages and of git stay GitHub's.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

_LINK: Final = re.compile(r"\s*<([^<>\s]{1,4096})>\s*((?:;\s*[a-z]{1,16}=\"?[A-Za-z0-9._ -]{1,64}\"?\s*)*)")
"""One link of RFC 8288, with plain parameters."""
_SAFE_QUERY: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?%\[\]-]*")
_UPLOADS: Final = "https://uploads.github.com/"
_DOTCOM: Final = "https://api.github.com/"
_ENTERPRISE: Final = "/api/v3/"
_MAX_LINKS: Final = 8
_MAX_LINK_CHARS: Final = 8192


@dataclass(frozen=True, slots=True)
class Links:
    """Where GitHub's addresses point, and where ours do.

    Args:
        upstream: GitHub's API, with a slash at its end; empty when it is not known.
        here: Where clients reach this door, up to what stands before ``/api``.
    """

    upstream: str
    here: str

    def header(self, value: str, path: str, known: Container[str]) -> str:
        """Return a ``Link`` header that points to this door; empty when there is nothing to follow.

        GitHub names repositories by number there. Only the queries are kept: a page of what was asked for is the same
        path again, so a link never leads to anything but what was asked for.

        Args:
            value: GitHub's.
            path: The path of the request, as it was sent, up to the query.
            known: Names that the query of the operation may hold.
        """
        links = []
        for link in _split(value)[:_MAX_LINKS]:
            found = _LINK.fullmatch(link)
            query = urlsplit(found[1]).query if found is not None else ""
            if found is not None and query and _SAFE_QUERY.fullmatch(query):
                links.append(f"<{self.here}/api/v3{path}?{_plain(query, known)}>{found[2]}")
        return ", ".join(links)

    def within(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        """Return JSON with the addresses of GitHub's API replaced where a string begins with one."""
        if isinstance(value, str):
            return self._address(value)
        if isinstance(value, list):
            return [self.within(each) for each in value]
        if isinstance(value, dict):
            return {name: self.within(each) for name, each in value.items()}
        return value

    def _address(self, value: str) -> str:
        if self.upstream and value.startswith(self.upstream):
            return f"{self.here}/api/v3/{value[len(self.upstream) :]}"
        # Clients send the token along with a file of a release; it must not go where it says nothing.
        if self._uploads and value.startswith(self._uploads):
            return f"{self.here}/api/uploads/{value[len(self._uploads) :]}"
        return value

    @property
    def _uploads(self) -> str:
        if self.upstream == _DOTCOM:
            return _UPLOADS
        if self.upstream.endswith(_ENTERPRISE):
            return self.upstream.removesuffix(_ENTERPRISE) + "/api/uploads/"
        return ""


def _plain(query: str, known: Container[str]) -> str:
    """Return a query without names that GitHub adds and does not document, where a page number says as much."""
    pairs = query.split("&")
    kept = [pair for pair in pairs if pair.partition("=")[0] in known]
    return "&".join(kept if any(pair.startswith("page=") for pair in kept) else pairs)


def _split(value: str) -> list[str]:
    """Return the links of a header; a comma inside an address separates nothing."""
    return re.findall(r"[^<,]*<[^<>]*>[^<,]*", value[:_MAX_LINK_CHARS])
