"""What can go wrong with processes.

SupervisorError
  AlreadyRunningError   another supervisor holds this data folder
  UnsafeFolderError     a folder of sockets or secrets belongs to somebody else or is open to others
  StartError            a process did not become ready; carries the end of its log
  NoServerError         no Valkey or Redis server can be found to embed
"""

from __future__ import annotations

from broker.errors import BrokerError


class SupervisorError(BrokerError):
    """Base of what the supervisor raises."""


class AlreadyRunningError(SupervisorError):
    """Another supervisor holds this data folder."""


class UnsafeFolderError(SupervisorError):
    """A folder is not ours alone; sockets and secrets do not go there."""


class StartError(SupervisorError):
    """A process did not become ready in time, or ended before it did."""


class NoServerError(SupervisorError):
    """No Valkey or Redis server is on PATH and the ``embedded`` extra is not installed."""
