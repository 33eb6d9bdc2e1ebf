"""The paths that made a rule ask, written into what people are shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from broker.model import JsonObject
from policies.answers.triggers import Trigger

MAX_SHOWN: Final = 100
"""Paths listed under all rules together; the files of the preview are marked however many there are."""


def with_triggers(preview: JsonObject, triggers: Iterable[Trigger]) -> JsonObject:
    """Return a preview with the rules that ask because of paths, and each of its files marked that one asks about.

    Args:
        preview: From a connector; left as it is. Files stand under ``files``, there and in each of ``refs``.
        triggers: From `policies.answers.triggers`.

    Returns:
        The same with ``triggered``: for each rule its name, the first of its paths and how many there are; without a
        trigger, the preview itself.
    """
    rules, left, paths = [], MAX_SHOWN, set[str]()
    for trigger in triggers:
        paths |= set(trigger.items)
        rules.append({"rule": trigger.rule, "paths": list(trigger.items[:left]), "path_count": len(trigger.items)})
        left -= min(left, len(trigger.items))
    if not rules:
        return preview
    refs = preview.get("refs")
    marked = {**preview, "refs": [_marked(each, paths) for each in refs]} if isinstance(refs, list) else preview
    return {**_marked(marked, paths), "triggered": rules}


def _marked(holder: JsonObject, paths: set[str]) -> JsonObject:
    if "files" not in holder:
        return holder
    return {**holder, "files": [{**each, "triggered": each.get("path") in paths} for each in holder["files"]]}
