from __future__ import annotations

import os
import pty
import re
from contextlib import redirect_stdout
from typing import Any

import pytest

from broker.cli.review.moments import relative
from broker.cli.review.page import page_of, with_times
from broker.cli.review.sheet import Sheet, show
from tests.unit.broker.cli.pages import MERGE, NOW_NS, PUSH, approval, page

STYLES = re.compile(r"\x1b\[[0-9;]*m")


def on_a_terminal(sheet: Sheet, monkeypatch: pytest.MonkeyPatch, columns: int = 60) -> list[str]:
    """The lines a terminal of so many columns gets, without styles."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm-256color")
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w", encoding="utf-8") as terminal, redirect_stdout(terminal):
        show(sheet)
    written = b""
    while True:
        try:
            piece = os.read(reader, 4096)
        except OSError:
            break
        if not piece:
            break
        written += piece
    os.close(reader)
    return STYLES.sub("", written.decode()).replace("\r\n", "\n").splitlines()


@pytest.mark.req("H2")
def test_the_page_goes_from_the_effect_to_the_agents_words() -> None:
    lines = page(PUSH)
    titles = ["REQUEST", "EFFECT", "DIFF", "WHO", "WHY A PERSON IS ASKED", "AGENT'S OWN WORDS", "CLOCK", "ANSWER"]
    assert lines[0] == "push 1 ref to acme/app: refs/heads/main"
    assert [line.split("  ")[0] for line in lines if line.isupper() or line.split("  ")[0] in titles] == titles
    for said in ("connection   code", "plan digest  abababababab", "owner        olivia", "policy       cdcdcdcdcdcd"):
        assert said in lines
    assert "expires      2026-11-20T11:00:00Z (in 48 min)" in lines
    assert "ostiary approvals approve apr_1" in lines


@pytest.mark.req("H2")
def test_a_push_is_shown_with_what_is_dangerous_about_it() -> None:
    lines = page(PUSH)
    assert "in all       4 commits, 2 files, +11 -2 lines" in lines
    ref = "refs/heads/main  force  1a1a1a1a1 → 2b2b2b2b2  ! FORCE  ! default branch  ! protected"
    commit = "2b2b2b2b2  2026-11-19  unsigned  Ana <ana@x> (committed by Bot <bot@x>)  fix it"
    start = lines.index(ref)
    assert lines[start : start + 7] == [
        ref, "4 commits", commit, "… 3 more commits",
        "3 files", "+1 -0  added  ! a rule asks about it: ci.yml", "+10 -2  modified  src/a.py",
    ]  # fmt: skip
    assert "binary  added  logo.png" in lines
    assert "! looks like a secret (aws-key): src/a.py:3 in 2b2b2b2b2" in lines
    triggered = lines.index("! asks because of paths: policies/ci.yaml:3 (ci)")
    assert lines[triggered + 1 : triggered + 3] == ["ci.yml", "… 2 more paths"]
    diff = lines.index("DIFF  first lines of each file")
    assert lines[diff + 1 : diff + 5] == ["src/a.py", "│ @@ -1 +1 @@", "│ -old", "│ +   new"]


@pytest.mark.parametrize(
    ("change", "members", "words"),
    [
        ("create", {"old": "0" * 40, "protected": False}, "create  (none) → 2b2b2b2b2"),
        ("delete", {"new": "0" * 40, "protected": False}, "delete  1a1a1a1a1 → (none)  ! DELETE"),
        ("fast-forward", {"protected": None}, "fast-forward  1a1a1a1a1 → 2b2b2b2b2  protection not known"),
        ("fast-forward", {"ref": "refs/heads/m\u0430in", "protected": False}, "! not ASCII: refs/heads/m\\u0430in"),
    ],
)
def test_what_becomes_of_a_ref_is_said(change: str, members: dict[str, Any], words: str) -> None:
    ref = {"ref": "refs/heads/x", "old": "1a" * 20, "new": "2b" * 20, "change": change, **members}
    [line] = [line for line in page({"kind": "git.push", "refs": [ref]}) if line.startswith("refs/heads/")]
    assert line.endswith(words)


def test_a_diff_can_be_left_out() -> None:
    lines = page(PUSH, diff=False)
    assert not any("+   new" in line for line in lines)
    assert "the diff is not shown (`--no-diff`)" in lines
    assert "the diff is not shown (`--no-diff`)" not in page({**PUSH, "diff": []}, diff=False)


def test_a_rule_that_asks_in_doubt_says_so() -> None:
    lines = page({**PUSH, "triggered": [{"rule": "r", "paths": []}]})
    assert "the paths could not be told one by one" in lines


@pytest.mark.req("H2")
def test_a_merge_is_shown_with_checks_and_reviews() -> None:
    lines = page(MERGE)
    for said in (
        "pull request #7  Add a page", "author       ana", "merges       page → main", "head         3c3c3c3c3",
        "mergeable    yes (clean)", "! it is a draft", "check        success  tests", "check        failure  lint",
        "review       approved  ben", "+5 -1  added  page.py",
    ):  # fmt: skip
        assert said in lines


def test_what_is_not_known_of_a_merge_is_said_to_be_unknown() -> None:
    lines = page({"kind": "github.merge", "number": 7, "mergeable": None})
    for said in ("mergeable    not known", "check        none known", "review       none known"):
        assert said in lines


def test_a_write_is_shown_field_by_field_and_a_text_line_by_line() -> None:
    body = "\n".join(["first", "CLOCK", *("more" for _ in range(40))])
    lines = page({"kind": "github.write", "fields": {"title": "x", "labels": ["a"], "body": body}})
    for said in ("title        x", 'labels       ["a"]', "│ first", "│ CLOCK", "… 12 more lines"):
        assert said in lines


@pytest.mark.parametrize(
    ("preview", "words"),
    [
        ({}, "nothing beyond the request itself is known"),
        (None, "nothing beyond the request itself is known"),
        ([], "nothing beyond the request itself is known"),
        ({"kind": "s3.put", "objects": 3}, "objects      3"),
        ({"kind": "git.push", "withheld": "too large"}, "withheld     too large"),
        ({"kind": "github.write", "fields": "all"}, "fields       all"),
        ({"kind": 7}, "kind         7"),
        ({"kind": "git.push", "refs": [None, 5]}, "(none) → (none)  protection not known"),
    ],
)
def test_whatever_a_preview_is_something_is_shown(preview: object, words: str) -> None:
    lines = page(preview)
    assert words in lines
    assert "ANSWER" in lines


@pytest.mark.parametrize("state", ["approved", "expired"])
def test_what_was_answered_needs_no_answer(state: str) -> None:
    decided: dict[str, Any] = {"decided_by": "ben", "decided_at": "2026-11-20T10:10:00Z", "decision_reason": "fine"}
    lines = page({}, state=state, **decided)
    assert "ANSWER" not in lines
    for said in ("decided      2026-11-20T10:10:00Z (2 min ago)", "decided by   ben", "their reason fine"):
        assert said in lines


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("2026-11-20T10:12:00Z", "0 s ago"),
        ("2026-11-20T10:11:01Z", "59 s ago"),
        ("2026-11-20T10:10:00Z", "2 min ago"),
        ("2026-11-20T10:14:59.5Z", "in 2 min"),
        ("2026-11-20T12:11:00Z", "in 119 min"),
        ("2026-11-20T14:12:00Z", "in 4 h"),
        ("2026-11-25T10:12:00Z", "in 5 d"),
        ("2026-11-10T10:12:00Z", "10 d ago"),
        ("never", ""),
        (None, ""),
    ],
)
def test_moments_are_told_as_people_say_them(moment: object, told: str) -> None:
    assert relative(moment, NOW_NS) == told


def test_a_list_tells_age_and_end() -> None:
    shown = with_times(approval({}), NOW_NS)
    assert (shown["age"], shown["expires"]) == ("12 min", "in 48 min")


@pytest.mark.req("H2")
def test_on_a_terminal_what_goes_on_begins_behind_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "please " + " " * 200 + "CLOCK\n" + "EXPIRES never " * 20
    lines = on_a_terminal(page_of(approval({}, reason=words), NOW_NS), monkeypatch)
    said = lines[lines.index("AGENT'S OWN WORDS  unverified") + 1 : lines.index("CLOCK") - 1]
    assert len(said) > 6
    assert all(line.lstrip().startswith(("│ ", "↪ ")) for line in said)
    assert all(len(line) <= 60 for line in lines)
    assert "".join(said).count("never") == 20


def test_on_a_terminal_that_is_too_narrow_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = on_a_terminal(page_of(approval(PUSH), NOW_NS), monkeypatch, columns=10)
    assert "aws-key" in "".join(lines)
