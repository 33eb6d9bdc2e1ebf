"""What a scan of added lines tells, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.git.leaks.checks import entropy_bits, has_base62_checksum, is_jwt
from connectors.git.leaks.model import Leak, Rule
from connectors.git.leaks.scan import LeakRules
from tests.unit.connectors.git.leaks.samples import filled

AWS_KEY = filled("AKIA{k16}")
GITHUB = filled("ghp_{C}")


@pytest.fixture(scope="module")
def rules() -> LeakRules:
    return LeakRules()


def leaks(rules: LeakRules, *texts: str) -> list[tuple[str, int]]:
    return [(leak.rule, leak.line) for leak in rules.scan("a.txt", enumerate(texts, 1))]


def test_a_leak_names_rule_path_and_line_and_never_the_text(rules: LeakRules) -> None:
    (leak,) = rules.scan("src/ä.py", [(7, "x = 1"), (41, f"key = {AWS_KEY}")])
    assert leak == Leak("aws-access-key-id", "src/ä.py", 41)
    assert AWS_KEY not in repr(leak)


@pytest.mark.parametrize(
    "before",
    ["", " ", '"', "=", "(", ":", ",", "日本", "\\n", "%3D", "\\u003d", "\udcff"],
)
def test_a_token_begins_after_anything_but_a_letter_or_digit(rules: LeakRules, before: str) -> None:
    assert leaks(rules, f"first{before}{AWS_KEY}") == ([("aws-access-key-id", 1)] if before else [])


def test_lines_keep_their_numbers_across_batches_wide_characters_and_stray_line_breaks(rules: LeakRules) -> None:
    filler = "é" * 1000
    texts = [filler] * 300 + [f"ü {AWS_KEY}"] + ["a\nb\r\nc"] + [filler] * 300 + [GITHUB]
    assert leaks(rules, *texts) == [("aws-access-key-id", 301), ("github-personal-access-token", 603)]


def test_a_rule_is_told_once_for_a_line_and_a_generic_one_only_where_no_other_spoke(rules: LeakRules) -> None:
    assert leaks(rules, f'token = "{GITHUB}", "{GITHUB}"') == [("github-personal-access-token", 1)]
    assert leaks(rules, filled('token = "{a30}"')) == [("generic-secret", 1)]
    two = leaks(rules, f"{AWS_KEY} {GITHUB}")
    assert two == [("aws-access-key-id", 1), ("github-personal-access-token", 1)]


def test_a_scan_stops_at_its_limit_and_reads_no_further(rules: LeakRules) -> None:
    def lines() -> Iterator[tuple[int, str]]:
        yield from ((number, AWS_KEY + " " * 1000) for number in range(1, 1001))
        raise AssertionError("read further than needed")

    assert [leak.line for leak in rules.scan("a", lines(), limit=3)] == [1, 2, 3]


def test_no_lines_and_empty_lines_are_no_leak(rules: LeakRules) -> None:
    assert leaks(rules) == leaks(rules, "", "", "") == []


@pytest.mark.parametrize(
    "marker", ["ostiary:allow-leak", "gitleaks:allow", "nosec", "noqa: S105", "pragma: allowlist secret"]
)
def test_no_mark_excuses_a_line(rules: LeakRules, marker: str) -> None:
    assert leaks(rules, f"{AWS_KEY}  # {marker}") == [("aws-access-key-id", 1)]


@pytest.mark.parametrize("path", ["package-lock.json", "tests/fixtures/key.txt", "docs/example.md", ".gitleaksignore"])
def test_no_path_excuses_a_line(rules: LeakRules, path: str) -> None:
    assert [leak.rule for leak in rules.scan(path, [(1, AWS_KEY)])] == ["aws-access-key-id"]


@pytest.mark.parametrize(
    "text",
    [
        "aws_access_key_id = AKIA" + "IOSFODNN7EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY",
        "GITHUB_TOKEN=ghp_" + "x" * 36,
        'password = "changeme-2024!"',
        'password: "${DB_PASSWORD_1}"',
        "password = '{{ vault_password_1 }}'",
        'password="<your-p4ssword>"',
        'password = "%(password1)s"',
        "DB_PASSWORD=$DB_PASSWORD_2",
        "postgres://user:password1@localhost/test",
        "https://user:${TOKEN}@git.acme.test/a.git",
        "https://host:8080/path@2x",
filled('integrity_token: "sha512-{b86}=="'),
        'password_reset = "https://acme.test/reset?id=42"',
        'token_regex = "^[A-Za-z_]+(?:[.:@/#][A-Za-z_]+)*$"',
        'token_url = "https://login.acme.test/oauth2/v2.0/token"',
        'secret_name = "projects/42/secrets/db-key/versions/7"',
        'secretKeyRef = "app.kubernetes.io/name-v1beta2"',
        'next_token = "listThingsRequest2Paginator42"',
        'token: "application/vnd.acme.v3+json; charset=utf-8"',
        "token = self.sessions[2].token_of(agent_42)",
        "AWS_SECRET_ACCESS_KEY=" + "a" * 40,
        'passphrase = "no digit and no sign"',
        'password = "wxyzbfklmpqv"',
        'password = "4815-1623-4207"',
        "sk-learn and scikit-learn and task-0123456789abcdef0123456789abcdef",
    ],
)  # fmt: skip
def test_what_stands_for_a_secret_is_none(rules: LeakRules, text: str) -> None:
    assert leaks(rules, text) == []


def test_the_token_of_tutorials_is_none_and_another_is(rules: LeakRules) -> None:
    header, payload = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4ifQ"
    other = filled("{j}")
    assert leaks(rules, f"{header}.{payload}.{'aB3-xY9_' * 5}") == []
    assert leaks(rules, other) == [("json-web-token", 1)]
    assert not is_jwt(other[5:])
    assert not is_jwt("eyJhbGciOiJI.x.y")
    assert not is_jwt("W10.x.y")
    assert not is_jwt("eyJ0eXAiOiJKV1QifQ.x.y")


@pytest.mark.parametrize(
    ("after", "leaking"),
    [
        ("", True),
        ("\r", True),
        ("\\n" + "MIIE" * 8 + "\\n", True),
        ('\\n" +', True),
        (" " + "MIIE" * 10, True),
        ('" in text', False),
        ("...", False),
        ("|-----END", False),
    ],
)
def test_the_header_of_a_key_counts_where_a_key_may_follow(rules: LeakRules, after: str, leaking: bool) -> None:
    header = "-----BEGIN " + "PRIVATE KEY-----"
    assert leaks(rules, f'pem = "{header}{after}') == ([("private-key", 1)] if leaking else [])


def test_a_setting_counts_where_a_line_begins_with_its_name(rules: LeakRules) -> None:
    value = filled("{a24}")
    told = [("generic-secret-setting", 1)]
    assert leaks(rules, f"APP_SECRET={value}") == leaks(rules, f"    - api_token: {value}") == told
    assert leaks(rules, f"if APP_SECRET={value}") == leaks(rules, f"{'x' * 200}_SECRET={value}") == []
    assert leaks(rules, "y" * 200, f"APP_SECRET={value}") == [("generic-secret-setting", 2)]
    assert leaks(rules, "y" * 60, f"{'z' * 60}_SECRET={value}") == [("generic-secret-setting", 2)]


def test_checksums_follow_what_the_providers_publish() -> None:
    known = "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17"
    assert has_base62_checksum(f"ghp_{known}")
    assert not has_base62_checksum(f"ghp_{known[:-1]}8")
    assert has_base62_checksum(f"ghp_{known}longer than any that has one")


def test_entropy_is_shannons() -> None:
    assert entropy_bits("") == entropy_bits("aaaa") == 0
    assert entropy_bits("abcd") == 2


def test_rules_of_ones_own_replace_the_table() -> None:
    rules = LeakRules([Rule("acme-key", ("acme_",), "[0-9]{6}", min_entropy_bits=0.0)])
    assert leaks(rules, "acme_424242", AWS_KEY) == [("acme-key", 1)]


@pytest.mark.parametrize("credential", ["bm9jb2xvbg", "Ym90Ov8A/w8A/w8A", "!!!", "Ym90", "Ym90OlRyMHViN"])
def test_base64_that_holds_no_credential_is_none(rules: LeakRules, credential: str) -> None:
    assert leaks(rules, f"Authorization: Basic {credential}") == []


def masked(rules: LeakRules, text: str) -> str:
    """A text with every span of it written over."""
    data = bytearray(text.encode())
    for start, stop in rules.spans(bytes(data)):
        data[start:stop] = b"*" * (stop - start)
    return data.decode()


def test_spans_cover_each_secret_and_nothing_around_it(rules: LeakRules) -> None:
    assert masked(rules, f"ü first {AWS_KEY}, then") == f"ü first {'*' * len(AWS_KEY)}, then"
    secret = filled("{a30}")
    assert masked(rules, f'token = "{secret}" # mine') == f'token = "{"*" * 30}" # mine'
    assert masked(rules, "nothing to see\n") == "nothing to see\n"


def test_the_span_of_a_key_in_lines_goes_to_its_end(rules: LeakRules) -> None:
    body = "\n".join([filled("{b64}")] * 3)
    whole = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----"
    assert masked(rules, f"see {whole} there") == f"see {'*' * len(whole)} there"
    written = whole.replace("\n", "\\n")
    assert masked(rules, f'{{"key": "{written}"}}') == f'{{"key": "{"*" * len(written)}"}}'
    cut = whole.removesuffix("-----END PRIVATE KEY-----")
    assert set(masked(rules, cut)) == {"*"}
    putty = f"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n{body}\nPrivate-MAC: {filled('{h32}')}"
    assert masked(rules, f"{putty}\nafter") == f"{'*' * len(putty)}\nafter"
