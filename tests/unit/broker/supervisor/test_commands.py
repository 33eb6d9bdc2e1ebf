"""The commands of the processes, in this process: what they refuse, what they signal, what they print."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from broker.cli import processes
from broker.cli.context import Options
from broker.cli.reload import reload
from broker.supervisor.folders import instance_lock

pytestmark = pytest.mark.usefixtures("own_process")

# Ends this process's `up` from outside, as a person would, once it has said that it is ready.
ENDER = """
import os, pathlib, signal, sys, time
ready, pid = pathlib.Path(sys.argv[1]), int(sys.argv[2])
for _ in range(6000):
    if ready.exists() or os.getppid() != pid: break
    time.sleep(0.01)
if ready.exists(): os.kill(pid, signal.SIGTERM)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    # Directly under the temporary folder: the path of a Unix socket is short (unix(7)).
    with tempfile.TemporaryDirectory(prefix="ost-cli-") as made:
        yield Path(made)


def run(folder: Path, *arguments: str) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def _root(ctx: typer.Context) -> None:
        ctx.obj = Options(data=folder / "d")

    for command in (processes.up, processes.serve, processes.worker, reload, processes.stop):
        app.command()(command)
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


@pytest.mark.req("O1")
def test_up_runs_until_it_is_told_to_stop(folder: Path) -> None:
    ready = folder / "ready.json"
    with subprocess.Popen([sys.executable, "-c", ENDER, str(ready), str(os.getpid())]) as ender:
        try:
            done = run(folder, "up", "--port", "0", "--ready-file", str(ready))
        finally:
            ender.kill()

    assert done.exit_code == 0
    told = json.loads(ready.read_text())
    assert told["pid"] == os.getpid()
    assert f"ostiary is running: {told['url']}" in done.stdout
    assert f"made {folder / 'd' / 'operator.token'}" in done.stdout
    assert f"ostiary --data {folder / 'd'} vault put aws/example" in done.stdout
    assert (folder / "d" / "operator.token").read_text().startswith("ost_o_")


def test_an_operator_token_near_its_end_is_written_again_and_a_fresh_one_is_kept(folder: Path) -> None:
    from broker.settings import Settings

    settings = Settings(data=folder / "d")
    processes._make_folders(settings)
    made, _ = processes._first_start(settings)
    token = settings.data / "operator.token"
    assert token in made
    first = token.read_text()

    assert processes._first_start(settings)[0] == []
    assert token.read_text() == first
    os.utime(token, (0, 0))
    assert processes._first_start(settings)[0] == [token]
    assert token.read_text() != first
    assert token.stat().st_mode & 0o777 == 0o600


def test_without_an_admin_no_token_is_made(folder: Path) -> None:
    from broker.settings import Settings

    settings = Settings(data=folder / "d")
    processes._make_folders(settings)
    settings.config_dir.mkdir()
    (settings.config_dir / "ostiary.yaml").write_text("version: 1\noperators:\n  eve:\n    roles: [viewer]\n")

    assert processes._first_start(settings)[0] == []
    assert not (settings.data / "operator.token").exists()


def test_a_faulty_configuration_is_a_usage_error_with_its_place(folder: Path) -> None:
    (folder / "d" / "config").mkdir(parents=True)
    (folder / "d").chmod(0o700)
    (folder / "d" / "config" / "ostiary.yaml").write_text("version: 1\nagentz: {}\n")

    done = run(folder, "up")

    assert done.exit_code == 2
    assert "ostiary.yaml:2:1" in done.stderr
    assert "the configuration cannot be used" in done.stderr


def test_a_data_folder_somebody_else_runs_on_is_refused(folder: Path) -> None:
    (folder / "d" / "run").mkdir(parents=True, mode=0o700)
    (folder / "d").chmod(0o700)
    with instance_lock(folder / "d" / "run"):
        done = run(folder, "up")
    assert done.exit_code == 4
    assert f"process `{os.getpid()}`" in done.stderr


def test_reload_and_stop_need_a_running_supervisor(folder: Path) -> None:
    for command in ("reload", "stop"):
        done = run(folder, command)
        assert done.exit_code == 4
        assert "ostiary does not run on" in done.stderr


def test_reload_and_stop_signal_the_supervisor(folder: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from broker.supervisor.folders import instance_lock\n"
        "signal.signal(signal.SIGHUP, lambda *_: os.write(1, b'reload\\n'))\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
        "with instance_lock(Path(sys.argv[1])):\n  print('ready', flush=True)\n  while True: signal.pause()"
    )
    run_dir = folder / "d" / "run"
    run_dir.mkdir(parents=True, mode=0o700)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run_dir)],
        env={"PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.PIPE,
        text=True,
    ) as supervisor:
        try:
            assert supervisor.stdout is not None
            assert supervisor.stdout.readline() == "ready\n"
            unheard = run(folder, "reload")
            assert (unheard.exit_code, "no answer came" in unheard.stderr) == (4, True)
            assert supervisor.stdout.readline() == "reload\n"
            assert run(folder, "stop").exit_code == 0
            assert supervisor.wait() == 0
        finally:
            supervisor.kill()


def test_a_process_that_runs_alone_tells_why_it_ended(folder: Path) -> None:
    done = run(folder, "serve", "--host", "no such host")
    assert done.exit_code == 4
    assert "cannot listen on `no such host`" in done.stderr


class ClosedOutput(io.TextIOBase):
    """A terminal that was closed."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_closed_output_does_not_stop_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", ClosedOutput())
    processes._print(["ostiary is running"])
