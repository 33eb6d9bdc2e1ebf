"""What two runs of one command printed, without what is drawn or read from a clock: then they can be compared."""

from __future__ import annotations

import json
import re
from typing import Final

_RANDOM: Final = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
        (r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", "<http date>"),
        (r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00|\+0000)", "<date>"),
        (r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?(\+00:00)?", "<listed date>"),
        (r"\b1[789]\d{11}\b", "<milliseconds>"),
        (r"\b1[789]\d{8}(\.\d+)?\b", "<seconds>"),
        (r"\bAROA[A-Z0-9]{17}", "<role id>"),
        (r"/hostedzone/[A-Z0-9]+", "/hostedzone/<id>"),
        (r"/change/[A-Z0-9]+", "/change/<id>"),
        (r":secret:([\w/]+)-\w{6}", r":secret:\1-<id>"),
        (r"ecs-svc/\d+", "ecs-svc/<id>"),
        (r"\b([a-z-]+-)[0-9a-f]{17}\b", r"\1<id>"),
        (r":targetgroup/(\w+)/[0-9a-f]{16}", r":targetgroup/\1/<id>"),
        (r'"(id|rootResourceId)": "[a-z0-9]{10}"', r'"\1": "<id>"'),
        (r'"(CiphertextBlob|ReceiptHandle)": "[^"]+"', r'"\1": "<drawn>"'),
    )
)


def settled(text: str, endpoint: str) -> object:
    """Return what a command printed: JSON as values, anything else as its lines in order.

    Args:
        text: Standard output.
        endpoint: Origin the upstream knows itself by, which it writes into URLs.
    """
    text = text.replace(endpoint, "<endpoint>")
    for pattern, word in _RANDOM:
        text = pattern.sub(word, text)
    try:
        return json.loads(text)
    except ValueError:
        return sorted(text.splitlines())  # the CLI transfers in parallel and prints as it goes
