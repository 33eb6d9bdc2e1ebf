"""Amazon SNS: topics, subscriptions (which IAM sees as their topic), endpoints of devices, and phone numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, Kind, anything
from connectors.aws.catalogue.overrides.passing import passes_any
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import given
from connectors.aws.catalogue.place import Params, Place

_SNS: Final = Service("sns", "sns")
_NEW_TOPIC: Final = Kind("sns", "{}")
TOPIC: Final = Kind("sns", "{}", form=ARN_ONLY)
_AT: Final = TOPIC.at("TopicArn")
_TAGGED: Final = TOPIC.at("ResourceArn")
_COLONS: Final = 5
"""In the ARN of a topic; that of a subscription has one more."""


def _published(params: Params, place: Place) -> Iterator[str]:
    """Return where a message goes; for a phone number IAM knows no resource."""
    if given("PhoneNumber")(params):
        yield from anything(params, place)
        yield from TOPIC.where("TopicArn")(params, place)
    else:
        yield from (TOPIC.where if given("TargetArn")(params) else TOPIC.at)("TopicArn")(params, place)
    yield from TOPIC.where("TargetArn")(params, place)


def _of_subscription(params: Params, place: Place) -> Iterator[str]:
    """Return the topic of a subscription: its ARN without the last part."""
    subscription = TOPIC.read(params.get("SubscriptionArn"), place, "SubscriptionArn")
    yield subscription.rpartition(":")[0] if subscription.count(":") > _COLONS else subscription


TABLE: Final[Rows] = merged(
    _SNS.each(
        "AddPermission ConfirmSubscription DeleteTopic GetTopicAttributes ListSubscriptionsByTopic RemovePermission",
        _AT,
    ),
    _SNS.each("SetTopicAttributes", _AT, more=(passes_any("AttributeValue"),)),
    _SNS.each("Subscribe", _AT, more=(passes_any("Attributes"),)),
    _SNS.each("Publish PublishBatch=Publish", _published),
    _SNS.each(
        "CreateTopic",
        _NEW_TOPIC.at("Name"),
        more=(
            Need("sns:TagResource", _NEW_TOPIC.at("Name"), given("Tags[]")),
            Need("sns:PutDataProtectionPolicy", _NEW_TOPIC.at("Name"), given("DataProtectionPolicy")),
            passes_any("Attributes"),
        ),
    ),
    _SNS.each("GetSubscriptionAttributes Unsubscribe", _of_subscription),
    _SNS.each("SetSubscriptionAttributes", _of_subscription, more=(passes_any("AttributeValue"),)),
    _SNS.each("GetDataProtectionPolicy ListTagsForResource PutDataProtectionPolicy TagResource UntagResource", _TAGGED),
    _SNS.each("CreatePlatformApplication SetPlatformApplicationAttributes", anything, more=(passes_any("Attributes"),)),
)
