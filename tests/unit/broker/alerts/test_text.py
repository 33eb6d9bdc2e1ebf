from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.alerts.text import MAX_CHARS, MAX_DEPTH, MAX_ITEMS, harmless, unmarked, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain `text`, 5 %", "plain `text`, 5 %"),
        ("two\nlines\tand a\rtab", "two lines and a tab"),
        ("\x1b[2Jcleared\x07", "[2Jcleared"),
        ("abc\u202etxt.exe", "abc\\u202etxt.exe"),
        ("p\u0430ypal", "p\\u0430ypal"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("für Jürgen", "für Jürgen"),
        ("5 \u00d7 3", "5 \\xd7 3"),
        ("a\u00a0b\u2028c", "a b c"),
        ("\U0001f600", "\\U0001f600"),
        ("", ""),
    ],
)
def test_a_text_is_one_line_of_what_it_looks_like(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(max_size=600))
@settings(max_examples=100)
def test_whatever_is_written_it_is_one_short_printable_line(text: str) -> None:
    shown = visible(text)
    assert len(shown) <= MAX_CHARS
    assert shown.isprintable()
    assert all(ord(char) < 0x100 for char in shown)
    assert not set("<>@") & set(unmarked(text))


def test_in_chats_there_is_no_mention_and_no_link() -> None:
    assert unmarked("<!channel> @everyone [x](https://evil.example)") == (
        "\\x3c!channel\\x3e \\x40everyone \\x5bx\\x5d(https:\\x2f\\x2fevil.example)"
    )


def test_facts_are_made_harmless_at_every_depth_and_stay_small() -> None:
    deep: object = "x"
    for _ in range(10):
        deep = {"k\u202e": [deep]}
    facts = harmless({"a": "\x1b[1m", "n": 5, "none": None, "many": list(range(500)), "deep": deep})
    assert (facts["a"], facts["n"], facts["none"]) == ("[1m", 5, None)
    assert len(facts["many"]) == MAX_ITEMS
    assert str(facts["deep"]).count("k\\\\u202e") <= MAX_DEPTH
    assert "\u202e" not in str(facts)
