"""The packaged catalogue holds all of AWS, is read piece by piece, and says what it knows."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader

from connectors.aws.catalogue import data
from connectors.aws.catalogue.data import FILE, LENGTH_BYTES, MAGIC, AwsCatalogue, CatalogueFileError, head_of, load
from connectors.aws.catalogue.figures import CORE, Figures, figures
from connectors.aws.catalogue.model import GRAVEST_FIRST, AccessClass, Pair
from connectors.aws.catalogue.place import ANY, UNKNOWN
from policies.patterns import pattern as patterns

PACKAGED = Path(data.__file__).with_name(FILE)


def packed(index: dict[str, Any], *blocks: bytes) -> bytes:
    """A file as the builder lays it out."""
    head = zlib.compress(json.dumps(index).encode())
    return MAGIC + len(head).to_bytes(LENGTH_BYTES, "big") + head + b"".join(blocks)


def two_services(second: bytes) -> AwsCatalogue:
    """A catalogue with one good service and one as given."""
    document = {
        "prefix": "one",
        "templates": ["*", "arn:{partition}:one:{region}:{account}:t/{param:Name}"],
        "heads": [["one:t/", "one:u/"]],
        "operations": {"Do": ["win", [[]]], "Go": ["r", [[1, "two:Went", ["Arn"], 1, 1]], "Token", ["Role"]]},
    }
    first = zlib.compress(json.dumps(document).encode())
    services = {"one": ["one", 0, len(first), 2], "two": ["two", len(first), len(second), 7]}
    return AwsCatalogue(
        packed({"sources": {"x": "1"}, "services": services, "others": {"one": ["Only"]}}, first, second)
    )


def test_every_operation_of_botocore_is_there() -> None:
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    assert load().services() == set(loader.list_available_services("service-2"))
    for service in ("s3", "ecs", "apigatewayv2", "sts"):
        names = loader.load_service_model(service, "service-2")["operations"]
        assert load().operations(service) == tuple(sorted(names))
        assert load().count(service) == len(names)
    assert sum(load().count(service) for service in load().services()) == 19_796


def test_the_file_is_small_enough_to_be_committed() -> None:
    assert PACKAGED.stat().st_size <= 400_000


def test_a_service_is_read_without_looking_at_another() -> None:
    catalogue = two_services(b"damaged")
    entry = catalogue.entry("one", "Do")
    assert entry is not None
    assert entry.pairs == (Pair("one:Do", "*"),)
    assert (entry.access, entry.idempotent, entry.exact) == (AccessClass.WRITE, True, True)
    with pytest.raises(CatalogueFileError):
        catalogue.entry("two", "Do")


def test_a_row_gives_every_field_it_holds() -> None:
    entry = two_services(b"").entry("one", "Go")
    assert entry is not None
    template = "arn:{partition}:one:{region}:{account}:t/{param:Name}"
    assert entry.pairs == (Pair("two:Went", template, ("Arn",), ("one:t/", "one:u/"), optional=True),)
    assert (entry.token_member, entry.role_members, entry.access) == ("Token", ("Role",), AccessClass.READ)


def test_an_entry_is_made_once() -> None:
    assert load().entry("ecs", "UpdateService") is load().entry("ecs", "UpdateService")


def test_what_is_not_there_is_nothing() -> None:
    catalogue = two_services(b"")
    assert catalogue.entry("three", "Do") is None
    assert catalogue.entry("one", "Undo") is None
    assert catalogue.operations("three") == ()
    assert catalogue.count("three") == 0
    assert catalogue.iam_actions("three") == frozenset()


def test_iam_actions_are_those_asked_for_and_those_no_operation_asks_for() -> None:
    catalogue = two_services(b"")
    assert catalogue.iam_actions("one") == {"one:Do", "two:Went", "one:Only"}
    assert catalogue.iam_prefixes() == {"one": ("one",), "two": ("two",)}
    assert catalogue.sources == {"x": "1"}


@pytest.mark.parametrize(
    ("prefix", "services"),
    [("states", ("stepfunctions",)), ("rds", ("docdb", "neptune", "rds")), ("elasticloadbalancing", ("elb", "elbv2"))],
)
def test_a_prefix_of_iam_leads_to_the_services_it_covers(prefix: str, services: tuple[str, ...]) -> None:
    assert load().iam_prefixes()[prefix] == services


def test_actions_without_an_operation_of_their_own_can_be_spoken_of() -> None:
    assert {"s3:PutObjectAcl", "s3:GetObjectVersion"} <= load().iam_actions("s3")
    assert "iam:PassRole" in load().iam_actions("iam")
    assert "lambda:InvokeFunction" in load().iam_actions("lambda")


@pytest.mark.parametrize("content", [b"", b"something else", MAGIC, packed({})[:-3], MAGIC + b"\0\0\0\2{}"])
def test_a_damaged_file_is_refused(content: bytes) -> None:
    with pytest.raises(CatalogueFileError):
        AwsCatalogue(content)


@pytest.mark.parametrize(
    ("template", "head"),
    [
        ("arn:{partition}:ecs:{region}:{account}:service/{param:cluster}/{param:service}", "ecs:service/"),
        ("arn:{partition}:sqs:{region}:{account}:{param:QueueName}", "sqs:"),
        ("arn:{partition}:{?}:{region}:*:{?}", ""),
        ("*", ""),
    ],
)
def test_an_arn_begins_with_its_service_and_type(template: str, head: str) -> None:
    assert head_of(template) == head


def test_resolving_loads_no_model_of_botocore() -> None:
    code = (
        "import sys; from connectors.aws.catalogue.data import load; "
        "assert load().entry('s3', 'GetObject'); assert 'botocore' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGED.parents[3])


def test_the_gravest_class_comes_first_and_none_is_missing() -> None:
    assert set(GRAVEST_FIRST) == set(AccessClass)
    assert len({access.value[0] for access in AccessClass}) == len(AccessClass)


def test_unknown_means_the_same_here_and_in_policies() -> None:
    assert patterns.UNKNOWN == UNKNOWN
    assert ANY == "*"


@pytest.mark.parametrize(
    ("service", "operation", "access", "secret", "escalates"),
    [
        ("sts", "AssumeRole", AccessClass.SECRET, True, True),
        ("iam", "CreateAccessKey", AccessClass.SECRET, True, True),
        ("iam", "AttachRolePolicy", AccessClass.ESCALATION, False, True),
        ("secretsmanager", "GetSecretValue", AccessClass.SECRET, True, False),
        ("ecr", "GetAuthorizationToken", AccessClass.SECRET, True, False),
        ("ssm", "SendCommand", AccessClass.ESCALATION, False, True),
        ("ec2", "TerminateInstances", AccessClass.DESTROY, False, False),
        ("ec2", "DescribeInstances", AccessClass.READ, False, False),
        ("dynamodb", "PutItem", AccessClass.WRITE, False, False),
        ("rds", "DescribeDBInstances", AccessClass.READ, False, False),
    ],
)
def test_operations_are_of_the_class_people_expect(
    service: str, operation: str, access: AccessClass, secret: bool, escalates: bool
) -> None:
    entry = load().entry(service, operation)
    assert entry is not None
    assert (entry.access, entry.returns_secrets, entry.escalates) == (access, secret, escalates)


def test_streams_and_tokens_are_told() -> None:
    put, get = load().entry("s3", "PutObject"), load().entry("s3", "GetObject")
    events, token = load().entry("s3", "SelectObjectContent"), load().entry("ec2", "RunInstances")
    assert put is not None
    assert get is not None
    assert events is not None
    assert token is not None
    assert (put.streaming_input, put.streaming_output, put.idempotent) == (True, False, False)
    assert (get.streaming_input, get.streaming_output, get.idempotent) == (False, True, True)
    assert events.event_stream
    assert token.token_member == "ClientToken"


def test_an_operation_that_returns_secrets_is_never_of_a_lesser_class() -> None:
    catalogue = load()
    for service in sorted(catalogue.services()):
        for name in catalogue.operations(service):
            entry = catalogue.entry(service, name)
            assert entry is not None
            assert entry.pairs
            assert entry.returns_secrets == (entry.access is AccessClass.SECRET)


def test_the_figures_of_the_whole_catalogue_are_pinned() -> None:
    total = figures(load(), load().services())
    assert total.operations == 19_796
    assert total.percent(total.exact) >= 96.9
    assert total.percent(total.mechanical) >= 78.7
    assert total.complete >= total.mechanical
    assert (total.secrets, total.escalating) == (295, 482)


def test_every_core_service_is_counted() -> None:
    assert set(CORE) <= load().services()
    assert len(set(CORE)) == len(CORE) == 46
    core = figures(load(), CORE)
    assert core.operations == 4_849
    assert core.percent(core.exact) >= 96.5
    assert core.percent(core.mechanical) >= 75.5


def test_figures_of_nothing_are_nothing() -> None:
    none = figures(load(), ["three"])
    assert none == Figures(0, 0, 0, 0, 0, 0)
    assert none.percent(0) == 0.0


def test_what_all_operations_ask_for_is_told_without_keeping_a_service() -> None:
    catalogue = two_services(b"")
    assert catalogue.asked("one") == {"Do": (("one:Do",), False), "Go": (("two:Went",), True)}
    assert catalogue.asked("three") == {}
    assert catalogue.other_actions("one") == {"one:Only"}
    assert catalogue.other_actions("three") == frozenset()


def test_only_so_many_services_and_rows_are_kept() -> None:
    catalogue = AwsCatalogue(PACKAGED.read_bytes())
    for service in sorted(catalogue.services()):
        for name in catalogue.operations(service)[:20]:
            assert catalogue.entry(service, name) is not None
    assert len(catalogue._documents) == data.MAX_DOCUMENTS
    assert len(catalogue._entries) <= data.MAX_ENTRIES
