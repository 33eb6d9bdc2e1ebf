from __future__ import annotations

from pathlib import Path

import pytest

from broker.config.model import Configuration
from broker.studies.drill.drafts import WORD, Drafts
from connectors.base import Connector
from connectors.registry import build_connectors
from policies.language.loader import load_policy
from policies.model import Rule
from tests.house import PaperConnector
from tests.unit.broker.studies.drill.folder import MAIN, configured

REAL = """\
version: 1
projects:
  web: {connections: [github, lake]}
agents:
  ci: {project: web}
connections:
  github: {connector: git, credential: git/bot, url: 'https://git.example.com'}
  lake: {connector: aws, credential: aws/lake, account: '123456789012', regions: [eu-west-1]}
"""


@pytest.fixture
def real(tmp_path: Path) -> tuple[Configuration, dict[str, Connector]]:
    connectors = dict(build_connectors())
    return configured(tmp_path, connectors, REAL, ci="policies: []\n"), connectors


def rule(text: str, configuration: Configuration) -> Rule:
    whole = f"policies:\n  - {text}\n".encode()
    return load_policy(whole, file="policies/ci.yaml", catalogue=configuration.catalogue).rules[0]


def named(real: tuple[Configuration, dict[str, Connector]], text: str) -> set[str]:
    """Resources that the drafts about a rule really require."""
    drafts = Drafts(*real, "web")
    found = (drafts.requirements(draft) for draft in drafts.under([rule(text, real[0])], "ci"))
    return {each.resource for requirements in found for each in requirements}


@pytest.mark.parametrize(
    ("text", "resource"),
    [
        ("git:push on repos/acme/shop/branches/main", "repos/acme/shop/branches/main"),
        ("git:push on repos/*/branches/release/*", "repos/acme/app/branches/release/x"),
        ("git:push on repos/acme/*/branches/**", "repos/acme/app/branches/feature/x"),
        ("git:read on repos/${project}/*", "repos/web/app"),
        ("git:read on repos/${agent.id}/${project}", "repos/ci/web"),
        ("s3:GetObject on team-data/raw/*", f"arn:aws:s3:::team-data/raw/{WORD}"),
        ("s3:* on arn:aws:s3:::team-*/x", f"arn:aws:s3:::team-{WORD}/x"),
    ],
)
def test_a_request_about_what_a_rule_names_is_made_of_an_example(
    real: tuple[Configuration, dict[str, Connector]], text: str, resource: str
) -> None:
    assert resource in named(real, text)


@pytest.mark.parametrize(
    "text", ["git:push on repos/acme/app/tags/v1", "git:read on repos/${session.repo}/*", "s3:GetObject on **/x"]
)
def test_what_no_example_leads_to_is_not_made_up(real: tuple[Configuration, dict[str, Connector]], text: str) -> None:
    assert all("${" not in each and "/tags/" not in each for each in named(real, text))


def test_every_example_is_moved_to_where_nobody_has_anything(real: tuple[Configuration, dict[str, Connector]]) -> None:
    drafts = Drafts(*real, "web")
    found = [drafts.requirements(draft) for draft in drafts.elsewhere()]
    planned = [each for requirements in found for each in requirements]
    own = [each for each in planned if each.action.partition(":")[0] in {"git", "s3"}]
    assert {each.action.partition(":")[0] for each in own} == {"git", "s3"}
    # An account as a whole, or what AWS names itself, cannot be somewhere else.
    assert sum(WORD in each.resource for each in own) > len(own) // 2


def test_a_connection_whose_connector_is_not_here_has_no_requests(tmp_path: Path) -> None:
    configuration = configured(tmp_path, {"paper": PaperConnector()}, MAIN, scribe="policies: []\n")
    assert list(Drafts(configuration, {}, "desk").through("other")) == []
    assert len(list(Drafts(configuration, {"paper": PaperConnector()}, "desk").through("other"))) == 4


def test_a_draft_without_a_plan_requires_nothing(real: tuple[Configuration, dict[str, Connector]]) -> None:
    drafts = Drafts(*real, "web")
    example = next(drafts.examples())
    assert drafts.requirements(type(example)("no:Such", {})) == ()
