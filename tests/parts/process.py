"""Puts back what code that owns its process changes: umask, signal handlers, logging."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Iterator

import structlog

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)


@contextlib.contextmanager
def borrowed_process() -> Iterator[None]:
    """Let the block configure this process as if it were its own."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in list(logging.Logger.manager.loggerDict)}
    signals = {number: signal.getsignal(number) for number in _SIGNALS}
    umask = os.umask(0o077)
    os.umask(umask)
    try:
        yield
    finally:
        os.umask(umask)
        root.handlers[:] = handlers
        root.setLevel(level)
        for name in list(logging.Logger.manager.loggerDict):
            logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
        for number, handler in signals.items():
            signal.signal(number, handler)
        structlog.reset_defaults()
