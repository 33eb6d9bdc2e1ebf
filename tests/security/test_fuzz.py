"""The fuzz targets, for a bounded time; what they find stops them with a traceback and a status."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

TARGETS = Path(__file__).parent.parent / "fuzz"
SEEDS = Path(__file__).parent.parent.parent / "policies" / "library"
SECONDS = int(os.environ.get("FUZZ_SECONDS", "6"))

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="the fuzzer has no build for this Python or machine"
)


@pytest.mark.req("O2")
@pytest.mark.parametrize("target", ["policy_loader", "policy_matcher"])
def test_a_fuzzer_finds_nothing_in_its_time(target: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(sorted(SEEDS.rglob("*.yaml"))):
        (corpus / str(number)).write_bytes(seed.read_bytes())
    options = [
        f"-max_total_time={SECONDS}",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-seed=1",
        f"-artifact_prefix={tmp_path}/",
    ]
    done = subprocess.run(
        [sys.executable, str(TARGETS / f"{target}.py"), *options, str(corpus)],
        cwd=TARGETS.parent.parent,
        env={**os.environ, "PYTHONPATH": str(TARGETS.parent.parent)},
        capture_output=True,
        text=True,
        timeout=SECONDS + 120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done " in done.stderr
