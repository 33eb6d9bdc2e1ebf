from __future__ import annotations

import pytest

from vault.errors import BadRequestError
from vault.hosts import host_is_bound, normalise_host, normalise_patterns


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("git.example.com", "git.example.com"),
        ("Git.Example.COM", "git.example.com"),
        ("git.example.com:443", "git.example.com"),
        ("git.example.com:8443", "git.example.com:8443"),
        ("127.0.0.1:9000", "127.0.0.1:9000"),
        ("[0:0::1]:80", "[::1]:80"),
        ("bucket_1.s3.amazonaws.com", "bucket_1.s3.amazonaws.com"),
    ],
)
def test_a_host_has_one_form(given: str, expected: str) -> None:
    assert normalise_host(given) == expected


@pytest.mark.parametrize(
    "host",
    [
        "", ".", "a..b", "a.", ".a", "-a.com", "a-.com", "a b", "a/b", "user@host", "host:", "host:0", "host:65536",
        "host:080", "host:80:80", "[::1", "::1", "[g::1]", "[::1::2]",
        "[::1]x", "a\n", "a\0b", "\u0430mazonaws.com", "\ufb00.com",
        "a" * 256,
        "host#frag", "host?x", "%65xample.com", "\uff11\uff12\uff17.0.0.1",
        "*.example.com", "host\r\nx: y", "\u212a.com", "host:\uff180",
    ],
)  # fmt: skip
def test_what_is_no_host_is_refused_and_never_bound(host: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        normalise_host(host)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    assert not host_is_bound(host, ("*.com", host))


@pytest.mark.req("V1")
@pytest.mark.parametrize(
    ("host", "pattern", "bound"),
    [
        ("git.example.com", "git.example.com", True),
        ("git.example.com:443", "git.example.com", True),
        ("git.example.com", "git.example.com:443", True),
        ("git.example.com:80", "git.example.com", False),
        ("git.example.com", "git.example.com:80", False),
        ("git.example.com.evil.com", "git.example.com", False),
        ("evilgit.example.com", "git.example.com", False),
        ("s3.amazonaws.com", "*.amazonaws.com", True),
        ("b.s3.eu-west-1.amazonaws.com", "*.amazonaws.com", True),
        ("amazonaws.com", "*.amazonaws.com", False),
        ("evilamazonaws.com", "*.amazonaws.com", False),
        ("s3.amazonaws.com.evil.com", "*.amazonaws.com", False),
        ("s3.amazonaws.com:8080", "*.amazonaws.com", False),
        ("b.localhost:9000", "*.localhost:9000", True),
        ("b.localhost", "*.localhost:9000", False),
        ("[::1]:80", "[0::1]:80", True),
    ],
)
def test_a_host_is_bound_exactly_or_below_a_suffix(host: str, pattern: str, bound: bool) -> None:
    assert host_is_bound(host, normalise_patterns([pattern])) is bound


@pytest.mark.parametrize("pattern", ["*", "*.", "*.com", "*.0.0.1", "*.[::1]", "a.*.com", "**.x.com", "*.*.com", ""])
def test_a_pattern_that_is_too_wide_or_malformed_is_refused(pattern: str) -> None:
    with pytest.raises(BadRequestError):
        normalise_patterns([pattern])


def test_patterns_are_given_once_and_not_too_many() -> None:
    assert normalise_patterns(["A.com", "a.com", "b.com:443"]) == ("a.com", "b.com")
    for patterns in ([], [f"h{number}.com" for number in range(65)]):
        with pytest.raises(BadRequestError):
            normalise_patterns(patterns)
