"""``ostiary catalog stats`` prints what the catalogue knows."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from broker.cli import app
from connectors.aws.catalogue.data import load
from connectors.aws.catalogue.figures import CORE


def test_the_figures_are_printed_as_data() -> None:
    result = CliRunner().invoke(app, ["catalog", "stats", "-o", "json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["operations"] == 19_796
    assert report["services"] == len(load().services())
    assert report["sources"]["botocore"]
    assert set(report["core"]) == set(CORE)
    assert report["exact_percent"] >= 96
    assert report["complete_percent"] >= report["mechanical_percent"] >= 78
    assert report["most_used"]["complete_percent"] >= 95
    assert "logs:GetLogObject" in report["most_used"]["incomplete"]


def test_people_get_a_row_for_all_and_one_for_each_service_they_use_most() -> None:
    result = CliRunner().invoke(app, ["catalog", "stats"])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["SERVICE", "OPERATIONS", "EXACT_PERCENT"]
    assert [line.split()[0] for line in lines[1:]] == ["all", "most", *CORE]
