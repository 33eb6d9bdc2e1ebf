"""The connectors' README is held to the code it speaks of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from connectors.aws.connection import AwsConnection
from connectors.base import LargeCatalogue
from connectors.registry import REGISTRY, build_connectors

ROOM = Path(__file__).parents[3] / "connectors"
TEXT = (ROOM / "README.md").read_text("utf-8")


def test_the_example_connection_is_one() -> None:
    block = TEXT.split("```yaml\n")[1].split("```")[0]
    for text in (block, block.replace("# endpoint:", "endpoint:")):
        options: dict[str, Any] = yaml.safe_load(text)["connections"]["lake"]
        assert (options.pop("connector"), options.pop("credential")) == ("aws", "aws/lake")
        assert AwsConnection.model_validate(options).regions == ["eu-central-1", "us-east-1"]


def test_every_file_connector_and_operation_is_named() -> None:
    files = [f"`{path.name}`" for path in ROOM.glob("*.py") if path.name != "__init__.py"]
    folders = [f"`{name}/`" for name in REGISTRY]
    actions = [
        f"`{action}`"
        for connector in build_connectors().values()
        if not isinstance(connector.operations, LargeCatalogue)
        for action in connector.operations
    ]
    assert [word for word in files + folders + actions if word not in TEXT] == []


def test_every_file_of_aws_is_on_its_page() -> None:
    page = (ROOM / "aws" / "README.md").read_text("utf-8")
    files = [f"`{path.name}`" for path in (ROOM / "aws").glob("*.py") if path.name != "__init__.py"]
    assert sorted(name for name in files if name not in page) == []
