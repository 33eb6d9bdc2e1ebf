"""Operations that are known and not served, with the reason a person is told."""

from __future__ import annotations

from connectors.aws import s3
from connectors.aws.catalogue.model import Entry
from connectors.aws.model import ApiOperation

_UNSIGNED = "smithy.api#noAuth"


def why_unserved(api: ApiOperation, entry: Entry) -> str:
    """Return why an operation is not planned; empty when it is.

    Args:
        api: The operation.
        entry: Its row of the catalogue.
    """
    if api.service == s3.NAME and api.name in s3.REFUSED:
        return s3.REFUSED[api.name]
    if api.model.auth_type == "none" or _UNSIGNED in (api.model.auth or ()):
        return "it is not signed, so that nobody could tell who asks"
    if entry.event_stream or api.model.has_event_stream_input or api.model.has_event_stream_output:
        return "it speaks in a stream of events"
    if api.streams and entry.returns_secrets:
        return "its answer streams and holds secrets, which could not be sealed"
    return ""
