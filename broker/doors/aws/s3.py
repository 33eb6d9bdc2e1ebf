"""What clients of S3 write otherwise than intents do.

The source of a copy is a text with escapes on the wire and an object in an intent. Listings are asked for with encoded
names, which is about the form of the answer and no part of what is asked. A digest over the bytes of a document holds
for those bytes only, so it is checked here and goes no further.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from broker.doors.aws.refusals import No, of_refusal
from broker.model import JsonObject
from connectors.aws.s3 import REFUSED_MEMBERS
from connectors.aws.wire_in.calls import Call
from connectors.aws.wire_in.refusal import Reason, Refusal, RefusedError
from connectors.aws.wire_in.request import decode
from connectors.aws.wire_in.services import S3

ENCODING: Final = "EncodingType"
_COPIES: Final = frozenset({"CopyObject", "UploadPartCopy"})
_VERSION: Final = "versionId="


def as_asked(call: Call, document: bytes | None) -> JsonObject | No:
    """Return the params of a call to S3 as an intent has them.

    Args:
        call: One reading of the request.
        document: Its body, where that is a document.
    """
    params = {name: value for name, value in call.whole_params.items() if name != ENCODING}
    refused = sorted(REFUSED_MEMBERS & params.keys())
    if refused:
        # Before anything is planned: keys of the customer have no place in what is digested and recorded.
        return of_refusal(Refusal(Reason.UNSUPPORTED, f"`{refused[0]}` is not taken: it is or goes with a secret"))
    if not call.payload_member and "ContentMD5" in params:
        digest = base64.b64encode(hashlib.md5(document or b"", usedforsecurity=False).digest()).decode()
        if not hmac.compare_digest(str(params.pop("ContentMD5")).encode(), digest.encode()):
            return No("the body does not have the digest of `Content-MD5`", code="BadDigest", status=400)
    if call.operation in _COPIES and "CopySource" in params:
        source = copy_source(str(params["CopySource"]))
        if isinstance(source, No):
            return source
        params["CopySource"] = source
    if call.operation == "CopyObject":
        # What S3 does without the header; an intent that does not say so means the other.
        params.setdefault("TaggingDirective", "COPY")
    return params


def copy_source(text: str) -> JsonObject | No:
    """Return the source of a copy as an object.

    Args:
        text: The header ``x-amz-copy-source``: ``[/]bucket/key[?versionId=…]``, percent-encoded.
    """
    place, question, version = text.partition("?")
    # A plus is a space to S3 and a plus to others; a query that is no version may be part of a key nobody encoded.
    if "+" in text or (question and not version.startswith(_VERSION)):
        return _unclear("write a plus as `%2B`, a space as `%20` and a question mark as `%3F`")
    try:
        bucket, slash, key = decode(place).removeprefix("/").partition("/")
        source = {"Bucket": bucket, "Key": key}
        if question:
            source["VersionId"] = decode(version.removeprefix(_VERSION))
    except RefusedError as error:
        return of_refusal(error.refusal)
    return source if bucket and slash and key else _unclear("expected `bucket/key`")


def wants_encoded_names(call: Call) -> bool:
    """Tell whether a client asked for names in a listing to be percent-encoded."""
    return call.service == S3 and call.params.get(ENCODING) == "url"


def _unclear(words: str) -> No:
    return of_refusal(Refusal(Reason.UNKNOWN_INPUT, f"the source of the copy can be read in two ways: {words}"))
