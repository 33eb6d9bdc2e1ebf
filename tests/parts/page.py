"""A page of documentation as a person follows it: its code blocks in order, and a terminal to type them into."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

LINE_SECONDS = 60.0
_FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\s+# exit (\d+)\b.*$")
_PLACEHOLDER = re.compile(r"\b(ost_s_|ost_o_|ses_|apr_|int_)…")
_ID = re.compile(r"\b(ost_s_|ost_o_|ses_|apr_|int_)[A-Za-z0-9_-]{20,}")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    Args:
        kind: Its language.
        text: Without its indentation.
        before: The page between the last block and this one.
    """

    kind: str
    text: str
    before: str

    @property
    def lines(self) -> list[str]:
        """Its lines, without empty ones and comments."""
        return [line for line in self.text.splitlines() if line.strip() and not line.startswith("#")]


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page, or of a part of one."""
    found, end = [], 0
    for match in _FENCE.finditer(text):
        found.append(Block(match["kind"], dedent(match["text"]), text[end : match.start()]))
        end = match.end()
    return found


def section(text: str, heading: str) -> str:
    """Return what stands under a heading of the second level."""
    _, found, rest = text.partition(f"\n## {heading}\n")
    assert found, heading
    return rest.partition("\n## ")[0]


class Terminal:
    """A shell that keeps what is exported, and knows the ids it has printed.

    A line must end with 0, or with the number its comment says (``# exit 3: …``).

    Args:
        folder: Where it stands; its state goes into a file beside what is made there.
        environment: What a person's shell has.
        own: What a reader puts in place of the page's example values.
    """

    def __init__(self, folder: Path, environment: dict[str, str], own: dict[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._own = own
        self._state = folder / ".terminal"
        self._state.write_text("")
        self._seen: dict[str, str] = {}

    def type(self, line: str, typed: str = "") -> str:
        """Run one line as it is written and return all it printed."""
        wanted = _EXIT.search(line)
        command = self.fill_in(_EXIT.sub("", line))
        script = f'. "$1"\n{command}\nstatus=$?; export -p > "$1"; exit $status'
        done = subprocess.run(
            ["bash", "-c", script, "bash", str(self._state)],
            env=self._environment,
            cwd=self._folder,
            input=typed,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LINE_SECONDS,
            check=False,
        )
        assert done.returncode == (int(wanted[1]) if wanted else 0), f"$ {command}\n{done.stdout}"
        for match in _ID.finditer(done.stdout):
            self._seen[match[1]] = match[0]
        return done.stdout

    def fill_in(self, text: str) -> str:
        """Put in what a reader must: their own values, and ids that were printed before."""
        for example, own in self._own.items():
            text = text.replace(example, own)
        return _PLACEHOLDER.sub(lambda match: self._seen[match[1]], text)
