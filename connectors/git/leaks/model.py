"""What a rule about leaked secrets is made of, and what a scan tells.

A rule begins with a keyword, a literal that stands in every text it is about; all keywords are searched at once, and
the rest of a rule is tried at the places where one of its own stands and nowhere else. The rest is linear by its
shape: each quantifier has a bound, those of variable length give nothing back (`{8,64}+`), and none stands inside
another. A test holds every rule to that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MIN_TOKEN_ENTROPY_BITS: Final = 2.5
"""Bits for each character of a provider's token: 32 random hexadecimal digits have 3.2 or more, `xxxx…` has none."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A place where a secret stands; never the secret.

    Args:
        rule: Stable id of the rule, `aws-access-key-id`.
        path: As it was given to the scan.
        line: As it was given to the scan.
    """

    rule: str
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Rule:
    """How one kind of secret looks.

    Args:
        name: Stable id: policies and people refer to it.
        keywords: Literals that a match begins with, lower case when ``folded``.
        rest: Regular expression of what follows the keyword, on ASCII; its group ``secret`` is the secret, without
            one it is the keyword and all of the rest.
        folded: True when a keyword counts in any case.
        alone: True when no letter or digit may stand before the keyword; for keywords that words end with.
        opens_line: True when nothing but the name of a setting may stand before the keyword on its line.
        generic: True when the rule knows no provider; it is quiet where another rule has told of the same line.
        min_entropy_bits: For each character of the secret, or of the rest without a group.
        check: Tells whether text of that form is a secret indeed; the whole secret is given.
    """

    name: str
    keywords: tuple[str, ...]
    rest: str
    folded: bool = False
    alone: bool = False
    opens_line: bool = False
    generic: bool = False
    min_entropy_bits: float = MIN_TOKEN_ENTROPY_BITS
    check: Callable[[str], bool] | None = None
