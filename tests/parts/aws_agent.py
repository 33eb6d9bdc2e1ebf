"""An agent's machine: a process that holds what an agent is given and nothing else, and runs AWS's own clients.

The clients are unmodified and each command is a process of its own, forked from one that has imported the client
already: starting Python and importing the AWS CLI costs more than most commands. `Agent.process` starts one from
nothing. The AWS CLI brings another botocore than boto3's under the same name, so each has a machine of its own.
"""

from __future__ import annotations

import gc
import json
import os
import shlex
import socketserver
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import AF_UNIX, socket
from typing import Any, Final

from tests.parts.up import ROOT

TIMEOUT_SECONDS: Final = 90.0
_START_SECONDS: Final = 30.0
_CLI, _BOTO = "cli", "boto"


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind.

    Args:
        status: Exit status.
        out: Standard output.
        err: Standard error.
    """

    status: int
    out: str
    err: str


class Agent:
    """A running machine of an agent.

    Args:
        folder: Its home and working directory.
        environment: All the environment its processes have.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.pids: list[int] = []

    def aws(self, line: str | Sequence[str]) -> Done:
        """Run one command of the AWS CLI, written without the word ``aws``."""
        return self._ask(_CLI, shlex.split(line) if isinstance(line, str) else list(line))

    def boto(self, step: str, /, **arguments: Any) -> Done:
        """Run one function of `tests.parts.aws_steps`; what it returns is printed as JSON."""
        return self._ask(_BOTO, [step, json.dumps(arguments)])

    def process(self, line: str, **environment: str) -> Done:
        """Run one command of the AWS CLI in a process that begins with the interpreter."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "awscli", *shlex.split(line)],
            env={**self.environment, **environment},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def _ask(self, client: str, argv: list[str]) -> Done:
        with socket(AF_UNIX) as asked:
            asked.settimeout(TIMEOUT_SECONDS)
            asked.connect(str(self.folder / f"{client}.sock"))
            asked.sendall(json.dumps(argv).encode() + b"\n")
            with asked.makefile("rb") as answer:
                return Done(**json.loads(answer.read()))


@contextmanager
def agent_machine(**environment: str) -> Iterator[Agent]:
    """Run a machine whose processes have these variables; files it keeps are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ost-agent-") as name:
        folder = Path(name)
        whole = {"PATH": os.environ["PATH"], "HOME": name, "PYTHONPATH": str(ROOT), "TZ": "UTC", **environment}
        agent, started = Agent(folder, whole), []
        try:
            for client in (_CLI, _BOTO):
                command = [sys.executable, "-P", "-m", "tests.parts.aws_agent", client, str(folder / f"{client}.sock")]
                started.append(subprocess.Popen(command, env=whole, cwd=folder, stdin=subprocess.DEVNULL))
            agent.pids = [process.pid for process in started]
            _await(folder, started)
            yield agent
        finally:
            for process in started:
                process.terminate()
                process.wait()


def _await(folder: Path, started: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not all((folder / f"{client}.sock").exists() for client in (_CLI, _BOTO)):
        if time.monotonic() > deadline or any(process.poll() is not None for process in started):
            raise RuntimeError("an agent's machine did not start")
        time.sleep(0.02)


class _Machine(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    max_children = 64
    request_queue_size = 64
    block_on_close = False


def _serve(client: str, path: str) -> None:
    run = _cli() if client == _CLI else _boto()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            done = _captured(run, json.loads(self.rfile.readline()))
            with suppress(ConnectionError):  # who asked may have stopped waiting
                self.wfile.write(json.dumps(done).encode())

    gc.collect()
    gc.freeze()  # what is here before the fork stays shared
    with _Machine(path, Handler) as machine:
        machine.serve_forever(poll_interval=0.05)


def _captured(run: Callable[[list[str]], int], argv: list[str]) -> dict[str, Any]:
    """Run in this process, a child that ends afterwards, with both streams in files."""
    streams = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115 - they end with the process
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream.fileno(), number)
    try:
        status = run(argv)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - as the interpreter would end
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    said = [stream.seek(0) or stream.read().decode("utf-8", "replace") for stream in streams]
    return {"status": status, "out": said[0], "err": said[1]}


def _cli() -> Callable[[list[str]], int]:
    from awscli.clidriver import create_clidriver  # here: it puts its own botocore in the place of boto3's

    driver = create_clidriver()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        driver.main(["sts", "get-caller-identity", "--generate-cli-skeleton"])  # looks through all services, once

    def run(argv: list[str]) -> int:
        return int(driver.main(argv))

    return run


def _boto() -> Callable[[list[str]], int]:
    import boto3
    from botocore.exceptions import ClientError

    from tests.parts import aws_steps

    for service in ("s3", "dynamodb"):
        boto3.client(service)

    def run(argv: list[str]) -> int:
        try:
            found = getattr(aws_steps, argv[0])(**json.loads(argv[1]))
        except ClientError as error:
            sys.stderr.write(f"{error}\n")
            return 254
        sys.stdout.write(json.dumps(found, default=aws_steps.plain))
        return 0

    return run


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2])
