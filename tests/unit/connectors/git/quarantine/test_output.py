from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.git.quarantine.output import GitOutputError, Output, read_changes, read_patches

A, B, NONE = "a" * 40, "b" * 40, "0" * 40
RAW = f":100644 100644 {A} {B} M\0name\0:100644 120000 {A} {B} T\0thing\0".encode()
COUNTS = b"1\t1\tname\0-\t-\tthing\0"
PATCHES = (
    b"\0diff --git a/name b/name\nindex 1..2\n--- a/name\n+++ b/name\n"
    b"@@ -1 +1 @@ def f():\n-diff --git a/x b/x\n+@@ -1 +1 @@\n\\ No newline at end of file\n"
    b"diff --git a/thing b/thing\ndeleted file mode 100644\nBinary files a/thing and /dev/null differ\n"
    b"diff --git a/thing b/thing\nnew file mode 120000\n--- /dev/null\n+++ b/thing\n"
    b"@@ -0,0 +1,2 @@\n+x\n+y\n"
)


def output(data: bytes, size: int = 1000) -> Output:
    return Output(iter([data[at : at + size] for at in range(0, len(data), size)]))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_changes_and_their_lines_are_read_from_pieces_of_any_size(size: int) -> None:
    read = output(RAW + COUNTS + PATCHES + b"\0rest", size)
    changes = read_changes(read, 10)
    assert changes is not None
    assert [(each.name, each.status, each.added, each.binary) for each in changes] == [
        (b"name", "M", 1, False),
        (b"thing", "T", None, True),
    ]
    hunks = [(hunk.change.name, hunk.header, hunk.line, hunk.lines) for hunk in read_patches(read, changes)]
    assert hunks == [
        (b"name", b"@@ -1 +1 @@", 1, [b"-diff --git a/x b/x", b"+@@ -1 +1 @@"]),
        (b"thing", b"@@ -0,0 +1,2 @@", 1, [b"+x", b"+y"]),
    ]
    assert read.take(5) == b"\0rest"


def test_changes_without_counts_or_patches_are_enough() -> None:
    read = output(RAW)
    changes = read_changes(read, 2)
    assert changes is not None
    assert [each.added for each in changes] == [None, None]
    assert list(read_patches(read, changes)) == []


def test_more_changes_than_allowed_are_not_read() -> None:
    assert read_changes(output(RAW), 1) is None


@pytest.mark.parametrize(
    "data",
    [
        RAW[:-3],
        RAW.replace(b" M\0", b" Q\0"),
        RAW + b"1\t1\tother\0",
        RAW + b"1 1 name\0",
        RAW + COUNTS + b"\0diff --git a/name b/name\n@@ -x +1 @@\n",
        RAW + COUNTS + b"\0diff --git a/name b/name\n@@ -1 +1 @@\n?\n",
        RAW + COUNTS + b"\0diff --git a/name b/name\n@@ -1 +1 @@\n-x\n",
        RAW + COUNTS + b"\0diff --git a/name b/name\nindex 1..2\n",
        RAW + COUNTS + b"\0diff --git a/name b/name\nindex 1..2\n\0commit\n",
    ],
)
def test_what_does_not_fit_ends_the_reading(data: bytes) -> None:
    read = output(data)

    def whole() -> Iterator[object]:
        changes = read_changes(read, 10)
        yield from read_patches(read, changes or [])

    with pytest.raises(GitOutputError):
        list(whole())


def test_more_cannot_be_taken_than_there_is() -> None:
    with pytest.raises(GitOutputError):
        output(b"ab").take(3)
