"""Amazon SQS: queues by URL, by name or by ARN.

The account and the name of a queue are the path of its URL. Its host is not used: the call goes to the endpoint of the
region, and a URL that says another region is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, Kind
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import given, shown, text
from connectors.aws.catalogue.place import UNKNOWN, Params, Place
from connectors.errors import InvalidParamsError

_SQS: Final = Service("sqs", "sqs")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,75}(\.fifo)?|[A-Za-z0-9_-]{76,80}")
_ACCOUNT: Final = re.compile("[0-9]{12}")
_URL: Final = re.compile(r"https?://(?P<host>[A-Za-z0-9.:-]+)/(?P<account>[0-9]{12})/(?P<name>[A-Za-z0-9_.-]{1,80})")
_REGIONAL_HOST: Final = re.compile(r"(sqs\.(?P<new>[a-z0-9-]+)|(?P<old>[a-z0-9-]+)\.queue)\.amazonaws\.com(\.cn)?")
QUEUE: Final = Kind("sqs", "{}", form=_NAME)
_QUEUE_ARN: Final = Kind("sqs", "{}", form=ARN_ONLY)


def _arn(place: Place, account: str, name: str) -> str:
    return f"arn:{place.partition}:sqs:{place.region}:{account}:{name}"


def _by_url(params: Params, place: Place) -> Iterator[str]:
    value = params.get("QueueUrl")
    if value is None or value == "":
        yield QUEUE.named(place, UNKNOWN)
        return
    url = text(value, "QueueUrl")
    match = _URL.fullmatch(url)
    if match is None:
        raise InvalidParamsError(f"`QueueUrl` is `{shown(url)}`", fix="as `https://…/123456789012/name`")
    host = _REGIONAL_HOST.fullmatch(match["host"])
    if host is not None and (host["new"] or host["old"]) != place.region:
        raise InvalidParamsError(f"`QueueUrl` is of another region than `{place.region}`: `{shown(url)}`")
    yield _arn(place, match["account"], match["name"])


def _of_owner(params: Params, place: Place) -> Iterator[str]:
    """Return the queue of a name, in the account that is said to own it."""
    queue = QUEUE.read(params.get("QueueName"), place, "QueueName")
    owner = params.get("QueueOwnerAWSAccountId")
    if owner is None:
        yield queue
    elif _ACCOUNT.fullmatch(text(owner, "QueueOwnerAWSAccountId")) is None:
        raise InvalidParamsError(f"`QueueOwnerAWSAccountId` is `{shown(owner)}`", fix="12 digits")
    else:
        yield _arn(place, owner, queue.rpartition(":")[2])


_SOURCE: Final = _QUEUE_ARN.at("SourceArn")
_ON_QUEUE: Final = (
    "AddPermission ChangeMessageVisibility ChangeMessageVisibilityBatch=ChangeMessageVisibility DeleteMessage "
    "DeleteMessageBatch=DeleteMessage DeleteQueue GetQueueAttributes ListDeadLetterSourceQueues ListQueueTags "
    "PurgeQueue ReceiveMessage RemovePermission SendMessage SendMessageBatch=SendMessage SetQueueAttributes "
    "TagQueue UntagQueue"
)

TABLE: Final[Rows] = merged(
    _SQS.each(_ON_QUEUE, _by_url),
    _SQS.each("CreateQueue", QUEUE.at("QueueName"), more=(Need("sqs:TagQueue", QUEUE.at("QueueName"), given("tags")),)),
    _SQS.each("GetQueueUrl", _of_owner),
    _SQS.each("ListMessageMoveTasks", _SOURCE),
    # Without a destination the messages go back to the queues they came from, which are not in the request.
    _SQS.row(
        "StartMessageMoveTask",
        *(
            Need(f"sqs:{name}", _SOURCE)
            for name in ("StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
        ),
        Need("sqs:SendMessage", _QUEUE_ARN.at("DestinationArn")),
    ),
    # The handle is sealed by SQS; the queue in it cannot be read.
    _SQS.each("CancelMessageMoveTask", QUEUE.some()),
)
