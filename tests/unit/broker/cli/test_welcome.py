from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.cli import app
from broker.cli.welcome import kept_files, welcome
from broker.config.loader import load_configuration
from broker.config.starter import write_starter
from broker.settings import Settings
from connectors.registry import build_connectors

URL = "http://127.0.0.1:1"
MAIN = """\
version: 1
projects: {{shop: {{connections: [{names}]}}}}
agents: {{bot: {{project: shop}}}}
operators: {{admin: {{roles: [admin]}}}}
connections:
  lake: {{connector: aws, credential: aws/lake, account: "123456789012", regions: [{region}]{more}}}
  code: {{connector: git, credential: git/code, url: "https://git.example.com:8443/x"}}
"""


def lines(root: Path, settings: Settings | None = None, made: list[Path] | None = None) -> list[str]:
    configuration = load_configuration(root, build_connectors())
    return welcome(settings or Settings(data=root.parent), configuration, made or [], URL)


def commands(printed: list[str]) -> list[list[str]]:
    """What stands behind `ostiary` and its global options."""
    steps = [shlex.split(line) for line in printed[printed.index("next, in another terminal:") + 1 :]]
    return [words[words.index("--data") + 2 :] for words in steps]


def configure(root: Path, names: str, rules: str, *, region: str = "eu-west-1", more: str = "") -> None:
    (root / "policies").mkdir(parents=True)
    (root / "ostiary.yaml").write_text(MAIN.format(names=names, region=region, more=more))
    (root / "policies" / "bot.yaml").write_text(f"version: 1\nagent: bot\npolicies:\n{rules}")


def test_the_untouched_starter_gets_its_own_names_and_something_its_agent_may_do(tmp_path: Path) -> None:
    root = tmp_path / "config"
    write_starter(root)
    put, start, ask = commands(lines(root))
    assert put == ["vault", "put", "aws/example", "--kind", "aws", "--host", "*.amazonaws.com"]
    assert start == ["session", "start", "--agent", "ci-runner"]
    assert ask == ["do", "s3:GetObject", "Bucket=data-lake", "Key=raw/NAME", "--dry-run"]
    words = ["--data", str(tmp_path), "policy", "explain", "ci-runner", "s3:GetObject", "data-lake/raw/NAME"]
    assert CliRunner().invoke(app, words).exit_code == 0


@pytest.mark.parametrize(
    ("names", "rules", "more", "credential", "host", "asked"),
    [
        ("code", "  - git:read on repos/*\n", "", "git/code", "git.example.com:8443", "git:read repo=owner/name"),
        ("lake, code", "  - git:read on repos/acme/*\n", "", "git/code", "git.example.com:8443", "repo=acme/name"),
        ("lake", "  - s3:GetObject on b/*\n", ", endpoint: 'http://10.0.0.1:9000'", "aws/lake", "10.0.0.1:9000", "Bu"),
        ("lake", "  - s3:PutObject on b/*\n", "", "aws/lake", "*.amazonaws.com", "s3:GetObject Bucket=NAME Key=NAME"),
        ("code", "  - deny: git:read on repos/*\n", "", "git/code", "git.example.com:8443", "s3:GetObject Bucket=NAME"),
    ],
)
def test_the_credential_and_its_host_are_those_of_a_connection_of_the_agents_project(
    tmp_path: Path, names: str, rules: str, more: str, credential: str, host: str, asked: str
) -> None:
    configure(tmp_path / "config", names, rules, more=more)
    put, _, ask = commands(lines(tmp_path / "config"))
    assert (put[2], put[-1]) == (credential, host)
    assert put[4] == credential.replace("git/code", "basic").replace("aws/lake", "aws")
    assert asked in " ".join(ask)


def test_another_partition_of_aws_has_its_own_hosts(tmp_path: Path) -> None:
    rules = "  - s3:GetObject on arn:aws-cn:s3:::b/*\n"
    configure(tmp_path / "config", "lake", rules, region="cn-north-1", more=", partition: aws-cn")
    assert commands(lines(tmp_path / "config"))[0][-1] == "*.amazonaws.com.cn"


def test_a_project_without_connections_has_no_key_to_seal(tmp_path: Path) -> None:
    configure(tmp_path / "config", "", "  - git:read on repos/*\n")
    assert [words[0] for words in commands(lines(tmp_path / "config"))] == ["session", "do"]


def test_without_an_agent_one_is_to_be_made(tmp_path: Path) -> None:
    root = tmp_path / "config"
    root.mkdir()
    (root / "ostiary.yaml").write_text("version: 1\noperators: {admin: {roles: [admin]}}\n")
    assert lines(root)[-2:] == [f"  add an agent to {root / 'ostiary.yaml'}", f"  ostiary --data {tmp_path} reload"]


@pytest.mark.parametrize(("first", "verb"), [(True, "initialise"), (False, "unseal")])
def test_a_vault_with_a_passphrase_is_opened_first(tmp_path: Path, first: bool, verb: str) -> None:
    root = tmp_path / "config"
    write_starter(root)
    settings = Settings(data=tmp_path, vault_key_file="")
    made = [settings.vault_storage] if first else []
    assert commands(lines(root, settings, made))[0] == ["vault", verb]
    assert tmp_path / "vault.key" not in kept_files(settings)


@pytest.mark.parametrize("first", [True, False])
def test_a_vault_with_a_kms_key_is_initialised_by_hand_and_unseals_itself(tmp_path: Path, first: bool) -> None:
    root = tmp_path / "config"
    write_starter(root)
    settings = Settings(data=tmp_path, vault_kms_key="arn:aws:kms:eu-west-1:123456789012:key/1234abcd")
    printed = commands(lines(root, settings, [settings.vault_storage] if first else []))
    assert printed[0][:2] == (["vault", "initialise"] if first else ["vault", "put"])


def test_a_configuration_elsewhere_is_named(tmp_path: Path) -> None:
    root = tmp_path / "elsewhere"
    write_starter(root)
    printed = lines(root, Settings(data=tmp_path / "d", config=root))
    assert f"  ostiary --data {tmp_path / 'd'} --config {root} session start --agent ci-runner" in printed
