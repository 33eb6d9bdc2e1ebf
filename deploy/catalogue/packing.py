"""The packaged file, written; `connectors.aws.catalogue.data` reads it and says what it looks like.

Nothing in it depends on when or where it is made: sorted names, no times, one compressor.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from connectors.aws.catalogue.data import FLAGS, LENGTH_BYTES, MAGIC, head_of
from connectors.aws.catalogue.model import AccessClass
from deploy.catalogue.binding import heads_of
from deploy.catalogue.compiler import CompiledOperation, CompiledService
from deploy.catalogue.pairs import Draft

_LEVEL: Final = 9


def pack(services: Iterable[CompiledService], sources: dict[str, str]) -> bytes:
    """Return the file.

    Args:
        services: All of them, sorted by name.
        sources: Package -> version it was built from.
    """
    services = list(services)
    blocks = [_compress(_document(service)) for service in services]
    index: dict[str, Any] = {"sources": sources, "services": {}, "others": _others(services)}
    offset = 0
    for service, block in zip(services, blocks, strict=True):
        index["services"][service.name] = [service.prefix, offset, len(block), len(service.operations)]
        offset += len(block)
    head = _compress(index)
    return b"".join([MAGIC, len(head).to_bytes(LENGTH_BYTES, "big"), head, *blocks])


def _document(service: CompiledService) -> dict[str, Any]:
    drafts = [draft for operation in service.operations for draft in operation.pairs]
    templates = [text for text, _ in Counter(draft.template for draft in drafts).most_common()]
    groups = [list(group) for group, _ in Counter(filter(None, map(_heads, drafts))).most_common()]
    return {
        "prefix": service.prefix,
        "templates": templates,
        "heads": groups,
        "operations": {each.name: _row(each, service.prefix, templates, groups) for each in service.operations},
    }


def _row(operation: CompiledOperation, prefix: str, templates: list[str], groups: list[list[str]]) -> list[Any]:
    letters = [_letter(operation.access), *(mark for mark, field in FLAGS.items() if getattr(operation, field))]
    own = f"{prefix}:{operation.name}"
    pairs = [_pair(draft, own, templates, groups) for draft in operation.pairs]
    return _trimmed(["".join(letters), pairs, operation.token_member, list(operation.role_members)])


def _pair(draft: Draft, own: str, templates: list[str], groups: list[list[str]]) -> list[Any]:
    heads = _heads(draft)
    return _trimmed(
        [
            templates.index(draft.template),
            "" if draft.action == own else draft.action,
            list(draft.arns),
            groups.index(list(heads)) + 1 if heads else 0,
            int(draft.optional),
        ]
    )


def _heads(draft: Draft) -> tuple[str, ...]:
    """Return the heads of a pair's ARNs; none when they are just that of its template."""
    heads = tuple(sorted({head for kind in draft.kinds for head in heads_of(kind)}))
    return () if heads in {(), (head_of(draft.template),)} else heads


def _letter(access: AccessClass) -> str:
    return access.value[0]


def _others(services: list[CompiledService]) -> dict[str, list[str]]:
    """Return, for each prefix, IAM's actions that no operation of any service asks for."""
    asked = {draft.action for service in services for operation in service.operations for draft in operation.pairs}
    return {
        service.prefix: [name for name in service.other_actions if f"{service.prefix}:{name}" not in asked]
        for service in services
    }


def _compress(value: Any) -> bytes:  # noqa: ANN401 - JSON
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode(), _LEVEL)


def _trimmed(values: Sequence[Any]) -> list[Any]:
    """Return a list without what is empty at its end."""
    kept = list(values)
    while kept and not kept[-1]:
        kept.pop()
    return kept
