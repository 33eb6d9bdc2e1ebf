"""Work that is not done on the vault's one thread, because it waits for somebody else.

A thread of its own per piece of work, which the process does not wait for when it ends: a vault that is told to stop
must not go on holding keys until an upstream has answered.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Return what ``work`` returns, having run it in a thread; it goes on when the caller no longer waits.

    Raises:
        Exception: what ``work`` raised.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            _tell(loop, done, partial(done.set_exception, error))
        else:
            _tell(loop, done, partial(done.set_result, result))

    threading.Thread(target=run, daemon=True, name="vault-later").start()
    return await done


def _tell(loop: asyncio.AbstractEventLoop, done: asyncio.Future[T], settle: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(lambda: None if done.done() else settle())
    except RuntimeError:
        # The loop is closed: nobody is left to be told.
        return
