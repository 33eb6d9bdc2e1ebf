from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import InvalidParamsError
from connectors.git import bundle as limits
from connectors.git.bundle import Bundle, parse_bundle

OID = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
OTHER = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


def pack(objects: int = 0, version: int = 2, body: bytes = b"") -> bytes:
    data = b"PACK" + version.to_bytes(4, "big") + objects.to_bytes(4, "big") + body
    return data + hashlib.sha1(data, usedforsecurity=False).digest()


def make(*lines: str, signature: str = "# v2 git bundle", tail: bytes | None = None) -> bytes:
    return ("\n".join([signature, *lines]) + "\n\n").encode() + (pack() if tail is None else tail)


ONE = make(f"-{OID} a subject", f"{OID} refs/heads/feature/x")


def test_prerequisites_refs_and_the_place_of_the_pack_are_read() -> None:
    data = make(f"-{OID}", f"-{OTHER} subj\u00e9ct", f"-{OID} again", f"{OID} refs/heads/a", f"{OTHER} refs/tags/v1")
    assert parse_bundle(data) == Bundle(
        {"refs/heads/a": OID, "refs/tags/v1": OTHER}, (OID, OTHER), len(data) - len(pack())
    )


def test_version_3_with_sha_1_objects_is_read() -> None:
    data = make("@object-format=sha1", f"{OID} refs/heads/a", signature="# v3 git bundle")
    assert parse_bundle(data).refs == {"refs/heads/a": OID}
    assert parse_bundle(make(f"{OID} refs/heads/a", signature="# v3 git bundle")).refs == {"refs/heads/a": OID}


@pytest.mark.parametrize(
    "version",
    [2, 3],
)
def test_what_stock_git_makes_is_read_as_git_reads_it(tmp_path: Path, version: int) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        done = subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout

    git("init", "--quiet", "--initial-branch=main", ".")
    for text in ("one\n\ntwo empty lines\n", "two"):
        git("commit", "--quiet", "--allow-empty", "--message", text)
    git("tag", "v1")
    git("bundle", "create", "--quiet", f"--version={version}", "x.bundle", "main~1..main", "v1")
    heads = {line[41:]: line[:40] for line in git("bundle", "list-heads", "x.bundle").splitlines()}
    read = parse_bundle((tmp_path / "x.bundle").read_bytes())
    assert read.refs == heads
    assert read.prerequisites == (git("rev-parse", "main~1").strip(),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"# v2 git bundle",
        b"# v2 git bundle\n",
        b"# v2 git bundle\n\n" + pack(),
        b"# v4 git bundle\n" + ONE.partition(b"\n")[2],
        b"\n" + ONE,
        b"\xef\xbb\xbf" + ONE,
        ONE.replace(b"\n", b"\r\n", 3),
        pack(),
        make(f"-{OID}"),
        make(f"-{OID[:-1]}", f"{OID} refs/heads/a"),
        make(f"-{OID}x", f"{OID} refs/heads/a"),
        make(f"-{'0' * 40}", f"{OID} refs/heads/a"),
        make(f"{OID} refs/heads/a", f"-{OID}"),
        make(f"{OID.upper()} refs/heads/a"),
        make(f"{'0' * 40} refs/heads/a"),
        make(f"{OID}  refs/heads/a"),
        make(f"{OID} refs/heads/a "),
        make(f"{OID}\trefs/heads/a"),
        make(f"{OID} "),
        make(f"{OID} HEAD"),
        make(f"{OID} HEAD", f"{OID} refs/heads/a"),
        make(f"{OID} --upload-pack=x"),
        make(f"{OID} refs/heads/--x"),
        make(f"{OID} refs/heads/../x"),
        make(f"{OID} refs/heads/m\u0430in"),
        make(f"{OID} refs/heads/a\0"),
        make(f"{OID} refs/heads/a", f"{OID} refs/heads/a"),
        make(f"{OID} refs/heads/a", f"{OTHER} refs/heads/A"),
        make(f"{OID} refs/stash"),
        make("@object-format=sha1", f"{OID} refs/heads/a"),
        make("@object-format=sha256", f"{OID} refs/heads/a", signature="# v3 git bundle"),
        make("@filter=blob:none", f"{OID} refs/heads/a", signature="# v3 git bundle"),
        make("@object-format=sha1", "@object-format=sha1", f"{OID} refs/heads/a", signature="# v3 git bundle"),
        make("@unheard-of", f"{OID} refs/heads/a", signature="# v3 git bundle"),
        make(f"{OID} refs/heads/a", tail=b""),
        make(f"{OID} refs/heads/a", tail=b"PACK"),
        make(f"{OID} refs/heads/a", tail=b"JUNK" + pack()[4:]),
        make(f"{OID} refs/heads/a", tail=pack(version=4)),
        make(f"{OID} refs/heads/a", tail=pack(objects=limits.MAX_OBJECTS + 1)),
        make(f"{OID} refs/heads/a", tail=pack() + b"x"),
        make(*(f"{OID} refs/heads/b{n}" for n in range(limits.MAX_REFS + 1))),
        make(*(f"-{n + 1:040x}" for n in range(limits.MAX_PREREQUISITES + 1)), f"{OID} refs/heads/a"),
        make("-" + OID + " " + "x" * limits.MAX_HEADER_BYTES, f"{OID} refs/heads/a"),
    ],
)
def test_what_is_not_exactly_a_bundle_of_branches_and_tags_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidParamsError):
        parse_bundle(data)


def test_a_bundle_over_the_limit_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(InvalidParamsError, match="more than"):
        parse_bundle(ONE + bytes(limits.MAX_BUNDLE_BYTES))


@given(st.integers(0, len(ONE) - 1), st.binary(min_size=1, max_size=4), st.integers(0, 4))
def test_a_mutated_bundle_is_refused_or_says_something_well_formed(at: int, new: bytes, cut: int) -> None:
    refuse_or_check(ONE[:at] + new + ONE[at + cut :])


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_say_something_well_formed(data: bytes) -> None:
    refuse_or_check(data)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_any_header_lines_are_refused_or_say_something_well_formed(lines: list[bytes]) -> None:
    refuse_or_check(b"\n".join([b"# v2 git bundle", *lines]) + b"\n\n" + pack())


def refuse_or_check(data: bytes) -> None:
    try:
        read = parse_bundle(data)
    except InvalidParamsError:
        return
    assert read.refs
    assert all(name.startswith(("refs/heads/", "refs/tags/")) and name.isascii() for name in read.refs)
    assert all(name.encode() in data for name in read.refs)
    assert data[read.pack_offset :].startswith(b"PACK")
