"""Which requests are the AWS door's: those that say they are signed for AWS, on any path.

Nothing is verified here. A request that is not signed at all is another door's, which will want its own credentials.
"""

from __future__ import annotations

from typing import Final

from starlette.types import Scope

_SCHEMES: Final = (b"AWS4-", b"AWS ")
"""Signature Version 4 in its kinds, and Version 2 of S3, which is refused in words its clients print."""
_PARAMETERS: Final = frozenset((b"X-Amz-Algorithm", b"X-Amz-Signature", b"AWSAccessKeyId"))
"""Of presigned URLs, Version 4 and 2; names are case-sensitive there."""


def is_signed_for_aws(scope: Scope) -> bool:
    """Tell whether a request carries a signature of AWS, of any kind, in its headers or its query."""
    for name, value in scope["headers"]:
        if name == b"authorization" and value.startswith(_SCHEMES):
            return True
    query: bytes = scope["query_string"]
    return bool(query) and not _PARAMETERS.isdisjoint(part.partition(b"=")[0] for part in query.split(b"&"))
