"""``python3 deploy/bootstrap.py tour`` after its set-up: every step as told, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.tour.code import REJECTED
from deploy.tour.models import TEXT
from deploy.tour.story import DENIED
from tests.parts.up import ROOT

PLANTED = "wJalrXUtnFEMIK7MDENGbPxRfiCYPLANTEDKEY"
STEPS = [
    "session", "no-keys", "s3-read", "s3-delete", "git-clone", "push-feature", "push-force", "push-delete", "push-main",
    "approve", "landed", "pr-open", "pr-merge", "pr-merged", "model-call", "model-denied", "model-budget",
    "usage", "kill", "replay", "audit-verify",
]  # fmt: skip


def processes_naming(text: str) -> list[str]:
    """Command lines of the processes that have ``text`` in their arguments or environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                if text.encode() in command + (entry / "environ").read_bytes():
                    found.append(command.replace(b"\0", b" ").decode("utf-8", "replace"))
    return found


@pytest.mark.req("A1", "A3", "A4", "A5", "L1", "P2", "H1", "H2", "H3", "O1", "E1", "E2", "S1", "S2", "V1")
def test_the_tour_goes_as_it_is_told_and_leaves_nothing_behind(short_tmp: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.tour", "--json"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(short_tmp / "home"),
            "TMPDIR": str(short_tmp),
            "AWS_SECRET_ACCESS_KEY": PLANTED,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads(done.stdout)
    assert record["ok"] is True
    assert [step["name"] for step in record["steps"]] == STEPS
    assert all(step["ok"] for step in record["steps"])
    facts = {step["name"]: step["facts"] for step in record["steps"]}
    # Of the operator's environment the agent has nothing, and of the broker only where it is and a token.
    held = {"HOME", "OSTIARY_TOKEN", "OSTIARY_URL", "PATH", "PYTHONPATH"}
    assert facts["no-keys"] == {"variables": sorted(held), "keys_found": 0}
    assert (facts["s3-delete"]["exit"], facts["s3-delete"]["objects_left"]) == (DENIED, 1)
    assert (facts["git-clone"]["commits"], facts["git-clone"]["keys_found"]) == (1, 0)
    for name, verb in (("push-force", "force-push"), ("push-delete", "delete-ref")):
        assert facts[name]["exit"] == REJECTED
        assert any(f"remote: ostiary: policy denies `git:{verb}`" in line for line in facts[name]["told"]), name
    assert facts["push-main"]["exit"] == REJECTED
    assert facts["approve"]["self_approval_exit"] == DENIED
    assert "+version = 1.2" in facts["approve"]["page"]
    assert (facts["landed"]["head"], facts["landed"]["state"]) == (facts["push-main"]["head"], "succeeded")
    assert facts["landed"]["told"] == "Everything up-to-date"
    assert facts["pr-merge"]["merged"] is False
    assert (facts["pr-merged"]["merged"], facts["pr-merged"]["head"]) == (True, facts["pr-open"]["head"])
    assert (facts["model-call"]["told"], facts["model-call"]["keys_upstream"]) == (TEXT, 1)
    for name, status, why in (
        ("model-denied", 403, "policy denies `llm:InvokeModel`"),
        ("model-budget", 429, "the budget `max_tokens_per_session`"),
    ):
        assert facts[name]["status"] == status
        assert facts[name]["told"].startswith(why)
    assert (facts["usage"]["calls"], facts["usage"]["output_tokens"]) == (1, 100)
    assert facts["kill"]["calls_cut"] == 1
    assert facts["kill"]["status"] in {401, 403}
    assert facts["kill"]["ended"]
    assert PLANTED not in done.stdout
    assert list(short_tmp.iterdir()) == []
    assert processes_naming(str(short_tmp)) == []
