"""What a resource in a rule means, given the actions it stands with: short forms and typed families.

Two tables, both small; the next step of the language replaces them by templates that connectors declare.

- Short forms: ``s3:GetObject on data-lake/raw/*`` means ``arn:aws:s3:::data-lake/raw/*``. A deny or approval rule is
  read for every partition (``arn:*:s3:::…``), so that it cannot be too narrow.
- The family ``repos/``: ``repos/{owner}/{name}`` and below it ``/{kind}/{rest}``. A repository is exactly two segments,
  so ``*`` standing for a whole repository is written out as ``*/*``: ``repos/*/branches/feature/*`` becomes
  ``repos/*/*/branches/feature/*``. From then on each part is matched in its own place, and a branch called
  ``x/branches/feature/y`` cannot pass for a branch below ``feature/``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from policies.errors import PatternError, did_you_mean, quote
from policies.model import Effect

REPOSITORY_KINDS: Final = ("branches", "tags", "pull-requests", "issues", "workflows")
"""What stands below a repository; ``repos/*/branches/…`` is any repository's branch, not a repository ``branches``."""

_EVERYTHING: Final = frozenset({"*", "**"})
_REPOSITORIES: Final = "repos/"
_NAME: Final = re.compile(r"[A-Za-z0-9._*-]+")
_ARN: Final = "arn:"
_ARN_PARTS: Final = 6
_REPOSITORY_PARTS: Final = 2


@dataclass(frozen=True, slots=True)
class ShortForm:
    """How a resource without ``arn:`` is written out for one service.

    Args:
        exact: Prefix for what an allow rule names.
        wide: Prefix for what a deny or approval rule names.
    """

    exact: str
    wide: str


SHORT_FORMS: Final[Mapping[str, ShortForm]] = MappingProxyType({"s3": ShortForm("arn:aws:s3:::", "arn:*:s3:::")})
"""By service; a rule whose actions all belong to one of these services may use its short form."""

_FAMILIES: Final[Mapping[str, str]] = MappingProxyType({"git": _REPOSITORIES})
"""Services whose resources all begin alike; a rule that begins otherwise could never apply."""


def parse_resource(text: str, services: frozenset[str], effect: Effect) -> str:
    """Return the full pattern of a resource in a rule.

    Args:
        text: As written.
        services: Services of the rule's actions, ``*`` for any.
        effect: The rule's effect.

    Raises:
        PatternError: it holds a character that does not show, or can never name what the actions touch.
    """
    _check_characters(text)
    if text in _EVERYTHING:
        return text
    service = next(iter(services)) if len(services) == 1 else ""
    if service in SHORT_FORMS:
        return _short_form(text, service, effect)
    for name in sorted(services & _FAMILIES.keys()):
        _check_family(text, name, _FAMILIES[name])
    return _repository(text, strict=services == {"git"}) if text.startswith(_REPOSITORIES) else text


def shortest(resource: str, service: str) -> str:
    """Return how a full resource would be written in an allow rule of ``service``."""
    form = SHORT_FORMS.get(service)
    if form is None or not resource.startswith(form.exact):
        return resource
    short = resource.removeprefix(form.exact)
    return resource if not short or short.startswith(_ARN) else short


def full_resource(resource: str, service: str) -> str:
    """Return an asked resource in full; a person may have typed the short form."""
    form = SHORT_FORMS.get(service)
    return resource if form is None or resource.startswith(_ARN) else form.exact + resource


def _check_characters(text: str) -> None:
    for char in text:
        if char.isspace() or not char.isprintable():
            raise PatternError(f"a resource cannot hold the character U+{ord(char):04X}: {quote(text)}", "delete it")
    if not unicodedata.is_normalized("NFC", text):
        raise PatternError(f"a resource is written in composed letters (NFC): {quote(text)}", "type it again")


def _short_form(text: str, service: str, effect: Effect) -> str:
    if not text.startswith(_ARN):
        form = SHORT_FORMS[service]
        return (form.exact if effect is Effect.ALLOW else form.wide) + text
    parts = text.split(":", _ARN_PARTS - 1)
    # A wildcard may stand for several parts, so only a full name can be held against the service.
    if len(parts) == _ARN_PARTS and "*" not in "".join(parts[:3]) and parts[2] != service:
        raise PatternError(f"`{service}` actions never touch {quote(text)}", f"begin with `arn:aws:{service}:`")
    return text


def _check_family(text: str, service: str, prefix: str) -> None:
    head = text.partition("*")[0]
    if not (head.startswith(prefix) or ("*" in text and prefix.startswith(head))):
        raise PatternError(f"resources of `{service}` begin with `{prefix}`, found {quote(text)}", f"write `{prefix}…`")


def _repository(text: str, *, strict: bool) -> str:
    """Write out a pattern of the family ``repos/``; a strict one names nothing this build does not know."""
    parts = text.removeprefix(_REPOSITORIES).split("/")
    if parts[-1] == "" or parts[0] == "":
        raise PatternError(f"an empty segment in {quote(text)}")
    if len(parts) > 1 and parts[0] in _EVERYTHING and parts[1] in REPOSITORY_KINDS:
        parts[:1] = ["*", "*"]
    names = parts[:_REPOSITORY_PARTS]
    for index, name in enumerate(names):
        _check_repository_name(name, text, final=index == len(parts) - 1)
    if len(names) < _REPOSITORY_PARTS and not names[-1].endswith("*"):
        raise PatternError(f"a repository is `owner/name`, found {quote(text)}", f"write `{_REPOSITORIES}owner/name`")
    if len(parts) > _REPOSITORY_PARTS:
        _check_kind(parts[_REPOSITORY_PARTS:], text, strict=strict)
    return _REPOSITORIES + "/".join(parts)


def _check_repository_name(name: str, text: str, *, final: bool) -> None:
    if _NAME.fullmatch(name) is None:
        raise PatternError(f"a repository's owner and name hold ASCII letters, digits, `.`, `_`, `-`: {quote(text)}")
    if "**" in name and not (final and name.index("**") == len(name) - 2):
        raise PatternError(f"`**` cannot stand in a repository's name: {quote(text)}", "write `*/*` for any repository")


def _check_kind(parts: list[str], text: str, *, strict: bool) -> None:
    kind, rest = parts[0], parts[1:]
    if "*" in kind:
        return
    if strict and kind not in REPOSITORY_KINDS:
        fix = did_you_mean(kind, REPOSITORY_KINDS) or f"known here: {', '.join(REPOSITORY_KINDS)}"
        raise PatternError(f"a repository has no {quote(kind)} in {quote(text)}", fix)
    if not rest:
        raise PatternError(f"{quote(text)} names no {kind}", f"write `{text}/*` for all of them")
