"""What else stands between a client and a model: nginx as the floor, LiteLLM's proxy as what people use today.

nginx is what apt gives, unpacked without root. LiteLLM takes 742 MB, so it is installed only when it is asked for, in
an environment of its own, at the versions of ``deploy/requirements/rivals.txt``, and runs in its cheapest setup: one
worker, a master key, no database, its own list of prices, errors only. Where one cannot be had its rows say why.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from deploy.environment import Checkout
from tests.bench.llm_house import KEY, MODEL, Asker
from tests.bench.llm_native import pin

_ROOT: Final = Path(__file__).resolve().parents[2]
_MASTER_KEY: Final = "sk-bench-master-0000"
_READY_SECONDS: Final = 120.0
_INSTALL_SECONDS: Final = 900
_NGINX_CONF: Final = """\
worker_processes 1; daemon off; master_process off; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_buffer_size 256k; client_max_body_size 32m;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_set_header x-api-key {key};
    }}
  }}
}}
"""
_LITELLM_CONF: Final = """\
model_list:
  - model_name: {model}
    litellm_params: {{model: anthropic/{model}, api_base: "http://127.0.0.1:{upstream}", api_key: {key}}}
general_settings: {{master_key: {master}}}
"""


class MissingError(Exception):
    """It cannot be had here; says why."""


@contextmanager
def nginx(upstream: int) -> Iterator[Asker]:
    """Run nginx in front of a provider, with the provider's key.

    Raises:
        MissingError: there is none.
    """
    program = _nginx()
    with tempfile.TemporaryDirectory(prefix="ost-bench-") as name:
        port = _free_port()
        conf = Path(name) / "nginx.conf"
        conf.write_text(_NGINX_CONF.format(folder=name, upstream=upstream, port=port, key=KEY))
        with _served([str(program), "-p", name, "-c", str(conf)], port, os.environ.copy(), "/"):
            yield Asker("nginx", port, ("x-api-key", "none"))


@contextmanager
def litellm(upstream: int) -> Iterator[Asker]:
    """Run LiteLLM's proxy in front of a provider.

    Raises:
        MissingError: it cannot be installed or does not start.
    """
    program = _litellm()
    with tempfile.TemporaryDirectory(prefix="ost-bench-") as name:
        port = _free_port()
        conf = Path(name) / "config.yaml"
        conf.write_text(_LITELLM_CONF.format(model=MODEL, upstream=upstream, key=KEY, master=_MASTER_KEY))
        command = [
            str(program),
            "--config",
            str(conf),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--num_workers",
            "1",
        ]
        cheap = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "HOME": name}
        with _served(command, port, {"PATH": os.environ["PATH"], **cheap}, "/health/liveliness"):
            yield Asker("LiteLLM", port, ("Authorization", f"Bearer {_MASTER_KEY}"))


def _nginx() -> Path:
    unpacked = Checkout(_ROOT).tools / "nginx"
    found = shutil.which("nginx") or shutil.which("nginx", path=str(unpacked / "usr" / "sbin"))
    if found:
        return Path(found)
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise MissingError("no nginx on PATH, and no apt to get it with")
    with tempfile.TemporaryDirectory(prefix="ost-bench-") as name:
        _must(["apt-get", "-o", "APT::Sandbox::User=root", "download", "nginx"], Path(name), "apt has no nginx")
        (package,) = Path(name).glob("nginx_*.deb")
        _must(["dpkg-deb", "-x", str(package), str(unpacked)], Path(name), "the package of nginx cannot be unpacked")
    return unpacked / "usr" / "sbin" / "nginx"


def _litellm() -> Path:
    checkout = Checkout(_ROOT)
    folder = checkout.tools / "rivals"
    program = folder / "bin" / "litellm"
    if not program.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _must([sys.executable, "-m", "venv", str(folder)], _ROOT, "no environment can be made")
        install = [str(folder / "bin" / "pip"), "install", "--quiet", "--require-hashes", "--only-binary", ":all:"]
        listed = str(checkout.requirements("rivals"))
        _must([*install, "--requirement", listed], _ROOT, "LiteLLM cannot be installed")
    return program


@contextmanager
def _served(command: list[str], port: int, environment: dict[str, str], path: str) -> Iterator[None]:
    """Run a server, pinned like the api, from when it answers to the end of the block."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while not _answers(port, path):
            if process.poll() is not None or time.monotonic() > deadline:
                raise MissingError(f"{Path(command[0]).name} does not start")
            time.sleep(0.1)
        pin(process.pid)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int, path: str) -> bool:
    with suppress(OSError):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2).close()
        except urllib.error.HTTPError as error:
            error.close()
        return True
    return False


def _must(command: list[str], folder: Path, otherwise: str) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"{otherwise}: {type(error).__name__}") from None
    if done.returncode:
        raise MissingError(f"{otherwise}: exit status {done.returncode}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
