"""Pushes that wait for people: stock git waits in sight, people judge what will land, and exactly that lands.

Clients of this house are patient: they go when Ctrl-C is pressed, not when a clock says so.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.parts.git_house import Coder, GitHouse, Repository, git_house, interrupt, place
from tests.parts.up import eventually

pytestmark = [pytest.mark.req("A3"), pytest.mark.req("H1")]

HEADS = "refs/heads/"
PATIENCE_SECONDS = 30
ASKED = re.compile(r"people are asked: (\S+/v1/approvals/apr_\w+)")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHouse]:
    settings = {"OSTIARY_WIRE_APPROVAL_WAIT_SECONDS": str(PATIENCE_SECONDS), "OSTIARY_RECONCILE_SECONDS": "0.2"}
    with git_house(tmp_path_factory.mktemp("house"), settings) as made:
        yield made


@pytest.fixture(scope="module")
def clone(house: GitHouse, tmp_path_factory: pytest.TempPathFactory) -> Coder:
    coder = Coder(tmp_path_factory.mktemp("work") / "clone", house.door(), house.begin("coder")[1])
    coder.clone()
    return coder


@pytest.fixture
def session(house: GitHouse, clone: Coder) -> str:
    """A session of the test's own; `clone` has its token."""
    began, clone.token = house.begin("coder")
    return began


@pytest.fixture
def upstream(house: GitHouse) -> Repository:
    return house.upstream()


def await_words(waiting: subprocess.Popen[str], words: str) -> str:
    """Read what git says until it said these words; return all of it."""
    assert waiting.stderr is not None
    said = ""
    while words not in said:
        piece = waiting.stderr.readline()
        assert piece, f"git ended without `{words}`: {said}"
        said += piece
    return said


def finished(waiting: subprocess.Popen[str]) -> str:
    """Wait until git ends, and return what it said to its end."""
    assert waiting.stderr is not None
    with waiting:
        return waiting.stderr.read()


def parked(house: GitHouse, clone: Coder, *refspecs: str) -> str:
    """Push what waits for people, and go with Ctrl-C once they are asked; return the approval."""
    waiting = clone.start("push", "origin", *refspecs)
    said = await_words(waiting, "Ctrl-C leaves the request open")
    interrupt(waiting)
    asked = ASKED.search(said)
    assert asked, said
    return asked[1].rpartition("/")[2]


def test_a_push_that_is_approved_while_git_waits_lands_and_git_says_so(
    house: GitHouse, clone: Coder, session: str, upstream: Repository
) -> None:
    new = clone.commit("main")
    waiting = clone.start("push", "origin", "main")
    said = await_words(waiting, "Ctrl-C leaves the request open")
    assert f"remote: ostiary: rule: {place('ask-for-main')}" in said
    before = upstream.refs()[HEADS + "main"]
    asked = house.answer(clone.token)
    assert f"{house.url}/v1/approvals/{asked['id']}" in said
    said = finished(waiting)
    assert (waiting.returncode, f"{before[:7]}..{new[:7]}  main -> main" in said) == (0, True), said
    assert upstream.refs()[HEADS + "main"] == new
    steps = ["parked", "executing", "succeeded", "fetched"]
    assert [each for each in house.types(session) if each.startswith("intent.")] == [f"intent.{each}" for each in steps]


def test_what_lands_is_what_was_looked_at_object_by_object(
    house: GitHouse, clone: Coder, session: str, upstream: Repository
) -> None:
    new = clone.commit("exact", files={"a/b.txt": "b\n", "c.txt": "c\n"})
    parked(house, clone, "exact:asked/exact")
    known = set(upstream.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").splitlines())
    wanted = set(Repository(clone.folder).objects(new))
    assert not known >= wanted, "nothing has left the broker yet"
    # What the agent does to its clone from here on is not what people looked at.
    clone.commit("exact", "exact", {"c.txt": "something else\n"})
    house.answer(clone.token)
    house.await_event(session, "intent.succeeded")
    eventually(lambda: upstream.refs().get(HEADS + "asked/exact") == new)
    now = set(upstream.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").splitlines())
    assert now == known | wanted
    assert upstream.objects(new) == Repository(clone.folder).objects(new)


def test_ctrl_c_leaves_the_request_open_and_it_lands_after_the_yes(
    house: GitHouse, clone: Coder, session: str, upstream: Repository
) -> None:
    new = clone.commit("asked/left")
    parked(house, clone, "asked/left")
    assert HEADS + "asked/left" not in upstream.refs()
    house.answer(clone.token)
    eventually(lambda: upstream.refs().get(HEADS + "asked/left") == new, lambda: house.up.said[-2000:])
    house.await_event(session, "intent.succeeded")
    assert "Everything up-to-date" in clone.run("push", "origin", "asked/left").stderr
    clone.git("fetch", "--quiet")
    assert clone.git("rev-parse", "origin/asked/left") == new


def test_the_same_push_again_waits_for_the_same_answer(
    house: GitHouse, clone: Coder, session: str, upstream: Repository
) -> None:
    new = clone.commit("asked/again")
    first = parked(house, clone, "asked/again")
    assert parked(house, clone, "asked/again") == first
    waiting = clone.start("push", "origin", "asked/again")
    assert first in await_words(waiting, "Ctrl-C leaves the request open")
    assert [each["id"] for each in house.pending(clone.token)] == [first]
    house.answer(clone.token)
    said = finished(waiting)
    assert (waiting.returncode, "[new branch]" in said) == (0, True), said
    assert upstream.refs()[HEADS + "asked/again"] == new
    assert house.types(session).count("intent.executing") == 1


def test_another_push_to_the_same_branch_is_another_question(
    house: GitHouse, clone: Coder, session: str, upstream: Repository
) -> None:
    clone.commit("asked/two")
    first = parked(house, clone, "asked/two")
    second_tip = clone.commit("asked/two", "asked/two", {"two.txt": "two\n"})
    second = parked(house, clone, "asked/two")
    assert first != second
    approve(house, second)
    eventually(lambda: upstream.refs().get(HEADS + "asked/two") == second_tip)
    house.await_event(session, "intent.succeeded")
    # The first was to make the branch; now there is one.
    approve(house, first)
    failed = house.await_event(session, "intent.failed")
    assert failed["data"]["problem"]["reason"] == "stale"
    assert upstream.refs()[HEADS + "asked/two"] == second_tip


def approve(house: GitHouse, approval: str) -> None:
    status, given = house.call("POST", f"/v1/approvals/{approval}/approve", house.alice, {"reason": ""})
    assert status == 200, given


def test_a_no_reaches_the_agent_with_its_reason(
    house: GitHouse, clone: Coder, session: str, upstream: Repository
) -> None:
    clone.commit("asked/no")
    waiting = clone.start("push", "origin", "asked/no")
    await_words(waiting, "Ctrl-C leaves the request open")
    house.answer(clone.token, "reject")
    said = finished(waiting)
    assert waiting.returncode == 1
    assert "remote: ostiary:" in said
    assert "because" in said
    assert "(rejected by a person)" in said
    assert HEADS + "asked/no" not in upstream.refs()
    assert "intent.executing" not in house.types(session)


def test_a_question_that_nobody_answers_in_time_is_a_no(
    house: GitHouse, clone: Coder, session: str, upstream: Repository
) -> None:
    clone.commit("brief/x")
    said = clone.refusal("push", "origin", "brief/x")
    assert place("ask-briefly") in said
    assert "(nobody answered in time)" in said
    assert HEADS + "brief/x" not in upstream.refs()


def test_a_target_that_moved_after_the_yes_is_not_overwritten(
    house: GitHouse, clone: Coder, session: str, upstream: Repository
) -> None:
    clone.commit("base")
    clone.git("push", "--quiet", "origin", "base:feature/moving")
    upstream.git("update-ref", HEADS + "asked/moving", upstream.refs()[HEADS + "feature/moving"])
    clone.git("fetch", "--quiet")
    clone.commit("asked/moving", "origin/asked/moving", {"mine.txt": "mine\n"})
    parked(house, clone, "asked/moving")
    theirs = upstream.git("commit-tree", "-m", "theirs", "-p", HEADS + "asked/moving", "main^{tree}")
    upstream.git("update-ref", HEADS + "asked/moving", theirs)
    house.answer(clone.token)
    failed = house.await_event(session, "intent.failed")
    assert failed["data"]["problem"]["reason"] == "stale"
    assert upstream.refs()[HEADS + "asked/moving"] == theirs
    assert "fetch first" in clone.refusal("push", "origin", "asked/moving")


def test_a_forced_push_that_people_allowed_replaces_what_they_were_shown(
    house: GitHouse, clone: Coder, session: str, upstream: Repository
) -> None:
    old = clone.commit("old")
    clone.git("push", "--quiet", "origin", "old:feature/forced")
    upstream.git("update-ref", HEADS + "asked/forced", old)
    clone.git("fetch", "--quiet")
    new = clone.commit("asked/forced", "origin/main", {"new.txt": "new\n"})
    waiting = clone.start("push", "--force", "origin", "asked/forced")
    asked = house.answer(clone.token)
    (ref,) = asked["preview"]["refs"]
    assert (ref["change"], ref["old"], ref["new"]) == ("force", old, new)
    assert place("ask-to-force") in asked["rule"]
    assert "forced update" in finished(waiting)
    assert upstream.refs()[HEADS + "asked/forced"] == new


def test_the_page_of_the_approver_shows_commits_files_diff_and_what_is_special(
    house: GitHouse, clone: Coder, session: str
) -> None:
    clone.git("fetch", "--quiet")
    new = clone.commit("page", files={"docs/page.txt": "first line\nsecond line\n", "old.txt": "\u202egone\n"})
    approval = parked(house, clone, "page:main")
    alice = {"OSTIARY_TOKEN": house.alice}
    done = house.up.cli("approvals", "show", approval, **alice)
    assert done.returncode == 0, done.stderr
    page = done.stdout
    for words in (
        "push to refs/heads/main of acme/app", "repos/acme/app/branches/main", "fast-forward", "default branch",
        new[:9], "work on page", "Bob <bob@example.com>", "+2 -0", "docs/page.txt", "+first line", "+second line",
        place("ask-for-main"), session,
    ):  # fmt: skip
        assert words in page, f"{words!r} is not in\n{page}"
    assert "\u202e" not in page
    assert "+first line" not in house.up.cli("approvals", "show", approval, "--no-diff", **alice).stdout


def test_one_ref_that_waits_makes_all_of_its_push_wait(
    house: GitHouse, clone: Coder, session: str, upstream: Repository
) -> None:
    one, two = clone.commit("feature/with"), clone.commit("asked/with")
    parked(house, clone, "feature/with", "asked/with")
    assert HEADS + "feature/with" not in upstream.refs()
    house.answer(clone.token)
    eventually(lambda: upstream.refs().get(HEADS + "asked/with") == two)
    assert upstream.refs()[HEADS + "feature/with"] == one


def test_a_session_that_is_killed_takes_its_question_with_it(
    house: GitHouse, clone: Coder, session: str, upstream: Repository
) -> None:
    clone.commit("asked/killed")
    waiting = clone.start("push", "origin", "asked/killed")
    approval = house.asked(clone.token)["id"]
    await_words(waiting, "Ctrl-C leaves the request open")
    house.kill(session)
    said = finished(waiting)
    assert waiting.returncode != 0, said
    status, _ = house.call("POST", f"/v1/approvals/{approval}/approve", house.alice, {"reason": ""})
    assert status == 409
    assert HEADS + "asked/killed" not in upstream.refs()
    assert "intent.executing" not in house.types(session)


def test_two_sessions_that_ask_for_one_branch_are_two_questions_and_one_lands(
    house: GitHouse, clone: Coder, session: str, upstream: Repository
) -> None:
    tips = [clone.commit(f"work{number}", files={"w.txt": f"{number}\n"}) for number in range(2)]
    first = parked(house, clone, "work0:asked/both")
    other_session, clone.token = house.begin("coder")
    second = parked(house, clone, "work1:asked/both")
    assert first != second
    approve(house, second)
    house.await_event(other_session, "intent.succeeded")
    approve(house, first)
    failed = house.await_event(session, "intent.failed")
    assert failed["data"]["problem"]["reason"] == "stale"
    assert upstream.refs()[HEADS + "asked/both"] == tips[1]


def test_nobody_but_its_session_and_the_approvers_sees_what_a_push_holds(
    house: GitHouse, clone: Coder, session: str
) -> None:
    clone.commit("asked/private")
    approval = parked(house, clone, "asked/private")
    _, stranger = house.begin("coder")
    assert house.call("GET", f"/v1/approvals/{approval}", stranger)[0] == 404
    assert house.call("POST", f"/v1/approvals/{approval}/approve", clone.token, {"reason": ""})[0] == 403
