"""What single services want besides their models, each of it from the handlers of botocore, but for S3.

Left out on purpose: handlers that change what the caller meant (``UserData`` is base64 here, as the API has it, not
encoded once more), that presign URLs (copies across regions), that decode parts of answers, or that add headers of
diagnosis.
"""

from __future__ import annotations

from typing import Any, Final

from connectors.aws.model import ApiOperation

_ROUTE53_IDS: Final = frozenset({"ResourceId", "DelegationSetId", "ChangeId"})
"""Shapes of ids that listings return as ``/hostedzone/Z1`` and paths take as ``Z1``."""
_HEADERS: Final[dict[str, dict[str, str]]] = {
    "glacier": {"x-amz-glacier-version": "2012-06-01"},
    "apigateway": {"accept": "application/json"},
}


def spelled(api: ApiOperation, name: str, value: Any) -> Any:  # noqa: ANN401 - canonical JSON
    """Return a value in the one spelling its service's paths take."""
    if api.service == "route53" and api.members[name].name in _ROUTE53_IDS and isinstance(value, str):
        return value.rpartition("/")[2]
    return value


def headers(api: ApiOperation) -> dict[str, str]:
    """Return the headers a service wants with every call; lower-case names."""
    return _HEADERS.get(api.service, {})
