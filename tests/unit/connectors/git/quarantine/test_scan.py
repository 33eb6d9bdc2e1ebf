from __future__ import annotations

import pytest

from connectors.errors import NotSentError
from connectors.git.leaks.scan import LeakRules
from connectors.git.process import GitPrograms
from connectors.git.quarantine.history import AddedText
from connectors.git.quarantine.scan import VAULT_VALUE, Finding, Scanner, readable
from tests.parts.git_yard import SECRET, PaperMasker


class Shortener:
    """A masker that breaks its promise."""

    async def scrub(self, data: bytes) -> tuple[bytes, int]:
        return data[1:], 1


def scanner(masker: PaperMasker | Shortener) -> Scanner:
    return Scanner(GitPrograms(), LeakRules(()), masker)


async def test_the_vaults_values_are_told_by_line_and_file() -> None:
    texts = [AddedText("1", b"a", 10, [b"x", SECRET, b"y"]), AddedText("2", b"b", 0, [b"x " + SECRET])]
    assert await scanner(PaperMasker()).scan(texts) == [
        Finding("a", 11, VAULT_VALUE, "1"),
        Finding("b", 0, VAULT_VALUE, "2"),
    ]


async def test_much_text_goes_to_the_vault_in_slices() -> None:
    masker = PaperMasker()
    texts = [AddedText("1", b"a", number, [b"x" * 600_000]) for number in range(1, 5)]
    await scanner(masker).scan([*texts, AddedText("1", b"z", 1, [SECRET])])
    assert len(masker.asked) == 3
    assert max(masker.asked) < 2 << 20


async def test_a_scan_that_does_not_fit_the_text_is_no_scan() -> None:
    with pytest.raises(NotSentError):
        await scanner(Shortener()).scan([AddedText("1", b"a", 1, [b"x"])])


async def test_nothing_to_scan_asks_nobody() -> None:
    masker = PaperMasker()
    assert await scanner(masker).scan([]) == []
    assert masker.asked == []


def test_readable_runs_are_found_in_what_is_no_text() -> None:
    assert readable(b"\0short\0long enough\xff\n\tand this too\0") == [b"long enough", b"\tand this too"]
