"""Stock git pushes through the git door: what lands is what policy allows, ref by ref, and what is refused says why.

One clone pushes everything; each test has branches of its own.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.git.wire.push_request import MAX_UPDATES
from tests.parts.git_house import REPO, Coder, GitHouse, Repository, git_house, place

pytestmark = [pytest.mark.req("A3"), pytest.mark.req("P1")]

HEADS, TAGS = "refs/heads/", "refs/tags/"
LARGE_BYTES = 20 << 20
SECRET = "glpat-" + "Zq3vT8xKp2Ln9RwYb4Hd"


@dataclass
class World:
    """The house, a clone whose session may do a lot, and the repository upstream."""

    house: GitHouse
    coder: Coder
    upstream: Repository

    def at(self, ref: str) -> str:
        """Where a ref is upstream; empty when it is not there."""
        return self.upstream.refs().get(ref, "")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHouse]:
    with git_house(tmp_path_factory.mktemp("house")) as made:
        yield made


def cloned(house: GitHouse, folder: Path, agent: str, repo: str = REPO, *flags: str) -> Coder:
    coder = Coder(folder, house.door(repo), house.begin(agent)[1])
    coder.clone(*flags)
    return coder


@pytest.fixture(scope="module")
def world(house: GitHouse, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(house, cloned(house, tmp_path_factory.mktemp("work") / "clone", "coder"), house.upstream())


@pytest.fixture(scope="module")
def careful(house: GitHouse, tmp_path_factory: pytest.TempPathFactory) -> World:
    """As `world`, with a session whose policy looks into what is pushed."""
    upstream = house.upstream("acme/careful")
    return World(
        house, cloned(house, tmp_path_factory.mktemp("careful") / "clone", "careful", "acme/careful"), upstream
    )


# What lands.


def test_a_branch_is_made_goes_on_is_forced_and_is_deleted(world: World) -> None:
    coder, ref = world.coder, HEADS + "feature/life"
    first = coder.commit("feature/life")
    assert " * [new branch]      feature/life -> feature/life" in coder.run("push", "origin", "feature/life").stderr
    assert world.at(ref) == first
    second = coder.commit("feature/life", "feature/life", {"more.txt": "more\n"})
    assert f"{first[:7]}..{second[:7]}" in coder.run("push", "origin", "feature/life").stderr
    assert world.at(ref) == second
    assert "Everything up-to-date" in coder.run("push", "origin", "feature/life").stderr
    third = coder.commit("feature/life", "origin/main", {"other.txt": "other\n"})
    assert coder.run("push", "origin", "feature/life").returncode == 1
    assert world.at(ref) == second
    assert "(forced update)" in coder.run("push", "--force-with-lease", "origin", "feature/life").stderr
    assert world.at(ref) == third
    assert " - [deleted]         feature/life" in coder.run("push", "origin", "--delete", "feature/life").stderr
    assert world.at(ref) == ""


def test_tags_of_both_kinds_are_made_and_deleted(world: World) -> None:
    coder = world.coder
    coder.commit("feature/tagged")
    coder.git("tag", "v1-light")
    coder.git("tag", "--annotate", "--message", "one", "v1-annotated")
    coder.git("push", "origin", "v1-light", "v1-annotated")
    assert world.at(TAGS + "v1-light") == coder.git("rev-parse", "v1-light")
    assert world.at(TAGS + "v1-annotated") == coder.git("rev-parse", "v1-annotated") != coder.git("rev-parse", "HEAD")
    coder.git("tag", "--force", "v1-light", "origin/main")
    moved = coder.refusal("push", "--force", "origin", "v1-light")
    assert "`git:force-push` on `repos/acme/app/tags/v1-light`" in moved
    coder.git("push", "origin", "--delete", "v1-light", "v1-annotated")
    assert not [ref for ref in world.upstream.refs() if ref.startswith(TAGS + "v1")]


@pytest.mark.parametrize("atomic", [[], ["--atomic"]])
def test_several_refs_of_one_push_move_together_or_not_at_all(world: World, atomic: list[str]) -> None:
    coder, name = world.coder, f"feature/set{len(atomic)}"
    coder.commit(f"{name}-a")
    coder.commit(f"{name}-b")
    before = world.upstream.refs()
    told = coder.refusal("push", *atomic, "origin", f"{name}-a", f"{name}-b", f"{name}-a:elsewhere")
    assert told.count("(denied by policy)") == 3
    assert "repos/acme/app/branches/elsewhere" in told
    assert world.upstream.refs() == before
    coder.git("push", *atomic, "origin", f"{name}-a", f"{name}-b", f"{name}-a:{TAGS}v-{name[-1]}")
    assert len(world.upstream.refs()) == len(before) + 3


def test_push_options_reach_the_host(world: World) -> None:
    coder = world.coder
    hook = world.upstream.path / "hooks" / "post-receive"
    hook.write_text('#!/bin/sh\necho "option: $GIT_PUSH_OPTION_0 of $GIT_PUSH_OPTION_COUNT"\n')
    hook.chmod(0o755)
    coder.commit("feature/options")
    try:
        told = coder.run("push", "-o", "ci.skip", "-o", "reviewer=ada", "origin", "feature/options")
    finally:
        hook.unlink()
    assert "remote: option: ci.skip of 2" in told.stderr, told


def test_a_push_out_of_a_shallow_clone_lands_on_the_whole_history(house: GitHouse, tmp_path: Path) -> None:
    upstream = house.upstream("acme/deep")
    for number in range(3):
        empty = upstream.git("commit-tree", "-p", "main", "-m", f"{number}", "main^{tree}")
        upstream.git("update-ref", HEADS + "main", empty)
    shallow = cloned(house, tmp_path / "clone", "coder", "acme/deep", "--depth=1")
    new = shallow.commit("feature/shallow")
    shallow.git("push", "--quiet", "origin", "feature/shallow")
    assert upstream.refs()[HEADS + "feature/shallow"] == new
    assert upstream.git("rev-list", "--count", new) == "5"


def test_the_first_push_into_an_empty_repository_makes_its_branches(house: GitHouse, tmp_path: Path) -> None:
    house.host.create_repo("acme/empty")
    new = Coder(tmp_path / "new", house.door("acme/empty"), house.begin("coder")[1])
    new.folder.mkdir()
    new.git("init", "--quiet", "--initial-branch=feature/first")
    new.git("remote", "add", "origin", new.url)
    new.git("commit", "--quiet", "--allow-empty", "--message", "first")
    new.git("push", "--quiet", "origin", "feature/first")
    assert Repository(house.host.path("acme/empty")).refs() == {HEADS + "feature/first": new.git("rev-parse", "HEAD")}


def test_a_large_push_lands_whole_and_is_refused_where_secrets_are_looked_for(world: World) -> None:
    content = hashlib.shake_128(b"large").digest(LARGE_BYTES)
    new = world.coder.commit("feature/large", files={"large.bin": content})
    push = ("-c", "core.compression=0", "push", "--quiet", "origin")
    world.coder.git(*push, "feature/large:large")
    assert world.at(HEADS + "large") == new
    told = world.coder.refusal(*push, "feature/large")
    assert place("no-secrets") in told
    assert "`too-large-to-scan` in large.bin" in told
    assert world.upstream.git("cat-file", "-s", f"{new}:large.bin") == str(LARGE_BYTES)


def test_more_refs_than_a_push_may_have_are_refused_before_anything_moves(house: GitHouse, tmp_path: Path) -> None:
    upstream = house.upstream("acme/wide")
    coder = cloned(house, tmp_path / "clone", "careful", "acme/wide", "--mirror")
    oid = coder.git("rev-parse", "main")
    made = "".join(f"create {HEADS}b{number} {oid}\n" for number in range(MAX_UPDATES + 1))
    Repository(coder.folder).git("update-ref", "--stdin", stdin=made)
    before = upstream.refs()
    told = coder.run("push", "--mirror", "origin")
    assert told.returncode != 0
    assert f"at most {MAX_UPDATES} refs" in told.stderr
    assert upstream.refs() == before


# What git says.


def test_a_script_reads_what_became_of_each_ref(world: World) -> None:
    coder = world.coder
    coder.commit("feature/script")
    quiet = coder.run("push", "--quiet", "origin", "feature/script:feature/quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    done = coder.run("push", "--porcelain", "origin", "feature/script")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"*\t{HEADS}feature/script:{HEADS}feature/script\t[new branch]" in done.stdout.splitlines()
    denied = coder.run("push", "--porcelain", "origin", "feature/script:elsewhere")
    assert denied.returncode == 1
    line = f"!\t{HEADS}feature/script:{HEADS}elsewhere\t[remote rejected] (denied by policy)"
    assert line in denied.stdout.splitlines()


def test_a_denied_push_says_rule_place_reason_and_fix(world: World) -> None:
    world.coder.commit("feature/denied")
    told = world.coder.refusal("push", "origin", "--delete", "main")
    assert "remote: ostiary: policy denies `git:delete-ref` on `repos/acme/app/branches/main`" in told
    assert f"remote: ostiary: rule: {place('main-stays')}" in told
    told = world.coder.refusal("push", "origin", "feature/denied:elsewhere")
    assert "remote: ostiary: rule: default deny" in told
    assert "remote: ostiary: fix: ask the policy's owner for: `git:push on repos/acme/app/branches/elsewhere`" in told


def test_main_is_not_forced_whatever_the_client_calls_it(world: World) -> None:
    coder, before = world.coder, world.at(HEADS + "main")
    coder.git("checkout", "--quiet", "--orphan", "orphan")
    coder.git("commit", "--quiet", "--allow-empty", "--message", "another beginning")
    for refspec in ("+orphan:main", "+HEAD:refs/heads/main", "orphan:refs/heads/main"):
        assert "(main-stays)" in coder.refusal("push", "--force", "origin", refspec)
    coder.git("checkout", "--quiet", "main")
    assert world.at(HEADS + "main") == before


def test_the_words_of_the_hosts_own_hook_come_back(world: World) -> None:
    world.coder.commit("feature/hooked")
    told = world.coder.refusal("push", "origin", "feature/hooked:release")
    assert "remote: ostiary:" in told
    assert "branch is protected: refs/heads/release" in told
    assert "(rejected)" in told
    assert world.at(HEADS + "release") == ""


def test_a_branch_that_moved_upstream_is_not_overwritten(world: World) -> None:
    coder, ref = world.coder, HEADS + "feature/raced"
    coder.commit("feature/raced")
    coder.git("push", "--quiet", "origin", "feature/raced")
    moved = world.upstream.git("commit-tree", "-m", "somebody else", "main^{tree}")
    world.upstream.git("update-ref", ref, moved)
    coder.commit("feature/raced", "feature/raced", {"next.txt": "next\n"})
    assert "fetch first" in coder.refusal("push", "origin", "feature/raced")
    assert "stale info" in coder.refusal("push", "--force-with-lease", "origin", "feature/raced")
    assert world.at(ref) == moved


# What is in it.


def committed(files: dict[str, str | bytes], **people: str) -> Callable[[Coder], None]:
    def make(coder: Coder) -> None:
        coder.more = people
        coder.commit("work", files=files)
        coder.more = {}

    return make


def several(coder: Coder) -> None:
    coder.commit("work")
    for number in range(3):
        coder.commit("work", "work", {"n.txt": f"{number}\n"})


def taken_back(coder: Coder) -> None:
    """A file that is there in one commit only is in the history for ever."""
    coder.commit("work", files={"infra/main.tf": "x\n"})
    (coder.folder / "infra" / "main.tf").unlink()
    coder.commit("work", "work", {"ok.txt": "ok\n"})


@pytest.mark.parametrize(
    ("rule", "make"),
    [
        ("no-infra", committed({"infra/main.tf": "x\n"})),
        ("no-infra", taken_back),
        ("no-workflows", committed({".GitHub/Workflows/ci.yml": "on: push\n"})),
        ("no-workflows", committed({".git\u200chub/workflows/ci.yml": "on: push\n"})),
        ("our-authors", committed({"a.txt": "a\n"}, GIT_AUTHOR_EMAIL="eve@evil.example")),
        ("our-committers", committed({"a.txt": "a\n"}, GIT_COMMITTER_EMAIL="eve@evil.example")),
        ("few-commits", several),
        ("small-files", committed({"a.txt": "line\n" * 7_000})),
        ("small-pushes", committed({f"{name}.txt": f"{name}\n" * 12_000 for name in "abc"})),
        ("no-binaries", committed({"a.png": bytes(range(256))})),
        ("no-secrets", committed({"docs/a.txt": f"one\ntwo\ntoken: {SECRET}\n"})),
        ("no-secrets", committed({"a.bin.txt": f"\ntoken={SECRET}\n", "b.txt": "b\n"})),
    ],
)
def test_what_a_push_holds_is_judged_before_any_of_it_is_sent(
    careful: World, rule: str, make: Callable[[Coder], None]
) -> None:
    coder, before, asked = careful.coder, careful.upstream.refs(), len(careful.house.host.seen)
    make(coder)
    told = coder.refusal("push", "origin", "work:judged")
    assert f"({rule})" in told
    assert SECRET not in told
    assert careful.upstream.refs() == before
    assert not [each for each in careful.house.host.seen[asked:] if each.method == "POST" and "receive" in each.path]


def test_what_no_condition_speaks_against_lands(careful: World) -> None:
    new = careful.coder.commit("work", files={"docs/fine.txt": "fine\n", "src/infra.txt": "fine\n"})
    careful.coder.git("push", "--quiet", "origin", "work:fine")
    assert careful.at(HEADS + "fine") == new


def test_a_push_option_can_be_denied(careful: World) -> None:
    careful.coder.commit("work")
    assert "(no-options)" in careful.coder.refusal("push", "-o", "deploy=now", "origin", "work:optional")


def test_a_branch_for_signed_commits_takes_no_others(careful: World, tmp_path: Path) -> None:
    coder = careful.coder
    coder.commit("work")
    assert "(signed-only)" in coder.refusal("push", "origin", "work:signed/x")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    signing = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}")
    coder.git(*signing, "commit", "--quiet", "--amend", "--no-edit", "--gpg-sign")
    coder.git("push", "--quiet", "origin", "work:signed/x")
    assert careful.at(HEADS + "signed/x") == coder.git("rev-parse", "work")


def test_a_secret_is_nowhere_but_with_the_agent_that_wrote_it(careful: World) -> None:
    session, careful.coder.token = careful.house.begin("careful")
    careful.coder.commit("work", files={"hidden.txt": f"password = {SECRET}\n"})
    told = careful.coder.refusal("push", "origin", "work:leaky")
    assert "remote: ostiary: found: `gitlab-personal-access-token` in hidden.txt:1" in told
    assert SECRET not in told
    (denied,) = [each for each in careful.house.events(session) if each["type"] == "intent.denied"]
    assert "gitlab-personal-access-token" in str(denied["data"])
    assert SECRET not in str(careful.house.events(session))
    assert SECRET not in careful.house.up.said


def test_a_value_of_the_vault_in_a_push_is_found_where_it_stands(careful: World) -> None:
    sealed = careful.house.host.rw_token
    careful.coder.commit("work", files={"notes.txt": f"one\nit is {sealed} now\n"})
    told = careful.coder.refusal("push", "origin", "work:sealed")
    assert "(no-secrets)" in told
    assert "in notes.txt:2" in told
    assert sealed not in told
