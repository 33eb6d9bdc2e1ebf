"""The git connector when the host, the machine or somebody else gets in its way."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.base import CallResult
from connectors.errors import NotSentError, OutcomeUnknownError, UpstreamRefusedError
from connectors.git.process import ProcessLimits
from tests.parts.git_bench import REPO, Agent, Bench, git_bench
from tests.parts.git_server import Fault, GitServer, git_server


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


async def test_a_branch_that_moves_in_the_last_moment_is_not_overwritten(
    bench: Bench, agent: Agent, server: GitServer
) -> None:
    agent.commit("feature/x")
    agent.git("push", "--quiet", str(server.path(REPO)), "feature/x")
    new = agent.commit("feature/x", "feature/x", "more\n")
    bundle = agent.bundle("origin/main..feature/x")
    # The host's hook moves the branch to another commit while the push is in the host's hands.
    main = server.refs(REPO)["refs/heads/main"]
    hook = server.path(REPO) / "hooks" / "pre-receive"
    hook.write_text(
        "#!/bin/sh\nunset GIT_QUARANTINE_PATH\nread -r old new ref\n" + f'exec git update-ref "$ref" {main} "$old"\n'
    )
    assert await refusal(bench, bundle=bundle) == "stale"
    assert server.refs(REPO)["refs/heads/feature/x"] == main != new


async def test_a_push_cut_before_it_was_carried_out_is_unknown(bench: Bench, agent: Agent, server: GitServer) -> None:
    agent.commit("feature/x")
    server.fault = Fault.CUT_BEFORE
    with pytest.raises(OutcomeUnknownError) as caught:
        await bench.run("git:push", bundle=agent.bundle("origin/main..feature/x"))
    assert bench.token not in str(caught.value)
    assert sum(request.method == "POST" and "receive" in request.path for request in server.seen) == 1


async def test_a_push_cut_after_it_was_carried_out_is_proven_by_reading_back(
    bench: Bench, agent: Agent, server: GitServer
) -> None:
    new = agent.commit("feature/x")
    server.fault = Fault.CUT_AFTER
    result = await bench.run("git:push", bundle=agent.bundle("origin/main..feature/x"))
    assert result.data["confirmed"] == "read-back"
    assert server.refs(REPO)["refs/heads/feature/x"] == new


async def test_a_host_that_hangs_runs_into_the_deadline_and_is_unknown(
    bench: Bench, agent: Agent, server: GitServer
) -> None:
    agent.commit("feature/x")
    server.fault = Fault.HANG
    bench.answer_seconds = 2.0
    with pytest.raises(OutcomeUnknownError):
        await bench.run("git:push", bundle=agent.bundle("origin/main..feature/x"))


@pytest.mark.req("V1")
async def test_no_process_shows_the_credential_and_cancelling_ends_them_all(
    bench: Bench, agent: Agent, server: GitServer
) -> None:
    server.fault = Fault.HANG_FETCH
    task = asyncio.create_task(bench.run("git:read", what="bundle"))
    assert await asyncio.to_thread(server.arrived.wait, 20)
    area = str(bench.left_behind[0])
    shown = _processes_of(area)
    assert any("remote-http" in text for text in shown.values()), "git's helper must be among the processes"
    secrets = [bench.token, bench.header(), bench.header().partition(" ")[2]]
    for text in shown.values():
        assert not [secret for secret in secrets if secret in text]
    assert not _files_with(bench.token, area)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _processes_of(area) == {}


async def test_a_redirect_is_not_followed(bench: Bench, agent: Agent, server: GitServer, tmp_path: Path) -> None:
    with git_server(tmp_path / "elsewhere") as elsewhere:
        server.fault, server.redirect_to = Fault.REDIRECT, elsewhere.url
        agent.commit("feature/x")
        assert await refusal(bench, bundle=agent.bundle("origin/main..feature/x")) == "redirect"
        with pytest.raises(UpstreamRefusedError, match="redirects are not followed"):
            await bench.run("git:read")
        assert elsewhere.seen == []


async def test_a_host_that_does_not_listen_gets_nothing(bench: Bench, agent: Agent) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    bench.url = f"http://127.0.0.1:{port}"
    agent.commit("feature/x")
    with pytest.raises(NotSentError):
        await bench.run("git:push", bundle=agent.bundle("origin/main..feature/x"))


async def test_a_deadline_before_the_push_means_nothing_was_sent(bench: Bench, agent: Agent, server: GitServer) -> None:
    agent.commit("feature/x")
    bench.limits = ProcessLimits(timeout_seconds=0.0)
    with pytest.raises(NotSentError):
        await bench.run("git:push", bundle=agent.bundle("origin/main..feature/x"))
    assert not [request for request in server.seen if request.path.endswith("receive-pack")]


async def test_a_host_that_is_no_git_host_is_told_from_one(bench: Bench) -> None:
    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        bench.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        with pytest.raises(UpstreamRefusedError) as caught:
            await bench.run("git:read")
        thread.join()
    assert caught.value.code == "bad-answer"


async def test_configuration_hooks_and_netrc_of_the_machine_are_not_used(
    bench: Bench, agent: Agent, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, trap = tmp_path / "home", tmp_path / "trap"
    template = home / "template" / "hooks"
    template.mkdir(parents=True)
    for name in ("pre-push", "post-update", "reference-transaction", "post-index-change"):
        (template / name).write_text(f"#!/bin/sh\ntouch {trap}\n")
        (template / name).chmod(0o755)
    (home / ".netrc").write_text("machine 127.0.0.1 login netrc password netrc\n")
    (home / ".gitconfig").write_text(
        f'[init]\n\ttemplateDir = {template.parent}\n[core]\n\thooksPath = {template}\n\taskPass = "touch {trap}"\n'
        f'[credential]\n\thelper = "!touch {trap}"\n[http]\n\tproxy = http://127.0.0.1:9\n'
        '[url "http://127.0.0.1:9/"]\n\tinsteadOf = http://127.0.0.1\n'
        '[receive]\n\tdenyCreates = true\n[http]\n\textraHeader = "X-Home: yes"\n'
    )
    for name, value in {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GIT_TEMPLATE_DIR": str(template.parent),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.proxy",
        "GIT_CONFIG_VALUE_0": "http://127.0.0.1:9",
        "GIT_SSH_COMMAND": f"touch {trap}",
        "GIT_PROXY_COMMAND": f"touch {trap}",
        "GIT_EXEC_PATH": str(home),
        "GIT_ASKPASS": f"touch {trap}",
        "http_proxy": "http://127.0.0.1:9",
        "GIT_TRACE_CURL": str(tmp_path / "trace"),
    }.items():
        monkeypatch.setenv(name, value)
    agent.commit("feature/x")
    await bench.run("git:push", bundle=agent.bundle("origin/main..feature/x"))
    await bench.read_body(what="bundle")
    assert not trap.exists()
    assert not (tmp_path / "trace").exists()
    assert {request.user for request in server.seen} == {"bot"}


async def test_concurrent_pushes_to_one_branch_let_exactly_one_win(
    bench: Bench, agent: Agent, server: GitServer
) -> None:
    bundles = {}
    for text in ("one\n", "two\n"):
        oid = agent.commit("feature/x", text=text)
        bundles[oid] = agent.bundle("origin/main..feature/x")
    outcomes = await asyncio.gather(
        *(bench.run("git:push", bundle=bundle) for bundle in bundles.values()), return_exceptions=True
    )
    won = [outcome for outcome in outcomes if isinstance(outcome, CallResult)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, UpstreamRefusedError)]
    assert (len(won), len(lost)) == (1, 1), outcomes
    assert won[0].data["refs"][0]["new"] == server.refs(REPO)["refs/heads/feature/x"]


def _files_with(secret: str, folder: str) -> list[Path]:
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    assert files, "an area holds files while git works"
    return [path for path in files if secret.encode() in path.read_bytes()]


def _processes_of(area: str) -> dict[int, str]:
    """Command line and environment of every process whose environment names the area."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = "\n".join((folder / name).read_bytes().decode("latin-1") for name in ("cmdline", "environ"))
        except OSError:
            continue
        if area in text:
            found[int(folder.name)] = text
    return found
