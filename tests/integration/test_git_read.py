"""The git connector reads from a real git host: refs as data, history as a bundle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import UpstreamRefusedError
from tests.parts.git_bench import REPO, Agent, Bench, git_bench
from tests.parts.git_server import GitServer

pytestmark = pytest.mark.req("A3")


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


async def test_refs_are_listed_with_the_default_branch(bench: Bench, server: GitServer) -> None:
    result = await bench.run("git:read")
    oid = server.refs(REPO)["refs/heads/main"]
    assert result.data == {
        "refs": [{"name": "refs/heads/main", "oid": oid}],
        "head": "refs/heads/main",
        "truncated": False,
    }


async def test_only_the_refs_asked_for_are_listed(bench: Bench, server: GitServer) -> None:
    result = await bench.run("git:read", refs=["refs/heads/main", "refs/heads/nowhere"])
    assert [ref["name"] for ref in result.data["refs"]] == ["refs/heads/main"]


async def test_an_empty_repository_lists_no_refs_and_has_no_bundle(bench: Bench, server: GitServer) -> None:
    server.create_repo("acme/void")
    listed = await bench.run("git:read", repo="acme/void")
    assert listed.data["refs"] == []
    with pytest.raises(UpstreamRefusedError) as caught:
        await bench.run("git:read", repo="acme/void", what="bundle")
    assert caught.value.code == "empty-repository"


async def test_a_bundle_can_be_cloned_by_stock_git(
    bench: Bench, agent: Agent, server: GitServer, tmp_path: Path
) -> None:
    data, bundle = await bench.read_body(what="bundle")
    (tmp_path / "app.bundle").write_bytes(bundle)
    agent.git("clone", "--quiet", "app.bundle", "copy", cwd=tmp_path)
    assert (tmp_path / "copy" / "README.md").read_text() == "hello\n"
    assert data["refs"] == [{"name": "refs/heads/main", "oid": server.refs(REPO)["refs/heads/main"]}]


async def test_a_bundle_of_one_ref_holds_that_ref_only(bench: Bench, agent: Agent, server: GitServer) -> None:
    oid = agent.commit("feature/x")
    agent.git("push", "--quiet", str(server.path(REPO)), "feature/x")
    data, bundle = await bench.read_body(what="bundle", refs=["refs/heads/feature/x"])
    assert data["refs"] == [{"name": "refs/heads/feature/x", "oid": oid}]
    assert bundle.partition(b"\n\n")[0].splitlines()[-1] == f"{oid} refs/heads/feature/x".encode()
    assert b"HEAD" not in bundle.partition(b"\n\n")[0]


async def test_a_ref_that_is_not_there_cannot_be_read(bench: Bench) -> None:
    with pytest.raises(UpstreamRefusedError) as caught:
        await bench.run("git:read", what="bundle", refs=["refs/heads/nowhere"])
    assert caught.value.code == "no-such-ref"


@pytest.mark.parametrize("begin", [True, False])
async def test_leaving_a_bundle_early_ends_git_and_removes_the_area(bench: Bench, agent: Agent, begin: bool) -> None:
    (agent.folder / "big.bin").write_bytes(os.urandom(4 << 20))
    agent.commit("main")
    agent.git("push", "--quiet", str(bench.server.path(REPO)), "main")
    async with bench.transport() as transport:
        result = await bench.execute(transport, "git:read", {"what": "bundle"})
        assert result.body is not None
        if begin:
            assert len(await anext(result.body)) >= 256 << 10
        assert len(list(bench.areas.iterdir())) == 1
        await result.body.aclose()
        await result.body.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(result.body)
