from __future__ import annotations

import pytest

from broker.config.content import ContentTerms, Store, read_content
from policies.document.nodes import Reader
from policies.document.strict_yaml import parse


def read(text: str) -> tuple[ContentTerms, int]:
    """What a value says, and how many faults it has."""
    reader = Reader("ostiary.yaml")
    return read_content(reader, parse(text.encode(), "ostiary.yaml")), len(reader.findings)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("redacted", ContentTerms(Store.REDACTED, 30)),
        ("full", ContentTerms(Store.FULL, 30)),
        ("none", ContentTerms()),
        ("{store: full}", ContentTerms(Store.FULL, 30)),
        ("{store: redacted, retention_days: 1}", ContentTerms(Store.REDACTED, 1)),
        ("{store: full, retention_days: 3650}", ContentTerms(Store.FULL, 3650)),
        ("{store: none}", ContentTerms()),
    ],
)
def test_a_word_and_a_mapping_say_what_is_kept_and_for_how_long(text: str, terms: ContentTerms) -> None:
    assert read(text) == (terms, 0)


@pytest.mark.parametrize(
    "text",
    [
        "redcated",
        "true",
        "5",
        "''",
        "[full]",
        "{retention_days: 5}",
        "{store: all}",
        "{store: full, retention_days: 0}",
        "{store: full, retention_days: 3651}",
        "{store: full, retention_days: 30d}",
        "{store: full, retention_days: true}",
        "{store: full, days: 3}",
        "{store: none, retention_days: 3}",
    ],
)
def test_a_fault_is_told_once(text: str) -> None:
    _, faults = read(text)
    assert faults == 1


def test_what_cannot_be_read_keeps_nothing() -> None:
    assert read("everything")[0] == ContentTerms()
    assert read("{store: fulll, retention_days: 3}")[0] == ContentTerms()
