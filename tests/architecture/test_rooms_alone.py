"""The rooms below the line work without the broker: each is imported where there is no broker to import."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

NEEDS = {"policies": ("policies",), "vault": ("vault",), "connectors": ("connectors", "policies", "vault")}

IMPORT_ALL = """
import importlib, importlib.metadata, pathlib, sys
sys.path.insert(0, sys.argv[1])
room = pathlib.Path(sys.argv[1], sys.argv[2])
for path in sorted(room.rglob("*.py")):
    parts = path.relative_to(room.parent).with_suffix("").parts
    importlib.import_module(".".join(parts).removesuffix(".__init__"))
ours = {name.partition(".")[0] for name in sys.modules} & {"broker", "connectors", "policies", "vault"}
places = {sys.modules[name].__path__[0] for name in ours}
assert all(place.startswith(sys.argv[1]) for place in places), places
print(*sorted(ours))
"""


@pytest.mark.parametrize("room", sorted(NEEDS))
def test_a_room_below_the_line_is_imported_without_the_broker(room: str, tmp_path: Path) -> None:
    for needed in NEEDS[room]:
        shutil.copytree(ROOT / needed, tmp_path / needed, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-I", "-c", IMPORT_ALL, str(tmp_path), room]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert room in result.stdout.split()
    assert "broker" not in result.stdout.split()
