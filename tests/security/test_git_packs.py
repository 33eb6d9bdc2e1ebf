"""Packs and claims of an agent that means harm: each is refused with its code, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import struct
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from connectors.errors import NotSentError, UploadBrokenError, UpstreamRefusedError
from connectors.git.area import sweep_areas
from connectors.git.process import GitPrograms, ProcessLimits
from connectors.git.quarantine.limits import YardLimits
from connectors.git.quarantine.yard import Yard
from connectors.git.wire.push_request import RefUpdate
from tests.parts.git_yard import (
    ABSENT,
    CONNECTION,
    REPO,
    Field,
    commit_of,
    entry,
    in_pieces,
    oid_of,
    packed,
    tree_of,
)

MAIN = "refs/heads/main"
NEW = "refs/heads/new"
TAG = "refs/tags/v1"
BLOB = ("blob", b"text\n")
BLOB_ID = oid_of(*BLOB)
TREE = ("tree", tree_of(("100644", "a.txt", BLOB_ID)))
TREE_ID = oid_of(*TREE)

pytestmark = pytest.mark.req("A3")


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Field:
    made = Field(
        tmp_path_factory.mktemp("field"),
        YardLimits(blob_bytes=4 << 20, pack_bytes=2 << 20, objects=1000, seconds=60.0),
        ProcessLimits(timeout_seconds=30.0, memory_bytes=512 << 20),
    )
    made.agent.commit("first", README="hello\n")
    made.publish("main")
    asyncio.run(made.refresh())
    return made


@pytest.fixture(autouse=True)
def nothing_is_left(field: Field) -> object:
    yield
    assert field.left_behind() == [], "a quarantine was left behind"


def pushed(*objects: tuple[str, bytes]) -> tuple[dict[str, tuple[str, str]], bytes]:
    """A push of a new branch to the last object."""
    return {NEW: (ABSENT, oid_of(*objects[-1]))}, packed(*objects)


def with_tree(*entries: tuple[str, str, str]) -> tuple[dict[str, tuple[str, str]], bytes]:
    tree = ("tree", tree_of(*entries))
    return pushed(BLOB, tree, ("commit", commit_of(oid_of(*tree))))


GOOD = pushed(BLOB, TREE, ("commit", commit_of(TREE_ID)))


async def test_the_same_push_without_a_fault_is_taken(field: Field) -> None:
    held = await field.held(*GOOD)
    assert held.facts["paths"] == ["a.txt"]


def resealed(body: bytes) -> bytes:
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda pack: pack[:-30],
    "cut in the header": lambda pack: pack[:7],
    "empty": lambda _: b"",
    "without its checksum": lambda pack: pack[:-20],
    "wrong checksum": lambda pack: pack[:-1] + bytes([pack[-1] ^ 1]),
    "one bit over": lambda pack: pack[:40] + bytes([pack[40] ^ 1]) + pack[41:],
    "bytes behind it": lambda pack: pack + b"x",
    "bytes behind it under a checksum of their own": lambda pack: resealed(pack + b"smuggled"),
    "a second pack behind it": lambda pack: pack + pack,
    "more behind it than git and a pipe take": lambda pack: pack + os.urandom(1_900_000),
    "a version git does not write": lambda pack: resealed(b"PACK" + struct.pack(">I", 4) + pack[8:-20]),
    "no pack": lambda pack: b"KCAP" + pack[4:],
    "more objects promised": lambda pack: resealed(pack[:8] + struct.pack(">I", 4) + pack[12:-20]),
    "fewer objects promised": lambda pack: resealed(pack[:8] + struct.pack(">I", 2) + pack[12:-20]),
    "no objects promised": lambda pack: resealed(pack[:8] + struct.pack(">I", 0) + pack[12:-20]),
}


@pytest.mark.parametrize("name", DAMAGED)
async def test_a_damaged_pack_is_refused(field: Field, name: str) -> None:
    updates, pack = GOOD
    assert await field.refusal(updates, DAMAGED[name](pack)) == "bad-pack"


HEAD = oid_of("commit", commit_of(TREE_ID))
MODULES = ("blob", b'[submodule "x"]\n\tpath = x\n\turl = -u./payload\n')
MODULES_PATH = ("blob", b'[submodule "x"]\n\tpath = -x\n\turl = https://example.com/x\n')
MODULES_NAME = ("blob", b'[submodule "../../x"]\n\tpath = x\n\turl = https://example.com/x\n')


def with_modules(modules: tuple[str, bytes], mode: str = "100644") -> tuple[dict[str, tuple[str, str]], bytes]:
    tree = ("tree", tree_of((mode, ".gitmodules", oid_of(*modules))))
    return pushed(modules, tree, ("commit", commit_of(oid_of(*tree))))


UNSOUND = {
    "tree not there": pushed(BLOB, ("commit", commit_of(TREE_ID))),
    "blob not there": pushed(TREE, ("commit", commit_of(TREE_ID))),
    "parent not there": pushed(BLOB, TREE, ("commit", commit_of(TREE_ID, "1" * 40))),
    "a delta on nothing": (
        {NEW: (ABSENT, "1" * 40)},
        resealed(b"PACK" + struct.pack(">II", 2, 1) + entry(7, b"\x05\x05\x01a", base=b"\x11" * 20)),
    ),
    "an object twice": pushed(BLOB, BLOB, TREE, ("commit", commit_of(TREE_ID))),
    "tag of nothing": pushed(
        ("tag", b"object " + b"1" * 40 + b"\ntype commit\ntag v1\ntagger E <e@e> 1 +0000\n\nx\n")
    ),
    "author without a date": pushed(BLOB, TREE, ("commit", commit_of(TREE_ID, author="Eve <eve@example.com>"))),
    "author with a line break": pushed(
        BLOB, TREE, ("commit", commit_of(TREE_ID, author="Eve <eve@example.com> 1 +0000\nauthor Bob <b@b> 1 +0000"))
    ),
    "zero byte in a commit": pushed(BLOB, TREE, ("commit", commit_of(TREE_ID) + b"\0hidden")),
    "modules that run a command": with_modules(MODULES),
    "modules with an option as path": with_modules(MODULES_PATH),
    "modules with a name outside": with_modules(MODULES_NAME),
    "modules as a symlink": with_modules(("blob", b"elsewhere"), "120000"),
    ".git": with_tree(("100644", ".git", BLOB_ID)),
    ".GIT": with_tree(("100644", ".GiT", BLOB_ID)),
    "git~1": with_tree(("100644", "git~1", BLOB_ID)),
    ".git with a hidden letter": with_tree(("100644", ".g\u200cit", BLOB_ID)),
    ".git and a space": with_tree(("100644", ".git ", BLOB_ID)),
    "..": with_tree(("100644", "..", BLOB_ID)),
    ".": with_tree(("100644", ".", BLOB_ID)),
    "a slash in a name": with_tree(("100644", "a/b", BLOB_ID)),
    "no name": with_tree(("100644", "", BLOB_ID)),
    "one name twice": with_tree(("100644", "a", BLOB_ID), ("100644", "a", BLOB_ID)),
    "a file and a folder of one name": with_tree(("100644", "a", BLOB_ID), ("40000", "a", TREE_ID)),
    "not in order": with_tree(("100644", "b", BLOB_ID), ("100644", "a", BLOB_ID)),
    "zero-padded mode": with_tree(("0100644", "a", BLOB_ID)),
    "null id": with_tree(("100644", "a", ABSENT)),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSOUND)
async def test_unsound_objects_are_refused(field: Field, name: str) -> None:
    assert await field.refusal(*UNSOUND[name]) == "bad-pack"


async def test_a_tip_nobody_has_is_missing(field: Field) -> None:
    main = field.agent.git("rev-parse", "main")
    nothing = packed()
    assert await field.refusal({NEW: (ABSENT, "1" * 40)}, nothing) == "missing-objects"
    assert await field.refusal({NEW: (ABSENT, main)}, nothing) == ""


async def test_objects_that_nothing_needs_are_refused(field: Field) -> None:
    updates, _ = GOOD
    commit = ("commit", commit_of(TREE_ID))
    extra = packed(BLOB, TREE, commit, ("blob", b"smuggled\n"))
    assert await field.refusal(updates, extra) == "extra-objects"
    hidden = ("commit", commit_of(TREE_ID, HEAD))
    assert await field.refusal(updates, packed(BLOB, TREE, commit, hidden)) == "extra-objects"


async def test_objects_that_upstream_has_may_be_sent_again(field: Field) -> None:
    updates, _ = GOOD
    again = packed(BLOB, TREE, ("commit", commit_of(TREE_ID)), ("blob", b"hello\n"))
    assert await field.refusal(updates, again) == ""


TAG_OF_BLOB = ("tag", f"object {BLOB_ID}\ntype blob\ntag v1\ntagger E <e@e> 1 +0000\n\nx\n".encode())
TAG_OF_COMMIT = ("tag", f"object {HEAD}\ntype commit\ntag v1\ntagger E <e@e> 1 +0000\n\nx\n".encode())
ALL = (BLOB, TREE, ("commit", commit_of(TREE_ID)))


@pytest.mark.parametrize(
    ("ref", "objects", "code"),
    [
        (NEW, (BLOB,), "not-a-commit"),
        (NEW, (BLOB, TREE), "not-a-commit"),
        (NEW, (*ALL, TAG_OF_COMMIT), "not-a-commit"),
        (TAG, (BLOB, TAG_OF_BLOB), "not-a-commit"),
        (TAG, (BLOB, TREE), "not-a-commit"),
        (TAG, (*ALL, TAG_OF_COMMIT), ""),
    ],
)
async def test_branches_are_commits_and_tags_are_of_commits(
    field: Field, ref: str, objects: tuple[tuple[str, bytes], ...], code: str
) -> None:
    assert await field.refusal({ref: (ABSENT, oid_of(*objects[-1]))}, packed(*objects)) == code


async def test_a_client_that_lies_about_old_is_stale(field: Field) -> None:
    main = field.agent.git("rev-parse", "main")
    _, pack = GOOD
    assert await field.refusal({MAIN: (ABSENT, HEAD)}, pack) == "stale"
    assert await field.refusal({MAIN: (HEAD, HEAD)}, pack) == "stale"
    assert await field.refusal({NEW: (main, HEAD)}, pack) == "stale"
    assert await field.refusal({NEW: (main, ABSENT)}, None) == "stale"


async def test_a_push_has_a_pack_exactly_when_it_brings_something(field: Field) -> None:
    main = field.agent.git("rev-parse", "main")
    assert await field.refusal({NEW: (ABSENT, main)}, None) == "bad-pack"
    assert await field.refusal({MAIN: (main, ABSENT)}, GOOD[1]) == "bad-pack"


async def test_more_objects_than_allowed_are_refused_before_git_makes_room(field: Field) -> None:
    updates, pack = GOOD
    assert await field.refusal(updates, pack[:8] + struct.pack(">I", 0xFFFFFFFF) + pack[12:]) == "too-large"


async def test_a_pack_over_its_limit_is_cut_off(field: Field) -> None:
    blob = ("blob", os.urandom(3 << 20))
    pack = packed(blob)
    sent = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal sent
        async for piece in in_pieces(pack):
            sent += len(piece)
            yield piece

    moves = (RefUpdate(NEW, ABSENT, HEAD),)
    with pytest.raises(UpstreamRefusedError) as caught:
        async with field.yard.quarantine(CONNECTION, REPO, moves, counted(), masker=field.masker):
            pass
    assert caught.value.code == "too-large"
    assert sent < len(pack)


async def test_a_git_that_does_not_read_can_be_given_up(field: Field, tmp_path: Path) -> None:
    fifo = tmp_path / "started"
    os.mkfifo(fifo)
    script = tmp_path / "git"
    script.write_text(f"#!/bin/sh\necho > {fifo}\nexec sleep 60\n")
    script.chmod(0o700)
    yard = Yard(field.root, GitPrograms(str(script)))
    pack = packed(("blob", os.urandom(3 << 20)))

    async def push() -> None:
        moves = (RefUpdate(NEW, ABSENT, HEAD),)
        async with yard.quarantine(CONNECTION, REPO, moves, in_pieces(pack), masker=field.masker):
            pass

    task = asyncio.create_task(push())
    await asyncio.to_thread(fifo.read_text)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_file_that_inflates_a_thousandfold_is_refused(field: Field) -> None:
    bomb = ("blob", bytes(32 << 20))
    tree = ("tree", tree_of(("100644", "bomb", oid_of(*bomb))))
    assert await field.refusal(*pushed(bomb, tree, ("commit", commit_of(oid_of(*tree))))) == "too-large"


async def test_a_delta_that_makes_a_gigabyte_ends_at_the_memory_limit(field: Field) -> None:
    base = b"x" * 0xFFFF
    copy = b"\xb0\xff\xff"  # copy 65535 bytes from offset 0
    size, times = 1 << 30, (1 << 30) // 0xFFFF
    header = _varint(len(base)) + _varint(times * 0xFFFF)
    name = bytes.fromhex(oid_of("blob", base))
    body = b"PACK" + struct.pack(">II", 2, 2) + entry(3, base) + entry(7, header + copy * times, base=name)
    pack = resealed(body)
    assert len(pack) < size // 10_000
    assert await field.refusal({NEW: (ABSENT, "1" * 40)}, pack) == "bad-pack"


def _varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


async def test_a_client_that_breaks_off_leaves_nothing_behind(field: Field) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield GOOD[1][:50]
        raise UploadBrokenError("the body ended early")

    moves = (RefUpdate(NEW, ABSENT, HEAD),)
    with pytest.raises(UploadBrokenError):
        async with field.yard.quarantine(CONNECTION, REPO, moves, broken(), masker=field.masker):
            pass


async def test_a_push_that_is_given_up_ends_git_and_leaves_nothing_behind(field: Field) -> None:
    reading = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield os.urandom(0) + GOOD[1][:12] + bytes(1 << 18)
        reading.set()
        await asyncio.Event().wait()

    async def push() -> None:
        moves = (RefUpdate(NEW, ABSENT, HEAD),)
        async with field.yard.quarantine(CONNECTION, REPO, moves, slow(), masker=field.masker):
            pass

    task = asyncio.create_task(push())
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await field.refusal(*GOOD) == ""


async def test_one_that_never_ends_runs_out_of_time(field: Field, tmp_path: Path) -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield GOOD[1][:12]
        await asyncio.Event().wait()

    short = Field(tmp_path, YardLimits(seconds=0.3))
    short.agent.commit("first")
    short.publish("main")
    await short.refresh()
    moves = (RefUpdate(NEW, ABSENT, HEAD),)
    with pytest.raises(NotSentError):
        async with short.yard.quarantine(CONNECTION, REPO, moves, stuck(), masker=field.masker):
            pass
    assert short.left_behind() == []


async def test_a_full_disk_is_the_machines_fault_and_leaves_nothing_behind(tmp_path: Path) -> None:
    small = Field(tmp_path, processes=ProcessLimits(timeout_seconds=30.0, file_bytes=4096))
    small.agent.commit("first", README="hello\n")
    small.publish("main")
    await small.refresh()
    blob = ("blob", os.urandom(1 << 16))
    tree = ("tree", tree_of(("100644", "a", oid_of(*blob))))
    with pytest.raises(NotSentError):
        await small.held(*pushed(blob, tree, ("commit", commit_of(oid_of(*tree)))))
    assert small.left_behind() == []
    assert await small.refusal(*GOOD) == ""


async def test_a_killed_process_blocks_nobody_and_is_swept(field: Field) -> None:
    script = f"""
        import asyncio, sys
        from pathlib import Path
        from connectors.git.process import GitPrograms
        from connectors.git.quarantine.yard import Yard
        from connectors.git.wire.push_request import RefUpdate

        async def slow():
            yield bytes.fromhex("{GOOD[1][:60].hex()}") + bytes(0)
            print("reading", flush=True)
            await asyncio.Event().wait()

        async def main():
            yard = Yard(Path({str(field.root)!r}), GitPrograms())
            moves = (RefUpdate("{NEW}", "{ABSENT}", "{HEAD}"),)
            async with yard.quarantine("{CONNECTION}", "{REPO}", moves, slow(), masker=None):
                pass

        asyncio.run(main())
    """
    folder = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    with subprocess.Popen(  # noqa: ASYNC220 - it takes a moment, and nothing else is to be done
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, env=environment, cwd=folder
    ) as process:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == b"reading\n"
        assert len(field.left_behind()) == 1
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)
    assert await field.refusal(*GOOD) == ""
    assert sweep_areas(field.root) == 1


async def test_pieces_of_any_size_make_the_same_pack(field: Field) -> None:
    updates, pack = GOOD
    moves = tuple(RefUpdate(ref, old, new) for ref, (old, new) in updates.items())
    async with field.yard.quarantine(CONNECTION, REPO, moves, in_pieces(pack, 1), masker=field.masker) as held:
        assert held.pack_path is not None
        assert held.pack_path.read_bytes() == pack
        assert (held.pack_bytes, held.sha256) == (len(pack), hashlib.sha256(pack).hexdigest())
