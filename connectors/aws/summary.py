"""One verb-first line of a plan that a person can approve."""

from __future__ import annotations

from typing import Final

from connectors.aws import s3
from connectors.aws.catalogue.place import UNKNOWN
from connectors.aws.model import ApiOperation
from connectors.aws.params import Checked
from connectors.aws.words import camel_words, shown
from policies.model import Requirement

_VERBS: Final = {
    "GetObject": "get",
    "HeadObject": "look at",
    "ListObjects": "list",
    "ListObjectsV2": "list",
    "PutObject": "put",
    "CopyObject": "copy",
    "DeleteObject": "delete",
}
"""Operations of S3 people know by a verb of their own; the others are called by their name."""
_NAMED: Final = 2
"""Resources a line names; the others are counted."""


def summary_of(api: ApiOperation, checked: Checked, requirements: tuple[Requirement, ...]) -> str:
    """Return the line.

    Args:
        api: The operation.
        checked: Its params.
        requirements: What it needs.
    """
    if api.service == s3.NAME and "Bucket" in checked.params:
        return _of_bucket(api, checked)
    names = list(dict.fromkeys(_tail(need.resource) for need in requirements if need.resource != "*"))
    about = f" {', '.join(names[:_NAMED])}" if names else ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{camel_words(api.name)}{about}{more} ({api.service}, {checked.region})"


def _of_bucket(api: ApiOperation, checked: Checked) -> str:
    params = checked.params
    place = f"s3://{params['Bucket']}"
    if "Key" in params:
        place += f"/{shown(params['Key'])}"
    elif params.get("Prefix"):
        place += f"/{shown(params['Prefix'])}"
    if "VersionId" in params:
        place += f" version {shown(params['VersionId'])}"
    if checked.payload is not None:
        size = len(checked.payload) if checked.upload is None else checked.upload.size_bytes
        place = f"{size} bytes to {place}"
    if s3.is_copy(api):
        source = params["CopySource"]
        place = f"s3://{source['Bucket']}/{shown(source['Key'])} to {place}"
    return f"{_VERBS.get(api.name) or camel_words(api.name)} {place} ({checked.region})"


def _tail(resource: str) -> str:
    """Return what tells a resource from others of its account and region, with ``?`` for what is not known."""
    parts = resource.split(":", 5)
    return " ".join(shown(parts[-1].replace(UNKNOWN, "?")).split(" "))
