"""Holds the guardrails that ship against GitHub's catalogue: whatever escalates asks a person or is denied.

What escalates is told by paths of the API, which are GitHub's words; the packs go by names of operations, so that
neither list can be the other's mistake.
"""

from __future__ import annotations

import re

import pytest

from connectors.base import Access
from connectors.github.catalogue import Entry, actions
from connectors.github.graphql.operations import MUTATE
from connectors.github.operations import OperationTable
from connectors.github.requirements import asked_by
from connectors.github.verbs import access_of, why_unserved
from policies.engine import compile_policy
from policies.language.loader import load_policy
from policies.layers import compile_layers
from policies.model import AccessRequest, Effect, Requirement
from tests.conformance.policies.test_guardrail_breadth import NAMES, pack

ESCALATES = {
    "secrets and keys": r"/(secrets|private-registries|keys|gpg_keys|ssh_signing_keys)(/|$)",
    "who may do what": r"/(collaborators|teams|memberships|members(?!.*/codespaces)|public_members|invitations"
    r"|repository_invitations|outside_collaborators|organization-roles|security-managers|installations?"
    r"|personal-access-tokens?|personal-access-token-requests)(/|$)",
    "what protects a branch": r"/(protection|rulesets|restrictions|bypass-list|push-protection-bypasses"
    r"|dismissals)(/|$)",
    "what is told to others": r"/hooks?(/|$)",
    "what workflows may and run with": r"/(actions/(permissions|oidc|runners|runner-groups|hosted-runners)"
    r"|variables)(/|$)",
    "workflows that run": r"/dispatches$|/actions/.*/(rerun|rerun-failed-jobs|approve|enable|disable)$|/rerequest$",
    "what is deployed": r"/(deployments|environments|releases|pages|deployment_protection_rules?)(/|$)",
    "what costs money": r"/(billing|budgets|hosted-runners)(/|$)",
    "machines and agents": r"/codespaces$|/codespaces/\{codespace_name\}/(start|publish)$|^/agents/",
    "repositories and organisations as a whole": r"^(PATCH|DELETE) (/repos/\{owner\}/\{repo\}|/orgs/\{org\})$"
    r"|/(transfer|forks|rename|migrations|import|generate)(/|$)|^DELETE .*/packages/|^POST /(user|orgs/\{org\})/repos$",
    "what finds mistakes": r"/(code-security|vulnerability-alerts|automated-security-fixes"
    r"|check-runs|check-suites|statuses|private-vulnerability-reporting|default-setup|analyses|custom-patterns|pattern-configurations|\{security_product\})(/|$)",
}  # fmt: skip
"""What it is about -> where it stands in ``METHOD /path``."""
NOT_MEANT = {
    "github:gists.fork",
    "github:security-advisories.create-fork",
    "github:codespaces.delete-from-organization",
}
"""A copy in the same account, a private copy in the same repository, a machine that ends."""
VERBS = {"git:merge", "git:force-push", "git:delete-ref"}

EVERYTHING = compile_layers(
    "bot", (*map(pack, NAMES), compile_policy(load_policy(b"policies: ['* on **']", file="bot.yaml").policy))
)


def effect_of(action: str, entry: Entry) -> Effect:
    asked = tuple(Requirement(each, "*") for each in asked_by(action, entry))
    decision = EVERYTHING.decide(AccessRequest("bot", "p", asked))
    assert decision.errors == ()
    return decision.effect


def writes() -> dict[str, Entry]:
    served = {action: entry for action, entry in actions().items() if not why_unserved(action, entry)}
    return {action: entry for action, entry in served.items() if access_of(action, entry) is not Access.READ}


@pytest.mark.req("P3")
@pytest.mark.parametrize("about", ESCALATES)
def test_every_operation_of_github_that_escalates_asks_a_person_or_is_denied(about: str) -> None:
    place = re.compile(ESCALATES[about])
    found = {name: entry for name, entry in writes().items() if place.search(f"{entry.method} {entry.path}")}
    found = {name: entry for name, entry in found.items() if name not in NOT_MEANT}
    assert len(found) >= 3
    assert [name for name, entry in found.items() if effect_of(name, entry) is Effect.ALLOW] == []


@pytest.mark.req("P3")
def test_every_merge_and_every_ref_that_is_forced_or_deleted_asks_a_person() -> None:
    found = {name: entry for name, entry in writes().items() if VERBS & set(asked_by(name, entry))}
    assert len(found) >= 8
    assert [name for name, entry in found.items() if effect_of(name, entry) is Effect.ALLOW] == []
    named = VERBS & set(OperationTable()[MUTATE].permissions)
    assert named == VERBS
    for verb in named:
        request = AccessRequest("bot", "p", (Requirement(verb, "repos/acme/app/branches/x"),))
        assert EVERYTHING.decide(request).effect is Effect.REQUIRE_APPROVAL


@pytest.mark.req("P3")
def test_no_operation_of_github_answers_with_a_secret() -> None:
    found = [name for name, entry in writes().items() if access_of(name, entry) is Access.SECRET]
    assert len(found) >= 10
    assert [name for name in found if effect_of(name, actions()[name]) is not Effect.DENY] == []


def test_what_people_talk_about_asks_nobody() -> None:
    talk = re.compile(
        r"github:(issues|pulls|reactions|projects|activity)\.(?!.*(merge|dismiss|update-branch|secret|release))"
    )
    found = {
        name: entry for name, entry in writes().items() if talk.match(name) and name != "github:activity.get-feeds"
    }
    assert len(found) > 60
    assert [name for name, entry in found.items() if effect_of(name, entry) is not Effect.ALLOW] == []
