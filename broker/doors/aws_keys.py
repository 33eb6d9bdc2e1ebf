"""``/v1/sessions/aws-credentials``: what an AWS client of a session signs with.

The document is the one container credentials have (``AWS_CONTAINER_CREDENTIALS_FULL_URI``), so that SDKs fetch it
themselves. What is in it opens nothing but Ostiary's own AWS door, as this session, until its end.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal

from broker.access_keys import access_key_id
from broker.clock import rfc3339
from broker.doors.documents import problems
from broker.doors.ports import BrokerPort
from broker.doors.principals import Agent, Broker
from broker.doors.problems import RefusedError, refused
from broker.model import Session
from broker.outcome import Problem, ProblemKind
from connectors.base import Connection
from vault.errors import VaultError
from vault.model import SecretValue

PATH: Final = "/v1/sessions/aws-credentials"
SECURITY_TOKEN: Final = "ostiary"  # noqa: S105 - it is no secret, and opens nothing
"""Some SDKs refuse credentials without a token. They send it with each request, where nobody looks at it."""

_CONNECTOR: Final = "aws"
_RETRY_SECONDS: Final = 5

router = APIRouter(tags=["sessions"])


class AwsCredentialsView(BaseModel):
    """Credentials of one session for the AWS door, as SDKs read them."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_pascal, populate_by_name=True)

    access_key_id: str
    secret_access_key: str = Field(repr=False)
    token: str = Field(description="says nothing; some SDKs want one")
    expiration: str = Field(description="end of the session")
    region: str = Field(description="first region of the connection; no SDK reads it here, the command line does")


@router.get(PATH, responses=problems(ProblemKind.NOT_FOUND, ProblemKind.VAULT_UNAVAILABLE))
async def read_aws_credentials(
    broker: Broker, session: Agent, connection: Annotated[str, Query(max_length=63)] = ""
) -> AwsCredentialsView:
    """Show what an AWS client of this session signs with, and the region of the named or the first AWS connection."""
    chosen = _connection_of(broker, session, connection)
    secret = await _secret_of(broker, session)
    return AwsCredentialsView(
        access_key_id=access_key_id(session.id),
        secret_access_key=secret.reveal().decode("ascii"),
        token=SECURITY_TOKEN,
        expiration=rfc3339(session.expires_at_ns),
        region=str(chosen.options["regions"][0]),
    )


def _connection_of(broker: BrokerPort, session: Session, name: str) -> Connection:
    configuration = broker.configuration()
    project = configuration.projects.get(session.project)
    for each in project.connections if project is not None else ():
        found = configuration.connections.get(each)
        if found is not None and found.connector == _CONNECTOR and name in ("", each):
            return found
    raise refused(
        ProblemKind.NOT_FOUND,
        "the project of this session has no such connection to AWS",
        fix="`ostiary.yaml` names the connections of a project",
    )


async def _secret_of(broker: BrokerPort, session: Session) -> SecretValue:
    try:
        return await broker.aws_secret(session.id)
    except VaultError:
        problem = Problem(
            ProblemKind.VAULT_UNAVAILABLE, "the vault is sealed or away", retry_after_seconds=_RETRY_SECONDS
        )
        raise RefusedError(problem) from None
