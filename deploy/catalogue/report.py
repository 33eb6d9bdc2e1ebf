"""What another build of the catalogue changes, for the person who commits it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from connectors.aws.catalogue.data import AwsCatalogue
from connectors.aws.catalogue.figures import figures
from connectors.aws.catalogue.model import Entry, Pair


def report(before: AwsCatalogue | None, after: AwsCatalogue) -> Iterator[str]:
    """Yield the lines of a report; operations are listed one by one, those that ask for less first.

    Args:
        before: What is committed; None for nothing.
        after: What was built.
    """
    yield _sum(after)
    if before is None:
        return
    old, new = _entries(before), _entries(after)
    for package in sorted({*before.sources, *after.sources}):
        versions = [each.sources.get(package, "none") for each in (before, after)]
        if versions[0] != versions[1]:
            yield f"{package}: {versions[0]} -> {versions[1]}"
    yield from (f"- {name}" for name in sorted(old.keys() - new.keys()))
    yield from (f"+ {name} {_ask(new[name])}" for name in sorted(new.keys() - old.keys()))
    changed = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
    for name in sorted(changed, key=lambda each: _asks_no_less(old[each], new[each])):
        yield f"~ {name}: {'; '.join(_changes(old[name], new[name]))}"


def _sum(catalogue: AwsCatalogue) -> str:
    total = figures(catalogue, sorted(catalogue.services()))
    return (
        f"{total.operations} operations of {len(catalogue.services())} services: actions exact for "
        f"{total.percent(total.exact)} %, resources complete for {total.percent(total.mechanical)} % by rule and for "
        f"{total.percent(total.complete)} % with overrides; {total.secrets} return secrets, {total.escalating} escalate"
    )


def _entries(catalogue: AwsCatalogue) -> dict[str, Entry]:
    return {
        f"{service}:{operation}": entry
        for service in catalogue.services()
        for operation in catalogue.operations(service)
        if (entry := catalogue.entry(service, operation))
    }


def _asks_no_less(old: Entry, new: Entry) -> bool:
    return set(old.pairs) <= set(new.pairs) and set(old.role_members) <= set(new.role_members)


def _changes(old: Entry, new: Entry) -> Iterator[str]:
    """Yield each field that differs, the pairs in words."""
    for field in fields(Entry):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before == after:
            continue
        if field.name == "pairs":
            yield f"{_ask(old)} -> {_ask(new)}"
        else:
            yield f"{field.name} {before} -> {after}"


def _ask(entry: Entry) -> str:
    return ", ".join(map(_words, entry.pairs))


def _words(pair: Pair) -> str:
    arns = f" or {'/'.join(pair.arns)}" if pair.arns else ""
    return f"{pair.action} on {pair.template}{arns}{' if named' if pair.optional else ''}"
