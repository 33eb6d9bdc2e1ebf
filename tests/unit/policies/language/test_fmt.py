from __future__ import annotations

import pytest

from policies.document.strict_yaml import build
from policies.errors import YamlError
from policies.language.fmt import WIDTH, _check_unchanged, format_policy


def formatted(text: str) -> str:
    return format_policy(text.encode(), "policies/a.yaml").decode()


MESSY = """\

# Deploys the shop.
agent: 'a'   # the runner
version: 1


policies:

  # reads

  - "git:read on repos/*"      # anything


  - ecs:UpdateService on service/prod-*   # production
    # a person looks
    approval_channel: "slack:#deploys"
    requires_approval: true
  - {id: mine, allow: [git:push on repos/a/b,
       git:push on repos/a/c]}
  - deny: "*:Delete* on **"
    until: '2027-01-01T00:00:00Z'
    description: |
         Nothing goes

         before 2027: "never"
    when:
      session.branch:
        - 'main'
        - "1:30"
      source_ip:
        - 10.0.0.0/8   # office
        - 2001:db8::/32
  # - s3:GetObject on old/*

# the end

"""

CANONICAL = """\
# Deploys the shop.
version: 1
agent: a  # the runner

policies:
  # reads

  - git:read on repos/*  # anything

  - allow: ecs:UpdateService on service/prod-*  # production
    requires_approval: true
    # a person looks
    approval_channel: slack:#deploys
  - allow:
      - git:push on repos/a/b
      - git:push on repos/a/c
    id: mine
  - deny: "*:Delete* on **"
    description: |
      Nothing goes

      before 2027: "never"
    when:
      session.branch: [main, "1:30"]
      source_ip:
        - 10.0.0.0/8  # office
        - 2001:db8::/32
    until: "2027-01-01T00:00:00Z"
  # - s3:GetObject on old/*

# the end
"""


@pytest.mark.req("P1")
def test_a_file_gets_its_one_form() -> None:
    assert formatted(MESSY) == CANONICAL


def test_the_canonical_form_stays_as_it_is() -> None:
    assert formatted(CANONICAL) == CANONICAL


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("# nothing yet", "# nothing yet\n"),
        ("\n\n# a\n\n\n# b\n\n", "# a\n\n# b\n"),
        ("---\npolicies: []\n", "policies: []\n"),
        ("policies: []\r\n", "policies: []\n"),
        ("\ufeffpolicies: []\n", "policies: []\n"),
        ("policies:\n- a:b on c\n", "policies:\n  - a:b on c\n"),
        ("policies: [a:b on c, deny d:e on f]\n", "policies:\n  - a:b on c\n  - deny d:e on f\n"),
        ("policies: # why\n  [ # first\n  a:b on c,\n  ] # end\n",
         "policies:  # why\n  # first\n  - a:b on c\n# end\n"),
        ("policies: [{allow: a:b on c}] # one line\n", "policies:  # one line\n  - allow: a:b on c\n"),
        ("policies:\n  - deny a:b on c\n    id: x\n", "policies:\n  - deny: a:b on c\n    id: x\n"),
        ("policies:\n  -\n    # why\n    id: x\n    allow: a:b on c\n",
         "policies:\n  # why\n  - allow: a:b on c\n    id: x\n"),
        ("policies:\n  - id: x\n    # why\n    allow: a:b on c # here\n",
         "policies:\n  # why\n  - allow: a:b on c  # here\n    id: x\n"),
    ],
)  # fmt: skip
def test_every_layout_becomes_the_one_layout(text: str, expected: str) -> None:
    assert formatted(text) == expected
    assert formatted(expected) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("'plain'", "plain"),
        ("'true'", '"true"'),
        ("'12'", '"12"'),
        ("'no'", '"no"'),
        ("''", '""'),
        ("'# x'", '"# x"'),
        ("'a: b'", '"a: b"'),
        ("'a:'", '"a:"'),
        ("'-x'", "-x"),
        ("'- x'", '"- x"'),
        ("' x'", '" x"'),
        ("'say \"hi\"'", 'say "hi"'),
        ("'\"hi\": it''s'", "'\"hi\": it''s'"),
        ("'it''s'", "it's"),
        ('": \\\\"', "': \\'"),
        ('"\\u202e"', '"\\u202e"'),
        ('"a\\nb"', '"a\\nb"'),
        ('"\\e\\""', '"\\x1b\\""'),
        ('"\\U0001F600"', "\U0001f600"),
        ("12", "12"),
        ("~", ""),
        ("true", "true"),
        ("{}", "{}"),
        ("[]", "[]"),
        (">-\n  one\n  two", ">-\n  one\n  two"),
        ("|\n\n  one\n\n", "|\n\n  one"),
        ("|+\n  one\n", '"one\\n\\n"'),
        ("|2\n   one", '" one\\n"'),
        ("|\n", '""'),
    ],
)
def test_quotes_stand_where_they_are_needed(value: str, expected: str) -> None:
    separator = " " if expected else ""
    result = formatted(f"x: {value}\n")
    assert result == f"x:{separator}{expected}\n"
    assert formatted(result) == result


def test_a_list_inside_a_list_stays_in_brackets() -> None:
    result = formatted("x: [a, 'b, c', [d, {e: ~}, # why\n 'f?']]\n")
    assert result == 'x:  # why\n  - a\n  - b, c\n  - [d, {e: null}, "f?"]\n'


def test_a_list_too_long_for_its_line_stands_below_its_key() -> None:
    names = [f"name-{number}" for number in range(20)]
    text = f"policies:\n  - allow: a:b on c\n    approvers: [{', '.join(names)}]\n"
    result = formatted(text)
    assert "    approvers:\n      - name-0\n      - name-1\n" in result
    assert max(map(len, result.splitlines())) <= WIDTH
    assert formatted(result) == result


def test_a_last_line_without_an_end_gets_one_and_the_text_block_none() -> None:
    assert formatted("policies: []\ndescription: |\n  x") == "policies: []\ndescription: |-\n  x\n"


@pytest.mark.parametrize("text", ["[]", "x", "a: [b", "a: 1\na: 2\n", "a: &x b\n", "a: yes\n", "\ta: b\n"])
def test_what_is_no_strict_yaml_is_refused(text: str) -> None:
    with pytest.raises(YamlError):
        formatted(text)


@pytest.mark.parametrize("result", ["a: 2\n", "a: [1\n", "a: 1\na: 1\n"])
def test_a_result_that_says_something_else_is_given_to_nobody(result: str) -> None:
    with pytest.raises(YamlError, match="cannot be formatted"):
        _check_unchanged(build("a: 1\n", "x"), result, "x")
