from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader

from connectors.aws.model import service
from connectors.aws.model_files import SmallFiles, give_back_memory, new_loader, share_references


@pytest.mark.parametrize("compressed", [False, True])
def test_a_model_is_read_without_what_its_shapes_say(tmp_path: Path, compressed: bool) -> None:
    text = (
        b'{"operations":{"Go":{"documentation":"<p>Goes.</p>"}},'
        b'"shapes":{"A":{"members":{"documentation":{"shape":"B","documentation":"say \\"no\\" \\\\"}}},"B":{}}}'
    )
    path = tmp_path / "service-2.json"
    if compressed:
        path.with_suffix(".json.gz").write_bytes(gzip.compress(text))
    else:
        path.write_bytes(text)
    found = SmallFiles().load_file(str(path.with_suffix("")))
    assert found["operations"]["Go"]["documentation"] == "<p>Goes.</p>"
    assert found["shapes"]["A"]["members"] == {"documentation": {"shape": "B", "documentation": ""}}


def test_what_is_no_model_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text('{"documentation":"stays"}')
    assert SmallFiles().load_file(str(tmp_path / "rules")) == {"documentation": "stays"}
    assert SmallFiles().load_file(str(tmp_path / "absent")) is None


def test_equal_references_become_one_object() -> None:
    model: dict[str, Any] = {
        "shapes": {
            "A": {"members": {"x": {"shape": "S"}, "y": {"shape": "S"}, "z": {"shape": "S", "location": "uri"}}},
            "L": {"member": {"shape": "S"}},
            "X": {"members": {"n": {"shape": "S", "xmlNamespace": {"uri": "u"}}}},
        },
        "operations": {"Go": {"errors": [{"shape": "E"}]}, "Do": {"errors": [{"shape": "E"}]}, "Be": {}},
    }
    share_references(model)
    members = model["shapes"]["A"]["members"]
    assert members["x"] is members["y"] is model["shapes"]["L"]["member"]
    assert members["z"] == {"shape": "S", "location": "uri"}
    assert model["operations"]["Go"]["errors"][0] is model["operations"]["Do"]["errors"][0]
    assert model["operations"]["Be"]["errors"] == []


@pytest.mark.parametrize("name", ["s3", "sqs", "route53", "ec2"])
def test_shapes_are_those_botocore_reads_itself(name: str) -> None:
    theirs = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    data = theirs.load_service_model(name, "service-2")
    ours = service(name).model
    assert list(ours.shape_names) == list(data["shapes"])
    for shape in ours.shape_names:
        assert list(ours.shape_for(shape).metadata) is not None
        members = data["shapes"][shape].get("members", {})
        got = getattr(ours.shape_for(shape), "members", {})
        assert {key: each.name for key, each in got.items()} == {key: each["shape"] for key, each in members.items()}


def test_memory_is_given_back_where_that_is_possible() -> None:
    give_back_memory()
    assert new_loader() is not new_loader()
