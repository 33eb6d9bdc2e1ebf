"""Stock git reads through the git door, from a real host: what it gets is what the host has, and no more.

Every kind of reading that git knows, in every version of its protocol: a pack goes through as it came, so the clone is
compared with the repository, object by object.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.git.wire.packets import Mark
from tests.parts.git_house import Coder, GitHouse, Repository, git_house, place
from tests.parts.git_wire import packets
from tests.parts.up import eventually

pytestmark = [pytest.mark.req("A3"), pytest.mark.req("V1")]

FETCH = "application/x-git-upload-pack-request"
COMMITS = 40
BRANCHES = 2_000
DAY_SECONDS = 86_400
FIRST_DAY = 1_700_000_000
LARGE_BYTES = 24 << 20
"""More than all buffers between a host and a client that does not read."""
MEMORY_BYTES = 12 << 20
"""What a clone may cost the API at most; half of the large repository."""
CUT_NS = 2_000_000_000
"""The promise is a second; twice that is left for machines that do ten other things."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHouse]:
    with git_house(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture(scope="module")
def token(house: GitHouse) -> str:
    return house.begin("coder")[1]


@pytest.fixture(scope="module")
def upstream(house: GitHouse) -> Repository:
    """A repository with a history: a commit a day on two files, a topic, tags of both kinds."""
    repository = house.upstream("acme/history")
    commits = "".join(
        f"commit refs/heads/main\ncommitter A <a@example.com> {FIRST_DAY + day * DAY_SECONDS} +0000\ndata 4\nday\n\n"
        f"M 100644 inline day\ndata {len(str(day))}\n{day}\nM 100644 inline docs/{day}.txt\ndata 5\ntext\n\n"
        for day in range(COMMITS)
    )
    topic = (
        "commit refs/heads/topic\ncommitter A <a@example.com> 1800000000 +0000\ndata 5\ntopic\nfrom refs/heads/main\n\n"
    )
    # The first commit of the seed stays outside: main begins anew.
    repository.git("fast-import", "--quiet", "--force", stdin=f"reset refs/heads/main\n\n{commits}{topic}")
    repository.git("tag", "--annotate", "--message", "v1", "v1", "main~20")
    repository.git("tag", "light", "main~30")
    return repository


@pytest.fixture(scope="module")
def many(house: GitHouse) -> Repository:
    """A repository with a branch for each of its commits."""
    repository = house.upstream("acme/many")
    repository.git("fast-import", "--quiet", stdin="".join(
        f"commit refs/heads/b{number}\ncommitter A <a@example.com> {FIRST_DAY + number} +0000\ndata 1\nx\n\n"
        for number in range(BRANCHES)
    ))  # fmt: skip
    return repository


@pytest.fixture(scope="module")
def large(house: GitHouse) -> Repository:
    """A repository of a few files that nothing makes smaller."""
    repository = house.upstream("acme/large")
    repository.git("config", "core.compression", "0")
    work = house.host.root / "large"
    work.mkdir()
    for number in range(6):
        (work / f"{number}.bin").write_bytes(hashlib.shake_128(bytes([number])).digest(LARGE_BYTES // 6))
    for arguments in (("add", "--all"), ("commit", "--quiet", "--message", "large")):
        repository.git("--work-tree", str(work), *arguments)
    return repository


@pytest.fixture
def coder(house: GitHouse, token: str, tmp_path: Path) -> Coder:
    return Coder(tmp_path / "clone", house.door("acme/history"), token)


def assert_same(clone: Coder, upstream: Repository, *revisions: str) -> None:
    """The clone is sound and has every object of some of upstream's revisions, and none besides."""
    clone.git("fsck", "--strict", "--no-dangling")
    here = Repository(clone.folder)
    assert here.objects("--all") == upstream.objects(*(revisions or ("--all",)))


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_a_clone_is_what_the_host_has_in_every_version_of_the_protocol(
    coder: Coder, upstream: Repository, version: str
) -> None:
    coder.more = {"GIT_PROTOCOL_VERSION": version}
    done = coder.run("-c", f"protocol.version={version}", "ls-remote", coder.url, cwd=coder.folder.parent)
    listed = [line.split("\t") for line in done.stdout.splitlines()]
    named = {name: oid for oid, name in listed if name.startswith("refs/") and not name.endswith("^{}")}
    assert named == upstream.refs()
    coder.clone("--mirror", "-c", f"protocol.version={version}")
    assert Repository(coder.folder).refs() == upstream.refs()
    assert_same(coder, upstream)


@pytest.mark.parametrize("scheme", ["basic", "bearer", "url"])
def test_the_token_comes_as_git_sends_passwords_and_as_a_header(
    house: GitHouse, coder: Coder, token: str, scheme: str
) -> None:
    basic = base64.b64encode(f"anyone:{token}".encode()).decode()
    header = {"basic": f"Basic {basic}", "bearer": f"bearer {token}", "url": "X-Nothing: 1"}[scheme]
    coder.more = {"GIT_CONFIG_VALUE_0": header if scheme == "url" else f"Authorization: {header}"}
    url = coder.url.replace("://", f"://x:{token}@") if scheme == "url" else coder.url
    assert coder.run("ls-remote", url, cwd=coder.folder.parent).returncode == 0


def test_a_token_that_is_none_is_asked_for_again_and_gets_nothing(house: GitHouse, coder: Coder) -> None:
    before = len(house.host.seen)
    for header in ("Bearer nothing", "Basic eDp4", "Basic =", f"Bearer {house.admin}", f"Bearer {'x' * 3000}"):
        coder.more = {"GIT_CONFIG_VALUE_0": f"Authorization: {header}"}
        done = coder.run("ls-remote", coder.url, cwd=coder.folder.parent)
        assert done.returncode == 128
    assert len(house.host.seen) == before


@pytest.mark.parametrize("version", ["0", "2"])
@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--depth=1", "--no-single-branch"], 2),
        (["--depth=3"], 3),
        ([f"--shallow-since={FIRST_DAY + 29 * DAY_SECONDS + 1}"], 10),
        (["--single-branch", "--branch=topic"], COMMITS + 1),
        (["--single-branch", "--branch=v1", "--no-tags"], 20),
        (["--shallow-exclude=v1"], 20),
    ],
)
def test_a_clone_has_as_much_of_the_history_as_was_asked_for(
    coder: Coder, upstream: Repository, flags: list[str], expected: int, version: str
) -> None:
    coder.clone("-c", f"protocol.version={version}", *flags)
    assert int(coder.git("rev-list", "--count", "--remotes", "HEAD")) == expected
    coder.git("fsck", "--strict", "--no-dangling")


@pytest.mark.parametrize("version", ["0", "2"])
def test_a_shallow_clone_is_deepened_step_by_step_until_it_has_all(
    coder: Coder, upstream: Repository, version: str
) -> None:
    coder.clone("--depth=1", "-c", f"protocol.version={version}")
    coder.git("fetch", "--quiet", "--deepen=4")
    assert coder.git("rev-list", "--count", "HEAD") == "5"
    coder.git("fetch", "--quiet", "--unshallow")
    coder.git("fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
    assert_same(coder, upstream)


@pytest.mark.parametrize("version", ["0", "2"])
def test_a_partial_clone_gets_its_files_when_they_are_looked_at(
    coder: Coder, upstream: Repository, version: str
) -> None:
    coder.clone("--filter=blob:none", "--no-checkout", "-c", f"protocol.version={version}")
    assert "?" in coder.git("rev-list", "--objects", "--missing=print", "HEAD")
    coder.git("checkout", "--quiet", "main")
    assert (coder.folder / "day").read_text() == str(COMMITS - 1)
    assert coder.git("show", "HEAD~5:day") == str(COMMITS - 6)
    assert "?" in coder.git("rev-list", "--objects", "--missing=print", "HEAD")


def test_new_commits_are_fetched_into_a_clone_that_went_its_own_way(house: GitHouse, coder: Coder) -> None:
    upstream = house.upstream("acme/moving")
    coder.url = house.door("acme/moving")
    coder.clone()
    own = "".join(
        f"commit refs/heads/own\ncommitter B <b@example.com> {FIRST_DAY + n} +0000\ndata 1\nx\n\n" for n in range(200)
    )
    Repository(coder.folder).git("fast-import", "--quiet", stdin=own)
    upstream.git("fast-import", "--quiet", stdin=own.replace("own", "theirs").replace("B <b@", "C <c@"))
    told = coder.run("-c", "fetch.negotiationAlgorithm=consecutive", "fetch", "origin")
    assert told.returncode == 0, told.stderr
    assert coder.git("rev-parse", "origin/theirs") == upstream.refs()["refs/heads/theirs"]


@pytest.mark.parametrize(
    ("buffer_bytes", "sent"), [(65536, "transfer-encoding: chunked"), (1 << 20, "content-encoding: gzip")]
)
@pytest.mark.parametrize("version", ["0", "2"])
def test_a_request_for_thousands_of_branches_comes_in_chunks_or_as_gzip(
    house: GitHouse, coder: Coder, many: Repository, buffer_bytes: int, sent: str, version: str
) -> None:
    coder.url = house.door("acme/many")
    coder.more = {"GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1"}
    options = ("-c", f"http.postBuffer={buffer_bytes}", "-c", f"protocol.version={version}")
    done = coder.run("clone", "--mirror", *options, coder.url, str(coder.folder), cwd=coder.folder.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    assert sent in done.stderr.lower()
    assert Repository(coder.folder).refs() == many.refs()


def test_a_client_that_waits_to_be_told_to_go_on_is_told(house: GitHouse, token: str, upstream: Repository) -> None:
    want = f"want {upstream.refs()['refs/heads/main']} ofs-delta\n"
    body = packets(want, Mark.FLUSH, "done\n")
    connection = http.client.HTTPConnection(house.url.removeprefix("http://"), timeout=20)
    connection.putrequest("POST", "/git/forge/acme/history.git/git-upload-pack")
    for name, value in (
        ("Authorization", f"Bearer {token}"),
        ("Content-Type", FETCH),
        ("Content-Length", str(len(body))),
        ("Expect", "100-continue"),
    ):
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.sock.recv(12, 2) == b"HTTP/1.1 100"  # MSG_PEEK: http.client skips it
    connection.send(body)
    answer = connection.getresponse()
    assert (answer.status, answer.read()[:12]) == (200, b"0008NAK\nPACK")
    connection.close()


@pytest.mark.parametrize("version", ["0", "2"])
def test_a_repository_that_is_not_there_or_not_allowed_is_said_so_in_words(
    house: GitHouse, coder: Coder, version: str
) -> None:
    def words(repo: str) -> str:
        done = coder.run("-c", f"protocol.version={version}", "ls-remote", house.door(repo), cwd=coder.folder.parent)
        assert done.returncode == 128, done
        return done.stderr

    house.upstream("acme/hidden")
    asked = len(house.host.seen)
    hidden, other = words("acme/hidden"), words("other/app")
    assert f"remote: ostiary: rule: {place('not-hidden')}" in hidden
    assert "remote: ostiary: rule: default deny" in other
    assert "git:read on repos/other/app" in other
    assert len(house.host.seen) == asked
    gone = words("acme/nothing")
    assert "remote: ostiary:" in gone
    assert len(house.host.seen) == asked + 1


def test_every_spelling_of_a_repository_is_one_repository(house: GitHouse, coder: Coder, upstream: Repository) -> None:
    session, coder.token = house.begin("coder")
    listed = [
        coder.run("ls-remote", f"{house.url}/git/forge/{name}", cwd=coder.folder.parent).stdout
        for name in ("acme/history.git", "ACME/History.git", "acme/history", "Acme/HISTORY")
    ]
    assert listed[0]
    assert set(listed) == {listed[0]}
    resources = [each["data"]["resources"] for each in house.events(session) if each["type"] == "intent.succeeded"]
    assert len(resources) >= 4
    assert all(each == ["repos/acme/history"] for each in resources)
    denied = coder.run("ls-remote", house.door("ACME/Hidden"), cwd=coder.folder.parent)
    assert "(not-hidden)" in denied.stderr


def test_a_session_that_may_read_one_repository_reads_no_other(house: GitHouse, coder: Coder) -> None:
    _, coder.token = house.begin("reader")
    assert coder.run("ls-remote", house.door(), cwd=coder.folder.parent).returncode == 0
    assert coder.run("ls-remote", coder.url, cwd=coder.folder.parent).returncode == 128


# What is large.


def test_a_large_clone_streams_and_the_api_does_not_hold_it(house: GitHouse, coder: Coder, large: Repository) -> None:
    coder.url = house.door("acme/large")
    before = house.forget_peak()
    coder.clone()
    assert house.peak_bytes() - before < MEMORY_BYTES
    assert_same(coder, large)


def test_a_killed_session_has_its_clone_cut_at_once(house: GitHouse, large: Repository) -> None:
    session, token = house.begin("coder")
    connection = http.client.HTTPConnection(house.url.removeprefix("http://"), timeout=20)
    want = f"want {large.refs()['refs/heads/main']} ofs-delta side-band-64k\n"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": FETCH}
    connection.request(
        "POST", "/git/forge/acme/large.git/git-upload-pack", packets(want, Mark.FLUSH, "done\n"), headers
    )
    answer = connection.getresponse()
    assert answer.read(1 << 20)  # and no more: what is left waits for the client
    house.kill(session)
    eventually(lambda: house.events(session)[-1]["type"] == "intent.cancelled")
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()
    events = {each["type"]: each for each in house.events(session)}
    assert "intent.succeeded" not in events
    assert events["intent.cancelled"]["at_ns"] - events["session.killed"]["at_ns"] < CUT_NS
    connection.request("GET", "/git/forge/acme/app.git/info/refs?service=git-upload-pack", headers=headers)
    assert connection.getresponse().status == 401
    connection.close()
