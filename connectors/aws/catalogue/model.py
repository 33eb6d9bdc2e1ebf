"""The rows of the catalogue, as read from the packaged file.

What is NOT said here: that IAM checks nothing else. An exact action is what AWS documents; what depends on the params
(an ACL, a copy's source) is in `connectors.aws.catalogue.overrides`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

UNBOUND: Final = "{?}"
"""Stands in a template for a part that no param gives."""
RIVAL: Final = "|"
"""Stands in ``{param:StreamName|StreamId}`` before a member that says the same in another way; when that is given the
part is unknown, because nobody can tell which one AWS looks at."""
EVERYTHING: Final = "*"
"""The whole template of an action for which IAM itself has no kind of resource."""


class AccessClass(StrEnum):
    """What an operation does, the gravest that applies; the order of gravity is that of `GRAVEST_FIRST`."""

    READ = "read"
    WRITE = "write"
    DESTROY = "destroy"
    SECRET = "secret"  # noqa: S105 - a class of operations
    ESCALATION = "escalation"


GRAVEST_FIRST: Final = (
    AccessClass.SECRET,
    AccessClass.ESCALATION,
    AccessClass.DESTROY,
    AccessClass.WRITE,
    AccessClass.READ,
)
"""SECRET stands before ESCALATION: whoever withholds secrets looks at one thing; `Entry.escalates` tells the rest."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One IAM action of an operation and the kind of resource it is about.

    Args:
        action: IAM action, ``states:StartExecution``.
        template: ARN with ``{partition}``, ``{region}``, ``{account}``, ``{param:Member.Path}`` (see `RIVAL`) and
            `UNBOUND` for the parts; `EVERYTHING` alone when IAM has no kind of resource for it, `UNBOUND` alone when
            nothing is known.
        arns: Members that hold the whole ARN; each that is given is used as it is, once it fits ``heads``.
        heads: How a whole ARN of this kind begins, ``service:type/``, without partition, region and account.
        optional: IAM checks it only for a request that names such a resource.
    """

    action: str
    template: str
    arns: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation.

    Args:
        service: botocore's folder name, ``stepfunctions``.
        operation: API name, ``StartExecution``.
        pairs: What policy is asked, at least one.
        access: The gravest class.
        idempotent: Sending it twice has the effect of sending it once.
        token_member: The member botocore fills with an idempotency token; empty for none.
        streaming_input: The request's body is a stream.
        streaming_output: The answer's body is a stream.
        event_stream: Request or answer is a stream of events.
        returns_secrets: The answer holds credentials or secrets.
        role_members: Paths of members with the ARN of a role that is passed: ``targets[].roleArn``; ``[]`` is each
            item of a list, ``{}`` each value of a map; ``?`` at the end: only where it is a role's ARN; ``!``: brings a
            role that the request does not name.
        complete: The params, or IAM itself, give every resource that is needed.
        exact: IAM has every one of the actions under that name.
        escalates: It lets the caller act with powers of another principal, or grant powers.
    """

    service: str
    operation: str
    pairs: tuple[Pair, ...]
    access: AccessClass
    idempotent: bool = False
    token_member: str = ""
    streaming_input: bool = False
    streaming_output: bool = False
    event_stream: bool = False
    returns_secrets: bool = False
    role_members: tuple[str, ...] = ()
    complete: bool = False
    exact: bool = False
    escalates: bool = False
