from __future__ import annotations

from pathlib import Path

from broker.doors import app
from broker.doors.app import create_api
from broker.doors.openapi import document
from broker.doors.problems import TABLE
from tests.unit.broker.doors.world import World

README = Path(app.__file__).with_name("README.md").read_text("utf-8")


def test_the_readme_has_every_problem_and_no_other() -> None:
    rows = [line for line in README.splitlines() if line.startswith("| `") and line.count("|") == 4]
    documented = {tuple(cell.strip(" `") for cell in row.strip("|").split("|")) for row in rows}
    problems = {(kind.value, str(status), title) for kind, (status, title) in TABLE.items()}
    assert problems <= documented
    assert {row for row in documented if row[1].isdigit()} == problems


def test_the_readme_has_every_route_and_no_other(world: World) -> None:
    routes = {
        f"{method.upper()} {path}" for path, item in document(create_api(world))["paths"].items() for method in item
    }
    verbs = ("GET", "POST", "DELETE")
    rows = {
        line.split("`")[1] for line in README.splitlines() if line.startswith(tuple(f"| `{verb}" for verb in verbs))
    }
    assert rows == routes
