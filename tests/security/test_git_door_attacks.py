"""Attacks through the git door, by raw HTTP: whatever is sent, upstream gets what policy judged, or nothing.

The attacker's policy allows everything in its repositories. So what holds it back is the door and the quarantine.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.parts.git_house import ZERO, GitHouse, Repository, git_house
from tests.parts.git_raw import PUSH, Answer, Command, RawClient, Work, endless, push_body, work
from tests.parts.git_wire import packets
from tests.parts.git_yard import commit_of, entry, oid_of, packed, tree_of

pytestmark = [pytest.mark.req("A3"), pytest.mark.req("P1")]

HEADS = "refs/heads/"
FREE = HEADS + "feature/free"
THERE = HEADS + "feature/there"
OTHER = "1" * 40
MIB = 1 << 20
BOMB_BYTES = 64 * MIB
"""A thousand times what it is packed."""


@dataclass(frozen=True)
class World:
    """The house, a session that may do everything in its repositories, and the repository it is after."""

    house: GitHouse
    client: RawClient
    upstream: Repository

    @property
    def main(self) -> str:
        return self.upstream.refs()[HEADS + "main"]

    def held(self, *commands: Command, pack: bytes = b"") -> Answer:
        """Send a push that is refused in words and moves nothing; return the answer."""
        return self.still(lambda: self.client.push(*commands, pack=pack))

    def still(self, attempt: Callable[[], Answer]) -> Answer:
        """Do something that is refused in words, moves nothing, and leaves the API well."""
        before = self.upstream.refs()
        answer = attempt()
        assert answer.refused, answer
        assert self.upstream.refs() == before
        assert self.house.up.get("/readyz") == 200
        return answer


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHouse]:
    with git_house(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture(scope="module")
def world(house: GitHouse) -> World:
    upstream = house.upstream("acme/target")
    upstream.git("update-ref", THERE, HEADS + "main")
    upstream.git("update-ref", "refs/pull/1/head", HEADS + "main")
    upstream.git("symbolic-ref", HEADS + "alias", HEADS + "main")
    client = RawClient(house, house.begin("careful")[1], "acme/target")
    assert client.push(work(name="first").create(HEADS + "lands"), pack=work(name="first").pack).landed
    return World(house, client, upstream)


# Names.


@pytest.mark.parametrize(
    "ref",
    [
        "HEAD",
        "main",
        "refs/heads/feature/../main",
        "refs/heads/./main",
        "refs/heads//main",
        "refs/heads/main/",
        "refs/heads/main.lock",
        "refs/heads/feature/x@{1}",
        "refs/heads/@{-1}",
        "refs/heads/@",
        "refs/heads/a^{}",
        "refs/heads/a~1",
        "refs/heads/a:b",
        "refs/heads/a*",
        "refs/heads/a\\b",
        "refs/heads/a b",
        "refs/heads/a\x07",
        "refs/heads/a\nrefs/heads/main",
        "refs/heads/a\0b",
        "refs/heads/m\u0430in",
        "refs/heads/main\u200b",
        "refs/heads/\uff4dain",
        "refs/heads/\udcff",
        "refs/heads/HEAD",
        "refs/heads/refs/heads/main",
        "refs/heads/-x",
        "refs/pull/1/head",
        "refs/notes/commits",
        "refs/replace/" + OTHER,
        "refs/remotes/origin/main",
        "REFS/heads/main",
        "refs/Heads/main",
        "refs/heads/Main",
        "refs/heads/FEATURE/there",
        "refs/heads/main/x",
        "refs/heads/" + "x/" * 120 + "x",
        "%72efs/heads/main",
    ],
)
def test_a_name_that_could_be_taken_for_another_is_refused(world: World, ref: str) -> None:
    made = work()
    world.held(made.create(ref), pack=made.pack)


def test_a_branch_that_the_host_keeps_as_another_name_for_one_is_not_pushed_to(world: World) -> None:
    made = work()
    world.held((world.main, made.tip, HEADS + "alias"), pack=made.pack)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FREE, FREE),
        (FREE, FREE.upper().replace("REFS/HEADS", "refs/heads")),
        (FREE, FREE + "/below"),
        (FREE + "/a/b", FREE),
    ],
)
def test_two_commands_that_could_be_for_one_ref_are_refused(world: World, one: str, other: str) -> None:
    made = work()
    world.held(made.create(one), made.create(other), pack=made.pack)


# Lies.


@pytest.mark.parametrize("old", [ZERO, OTHER, "main^"])
def test_a_lie_about_where_a_branch_is_moves_nothing(world: World, old: str) -> None:
    made = work(world.main)
    before = work(name="first").tip if old == "main^" else old
    answer = world.held((before, made.tip, THERE), pack=made.pack)
    assert b"stale" in answer.body or b"changed" in answer.body or b"commit it was expected at" in answer.body


def test_a_deletion_needs_to_know_what_it_deletes(world: World) -> None:
    world.held((OTHER, ZERO, THERE))
    world.held((ZERO, ZERO, THERE))
    world.held((OTHER, ZERO, HEADS + "nowhere"))


def test_a_command_that_changes_nothing_is_none(world: World) -> None:
    world.held((world.main, world.main, HEADS + "main"), pack=packed())


# Packs.


def bad_packs() -> dict[str, tuple[Work, bytes]]:
    good = work(text=b"never there before\n")
    (commit, tree, blob), body = good.objects, good.pack
    dotgit = tree_of(("100644", ".git", oid_of("blob", b"x")))
    evil = commit_of(oid_of("tree", dotgit))
    modules = b'[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch /tmp/x\n'
    sub = tree_of(("100644", ".gitmodules", oid_of("blob", modules)))
    fat = struct.pack(">4sII", b"PACK", 2, 1) + entry(3, b"\0" * MIB)
    names = Work(oid_of("commit", evil), ())
    submodule = Work(oid_of("commit", commit_of(oid_of("tree", sub))), ())
    return {
        "absent": (good, b""),
        "empty": (good, packed()),
        "cut": (good, body[:-30]),
        "cut in its head": (good, body[:9]),
        "not its own checksum": (good, body[:-1] + bytes([body[-1] ^ 1])),
        "something behind it": (good, body + b"more"),
        "another pack behind it": (good, body + body),
        "no tree": (good, packed(commit, blob)),
        "no file": (good, packed(commit, tree)),
        "no commit": (good, packed(tree, blob)),
        "an object nobody needs": (good, packed(*good.objects, ("blob", b"smuggled\n"))),
        "a commit nobody needs": (good, packed(*good.objects, *work(text=b"smuggled\n").objects)),
        "an unknown parent": (work(OTHER), work(OTHER).pack),
        "a tree as a branch": (Work(oid_of(*tree), ()), packed(tree, blob)),
        "millions of objects": (good, struct.pack(">4sII", b"PACK", 2, 50_000_000) + body[12:]),
        "version 9": (good, struct.pack(">4sII", b"PACK", 9, 3) + body[12:]),
        "more than it says": (good, packed(*good.objects, count=2)),
        "less than it says": (good, packed(*good.objects, count=4)),
        "a delta on nothing": (good, struct.pack(">4sII", b"PACK", 2, 1) + entry(7, b"\1\1\1", bytes.fromhex(OTHER))),
        "a file of another size than it says": (good, fat[:12] + b"\xbf\xff\xff\xff\x7f" + fat[16:]),
        "a folder .git": (names, packed(("commit", evil), ("tree", dotgit), ("blob", b"x"))),
        "an option in .gitmodules": (
            submodule, packed(("commit", commit_of(oid_of("tree", sub))), ("tree", sub), ("blob", modules)),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", bad_packs())
def test_a_pack_that_is_not_whole_and_nothing_but_whole_is_refused(world: World, name: str) -> None:
    made, pack = bad_packs()[name]
    world.held(made.create(FREE), pack=pack)
    kept = world.upstream.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
    assert oid_of("blob", b"smuggled\n") not in kept


def test_a_pack_beside_a_deletion_is_refused(world: World) -> None:
    world.held((world.main, ZERO, THERE), pack=work().pack)


def test_a_file_that_unpacks_to_far_more_than_it_was_sent_as_is_never_in_the_memory_of_the_api(world: World) -> None:
    bomb = work(text=b"\0" * BOMB_BYTES)
    assert len(bomb.pack) < MIB
    before = world.house.forget_peak()
    world.held(bomb.create(FREE), pack=bomb.pack)
    assert world.house.peak_bytes() - before < BOMB_BYTES // 4


# Bodies.


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"0",
        b"zzzz",
        b"0003",
        b"0004",
        b"ffff",
        b"fff1" + b"x" * 70_000,
        b"00000000",
        packets("0" * 40),
        packets(f"{OTHER} {ZERO}"),
        packets(f"{OTHER} {ZERO} {FREE}\0no-such-thing") + b"0000",
        packets("push-cert\0report-status") + b"0000",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=range(13),
)
def test_a_body_that_is_no_push_is_refused(world: World, body: bytes) -> None:
    world.still(lambda: world.client.post(body))


@pytest.mark.parametrize("size", [65, 10_000])
def test_a_list_of_too_many_commands_is_refused(world: World, size: int) -> None:
    made = work()
    commands = [made.create(f"{FREE}-{number}") for number in range(size)]
    assert b"at most 64" in world.held(*commands, pack=made.pack).body


def test_commands_without_an_end_are_not_read_to_it(world: World) -> None:
    for line in (f"shallow {OTHER}", f"{ZERO} {OTHER} {FREE}"):
        stream = endless(packets(f"shallow {OTHER}"), packets(line) * 1000, 16 * MIB)
        assert world.client.post(stream).refused


def test_a_body_that_unpacks_without_an_end_is_not_unpacked_to_it(world: World) -> None:
    bomb = gzip.compress(b"0032" * (16 * MIB), 9)
    assert len(bomb) < MIB
    world.still(lambda: world.client.post(bomb, Content_Encoding="gzip"))
    fetch = "application/x-git-upload-pack-request"
    path = "/git/forge/acme/target.git/git-upload-pack"
    world.still(lambda: world.client.send("POST", path, bomb, Content_Encoding="gzip", Content_Type=fetch))


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Encoding": "br"},
        {"Content_Encoding": "gzip, gzip"},
        {"Content_Encoding": "gzip"},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Content_Type": "application/x-git-upload-pack-request"},
        {"Content_Type": "text/plain"},
    ],
)
def test_a_body_of_another_kind_is_refused(world: World, headers: dict[str, str]) -> None:
    made = work()
    body = push_body(made.create(FREE)) + made.pack
    path = f"/git/forge/acme/target.git/{PUSH}"
    sent = {"Content_Type": f"application/x-{PUSH}-request", **headers}
    world.still(lambda: world.client.send("POST", path, body, **sent))


# Paths.


@pytest.mark.parametrize(
    "path",
    [
        f"/git/forge/acme/app.git/../target.git/{PUSH}",
        f"/git/forge/acme/%2e%2e/acme/target.git/{PUSH}",
        f"/git/forge/acme/target%2egit/{PUSH}",
        f"/git/forge/acme/../../forge/acme/target.git/{PUSH}",
        f"/git/forge//acme/target.git/{PUSH}",
        f"//git/forge/acme/target.git/{PUSH}",
        f"/git/forge/acme/target.git/{PUSH}/",
        f"/git/forge/acme/target.git//{PUSH}",
        f"/git/forge/acme/target.git/{PUSH}?service=git-upload-pack",
        f"/git/forge/acme/target.git/{PUSH}%20",
        f"/git/forge/acme/target.git/{PUSH};x",
        f"/git/forge/acme/target.git.git/{PUSH}",
        f"/git/forge/acme/.git/{PUSH}",
        f"/git/forge/acme/..git/{PUSH}",
        f"/git/forge/acme/target/{PUSH}.git",
        f"/git/forge/acme/sub/target.git/{PUSH}",
        f"/git/forge/ac%b5me/target.git/{PUSH}",
        f"/git/FORGE/acme/target.git/{PUSH}",
        f"/git/nothing/acme/target.git/{PUSH}",
        f"/git/bench/acme/target.git/{PUSH}",
        f"/GIT/forge/acme/target.git/{PUSH}",
        "/git/forge/acme/target.git/info/refs?service=git-receive-pack",
        "/git/forge/acme/target.git/objects/info/packs",
        "/git/forge/acme/target.git/HEAD",
        "/git/forge/acme/target.git",
        "/git/",
    ],
)
def test_a_path_that_is_not_the_one_of_a_push_pushes_nothing(world: World, path: str) -> None:
    made = work()
    before, asked = world.upstream.refs(), len(world.house.host.seen)
    body = push_body(made.create(FREE)) + made.pack
    answer = world.client.send("POST", path, body, Content_Type=f"application/x-{PUSH}-request")
    assert answer.status >= 400 or answer.refused, answer
    assert world.upstream.refs() == before
    assert not [each for each in world.house.host.seen[asked:] if each.method == "POST"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/git/forge/acme/target.git/info/refs"),
        ("GET", "/git/forge/acme/target.git/info/refs?service=git-upload-archive"),
        ("GET", "/git/forge/acme/target.git/info/refs?service=git-upload-pack&x=1"),
        ("GET", "/git/forge/acme/target.git/info/refs?service=git-upload%2dpack"),
        ("GET", "/git/forge/acme/target.git/git-upload-pack"),
        ("PUT", f"/git/forge/acme/target.git/{PUSH}"),
        ("DELETE", "/git/forge/acme/target.git"),
        ("GET", "/git/bench/acme/target.git/info/refs?service=git-upload-pack"),
    ],
)
def test_what_is_no_request_of_smart_http_does_not_reach_the_host(world: World, method: str, path: str) -> None:
    asked = len(world.house.host.seen)
    assert world.client.send(method, path).status >= 400
    assert len(world.house.host.seen) == asked


def test_an_operator_a_stranger_and_a_killed_session_push_nothing(world: World) -> None:
    house, made = world.house, work()
    session, killed = house.begin("careful")
    house.kill(session)
    for token, status in ((house.admin, 403), (house.alice, 403), ("nothing", 401), (killed, 401)):
        client = RawClient(house, token, "acme/target")
        assert world.still(lambda client=client: client.push(made.create(FREE), pack=made.pack)).status == status  # type: ignore[misc]
    reader = RawClient(house, house.begin("reader")[1], "acme/target")
    world.still(lambda: reader.push(made.create(FREE), pack=made.pack))


# At the same moment.


def test_of_pushes_to_one_ref_at_the_same_moment_one_lands(world: World) -> None:
    works = [work(text=f"{number}\n".encode()) for number in range(6)]
    ref = HEADS + "feature/raced"
    with ThreadPoolExecutor(len(works)) as pool:
        answers = list(pool.map(lambda made: world.client.push(made.create(ref), pack=made.pack), works))
    landed = [made.tip for made, answer in zip(works, answers, strict=True) if answer.landed]
    assert [world.upstream.refs()[ref]] == landed
    assert all(answer.landed or answer.refused for answer in answers)


def test_the_same_push_many_times_at_the_same_moment_lands_once(world: World) -> None:
    made, ref = work(text=b"same\n"), HEADS + "feature/same"
    asked = len(world.house.host.seen)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: world.client.push(made.create(ref), pack=made.pack), range(6)))
    assert world.upstream.refs()[ref] == made.tip
    assert any(answer.landed for answer in answers)
    assert all(answer.landed or answer.refused for answer in answers)
    assert [each.method for each in world.house.host.seen[asked:]].count("POST") >= 1
