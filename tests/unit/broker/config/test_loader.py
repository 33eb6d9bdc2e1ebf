from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from broker.config.loader import catalogue_of, load_configuration
from broker.config.model import Agent, Channel, ChannelKind, Configuration, Project
from broker.errors import ConfigError, Finding
from broker.model import Operator, Role
from connectors.base import Connection
from connectors.registry import build_connectors
from policies.model import AccessRequest, Effect, Requirement
from tests.unit.broker.config.paper import CONNECTORS, MAIN, POLICY, write
from vault.model import CredentialRef


def load(root: Path) -> Configuration:
    return load_configuration(root, CONNECTORS)


def faults(root: Path) -> list[Finding]:
    with pytest.raises(ConfigError) as caught:
        load(root)
    return caught.value.findings


def fault_at(root: Path, main: str, line: int, column: int) -> tuple[str, str]:
    """Message and fix of the fault at a place; a wrong name brings faults of what refers to it along."""
    found = faults(write(root, main))
    assert {finding.file for finding in found} == {"ostiary.yaml"}
    at_place = [finding for finding in found if (finding.line, finding.column) == (line, column)]
    assert len(at_place) == 1, found
    return at_place[0].message, at_place[0].fix


def test_a_whole_folder_becomes_one_frozen_configuration(tmp_path: Path) -> None:
    found = load(write(tmp_path))
    assert found.root == tmp_path
    assert found.projects == {"web": Project("web", "The shop", ("lake", "code"))}
    assert found.agents["ci-runner"] == Agent("ci-runner", "web", "Builds", "alice")
    assert found.agents["helper"] == Agent("helper", "web", "", "")
    assert found.operators == {"alice": Operator("alice", frozenset({Role.ADMIN, Role.APPROVER}))}
    assert found.connections["lake"] == Connection(
        "lake", "aws", CredentialRef("aws/prod"),
        {"account": "123456789012", "regions": ["eu-west-1"], "endpoint": None},
    )  # fmt: skip
    assert set(found.channels) == {"approvals", "slack:#deploys"}
    assert found.channels["approvals"] == Channel("approvals", ChannelKind.LOG)
    with pytest.raises(TypeError):
        found.agents["x"] = found.agents["helper"]  # type: ignore[index]  # it is read-only at run time too
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.root = tmp_path  # type: ignore[misc]  # frozen


def test_policies_are_compiled_and_an_agent_without_one_may_do_nothing(tmp_path: Path) -> None:
    found = load(write(tmp_path))
    asked = (Requirement("git:read", "repos/a/b"),)
    assert found.policies["ci-runner"].decide(AccessRequest("ci-runner", "web", asked)).effect is Effect.ALLOW
    assert found.policies["helper"].decide(AccessRequest("helper", "web", asked)).effect is Effect.DENY
    assert "policies/helper.yaml:1:1: no policy for agent `helper`: everything is denied" in map(str, found.notices)


def test_the_version_follows_the_bytes_of_every_file(tmp_path: Path) -> None:
    first = load(write(tmp_path)).version
    assert load(tmp_path).version == first
    second = load(write(tmp_path, MAIN + "# a comment\n")).version
    third = load(write(tmp_path, MAIN, ci_runner=POLICY + "# a comment\n")).version
    assert len({first, second, third}) == 3


def test_policy_is_checked_against_what_the_connectors_ask_for(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        MAIN,
        ci_runner="policies:\n  - s3:ListBucket on lake\n  - s3:GetObjct on lake/*\n  - s3:HeadObject on lake/*\n",
    )
    assert [str(fault) for fault in faults(root)] == [
        "policies/ci-runner.yaml:3:5: unknown action `s3:GetObjct` (did you mean `s3:GetObject`?)",
        (
            "policies/ci-runner.yaml:4:5: `s3:HeadObject` is never asked: that operation asks for `s3:GetObject` "
            "(name what it asks for)"
        ),
    ]


def test_the_smallest_configuration_is_a_version(tmp_path: Path) -> None:
    (tmp_path / "ostiary.yaml").write_text("version: 1\nagents:\n")
    found = load(tmp_path)
    assert (found.agents, found.policies, found.notices) == ({}, {}, ())


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "words", "fix"),
    [
        ("version: 1", "version: 2", 1, 10, "this build reads version 1", "write `version: 1`"),
        ("version: 1", "version: true", 1, 10, "this build reads version 1", ""),
        ("version: 1\n", "", 1, 1, "has no `version`", ""),
        ("projects:", "project:", 2, 1, "unknown key `project`", "did you mean `projects`?"),
        ("  web:\n", "  Web:\n", 3, 3, "a name under `projects` does not fit: `Web`", "lower-case"),
        ("  web:\n", "  w\u0435b:\n", 3, 3, "does not fit", "lower-case"),
        ("description: The shop", "descripton: x", 4, 5, "unknown key `descripton`", "did you mean `description`?"),
        ("[lake, code]", "[lake, cod]", 5, 25, "unknown connection `cod`", "did you mean `code`?"),
        ("[lake, code]", "[lake, lake]", 5, 25, "the connection `lake` stands twice", ""),
        ("[lake, code]", "lake", 5, 18, "`connections` must be a list", ""),
        ("[lake, code]", "[5]", 5, 19, "a connection must be text", "quotes"),
        ("    connections: [lake, code]\n", "", 4, 5, "a project has no `connections`", ""),
        ("    project: web\n", "    project: wbe\n", 8, 14, "unknown project `wbe`", "did you mean `web`?"),
        ("    project: web\n", "", 8, 5, "an agent has no `project`", ""),
        ("owner: alice", "owner: bob", 10, 12, "unknown operator `bob`", "known here: alice"),
        ("description: Builds", "description: " + "x" * 501, 9, 18, "more than 500 characters", ""),
        ("[admin, approver]", "[admin, aprover]", 13, 26, "unknown role `aprover`", "did you mean `approver`?"),
        ("{roles: [admin, approver]}", "{}", 13, 10, "an operator has no `roles`", ""),
        ("{kind: log}", "{kind: fax}", 21, 28, "unknown kind of channel `fax`", "known here: apprise, log, webhook"),
        ("{kind: log}", "", 21, 20, "a channel has no `kind`", ""),
        ('"slack:#deploys"', '"slack deploys"', 21, 3, "a name under `channels` does not fit", ""),
        ("connector: git", "connector: gti", 17, 16, "unknown connector `gti`", "did you mean `git`?"),
        ("    connector: git\n", "", 17, 5, "a connection has no `connector`", ""),
        ("credential: git/acme", "credential: acme", 18, 17, "`credential` does not fit: `acme`", "folder/name"),
        ("credential: git/acme", "credential: ../x", 18, 17, "`credential` does not fit", "folder/name"),
        ("url: https", "ulr: https", 19, 5, "unknown key `ulr` in a connection", "did you mean `url`?"),
        ("    url: https://example.org\n", "", 17, 5, "a connection has no `url`", ""),
        ("url: https://example.org", "url: [x]", 19, 10, "`url`: input should be a valid string", ""),
        ('"123456789012"', "123456789012", 15, 57, "`account`: input should be a valid string", "quotes"),
        ('"123456789012"', "'12'", 15, 57, "`account`: string should match pattern", ""),
        ("[eu-west-1]", "[eu-west-1, us-1]", 15, 94, "`regions`: input should be 'eu-west-1' or 'eu-west-2'", ""),
        ("[eu-west-1]}", "[eu-west-1], endpoint: bad}", 15, 105, "`endpoint`: expected another endpoint", ""),
        ("version: 1", "version: 1\nversion: 1", 2, 1, "duplicate key `version`", ""),
        ("channels:", "channels", 20, 1, "not valid YAML", ""),
    ],
)  # fmt: skip
def test_each_fault_of_the_main_file_has_its_place_and_its_fix(
    tmp_path: Path, old: str, new: str, line: int, column: int, words: str, fix: str
) -> None:
    assert old in MAIN
    message, found_fix = fault_at(tmp_path, MAIN.replace(old, new, 1), line, column)
    assert words in message
    assert fix in found_fix


def test_faults_never_repeat_a_value_of_a_connection(tmp_path: Path) -> None:
    root = write(tmp_path, MAIN.replace('"123456789012"', '"AKIA-misplaced-secret"'))
    assert "misplaced" not in "".join(map(str, faults(root)))


def test_a_broken_connection_is_told_once_and_not_at_each_reference(tmp_path: Path) -> None:
    found = faults(write(tmp_path, MAIN.replace("    url: https://example.org\n", "")))
    assert len(found) == 1


def test_a_section_is_bounded(tmp_path: Path) -> None:
    many = "".join(f"  a{number}: {{roles: []}}\n" for number in range(1001))
    assert "more than 1000 entries" in fault_at(tmp_path, f"version: 1\noperators:\n{many}", 3, 3)[0]


def test_faults_of_all_files_are_told_at_once_in_order(tmp_path: Path) -> None:
    root = write(tmp_path, MAIN, ci_runner="policies:\n  - git:reed on repos/*\n", helper="policies: [\n")
    assert [(fault.file, fault.line) for fault in faults(root)] == [
        ("policies/ci-runner.yaml", 2),
        ("policies/helper.yaml", 2),
    ]
    broken = write(tmp_path, MAIN.replace("version: 1", "version: 9"))
    assert [fault.file for fault in faults(broken)] == ["ostiary.yaml", "policies/helper.yaml"]


def test_a_policy_of_an_unknown_agent_is_a_fault(tmp_path: Path) -> None:
    found = faults(write(tmp_path, MAIN, ci_runer=POLICY, stranger="policies: []"))
    assert [str(fault) for fault in found] == [
        "policies/ci-runer.yaml:1:1: the policy of an unknown agent `ci-runer` (did you mean `ci-runner`?)",
        (
            "policies/stranger.yaml:1:1: the policy of an unknown agent `stranger` "
            "(declare it under `agents:` in `ostiary.yaml`)"
        ),
    ]


def test_a_channel_must_be_declared(tmp_path: Path) -> None:
    found = faults(write(tmp_path, MAIN, ci_runner=POLICY.replace("#deploys", "#deplys")))
    assert (found[0].line, found[0].column) == (3, 12)
    assert found[0].message == "unknown channel `slack:#deplys`"
    assert found[0].fix == "did you mean `slack:#deploys`?"
    undeclared = faults(write(tmp_path, MAIN, ci_runner=POLICY.replace("slack:#deploys", "zzz")))
    assert "under `channels:`" in undeclared[0].fix
    default = POLICY.replace("    approval_channel: slack:#deploys\n", "")
    gate = load(write(tmp_path, MAIN, ci_runner=default)).policies["ci-runner"].policy.rules[1]
    assert gate.approval is not None
    assert gate.approval.channel == "approvals"


def test_an_approval_nobody_can_give_is_a_notice(tmp_path: Path) -> None:
    found = load(write(tmp_path, MAIN.replace("[admin, approver]", "[admin]")))
    assert "no operator has the role `approver`" in "".join(map(str, found.notices))
    assert "no operator has" not in "".join(map(str, load(write(tmp_path)).notices))


def test_the_same_connectors_have_the_same_catalogue_however_often_it_is_asked_for() -> None:
    connectors = build_connectors()
    assert catalogue_of(connectors) is catalogue_of(dict(connectors))
    assert catalogue_of(build_connectors()) is not catalogue_of(connectors)
