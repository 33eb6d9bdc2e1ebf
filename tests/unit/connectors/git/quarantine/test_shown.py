from __future__ import annotations

import pytest

from connectors.git.quarantine.shown import folded_name, shown_name, shown_text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"src/a.py", "src/a.py"),
        ("schön/日本".encode(), "schön/日本"),
        (b"a\\b", "a\\\\b"),
        (b"a\\x00", "a\\\\x00"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"a\x00\n\x7f", "a\\u{0}\\u{a}\\u{7f}"),
        ("a\u202eb\u200bc\ufeff".encode(), "a\\u{202e}b\\u{200b}c\\u{feff}"),
        ("a\u00a0b\u2028 \ue000".encode(), "a\\u{a0}b\\u{2028} \\u{e000}"),
    ],
)
def test_names_show_what_is_hidden(raw: bytes, shown: str) -> None:
    assert shown_name(raw) == shown


def test_different_names_are_shown_differently() -> None:
    names = [b"\xff", b"\\xff", "\u202e".encode(), b"\\u{202e}", b"\\\\xff"]
    assert len({shown_name(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    "raw",
    [
        b".GitHub/Workflows/CI.yml",
        ".git\u200chub/workflows/ci.yml".encode(),
        "\uff0e\uff47ithub/workflows/ci.yml".encode(),
        b".github. /workflows../ci.yml ",
    ],
)
def test_names_a_forgiving_file_system_takes_for_one_are_folded_into_one(raw: bytes) -> None:
    assert folded_name(raw) == ".github/workflows/ci.yml"


def test_what_folds_to_a_capital_letter_is_folded_again() -> None:
    assert folded_name("\u212aelvin".encode()) == "kelvin"
    assert folded_name(b"a/. /b\xff") == "a/. /b\\xff"


def test_text_is_clipped_after_it_was_made_visible() -> None:
    assert shown_text(b"a\tb\\c", 20) == "a    b\\c"
    assert shown_text(b"\x1b" * 10, 12) == "\\u{1b}\\u{1b…"[:11] + "…"
    assert shown_text(b"x" * 100, 10) == "x" * 9 + "…"
