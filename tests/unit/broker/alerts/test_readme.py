from __future__ import annotations

from pathlib import Path

import broker.alerts
from broker.alerts.model import AlertKind
from broker.config.alerting import Alerting
from broker.config.loader import load_configuration
from tests.unit.broker.config.paper import CONNECTORS

FOLDER = Path(broker.alerts.__file__).parent
README = (FOLDER / "README.md").read_text("utf-8")


def test_the_readme_has_every_kind_and_no_other() -> None:
    table = README.split("## Kinds")[1].split("## ")[0]
    assert [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")] == [
        kind.value for kind in AlertKind
    ]


def test_the_readme_names_every_file() -> None:
    missing = [path.name for path in FOLDER.glob("*.py") if path.stem != "__init__" and f"`{path.name}`" not in README]
    assert missing == []


def test_the_example_of_the_readme_is_a_configuration(tmp_path: Path) -> None:
    example = README.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "ostiary.yaml").write_text(f"version: 1\n{example}")
    found = load_configuration(tmp_path, CONNECTORS)
    assert found.alerting.channels == ("ops", "soc")
    assert found.alerting != Alerting()
    assert found.projects["data"].hours is not None
