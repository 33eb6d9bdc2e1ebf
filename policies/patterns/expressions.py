r"""A pattern as one regular expression whose cost an attacker cannot raise.

Only patterns that mix both kinds of stars come here, those too that do when a variable without a value is ``**``.

``**`` cuts a pattern into chunks, ``*`` cuts a chunk into pieces. Every piece but the last of all sits in an atomic
group with a lazy star before it, so that the first place found is final. That is exact, because the leftmost place is
always a right one:

- an inner star stays in its segment. Without a separator in the piece after it, an earlier place leaves more to the
  star that follows in the same segment; with one, the separator pins the only place there is;
- a chunk after ``**`` may begin in any later segment. Where its first pieces stand leftmost in one segment and the
  rest does not follow, no other place in that segment does better; the next segment is tried.

A variable is a group matched in front of the asked text: the subject is ``value NUL … value NUL asked``, and the
pattern refers back to the group, which compares literally.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from policies.patterns.tokens import UNKNOWN, Star, Token
from policies.patterns.variables import Values, Variable

_INNER: Final = "[^/:]*"
_SEGMENTS: Final = "(?:[^/:]*+[/:])*?"


def variables_of(tokens: tuple[Token, ...]) -> tuple[Variable, ...]:
    """Return each variable once, in the order of their first place."""
    return tuple(dict.fromkeys(token for token in tokens if isinstance(token, Variable)))


def covers(tokens: tuple[Token, ...], asked: str, values: Values) -> bool:
    """Tell whether a pattern covers a text; a variable whose value is None is ``**``."""
    if None in values:
        known = dict(zip(variables_of(tokens), values, strict=True))
        tokens = tuple(
            Star.ANYTHING if isinstance(token, Variable) and known[token] is None else token for token in tokens
        )
    brought = "".join(f"{value}{UNKNOWN}" for value in values if value is not None)
    return _compile(tokens).fullmatch(brought + asked) is not None


@lru_cache(maxsize=1024)
def _compile(tokens: tuple[Token, ...]) -> re.Pattern[str]:
    """Compile the tokens of a pattern; policies alone decide which ones there are, never a request."""
    groups = {variable: f"v{number}" for number, variable in enumerate(variables_of(tokens))}
    chunks = [[""]]
    for token in tokens:
        if token is Star.ANYTHING:
            chunks.append([""])
        elif token is Star.SEGMENT:
            chunks[-1].append("")
        elif isinstance(token, Variable):
            chunks[-1][-1] += f"(?P={groups[token]})"
        else:
            chunks[-1][-1] += re.escape(str(token))
    brought = "".join(f"(?P<{name}>[^{UNKNOWN}]*){UNKNOWN}" for name in groups.values())
    return re.compile(brought + _body(chunks), re.DOTALL)


def _body(chunks: list[list[str]]) -> str:
    first, *rest = chunks[0]
    if len(chunks) > 1:
        return first + _leftmost(rest) + "".join(map(_anywhere, chunks[1:-1])) + _at_end(chunks[-1])
    return first + (f"{_leftmost(rest[:-1])}{_INNER}{rest[-1]}" if rest else "")


def _anywhere(chunk: list[str]) -> str:
    return f"(?>{_SEGMENTS}{_leftmost(chunk)})"


def _at_end(chunk: list[str]) -> str:
    if len(chunk) == 1:
        return f".*{chunk[0]}"
    return f"{_SEGMENTS}{_leftmost(chunk[:-1])}{_INNER}{chunk[-1]}"


def _leftmost(pieces: list[str]) -> str:
    return "".join(f"(?>{_INNER}?{piece})" for piece in pieces)
