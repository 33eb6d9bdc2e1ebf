"""The import contracts of pyproject.toml hold, and each of them can be broken."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOMS, ROOT

PLANTED = {
    "vault/model.py": ("import broker.ids", "Rooms:"),
    "broker/pipeline.py": ("import broker.doors.problems", "Broker: edges"),
    "broker/limits/__init__.py": ("import broker.sessions", "Services do not know"),
    "connectors/aws/__init__.py": ("import connectors.git", "Connectors do not know"),
    "connectors/git/__init__.py": ("import vault.crypto", "Connectors see the types"),
    "policies/model.py": ("import socket", "Policies are pure"),
    "broker/ids.py": ("import time", "The kernel is pure"),
    "broker/ledger/__init__.py": ("import cryptography", "Keys are handled"),
    "broker/model.py": ("import connectors.registry", "Concrete connectors"),
    "broker/approvals/__init__.py": ("import broker.settings", "Settings are read"),
}
"""One bad import for each contract, and the name of the contract that must notice it."""


def run_contracts(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter in ``root``, with no cache."""
    program = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [program, "--no-cache"], cwd=root, capture_output=True, text=True, check=False, env={"COLUMNS": "500"}
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rooms and their contracts, to be spoilt."""
    root = tmp_path_factory.mktemp("rooms")
    shutil.copy(ROOT / "pyproject.toml", root)
    for room in ROOMS:
        shutil.copytree(ROOT / room, root / room, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def test_every_import_contract_is_kept() -> None:
    result = run_contracts(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_contract_notices_an_import_it_forbids(copy: Path) -> None:
    for name, (line, _) in PLANTED.items():
        with (copy / name).open("a") as file:
            file.write(f"\n{line}\n")
    result = run_contracts(copy)
    broken = {line for line in result.stdout.splitlines() if " BROKEN" in line}
    unnoticed = [title for _, title in PLANTED.values() if not any(line.startswith(title) for line in broken)]
    assert unnoticed == [], result.stdout + result.stderr
    assert len(PLANTED) == result.stdout.count("KEPT") + result.stdout.count("BROKEN")


def test_a_new_module_of_the_broker_needs_a_layer(copy: Path) -> None:
    (copy / "broker" / "unplaced.py").touch()
    result = run_contracts(copy)
    assert "broker.unplaced" in result.stdout
