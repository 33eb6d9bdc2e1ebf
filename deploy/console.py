"""What the person at the terminal sees of the set-up: one line per step, its child's words only when it fails.

Everything goes to standard error, so that the standard output of a job (`tour --json`) stays the job's own. On a
terminal a step has a spinner; elsewhere each step is one plain line when it ends.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

_FRAME_SECONDS: Final = 0.1
_TAIL_LINES: Final = 30
_CLEAR_LINE: Final = "\r\x1b[2K"


class StepError(Exception):
    """A step of the set-up failed.

    Args:
        title: The step.
        cause: What went wrong: the child's last lines, or why it could not start.
        fix: What the person can do next.
    """

    def __init__(self, title: str, cause: str, fix: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.cause = cause
        self.fix = fix

    @property
    def gist(self) -> str:
        """The one line of the cause that says most."""
        lines = self.cause.splitlines()
        telling = [line for line in lines if "error" in line.lower() or "×" in line]  # noqa: RUF001 - uv's mark
        return (telling or lines or [self.title])[0].strip()


class Console:
    """Tells of steps on ``stream``.

    Args:
        stream: Standard error unless told otherwise.
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        unicode = (getattr(self._stream, "encoding", None) or "").lower().startswith("utf")
        self._frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if unicode else "|/-\\"
        self._done, self._failed = ("✓", "✗") if unicode else ("ok", "FAILED")

    def line(self, text: str) -> None:
        """Print one line."""
        print(text, file=self._stream, flush=True)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show ``title`` as running until the block ends, then how it ended and how long it took."""
        started = time.monotonic()
        stop = threading.Event()
        spinner = threading.Thread(target=self._spin, args=(title, started, stop), daemon=True)
        if self._live:
            spinner.start()
        mark = self._failed
        try:
            yield
            mark = self._done
        finally:
            stop.set()
            if self._live:
                spinner.join()
                self._stream.write(_CLEAR_LINE)
            self.line(f"{mark} {title} ({time.monotonic() - started:.1f} s)")

    def run(self, title: str, command: Sequence[str | Path], environment: Mapping[str, str], *, fix: str = "") -> None:
        """Run ``command`` as a step, silently unless it fails.

        Raises:
            StepError: it could not start or did not exit with 0; carries its last lines and ``fix``.
        """
        with self.step(title), tempfile.TemporaryFile() as output:
            try:
                status = subprocess.call(
                    command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
                )
            except OSError as error:
                raise StepError(title, str(error), fix) from error
            if status != 0:
                output.seek(0)
                lines = output.read().decode(errors="replace").splitlines()
                raise StepError(title, "\n".join([*lines[-_TAIL_LINES:], f"exit status {status}"]), fix)

    def _spin(self, title: str, started: float, stop: threading.Event) -> None:
        count = 0
        while not stop.wait(_FRAME_SECONDS):
            frame = self._frames[count % len(self._frames)]
            self._stream.write(f"{_CLEAR_LINE}{frame} {title} {time.monotonic() - started:.0f} s")
            self._stream.flush()
            count += 1
