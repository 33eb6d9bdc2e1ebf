"""What tells a secret from text of the same form: checksums, entropy, and the words of documentation."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import string
import zlib
from collections import Counter
from typing import Final

_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHECKSUM_DIGITS: Final = 6
_GITHUB_BODY: Final = 36
"""Characters after the prefix of a token with a checksum; newer ones are longer and have none that is published."""

_PLACEHOLDERS: Final = (
    "example", "changeme", "change-me", "change_me", "placeholder", "redacted", "xxxxxx", "******", "......", "------",
    "______", "000000000000", "123456789", "abcdefgh", "deadbeef", "your-", "your_", "yourkey", "insert-", "insert_",
)  # fmt: skip
"""No token drawn at random holds one: each is six characters of its alphabet or more, or of none."""
_WORDS_OF_EXAMPLES: Final = (
    "dummy", "fake", "sample", "notreal", "not-a-", "not_a_", "foobar", "secret", "password", "passwd", "token",
    "apikey", "replace", "swordfish", "letmein", "hunter2", "qwerty", "abc123", "whatever", "correct-horse",
)  # fmt: skip
"""What people write where a password would stand; not looked for in tokens of providers."""
_REFERENCE: Final = re.compile(r"[$%#][({]|\{\{|<%|[<{][^<>{}]{0,64}+[>}]|^\$|%[sd]|^[A-Z_]+$|^@|^%[A-Za-z_]+%$")
"""A value that is looked up when it is used."""
_DIGEST: Final = re.compile(r"^(?:sha(?:1|256|384|512)|md5|blake2b|h1)[-:=]")
_WORD: Final = r"[A-Za-z]++[0-9]{0,3}+(?:(?:alpha|beta|rc)[0-9]{1,2}+)?+"
_WORDLIKE: Final = re.compile(rf"^[./@~]?{_WORD}(?:[-_./:,;?&=+@#%]++(?:{_WORD}|[0-9]{{1,4}}+)?+)*+$")
"""Words and small numbers with something between them: a path, a header's name, a dotted reference, a label."""
_RUNS: Final = re.compile(r"[A-Z]*[a-z]+|[A-Z]+|[0-9]+|[^A-Za-z0-9]+")
_SHORTEST_WORD: Final = 3
_NUMBERS_IN_A_NAME: Final = 2
_JWT_EXAMPLE: Final = "eyJzdWIiOiIxMjM0NTY3ODkwIi"
"""Payload of the token that tutorials show: subject 1234567890."""


def entropy_bits(text: str) -> float:
    """Return Shannon's entropy of the characters of a text, in bits for each of them; 0 for an empty one."""
    total = len(text)
    return -sum(count / total * math.log2(count / total) for count in Counter(text).values())


def is_placeholder(secret: str) -> bool:
    """Tell whether a text stands where a secret of its form would: in documentation, a template, a reference."""
    folded = secret.lower()
    return any(word in folded for word in _PLACEHOLDERS)


def has_base62_checksum(token: str) -> bool:
    """Tell whether the last six of 36 characters after the prefix are the CRC-32 of the others (GitHub, npm).

    A body of another length has no known checksum and counts as right.
    """
    body = token.partition("_")[2]
    if len(body) != _GITHUB_BODY or not body.isalnum():
        return True
    number = zlib.crc32(body[:-_CHECKSUM_DIGITS].encode())
    digits = ""
    while number:
        number, digit = divmod(number, len(_BASE62))
        digits = _BASE62[digit] + digits
    return body[-_CHECKSUM_DIGITS:] == digits.rjust(_CHECKSUM_DIGITS, "0")


def is_jwt(token: str) -> bool:
    """Tell whether the first part names an algorithm, and the second is not the one that tutorials show."""
    header, _, payload = token.partition(".")
    fields = _json(header)
    return isinstance(fields, dict) and "alg" in fields and not payload.startswith(_JWT_EXAMPLE)


def is_basic_credential(encoded: str) -> bool:
    """Tell whether base64 holds a user name and a password that is worth hiding."""
    decoded = _decoded(encoded)
    _, _, password = decoded.partition(b":")
    return decoded.isascii() and decoded.decode().isprintable() and is_password(password.decode())


def is_password(text: str) -> bool:
    """Tell whether a text was chosen to be guessed by nobody: no reference, no name, no word of examples."""
    folded = text.lower()
    if _REFERENCE.search(text) or _DIGEST.search(text) or "://" in text:
        return False
    if any(word in folded for word in _WORDS_OF_EXAMPLES) or is_placeholder(text):
        return False
    varied = any(character.isdigit() for character in text) or any(character in "!#$%^&*+?~" for character in text)
    return varied and any(character.isalpha() for character in text)


def is_random(text: str) -> bool:
    """Tell whether a text was drawn, not written: as `is_password`, with digits, and neither words nor a name."""
    digits = sum(character.isdigit() for character in text)
    return digits > 1 and is_password(text) and not _WORDLIKE.search(text) and not _is_name(text)


def _is_name(text: str) -> bool:
    """Tell whether a text is words run together, as `listUsersRequestV2Page` is."""
    runs = _RUNS.findall(text)
    numbers = [run for run in runs if run.isdigit()]
    words = [run for run in runs if not run.isdigit()]
    return len(numbers) <= _NUMBERS_IN_A_NAME and all(run.isalpha() and len(run) >= _SHORTEST_WORD for run in words)


def _json(encoded: str) -> object:
    try:
        parsed: object = json.loads(_decoded(encoded))
    except ValueError:
        return None
    return parsed


def _decoded(encoded: str) -> bytes:
    """Bytes of base64 of either alphabet; none when it is not."""
    try:
        return base64.urlsafe_b64decode(encoded.replace("+", "-").replace("/", "_") + "=" * (-len(encoded) % 4))
    except (binascii.Error, ValueError):
        return b""
