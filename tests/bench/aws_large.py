"""Half a gibibyte up and down through the AWS door: memory of the api process, and time against boto3 direct."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.bench import s3
from tests.bench.memory import Memory, bounded
from tests.bench.timing import Result, median, ratio
from tests.bench.upstream import LARGE_BYTES

_ROUNDS: Final = 3
_GROWTH_MIB: Final = 20.0
_THROUGHPUT: Final = 0.7
_CHUNK_BYTES: Final = 1 << 20
_MIB: Final = 1 << 20


def measure() -> list[Result]:
    """Return throughputs, their ratios, and how much the api's memory grew at most."""
    with s3.bench() as bench, tempfile.NamedTemporaryFile(prefix="ost-bench-") as file:
        _fill(Path(file.name))
        direct, door = bench.direct(), bench.door()
        process = Memory(bench.up.pid_of("api"))
        results = []
        for name, act in (("down", _download), ("up", lambda client: _upload(client, Path(file.name)))):
            _warm(door)
            before = process.reset()
            taken: dict[str, list[float]] = {"direct": [], "door": []}
            for _ in range(_ROUNDS):
                taken["direct"].append(_seconds(act, direct))
                taken["door"].append(_seconds(act, door))
            growth = (process.peak() - before) / _MIB
            keys, ours = taken["direct"], taken["door"]
            results += [
                Result(f"512 MiB {name}, direct", LARGE_BYTES / _MIB / median(keys), "MiB/s"),
                Result(f"512 MiB {name}, through the door", LARGE_BYTES / _MIB / median(ours), "MiB/s"),
                ratio(f"512 MiB {name}: door versus direct", median(keys) / median(ours), at_least=_THROUGHPUT),
                ratio(f"512 MiB {name}: door versus direct, minima", min(keys) / min(ours)),
                bounded(f"512 MiB {name}: memory of the api, more", growth, _GROWTH_MIB),
            ]
        return results


def _fill(path: Path) -> None:
    """Write a file that no two windows of are alike."""
    with path.open("wb") as file:
        for number in range(LARGE_BYTES // _CHUNK_BYTES):
            file.write(number.to_bytes(8, "big") * (_CHUNK_BYTES // 8))


def _warm(client: Any) -> None:
    for _ in range(200):
        client.get_object(Bucket=s3.BUCKET, Key=s3.KEY)["Body"].read()
        client.put_object(Bucket=s3.BUCKET, Key=s3.KEY, Body=b"x" * 1024)


def _download(client: Any) -> None:
    body = client.get_object(Bucket=s3.BUCKET, Key="large")["Body"]
    count = sum(map(len, body.iter_chunks(_CHUNK_BYTES)))
    if count != LARGE_BYTES:
        raise RuntimeError(f"{count} bytes came")


def _upload(client: Any, path: Path) -> None:
    with path.open("rb") as body:
        client.put_object(Bucket=s3.BUCKET, Key="large", Body=body)


def _seconds(act: Callable[[Any], None], client: Any) -> float:
    started = time.perf_counter()
    act(client)
    return time.perf_counter() - started
