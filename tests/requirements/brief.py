"""The brief as data: what Ostiary is for, one id each, and what is not built yet, with the reason.

An id without `deferred` has at least one test that carries ``@pytest.mark.req("ID")``; `test_coverage` checks both
directions. `partial` says what of an id is still to come. Ids are stable: one may be added, never reused.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Requirement:
    """One promise.

    Args:
        text: What is promised.
        partial: What of it is still missing; empty when it is whole.
        deferred: Why none of it is built yet; empty when some of it is.
    """

    text: str
    partial: str = ""
    deferred: str = ""


BRIEF = {
    "P1": Requirement("policy per agent in YAML, denied by default, enforced on every request"),
    "P2": Requirement(
        "push to feature branches but not main; read a prefix but no delete; staging free, production gated; "
        "another project's resources denied, only named models"
    ),
    "P3": Requirement("guardrails that ship with it, for every agent"),
    "P4": Requirement(
        "tools around policy: lint, format, test, explain, can-i, who-can, diff, replay, unused, suggest"
    ),
    "A1": Requirement("intents API: connectors act with sealed credentials and only results come back"),
    "A2": Requirement("AWS: every operation, unmodified clients"),
    "A3": Requirement("git: unmodified git, policy per ref"),
    "A4": Requirement(
        "GitHub: pull requests, comments, reviews, merges, issues, workflows; unmodified gh and PyGithub"
    ),
    "A5": Requirement("LLM gateway: unmodified SDKs and Claude Code, sealed keys, fail-over, Bedrock by model id"),
    "A6": Requirement("any SaaS API, declared in YAML or OpenAPI", deferred="the http connector comes later"),
    "A7": Requirement("MCP door", deferred="comes after the doors it shares its tools with"),
    "H1": Requirement(
        "requires_approval parks the exact request and asks; expiry means no",
        partial="asks through API and command line; no Slack, Telegram or dashboard yet",
    ),
    "H2": Requirement(
        "the approver sees what will happen, computed by the broker",
        partial="commits and diff of a push, the state of a merge, the fields of a write to GitHub; of AWS the request "
        "alone: no task definitions old and new, no object size yet",
    ),
    "H3": Requirement(
        "nobody approves their own request, exact-request binding, single use",
        partial="no quorum across groups yet; no surface gives the assurance `passkey`",
    ),
    "H4": Requirement("queued work runs through RQ and survives any crash; unknown outcomes are said to be unknown"),
    "S1": Requirement("an identity per agent, a scoped session per run", partial="no CI identity by OIDC yet"),
    "S2": Requirement("kill switch: agent, session, project, connector, everything; effective within a second"),
    "L1": Requirement("budgets of tokens, sessions and money, with thresholds and what follows when one is spent"),
    "L2": Requirement("rate limits and a circuit breaker"),
    "L3": Requirement("alerts"),
    "E1": Requirement("a ledger of everything: immutable, tamper-evident, queryable"),
    "E2": Requirement("session replay: the whole story of a session in order"),
    "E3": Requirement(
        "retention, export for SIEMs, evidence reports",
        partial="`audit export` writes NDJSON that verifies offline; no retention, no SIEM formats, no reports yet",
    ),
    "E4": Requirement("policy drill with a dated report"),
    "V1": Requirement("vault: sealed credentials, versions, central rotation"),
    "V2": Requirement("results are scanned so that no secret comes back"),
    "O1": Requirement(
        "two commands on a fresh machine, ten minutes to a gated push; PostgreSQL and Redis when it grows"
    ),
    "O2": Requirement("malformed input gets a controlled error that leaks nothing"),
}
