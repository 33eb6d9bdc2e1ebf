"""One result there and back: JSON, our answer, botocore's parser, JSON again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.aws import model, s3
from connectors.aws.answer import plain
from connectors.aws.codec import parser
from connectors.aws.model import ApiOperation
from connectors.aws.wire_in.services import Protocol
from connectors.aws.wire_out.answer import WireAnswer, head, render
from connectors.aws.wire_out.errors import RenderError
from tests.conformance.aws_answers.samples import BODY, OutputSampler
from tests.conformance.aws_roundtrip.samples import Variant

REQUEST_ID = "01234567-89ab"


@dataclass(slots=True)
class Answers:
    """What came back.

    Args:
        counts: ``answers``, ``equal``, and ``events``: operations whose answers are events, of which only the head is
            written.
        failures: ``service:Operation protocol`` and what was wrong.
    """

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def same(self) -> float:
        """Share of the answers that say what they should."""
        return self.counts["equal"] / self.counts["answers"]


def answers_of(
    services: Iterable[str], variants: Sequence[Variant], *, others: bool = False, step: int = 1, offset: int = 0
) -> Answers:
    """Send results there and back.

    Args:
        services: Names.
        variants: Which results; the operations take turns.
        others: In the protocols that botocore would not pick, of services that speak several.
        step: Every how many-th operation.
        offset: The first one.
    """
    figures = Answers()
    number = offset
    for name in services:
        loaded = model.service(name)
        for protocol in _protocols(loaded.model, others=others):
            for operation in loaded.model.operation_names:
                number += 1
                if number % step == 0:
                    api = loaded.operation(operation)
                    assert api is not None
                    _one(figures, api, protocol, variants[number // step % len(variants)])
    return figures


def parsed(api: ApiOperation, protocol: Protocol, answer: WireAnswer) -> dict[str, Any]:
    """Return what botocore reads in an answer, as `connectors.aws.answer` has it."""
    fields = {api.spelling.get(name, name): value for name, value in answer.headers.items()}
    expires = fields.pop(api.spelling.get("expires", "expires"), None) if api.service == "s3" else None
    body = b"" if api.streams else answer.body
    response = {"status_code": answer.status, "headers": fields, "body": body}
    found = parser(protocol).parse(response, api.model.output_shape)
    found.pop("ResponseMetadata")
    if api.streams:
        found.pop(api.model.output_shape.serialization["payload"], None)
    if api.service == "s3":
        s3.mend(api, found, answer.body)
    data: dict[str, Any] = plain(found)
    return data if expires is None else {**data, "ExpiresString": expires}


def _one(figures: Answers, api: ApiOperation, protocol: Protocol, variant: Variant) -> None:
    data = OutputSampler(variant).result(api.model)
    if api.service == "s3":
        data.pop("EncodingType", None)  # the connector decodes what is encoded; `test_listings` shows the way out
        if "Expires" in data:
            data["ExpiresString"] = data.pop("Expires")
    label = f"{api.action} {protocol}"
    if api.model.has_event_stream_output:
        figures.counts["events"] += 1
        head(api, data, request_id=REQUEST_ID)
        return
    figures.counts["answers"] += 1
    try:
        answer = render(api, protocol, data, request_id=REQUEST_ID, body=BODY if api.streams else None)
        back = parsed(api, protocol, answer)
    except RenderError as error:
        figures.failures.append(f"{label} is not written: {error}")
        return
    except Exception as error:  # noqa: BLE001 - whatever botocore says to our bytes is the finding
        figures.failures.append(f"{label} is not read: {error!r}"[:300])
        return
    wrong = differing(data, back, "") or (api.streams and answer.body != BODY and "the body") or ""
    if wrong:
        figures.failures.append(f"{label} {variant} differs {wrong}"[:300])
    else:
        figures.counts["equal"] += 1


def differing(made: Any, back: Any, path: str) -> str:
    """Return the first place where two values differ; empty when there is none.

    An empty structure or text is what botocore reads where there is no body.
    """
    if isinstance(made, dict) and isinstance(back, dict):
        for name in [*made, *(each for each in back if each not in made)]:
            if name not in made and back[name] in ({}, ""):
                continue
            found = differing(made.get(name), back.get(name), f"{path}.{name}")
            if found:
                return found
        return ""
    if isinstance(made, list) and isinstance(back, list) and len(made) == len(back):
        return next(filter(None, (differing(*pair, f"{path}[]") for pair in zip(made, back, strict=True))), "")
    if isinstance(made, float) and isinstance(back, float) and math.isnan(made) and math.isnan(back):
        return ""
    return "" if made == back and isinstance(made, bool) == isinstance(back, bool) else f"{path}: {made!r} {back!r}"


def _protocols(service: Any, *, others: bool) -> Iterator[Protocol]:
    picked = Protocol(service.resolved_protocol)
    listed = map(Protocol, service.metadata.get("protocols") or [picked])
    yield from (each for each in listed if (each is not picked) is others)
