from __future__ import annotations

from pathlib import Path

import pytest

from broker.config.model import Configuration
from broker.studies.drill.picking import MAX_OPERATIONS, MAX_SERVICES, picked
from connectors.base import Connector
from connectors.registry import build_connectors
from tests.house import PaperConnector
from tests.unit.broker.studies.drill.folder import MAIN, configured

REAL = """\
version: 1
projects:
  web: {connections: [lake]}
  shop: {connections: [lake]}
agents:
  ci: {project: web}
  clerk: {project: shop}
connections:
  lake: {connector: aws, credential: aws/lake, account: '123456789012', regions: [eu-west-1]}
"""


@pytest.fixture
def connectors() -> dict[str, Connector]:
    return build_connectors()


def found(folder: Path, connectors: dict[str, Connector], **policies: str) -> list[str]:
    return picked(connectors["aws"], real(folder, connectors, **policies), "web")


def real(folder: Path, connectors: dict[str, Connector], **policies: str) -> Configuration:
    return configured(folder, connectors, REAL, **policies)


def services(actions: list[str]) -> set[str]:
    return {action.partition(":")[0] for action in actions}


def test_of_a_small_catalogue_every_operation_is_looked_at(tmp_path: Path) -> None:
    paper = PaperConnector()
    configuration = configured(tmp_path, {"paper": paper}, MAIN, scribe="policies: []\n")
    assert picked(paper, configuration, "desk") == sorted(paper.operations)


@pytest.mark.parametrize("text", ["policies: []\n", "policies: ['* on **']\n"])
def test_of_a_large_one_some_operations_of_some_services_are(
    tmp_path: Path, connectors: dict[str, Connector], text: str
) -> None:
    actions = found(tmp_path, connectors, ci=text)
    # Services as policy names them; S3 is two folders of botocore.
    assert MAX_SERVICES <= len(services(actions)) <= 2 * MAX_SERVICES
    assert 50 < len(actions) <= MAX_SERVICES * MAX_OPERATIONS
    assert {"s3", "iam"} <= services(actions)


def test_what_the_rules_of_the_project_speak_of_comes_first(tmp_path: Path, connectors: dict[str, Connector]) -> None:
    own = "policies: [athena:GetQueryExecution on **, states:StartExecution on **]\n"
    other = "policies: ['{0}:Get* on **']\n".replace("{0}", "glue")
    actions = found(tmp_path, connectors, ci=own, clerk=other)
    assert {"athena:GetQueryExecution", "stepfunctions:StartExecution"} <= set(actions)
    assert {"athena", "stepfunctions", "glue"} <= services(actions)


def test_besides_what_rules_speak_of_some_operations_they_do_not(
    tmp_path: Path, connectors: dict[str, Connector]
) -> None:
    actions = found(tmp_path, connectors, ci="policies: ['sqs:* on **']\n")
    queues = found(tmp_path / "b", connectors, ci="policies: ['sqs:Get* on **']\n")
    assert [name for name in actions if name.startswith("sqs:")] == [name for name in queues if name.startswith("sqs:")]
    assert "sqs:PurgeQueue" in queues
