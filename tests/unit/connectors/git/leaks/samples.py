"""One text that leaks and one that almost does, for every rule, made at run time: no file of ours holds a secret.

A run like `{h32}` is 32 characters of an alphabet; drawn from a digest, so that all runs of the tests see the same.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import string
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ALPHABETS: Final = {
    "h": "0123456789abcdef",
    "a": _BASE62,
    "w": _BASE62 + "_-",
    "u": string.ascii_uppercase + string.digits,
    "k": string.ascii_uppercase + "234567",
    "l": string.ascii_lowercase + string.digits,
    "L": string.ascii_letters,
    "d": string.digits,
    "b": _BASE62 + "+/",
    "q": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
}
_RUN: Final = re.compile(r"\{([hawuklLdbq])(\d+)\}|\{([UCj])\}")


@dataclass(frozen=True, slots=True)
class Sample:
    """Texts of one rule."""

    rule: str
    leak: str
    near_miss: str


def samples() -> list[Sample]:
    """Return the samples of `samples.txt`."""
    found = []
    for line in Path(__file__).with_name("samples.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            rule, leak, near_miss = (part.strip() for part in line.split(" | "))
            found.append(Sample(rule, filled(leak), filled(_shorter(leak) if near_miss == "short" else near_miss)))
    return found


def filled(template: str) -> str:
    """Return a template with every run drawn."""
    return _RUN.sub(lambda run: _drawn(template[: run.end()], run), template).replace("{}", "")


def checksummed(body: str) -> str:
    """Return 30 characters with their checksum, as GitHub and npm make tokens."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return body + digits


def _shorter(template: str) -> str:
    last = list(_RUN.finditer(template))[-1]
    return f"{template[: last.start()]}{{{last[1]}{int(last[2]) - 1}}}{template[last.end() :]}"


def _drawn(seed: str, run: re.Match[str]) -> str:
    match run[3]:
        case None:
            return _characters(seed, _ALPHABETS[run[1]], int(run[2]))
        case "U":
            digits = _characters(seed, _ALPHABETS["h"], 32)
            return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        case "C":
            return checksummed(_characters(seed, _BASE62, 30))
        case _:
            parts = (_json_part({"alg": "RS256", "typ": "JWT"}), _json_part({"sub": "bot", "jti": seed}))
            return ".".join((*parts, _characters(seed, _ALPHABETS["w"], 86)))


def _characters(seed: str, alphabet: str, count: int) -> str:
    drawn = hashlib.shake_256(seed.encode()).digest(2 * count)
    return "".join(alphabet[int.from_bytes(drawn[2 * place : 2 * place + 2]) % len(alphabet)] for place in range(count))


def _json_part(value: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")
