"""``/v1/intents/{id}/content``: prompts and answers of models, where a project keeps them. For auditors, on the record.

They come as text in JSON, never as what they are: whoever wrote them may have written a page with scripts.
"""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from broker.clock import rfc3339
from broker.config.content import Store
from broker.contents.capture import ContentPart
from broker.contents.service import KeptPart
from broker.doors.documents import problems
from broker.doors.intents import PATH, IntentPath
from broker.doors.principals import Broker, operator_with
from broker.doors.problems import RefusedError
from broker.doors.views import View
from broker.model import Operator, Role
from broker.outcome import Problem, ProblemKind

router = APIRouter(tags=["intents"])

Auditor = Annotated[Operator, Depends(operator_with(Role.AUDITOR))]


class ContentQuery(BaseModel):
    """Which parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    part: ContentPart | None = Field(None, description="both if not given")


class ContentPartView(View):
    """A prompt or an answer, as it was kept."""

    size_bytes: int = Field(description="how long it was")
    cut: bool = Field(description="not all of it is here: it was too long, or the answer broke off")
    masked: int = Field(description="places that were written over by `*` when it was kept")
    withheld: str | None = Field(description="why none of it was kept")
    encoding: Literal["utf-8", "base64"]
    data: str

    @classmethod
    def of(cls, part: KeptPart) -> ContentPartView:
        """Return what is shown of a part."""
        encoding: Literal["utf-8", "base64"] = "utf-8"
        try:
            data = part.data.decode()
        except UnicodeDecodeError:
            encoding, data = "base64", base64.b64encode(part.data).decode()
        return cls(
            size_bytes=part.size_bytes,
            cut=part.cut,
            masked=part.masked,
            withheld=part.withheld or None,
            encoding=encoding,
            data=data,
        )


class ContentView(View):
    """What is kept of one intent."""

    intent: str
    store: Store = Field(description="what its project kept when it was asked")
    kept_at: str
    expires_at: str
    prompt: ContentPartView | None = Field(description="null when it was not asked for")
    answer: ContentPartView | None = Field(description="null when it was not asked for")


@router.get(
    PATH + "/{intent_id}/content",
    responses=problems(
        ProblemKind.NOT_FOUND, ProblemKind.OUTPUT_GONE, ProblemKind.LEDGER_UNAVAILABLE, ProblemKind.VAULT_UNAVAILABLE
    ),
)
async def read_content(
    broker: Broker, operator: Auditor, intent_id: IntentPath, asked: Annotated[ContentQuery, Query()]
) -> ContentView:
    """Show the prompt and the answer of a model; that they were read is on the ledger before they are shown."""
    wanted = (asked.part,) if asked.part else tuple(ContentPart)
    kept = await broker.contents.read(intent_id, operator, wanted)
    if isinstance(kept, Problem):
        raise RefusedError(kept)
    views = {name: ContentPartView.of(part) for name, part in kept.parts.items()}
    return ContentView(
        intent=kept.intent_id,
        store=kept.store,
        kept_at=rfc3339(kept.kept_at_ns),
        expires_at=rfc3339(kept.expires_at_ns),
        prompt=views.get(ContentPart.PROMPT),
        answer=views.get(ContentPart.ANSWER),
    )
