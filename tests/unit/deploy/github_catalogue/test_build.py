"""A build takes the pinned package and nothing else, says what changes, and gives the same bytes each time."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from connectors.github.catalogue import GitHubCatalogue
from deploy.github_catalogue import __main__ as command
from deploy.github_catalogue import source
from deploy.github_catalogue.compiler import CompilerError, compile_rows
from deploy.github_catalogue.packing import pack
from deploy.github_catalogue.schemas import MAX_DEPTH, Schemas, any_of

TEXT = {"type": "string", "description": "words", "maxLength": 3}


def described(operation: dict[str, Any], path: str = "/things/{thing-id}") -> dict[str, Any]:
    """A description of one operation."""
    whole = {"operationId": "things/do", "summary": "Do a  thing", "responses": {"200": {"description": "ok"}}}
    parameters = {"id": {"name": "thing-id", "in": "path", "required": True, "schema": {"type": "integer"}}}
    return {"paths": {path: {"post": {**whole, **operation}}}, "components": {"parameters": parameters}}


def row(body: Any = None, **operation: Any) -> dict[str, Any]:
    """The row of an operation with a JSON body of this schema."""
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    operation.setdefault("parameters", [{"$ref": "#/components/parameters/id"}])
    return compile_rows(described(operation))["things/do"]


def test_a_row_says_what_the_description_does() -> None:
    assert row({"type": "object", "properties": {"text": TEXT}, "required": ["text"]}, deprecated=True) == {
        "method": "POST",
        "path": "/things/{thing_id}",
        "summary": "do a thing",
        "in_path": {"thing_id": {"type": "integer"}},
        "in_body": {"text": {"type": "string"}},
        "required": ["text", "thing_id"],
        "deprecated": True,
    }


def test_answers_elsewhere_and_of_other_media_are_noted() -> None:
    media: dict[str, Any] = {"application/json": {}, "text/plain": {}}
    assert row(responses={"200": {"content": media}, "302": {}})["media"] == ["text/plain"]
    assert row(responses={"302": {}})["redirects"] is True


def test_a_body_that_is_no_object_is_one_param() -> None:
    assert row({"type": "array", "items": TEXT})["in_body"] == {"body": {"type": "array", "items": {"type": "string"}}}
    sent = row(requestBody={"content": {"text/plain": {"schema": TEXT}}})
    assert (sent["sends"], sent["whole"], sent["required"]) == ("text/plain", True, ["body", "thing_id"])


def test_a_member_that_has_the_name_of_a_path_param_is_renamed() -> None:
    named = row({"type": "object", "properties": {"thing_id": TEXT}, "required": ["thing_id"]})
    assert (named["renamed"], named["required"]) == ({"new_thing_id": "thing_id"}, ["new_thing_id", "thing_id"])


def test_secrets_are_not_taken_and_an_operation_that_needs_one_cannot_be_had() -> None:
    made = row({"type": "object", "properties": {"access_token": TEXT, "a": TEXT}, "required": ["access_token"]})
    assert "access_token" not in made["in_body"]
    assert "access_token" in made["required"]


def test_alternatives_of_an_object_are_one_object() -> None:
    one, two = ({"type": "object", "properties": {name: TEXT, "c": TEXT}, "required": [name, "c"]} for name in "ab")
    merged = Schemas({}).compiled({"oneOf": [one, two]})
    assert (set(merged["properties"]), merged["required"]) == ({"a", "b", "c"}, ["c"])


@pytest.mark.parametrize(
    ("node", "made"),
    [
        (
            {"type": "string", "nullable": True, "enum": ["a", None]},
            {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]},
        ),
        ({"type": "object"}, {"type": "object", "additionalProperties": {}}),
        (
            {"type": "object", "additionalProperties": TEXT},
            {"type": "object", "additionalProperties": {"type": "string"}},
        ),
        ({"oneOf": [TEXT, {"type": "integer"}]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ({"anyOf": [TEXT, TEXT]}, {"type": "string"}),
        ({"oneOf": [TEXT, {}]}, {}),
        ({"type": "string", "$comment": 1}, {"type": "string"}),
        (True, {}),
    ],
)
def test_schemas_keep_their_types_and_lose_their_prose(node: Any, made: Any) -> None:
    assert Schemas({}).compiled(node) == made


def test_a_schema_without_end_is_cut() -> None:
    description: dict[str, Any] = {"x": {"type": "array", "items": {"$ref": "#/x"}}}
    assert json.dumps(Schemas(description).compiled({"$ref": "#/x"})).count("array") == MAX_DEPTH + 1
    assert any_of([{}]) == {}


def test_a_name_that_cannot_be_an_action_is_refused() -> None:
    with pytest.raises(CompilerError):
        row(operationId="Things/Do it")


def test_only_the_pinned_archive_is_read() -> None:
    archive = packed({"paths": {}})
    with pytest.raises(source.SourceError):
        source.read_description(archive)
    assert source.read_description(archive, digest_of(archive)) == {"paths": {}}


def test_a_build_writes_what_changed_and_a_check_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, output = packed(described({"parameters": []}, "/things")), tmp_path / "catalogue.bin"
    arguments, digest = ["--output", str(output)], digest_of(archive)
    assert command.main([*arguments, "--check"], lambda: archive, digest) == 1
    assert not output.exists()
    assert command.main(arguments, lambda: archive, digest) == 0
    assert "+ things/do" in capsys.readouterr().out
    assert command.main([*arguments, "--check"], lambda: archive, digest) == 0
    assert capsys.readouterr().out.startswith("1 operations")
    output.write_bytes(pack({}, {}))
    assert command.main([*arguments, "--check"], lambda: archive, digest) == 1
    assert list(GitHubCatalogue(output.read_bytes()).entries()) == []


def test_a_package_that_is_not_the_pinned_one_stops_the_build(tmp_path: Path) -> None:
    assert command.main(["--output", str(tmp_path / "x")], lambda: b"other") == 4
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_npm_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(source.SourceError, match="npm"):
        source.fetch()
    program = tmp_path / "npm"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(source.SourceError, match="fetch"):
        source.fetch()


def packed(description: dict[str, Any]) -> bytes:
    """An archive as npm makes one."""
    content, target = json.dumps(description).encode(), io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        member = tarfile.TarInfo("package/generated/api.github.com.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def digest_of(archive: bytes) -> str:
    return hashlib.sha512(archive).hexdigest()
