"""Alerts to chats, mail and pagers, by the library apprise.

The library makes its own connections: the address guard does not hold for them, redirects may be followed, proxies of
the environment are used. So it runs in the worker's short-lived process only, on URLs that an operator put into a file,
with nothing of its own kept on disk and a limit on its time. Its log is not heard: it holds URLs.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from collections.abc import Callable
from typing import Final

from broker.alerts.channels.base import Fault, Outgoing
from broker.alerts.channels.message import Message, message_of
from broker.alerts.channels.secret_files import SecretFileError, read_secret_file
from broker.alerts.model import Severity

SECONDS: Final = 20.0
"""Longest time of one message, over all URLs of the file."""
MAX_URLS: Final = 10

_TYPES: Final = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}


class PushSender:
    """Sends by apprise.

    Args:
        seconds: Longest time of one message.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds

    async def send(self, outgoing: Outgoing) -> Fault | None:
        """Send a message to every URL of the channel's file; it is taken when all of them took it."""
        try:
            urls = urls_of(read_secret_file(outgoing.channel.url_file))
        except SecretFileError as error:
            return Fault(str(error))
        message, kind = message_of(outgoing), _TYPES[outgoing.row.alert.severity]
        return await _within(self._seconds, lambda: _notify(urls, message, kind, self._seconds))


def urls_of(text: str) -> list[str]:
    """Return the URLs in the text of a file: one in a line, lines that begin with ``#`` are not read.

    Raises:
        SecretFileError: there is none, or there are too many.
    """
    lines = [line.strip() for line in text.splitlines()]
    urls = [line for line in lines if line and not line.startswith("#")]
    if not 1 <= len(urls) <= MAX_URLS:
        raise SecretFileError("no-urls")
    return urls


def _notify(urls: list[str], message: Message, kind: str, seconds: float) -> Fault | None:
    with warnings.catch_warnings():
        # With its plug-ins it imports what later releases of Python do not have, and has a substitute for it.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Slow to import, and only a process that sends needs it.
        import apprise

        for name in ("apprise", "requests", "urllib3"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        asset = apprise.AppriseAsset(storage_mode="memory", service_timeout=seconds, allow_templates=False)
        sender = apprise.Apprise(asset=asset)
        known = [sender.add(url) for url in urls]
    if not all(known):
        return Fault("url-unknown")
    taken = sender.notify(body=message.body, title=message.title, notify_type=kind, body_format="text")
    return None if taken else Fault("not-taken")


async def _within(seconds: float, work: Callable[[], Fault | None]) -> Fault | None:
    """Run blocking work in a thread that nobody waits for when its time is over; the process ends soon after."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Fault | None] = loop.create_future()

    def tell(result: Fault | None) -> None:
        if not done.done():
            done.set_result(result)

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - leads to another try; the text may hold a URL
            result = Fault(type(error).__name__.lower())
        try:
            loop.call_soon_threadsafe(tell, result)
        except RuntimeError:
            return  # the loop ended: nobody waits any more

    threading.Thread(target=run, name="apprise", daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            return await done
    except TimeoutError:
        return Fault("too-slow")
