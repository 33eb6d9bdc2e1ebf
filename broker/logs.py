"""The process's log: one JSON object per line on standard error, and never the text of an exception.

An exception's message can hold anything that was near the fault, a secret among it, so a logged exception is its type
and the places it went through, innermost last. What our own code wants to say stands in the event and its fields.
Libraries that log through `logging` come out the same way.
"""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType
from typing import Final

import structlog
from structlog.typing import EventDict, WrappedLogger

MAX_FRAMES: Final = 12
"""Places shown of a traceback, the innermost ones."""

# RQ sets a level on some of its own loggers, so naming their parent does not reach them.
_QUIET: Final = ("rq", "rq.worker", "rq.job", "rq.queue", "uvicorn", "asyncio", "aiohttp", "botocore", "git", "alembic")
"""Libraries heard from warnings on only."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def configure_logs(process: str, level: str) -> None:
    """Send all logs of this process to standard error as JSON lines.

    Args:
        process: Name of the process, shown in each line.
        level: ``debug``, ``info``, ``warning`` or ``error``; anything else is ``info``.
    """
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)

    def name_process(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        name_process,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        bare_exception,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=number, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def bare_exception(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Replace ``exc_info`` of a log entry by the exception's type and the places it went through."""
    exc_info = event.pop("exc_info", None)
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info if isinstance(exc_info, BaseException) else exc_info[1] if exc_info else None
    if isinstance(error, BaseException):
        event["exception"] = type(error).__qualname__
        frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
        event["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event
