from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.git.porcelain import Report, Verdict, parse_report

OID = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
A, B = "refs/heads/a", "refs/heads/b"
UNCLEAR = Report(Verdict.UNCLEAR)


def report(*lines: str, ok: bool, done: bool = True, refs: tuple[str, ...] = (A,)) -> Report:
    text = "\n".join(["To http://x/y.git", *lines, *(["Done"] if done else [])]) + "\n"
    return parse_report(text.encode(), dict.fromkeys(refs, OID), ok=ok)


@pytest.mark.parametrize("line", [f" \t{OID}:{A}\t1..2", f"*\t{OID}:{A}\t[new branch]", f"=\t{OID}:{A}\t[up to date]"])
def test_a_ref_reported_done_is_pushed(line: str) -> None:
    assert report(line, ok=True) == Report(Verdict.PUSHED)


@pytest.mark.parametrize(
    ("summary", "code"),
    [
        ("[rejected] (stale info)", "stale"),
        ("[rejected] (fetch first)", "non-fast-forward"),
        ("[rejected] (non-fast-forward)", "non-fast-forward"),
        ("[rejected] (already exists)", "already-exists"),
        ("[rejected] (something new)", "rejected"),
        ("[rejected]", "rejected"),
        ("[remote rejected] (pre-receive hook declined)", "rejected"),
        ("[remote rejected] (stale info)", "rejected"),
    ],
)
def test_a_ref_that_was_refused_has_a_code(summary: str, code: str) -> None:
    found = report(f"!\t{OID}:{A}\t{summary}", ok=False)
    assert (found.verdict, found.code, found.ref) == (Verdict.REJECTED, code, A)


def test_the_ref_at_fault_is_told_before_those_that_share_its_fate() -> None:
    lines = (f"!\t{OID}:{A}\t[rejected] (atomic push failed)", f"!\t{OID}:{B}\t[rejected] (stale info)")
    assert report(*lines, ok=False, refs=(A, B)).ref == B
    assert report(lines[0], lines[0].replace(A, B), ok=False, refs=(A, B)).ref == A


@pytest.mark.parametrize(
    ("lines", "ok", "done"),
    [
        ((), True, True),
        ((), False, False),
        ((f" \t{OID}:{A}\t1..2",), False, True),
        ((f" \t{OID}:{A}\t1..2",), True, False),
        ((f"+\t{OID}:{A}\t1...2 (forced update)",), True, True),
        ((f"-\t{OID}:{A}\t[deleted]",), True, True),
        ((f"!\t{OID}:{A}\t[remote failure] (remote failed to report status)",), False, True),
        ((f"!\t{OID}:{A}\t[rejected] (stale info)",), True, True),
        ((f"*\t{OID}:{B}\t[new branch]",), True, True),
        ((f"*\t{OID}:{A}\t[new branch]", f"*\t{OID}:{A}\t[new branch]"), True, True),
        ((f"?\t{OID}:{A}\t[new branch]",), True, True),
        (("fatal: something",), True, True),
    ],
)
def test_whatever_is_not_a_whole_report_proves_nothing(lines: tuple[str, ...], ok: bool, done: bool) -> None:
    assert report(*lines, ok=ok, done=done) == UNCLEAR


def test_a_moved_ref_beside_a_refused_one_proves_nothing() -> None:
    lines = (f"*\t{OID}:{A}\t[new branch]", f"!\t{OID}:{B}\t[remote rejected] (hook declined)")
    assert report(*lines, ok=False, refs=(A, B)) == UNCLEAR


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_prove_nothing(stdout: bytes, ok: bool) -> None:
    assert parse_report(stdout, {A: OID}, ok=ok) == UNCLEAR
