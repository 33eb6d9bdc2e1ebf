from __future__ import annotations

import pytest

from connectors.git.quarantine.history import History, read_history
from connectors.git.quarantine.limits import YardLimits
from connectors.git.quarantine.output import GitOutputError

A, B = "a" * 40, "b" * 40


def read(text: str) -> History:
    return read_history(iter([text.encode()]), YardLimits())


def commit(author: str = "Al <al@example.com> 1 +0000", rest: str = "", message: str = "    hello\n") -> str:
    return (
        f"commit {A}\ntree {B}\nparent {B}\nauthor {author}\ncommitter Bo <bo@example.com> 2 -0130\n{rest}\n{message}"
    )


def test_headers_that_look_like_changes_are_headers() -> None:
    history = read(commit(rest=f":000000 100644 {A} {B} A\0x\0\n".replace("\0", " ")))
    assert history.changes == []
    assert history.commits[A].subject == "hello"
    assert history.commits[A].parents == (B,)


def test_a_commit_without_a_message_has_no_subject() -> None:
    assert read(commit(message="")).commits[A].subject == ""
    assert read(commit(message="    \n    \n")).commits[A].subject == ""


@pytest.mark.parametrize(
    ("author", "name", "email", "date"),
    [
        ("Al <al@example.com> 0 +0130", "Al", "al@example.com", "1970-01-01T01:30:00+01:30"),
        ("Al <al@example.com> 0 -0100", "Al", "al@example.com", "1969-12-31T23:00:00-01:00"),
        ("Al <al@example.com> 999999999999 +0000", "Al", "al@example.com", ""),
        ("Al <al@example.com> 1 +9900", "Al", "al@example.com", ""),
        ("<al@example.com> 0 +0000", "", "al@example.com", "1970-01-01T00:00:00+00:00"),
        ("nonsense", "nonsense", "", ""),
        (
            "Al\u202e <a\u200bl@example.com> 0 +0000",
            "Al\\u{202e}",
            "a\\u{200b}l@example.com",
            "1970-01-01T00:00:00+00:00",
        ),
    ],
)
def test_people_are_read_as_the_commit_says(author: str, name: str, email: str, date: str) -> None:
    person = read(commit(author)).commits[A].author
    assert (person.name, person.email, person.date) == (name, email, date)


def test_a_signature_is_a_header_and_not_a_line_of_the_message() -> None:
    assert read(commit(rest="gpgsig x\n y\n")).commits[A].signed
    assert read(commit(rest="gpgsig-sha256 x\n")).commits[A].signed
    assert not read(commit(message="    gpgsig x\n")).commits[A].signed


def test_what_is_no_commit_ends_the_reading() -> None:
    for text in ("commit x\n", "nonsense\n", f"commit {A}\ntree {B}"):
        with pytest.raises(GitOutputError):
            read(text)
