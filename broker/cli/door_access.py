"""What a session has for clients of the doors that take its token: where the API is, the token, the connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from broker.cli.client import Api
from broker.cli.output import ExitCode, fail

PATH: Final = "/v1/sessions/connections"


@dataclass(frozen=True, slots=True)
class Reached:
    """A connection of the session's project.

    Args:
        name: Its name.
        connector: Name of the connector that serves it.
        url: Where it goes; empty where that is not one place.
    """

    name: str
    connector: str
    url: str


@dataclass(frozen=True, slots=True)
class DoorAccess:
    """What a session has.

    Args:
        url: Of the API, without a final slash.
        token: Of the session.
        connections: Of its project, in its order.
    """

    url: str
    token: str = field(repr=False)
    connections: tuple[Reached, ...]

    @property
    def origin(self) -> str:
        """Scheme, host and port of the API."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def of(self, connector: str, name: str = "") -> list[Reached]:
        """Return the connections of one connector, or the named one of them; ends the command when there is none."""
        found = [each for each in self.connections if each.connector == connector and name in ("", each.name)]
        if not found:
            what = f"connection `{name}`" if name else "connection"
            fix = "`ostiary.yaml` names the connections of a project"
            fail(f"the project of this session has no {what} of kind `{connector}`", ExitCode.FAILED, fix=fix)
        return found


def fetch(api: Api, url: str, token: str) -> DoorAccess:
    """Ask for what the session of the API's token has; ends the command when it has nothing."""
    listed = api.get(PATH).body.get("connections")
    rows = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    if not isinstance(listed, list) or len(rows) != len(listed):
        fail("the API gave no connections that can be understood", ExitCode.FAILED)
    made = (Reached(*(str(row.get(name, "")) for name in ("name", "connector", "url"))) for row in rows)
    return DoorAccess(url, token, tuple(made))
