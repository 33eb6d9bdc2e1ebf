"""Small objects: by intent and through the AWS door against boto3 with the keys in hand, and how much gets through.

The contestants take turns in one run, on one upstream, with the ledger durable. At 32 connections a process of its own
sends finished requests (signed before); what it could send at most is shown beside what came through. What the broker
adds is measured at half of what it can take: at all of it, 32 connections that wait for each other show only the queue.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.bench import s3
from tests.bench.timing import Result, in_turns, median, percentile, ratio
from tests.bench.upstream import BODY

_ROUNDS, _CALLS = 5, 100
_CONNECTIONS, _SECONDS = 32, 4.0
_INTENTS_PER_SECOND, _REQUESTS_PER_SECOND = 2_000.0, 2_500.0
_ADDED_MS: Final = 5.0
_SHARE_OF_CAPACITY: Final = 0.5
_MICROS, _MILLIS = 1e6, 1e3
_PROCESSES: Final = ("api", "vault")


def measure() -> list[Result]:
    """Return latencies side by side, their ratios, and what 32 connections get through."""
    with s3.bench() as bench:
        return _latencies(bench) + _load(bench)


def _latencies(bench: s3.Bench) -> list[Result]:
    direct, door, intents = bench.direct(), bench.door(), bench.intents()
    taken = in_turns(
        {
            "direct GET": lambda: _read(direct),
            "door GET": lambda: _read(door),
            "intent GET": intents.get,
            "direct PUT": lambda: _write(direct),
            "door PUT": lambda: _write(door),
            "intent PUT": intents.put,
        },
        rounds=_ROUNDS,
        calls=_CALLS,
    )
    results = []
    for verb in ("GET", "PUT"):
        keys = taken[f"direct {verb}"]
        results.append(Result(f"boto3 direct, {verb} 1 KiB, p50 (min {min(keys) * _MICROS:.0f})", _p50(keys), "us"))
        for way, name, bar in (("intent", "by intent", 1.0), ("door", "boto3 through the door", 2.0)):
            ours = taken[f"{way} {verb}"]
            results += [
                Result(f"{name}, {verb} 1 KiB, p50 (min {min(ours) * _MICROS:.0f})", _p50(ours), "us"),
                Result(f"{name}, {verb} 1 KiB, p99", percentile(ours, 0.99) * _MICROS, "us"),
                ratio(f"{name} versus direct, {verb} 1 KiB, p50", median(ours) / median(keys), at_most=bar),
                ratio(f"{name} versus direct, {verb} 1 KiB, minima", min(ours) / min(keys)),
            ]
    return results


def _load(bench: s3.Bench) -> list[Result]:
    asked = json.dumps(s3.intent("GetObject")).encode()
    headers = {"Authorization": f"Bearer {bench.token}", "Content-Type": "application/json"}
    intent = _raw("POST", "/v1/intents", bench.host, headers, asked)
    wire = _signed(bench)
    straight = _raw("GET", f"/{s3.BUCKET}/{s3.KEY}", bench.upstream, {})
    with s3.server("tests.bench.upstream", "hello") as port:
        hello = f"127.0.0.1:{port}"
        ceiling = _per_second(hello, _raw("GET", "/", hello, {}))
    results = [
        Result("the generator's ceiling, hello-world ASGI", ceiling, "requests/s"),
        Result("the generator's ceiling, upstream", _per_second(bench.upstream, straight), "requests/s"),
    ]
    pids = [bench.up.pid_of(name) for name in _PROCESSES]
    for name, request, goal in (
        ("intents", intent, _INTENTS_PER_SECOND), ("wire requests", wire, _REQUESTS_PER_SECOND)
    ):  # fmt: skip
        before = [_cpu_seconds(pid) for pid in pids]
        through = _per_second(bench.host, request)
        used = [_cpu_seconds(pid) - earlier for pid, earlier in zip(pids, before, strict=True)]
        rate = through * _SHARE_OF_CAPACITY
        ours, bare = _drive(bench.host, request, rate), _drive(bench.upstream, straight, rate)
        added = (percentile(ours, 0.99) - percentile(bare, 0.99)) * _MILLIS
        results += [
            Result(f"{name} at {_CONNECTIONS} connections", through, "per second", f">= {goal:,.0f}", through >= goal),
            *(
                Result(f"{name}: CPU of {process} per request", cpu / (through * _SECONDS) * _MICROS, "us")
                for process, cpu in zip(_PROCESSES, used, strict=True)
            ),
            Result(f"{name} at {rate:,.0f}/s: added, p50", (median(ours) - median(bare)) * _MILLIS, "ms"),
            Result(f"{name} at {rate:,.0f}/s: added, p99", added, "ms", f"<= {_ADDED_MS:g}", added <= _ADDED_MS),
        ]  # fmt: skip
    return results


def _per_second(host: str, request: bytes) -> float:
    return len(_drive(host, request, 0)) / _SECONDS


def _cpu_seconds(pid: int) -> float:
    """Return what a process has used so far, proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _drive(host: str, request: bytes, rate: float) -> list[float]:
    """Return the seconds of every request of one client process; at ``rate`` per second, 0 for all it can."""
    given = {
        "host": host,
        "request": base64.b64encode(request).decode(),
        "connections": _CONNECTIONS,
        "seconds": _SECONDS,
        "rate": rate,
    }
    program = [sys.executable, "-m", "tests.bench.load"]
    done = subprocess.run(program, input=json.dumps(given), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return [float(each) for each in json.loads(done.stdout)]


def _signed(bench: s3.Bench) -> bytes:
    """Return a GET as boto3 signs it; it may be sent again for a quarter of an hour."""
    path = f"/{s3.BUCKET}/{s3.KEY}"
    request = AWSRequest("GET", f"http://{bench.host}{path}", headers={"User-Agent": "Boto3/1.44.5 Botocore/1.44.5"})
    S3SigV4Auth(Credentials(*bench.key), "s3", s3.REGION).add_auth(request)
    return _raw("GET", path, bench.host, dict(request.headers.items()))


def _raw(method: str, path: str, host: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    length = {"Content-Length": str(len(body))} if body else {}
    named = {"Host": host, **length, **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def _read(client: Any) -> None:
    client.get_object(Bucket=s3.BUCKET, Key=s3.KEY)["Body"].read()


def _write(client: Any) -> None:
    client.put_object(Bucket=s3.BUCKET, Key=s3.KEY, Body=BODY)


def _p50(seconds: list[float]) -> float:
    return median(seconds) * _MICROS
