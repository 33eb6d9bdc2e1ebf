"""The git connector pushes to a real git host what it should, and refuses everything else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import UpstreamRefusedError
from tests.parts.git_bench import REPO, Agent, Bench, git_bench
from tests.parts.git_server import GitServer
from vault.model import CredentialKind

ABSENT = "0" * 40


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with git_bench(tmp_path) as made:
        yield made
        assert made.left_behind == [], "a working area was left behind"


@pytest.fixture
def server(bench: Bench) -> GitServer:
    return bench.server


@pytest.fixture
def agent(server: GitServer, tmp_path: Path) -> Agent:
    return Agent(tmp_path / "agent", server)


async def refusal(bench: Bench, **params: object) -> str:
    with pytest.raises(UpstreamRefusedError) as caught:
        await bench.run("git:push", **params)
    assert bench.token not in str(caught.value)
    return caught.value.code


@pytest.mark.req("A1")
@pytest.mark.req("A3")
async def test_a_feature_branch_is_pushed_and_pushed_again_without_effect(
    bench: Bench, agent: Agent, server: GitServer
) -> None:
    new = agent.commit("feature/x")
    bundle = agent.bundle("origin/main..feature/x")
    first = await bench.run("git:push", bundle=bundle)
    assert first.data == {
        "refs": [{"name": "refs/heads/feature/x", "old": None, "new": new, "status": "created"}],
        "confirmed": "reported",
    }
    assert server.refs(REPO)["refs/heads/feature/x"] == new
    again = await bench.run("git:push", bundle=bundle)
    assert again.data["refs"][0]["status"] == "up to date"


async def test_a_bearer_token_is_as_good_as_a_password(bench: Bench, agent: Agent, server: GitServer) -> None:
    bench.scheme = CredentialKind.BEARER
    new = agent.commit("feature/x")
    await bench.run("git:push", bundle=agent.bundle("origin/main..feature/x"))
    assert server.refs(REPO)["refs/heads/feature/x"] == new
    assert {request.user for request in server.seen} == {"bearer"}


async def test_a_whole_history_is_pushed_into_an_empty_repository(
    bench: Bench, agent: Agent, server: GitServer
) -> None:
    server.create_repo("acme/void")
    new = agent.commit("main")
    result = await bench.run("git:push", repo="acme/void", bundle=agent.bundle("main"))
    assert result.data["refs"][0]["status"] == "created"
    assert server.refs("acme/void") == {"refs/heads/main": new}


async def test_a_branch_is_fast_forwarded_from_a_prerequisite_deep_in_history(
    bench: Bench, agent: Agent, server: GitServer
) -> None:
    deep = agent.git("rev-parse", "origin/main")
    old = agent.commit("main")
    agent.git("push", "--quiet", str(server.path(REPO)), "main")
    new = agent.commit("main", "main", "more\n")
    result = await bench.run("git:push", bundle=agent.bundle(f"{deep}..main"), expected={"refs/heads/main": old})
    assert result.data["refs"] == [
        {"name": "refs/heads/main", "old": old, "new": new, "status": "fast-forwarded"},
    ]
    assert server.refs(REPO)["refs/heads/main"] == new


async def test_several_refs_move_together_or_not_at_all(bench: Bench, agent: Agent, server: GitServer) -> None:
    one = agent.commit("feature/one")
    agent.git("tag", "v1", "feature/one")
    result = await bench.run("git:push", bundle=agent.bundle("origin/main..feature/one", "v1"))
    assert [ref["status"] for ref in result.data["refs"]] == ["created", "created"]
    assert server.refs(REPO)["refs/tags/v1"] == one
    agent.commit("release")
    agent.commit("feature/two")
    assert await refusal(bench, bundle=agent.bundle("^origin/main", "release", "feature/two")) == "rejected"
    assert "refs/heads/feature/two" not in server.refs(REPO)


def needed(bench: Bench) -> list[str]:
    return [each.action for each in bench.plans[-1].requirements]


async def test_an_annotated_tag_is_pushed_and_moving_it_is_by_force(
    bench: Bench, agent: Agent, server: GitServer
) -> None:
    agent.commit("feature/x")
    agent.git("tag", "--annotate", "--message", "one", "v1")
    await bench.run("git:push", bundle=agent.bundle("origin/main..v1"))
    assert server.refs(REPO)["refs/tags/v1"] == agent.git("rev-parse", "v1")
    agent.git("tag", "--force", "--annotate", "--message", "two", "v1")
    assert needed(bench) == ["git:push"]
    await bench.run("git:push", bundle=agent.bundle("origin/main..v1"))
    assert needed(bench) == ["git:force-push"]
    assert server.refs(REPO)["refs/tags/v1"] == agent.git("rev-parse", "v1")


async def test_a_push_that_is_no_fast_forward_is_one_by_force(bench: Bench, agent: Agent, server: GitServer) -> None:
    old = agent.commit("feature/x", text="mine\n")
    agent.git("push", "--quiet", str(server.path(REPO)), "feature/x")
    agent.commit("feature/x", text="other\n")
    bundle = agent.bundle("origin/main..feature/x")
    assert await refusal(bench, bundle=bundle, expected={"refs/heads/feature/x": ABSENT}) == "stale"
    result = await bench.run("git:push", bundle=bundle, expected={"refs/heads/feature/x": old})
    assert needed(bench) == ["git:force-push"]
    assert (result.data["refs"][0]["old"], result.data["refs"][0]["status"]) == (old, "forced")
    assert server.refs(REPO)["refs/heads/feature/x"] == agent.git("rev-parse", "feature/x")


async def test_refs_are_deleted_without_a_pack(bench: Bench, agent: Agent, server: GitServer) -> None:
    old = agent.commit("feature/x")
    agent.git("push", "--quiet", str(server.path(REPO)), "feature/x")
    update = {"ref": "refs/heads/feature/x", "old": old, "new": ABSENT}
    result = await bench.run("git:push", updates=[update])
    assert needed(bench) == ["git:delete-ref"]
    assert result.data["refs"][0] == {"name": update["ref"], "old": old, "new": None, "status": "deleted"}
    assert "refs/heads/feature/x" not in server.refs(REPO)


async def test_a_ref_that_moves_between_the_judgement_and_the_push_is_stale(
    bench: Bench, agent: Agent, server: GitServer
) -> None:
    agent.commit("feature/x")
    bundle = agent.bundle("origin/main..feature/x")
    other = agent.commit("feature/y", text="other\n")
    agent.git("push", "--quiet", str(server.path(REPO)), "feature/y")
    bench.before_sending = lambda: agent.git("push", "--quiet", str(server.path(REPO)), "feature/y:feature/x")
    assert await refusal(bench, bundle=bundle) == "stale"
    assert server.refs(REPO)["refs/heads/feature/x"] == other


async def test_a_new_ref_that_differs_from_another_in_case_only_is_refused(bench: Bench, agent: Agent) -> None:
    agent.commit("Main")
    assert await refusal(bench, bundle=agent.bundle("origin/main..Main")) == "look-alike"


async def test_an_expectation_that_does_not_hold_is_stale(bench: Bench, agent: Agent, server: GitServer) -> None:
    start = agent.git("rev-parse", "origin/main")
    agent.commit("main")
    bundle = agent.bundle("origin/main..main")
    assert await refusal(bench, bundle=bundle, expected={"refs/heads/main": ABSENT}) == "stale"
    assert server.refs(REPO)["refs/heads/main"] == start
    await bench.run("git:push", bundle=bundle, expected={"refs/heads/main": start})


async def test_the_hook_of_a_protected_branch_rejects_with_its_own_words(bench: Bench, agent: Agent) -> None:
    agent.commit("release")
    with pytest.raises(UpstreamRefusedError, match="branch is protected: refs/heads/release") as caught:
        await bench.run("git:push", bundle=agent.bundle("origin/main..release"))
    assert caught.value.code == "rejected"


async def test_wrong_and_weak_credentials_are_refused_with_their_status(
    bench: Bench, agent: Agent, server: GitServer
) -> None:
    agent.commit("feature/x")
    bundle = agent.bundle("origin/main..feature/x")
    bench.token = "not-a-token"
    assert await refusal(bench, bundle=bundle) == "unauthorized"
    bench.token = server.ro_token
    assert await refusal(bench, bundle=bundle) == "forbidden"
    assert (await bench.run("git:read")).data["refs"]
    assert "refs/heads/feature/x" not in server.refs(REPO)


async def test_a_repository_that_is_not_there_is_not_found(bench: Bench) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await bench.run("git:read", repo="acme/none")
    assert (caught.value.code, caught.value.status) == ("not-found", 404)


async def test_commits_the_repository_does_not_have_leave_the_pack_broken(bench: Bench, agent: Agent) -> None:
    agent.commit("secret/base")
    agent.commit("feature/x", "secret/base", "more\n")
    assert await refusal(bench, bundle=agent.bundle("secret/base..feature/x")) == "bad-pack"


async def test_a_pack_with_missing_objects_is_refused_before_anything_is_sent(
    bench: Bench, agent: Agent, server: GitServer
) -> None:
    commit = agent.commit("feature/x")
    assert await refusal(bench, bundle=agent.forged({"refs/heads/feature/x": commit}, [commit])) == "bad-pack"
    assert not [request for request in server.seen if request.path.endswith("receive-pack")]


async def test_a_tree_that_would_write_into_git_folders_is_caught_by_fsck(bench: Bench, agent: Agent) -> None:
    blob = agent.store("hash-object", "-w", "--stdin", text=b"[core]\n\tfsmonitor = evil\n")
    tree = agent.store("mktree", text=f"100644 blob {blob}\t.GIT\n".encode())
    commit = agent.store("commit-tree", tree, text=b"trick")
    bundle = agent.forged({"refs/heads/feature/x": commit}, [blob, tree, commit])
    assert await refusal(bench, bundle=bundle) == "bad-pack"


async def test_a_branch_cannot_point_to_something_that_is_no_commit(bench: Bench, agent: Agent) -> None:
    blob = agent.store("hash-object", "-w", "--stdin", text=b"just a file\n")
    assert await refusal(bench, bundle=agent.forged({"refs/heads/feature/x": blob}, [blob])) == "not-a-commit"
    other = "1" * 40
    assert await refusal(bench, bundle=agent.forged({"refs/tags/v1": other}, [blob])) == "missing-objects"
