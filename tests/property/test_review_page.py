"""Whatever an approval holds, the page about it is made and cannot drive a terminal."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.cli.review.page import page_of
from broker.cli.review.sheet import Sheet, show
from tests.unit.broker.cli.pages import MERGE, NOW_NS, PUSH, approval

WORDS = st.text(st.characters() | st.sampled_from("\x1b\x9b\x07\r\n\t\u202e\u2066\u200b\u2028\xad\ud800"), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
STYLES = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    """Takes what a terminal would get."""

    def isatty(self) -> bool:
        return True


def of_any_shape(sample: Any) -> st.SearchStrategy[Any]:
    """JSON like a sample, in which any part may be anything."""
    if isinstance(sample, dict):
        members = {name: of_any_shape(value) for name, value in sample.items()}
        return st.fixed_dictionaries({}, optional=members) | JSON
    if isinstance(sample, list):
        return st.lists(of_any_shape(sample[0]) if sample else JSON, max_size=2) | JSON
    return st.just(sample) | JSON


PREVIEWS = of_any_shape(PUSH) | of_any_shape(MERGE) | of_any_shape({"kind": "github.write", "fields": {"body": "x"}})
APPROVALS = st.fixed_dictionaries(
    {"preview": PREVIEWS}, optional={name: of_any_shape(value) for name, value in approval({}).items() if value != {}}
)


def printed(sheet: Sheet, stream: io.StringIO) -> str:
    with redirect_stdout(stream):
        show(sheet)
    return stream.getvalue()


def harmless(text: str) -> bool:
    return all(char == "\n" or char.isprintable() for char in text)


@pytest.mark.req("H2")
@given(APPROVALS, st.booleans())
def test_no_control_character_reaches_a_terminal(shown: dict[str, Any], diff: bool) -> None:
    sheet = page_of(shown, NOW_NS, diff=diff)
    plain = printed(sheet, io.StringIO())
    assert harmless(plain)
    assert plain.count("\n") == len(sheet.lines)
    assert harmless(STYLES.sub("", printed(sheet, Terminal())))
