"""The pack of a push on its way in: the door's side of `broker.exchange.Exchange`."""

from __future__ import annotations

from broker.exchange import Outlet
from connectors.base import UploadStream


class PackExchange:
    """A push's pack; what comes back is said by the door itself.

    Args:
        upload: The pack; None when there is none.
    """

    outlet: Outlet | None = None

    def __init__(self, upload: UploadStream | None) -> None:
        self.upload = upload
