"""``/livez``, ``/readyz`` and ``/metrics``: for supervisors and monitors, without a token and without any user data."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from broker.doors.principals import Broker
from broker.doors.views import LiveView, ReadyView

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> LiveView:
    """Tell that the process answers."""
    return LiveView(status="ok")


@router.get("/readyz", responses={503: {"model": ReadyView, "description": "At least one check fails"}})
async def readyz(broker: Broker, response: Response) -> ReadyView:
    """Tell whether this process can do its work, and which part cannot."""
    checks = dict(await broker.readiness())
    ready = bool(checks) and all(_good(answer) for answer in checks.values())
    response.status_code = 200 if ready else 503
    return ReadyView(ready=ready, checks=checks)


def _good(answer: bool | str) -> bool:
    """A part that is degraded slows something down; it is no reason to send callers elsewhere."""
    return answer is True or (isinstance(answer, str) and answer.startswith(("ok", "degraded")))


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"description": "Prometheus text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
    },
)
async def metrics(broker: Broker) -> Response:
    """Show the counters of this process."""
    return Response(generate_latest(broker.metrics), headers={"Content-Type": CONTENT_TYPE_LATEST})
