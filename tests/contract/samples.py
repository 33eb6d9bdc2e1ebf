"""What the contract suite of connectors needs to know of each of them; one line in `SAMPLES` for a new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLError
from graphql.utilities import strip_ignored_characters

from connectors.base import JsonObject
from vault.model import CredentialKind

CANARY = "c4n4ry-S3cr3t/Value+0123456789"


@dataclass(frozen=True, slots=True)
class Sample:
    """What the suite needs to know of a connector.

    Args:
        options: Options of a connection.
        kind: Kind of credential it is leased.
        secret: The secret part of it.
        direct: True when every byte of a write goes out through the transport.
        operations: Which operations of a catalogue of thousands stand for all of them; empty for every one.
        safe_methods: Methods of requests that read; a protocol of remote calls posts whatever it asks.
        asks: Services of other connectors whose actions its requirements name, besides its own.
        same: Whether two values of a param mean the same upstream, given its name and both; they make one plan then.
        posted: Reads that are posted, besides.
        found: What was found out before, for operations whose example is planned from it.
        executed: Params and what was found out about them, for operations whose example alone cannot be executed.
    """

    options: JsonObject
    kind: CredentialKind
    secret: str
    direct: bool
    operations: tuple[str, ...] = ()
    safe_methods: frozenset[str] = frozenset({"GET", "HEAD"})
    asks: frozenset[str] = frozenset()
    same: Callable[[str, Any, Any], bool] = lambda _param, _one, _other: False
    posted: frozenset[str] = frozenset()
    found: Mapping[str, JsonObject] = field(default_factory=dict)
    executed: Mapping[str, tuple[JsonObject, JsonObject]] = field(default_factory=dict)


AWS_OPERATIONS = (
    *(f"s3:{name}" for name in ("GetObject", "HeadObject", "ListObjectsV2", "PutObject", "CopyObject", "DeleteObject")),
    "s3:PutBucketTagging",
    "ecs:UpdateService",
    "dynamodb:GetItem",
    "sqs:SendMessage",
    "iam:GetRole",
    "ec2:TerminateInstances",
    "cloudwatch:PutMetricData",
    "lambda:DeleteFunction",
    "athena:CreateNamedQuery",
    "stepfunctions:StartExecution",
)
"""All six protocols, all classes of access, bodies, tokens and values in every place of a request."""

GITHUB_OPERATIONS = (
    "github:repos.get-content",
    "github:repos.download-tarball-archive",
    "github:pulls.list",
    "github:pulls.create",
    "github:git.create-ref",
    "github:actions.create-registration-token-for-repo",
    "github:repos.update-branch-protection",
    "github:orgs.remove-member",
    "github:graphql.query",
    "github:graphql.mutate",
    "github:graphql.resolve",
)
"""All classes of access, verbs and own names, values in every place of a request."""


def same_at_github(param: str, one: Any, other: Any) -> bool:
    """Tell what GitHub does not tell apart: case, what GraphQL ignores in a document, variables it does not declare."""
    match param:
        case "owner" | "repo" | "org" | "username":
            return str(one).lower() == str(other).lower()
        case "query" if isinstance(one, str):
            return _document(one) == _document(other)
        case "variables":  # the documents of the examples declare none
            return isinstance(one, dict)
        case _:
            return False


def _document(text: str) -> str:
    try:
        return strip_ignored_characters(text)
    except GraphQLError:
        return text


_GONE = {"ref": "refs/heads/feature/x", "old": "a" * 40, "new": "0" * 40}
"""The deletion of a branch: a push without a pack."""

LLM_UPSTREAMS = [
    {"name": "first", "speaks": "anthropic", "url": "http://127.0.0.1:1"},
    {"name": "second", "speaks": "anthropic", "url": "http://127.0.0.1:2", "credential": "test/other"},
]
"""Two of one kind: every plan has a fallback."""

SAMPLES = {
    "aws": Sample(
        {"account": "123456789012", "regions": ["eu-central-1"]},
        CredentialKind.AWS,
        CANARY,
        direct=True,
        operations=AWS_OPERATIONS,
        safe_methods=frozenset({"GET", "HEAD", "POST"}),
    ),
    "git": Sample(
        {"url": "http://127.0.0.1:1"},
        CredentialKind.BEARER,
        f"Bearer {CANARY}",
        direct=False,
        # So is a fetch, which is no example; test_smart_http.py holds it to one path.
        posted=frozenset({"git:lfs-read"}),
        executed={
            "git:push": (
                {"repo": "acme/app", "updates": [_GONE]},
                {"updates": [{**_GONE, "change": "delete"}], "workflows": False},
            )
        },
    ),
    "github": Sample(
        {"url": "http://127.0.0.1:1/api/v3"},
        CredentialKind.BEARER,
        f"Bearer {CANARY}",
        direct=True,
        operations=GITHUB_OPERATIONS,
        asks=frozenset({"git"}),
        same=same_at_github,
        posted=frozenset({"github:graphql.query", "github:graphql.resolve"}),
        found={
            "github:graphql.mutate": {
                "nodes": {
                    "PR_kwDOAAAAAM4A": {
                        "__typename": "PullRequest",
                        "number": 7,
                        "headRefName": "feature",
                        "repository": {"nameWithOwner": "acme/app"},
                    }
                }
            }
        },
    ),
    "llm": Sample(
        {"upstreams": LLM_UPSTREAMS},
        CredentialKind.BEARER,
        f"Bearer {CANARY}",
        direct=True,
        posted=frozenset({"llm:InvokeModel", "llm:CountTokens"}),
    ),
}
