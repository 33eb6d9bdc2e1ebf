from __future__ import annotations

import pytest

from policies.actions import canonical_action, is_canonical, parse_action
from policies.errors import PatternError
from policies.model import Effect
from policies.patterns import compile_pattern
from policies.resources import full_resource, parse_resource, shortest

KNOWN = frozenset({"git:read", "git:push", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"})
GIT = frozenset({"git"})
S3 = frozenset({"s3"})


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("git:push", "git:push"),
        ("aws:ecs:UpdateService", "ecs:UpdateService"),
        ("aws:s3:Get*", "s3:Get*"),
        ("s3:*", "s3:*"),
        ("*:read", "*:read"),
        ("*", "*"),
    ],
)
def test_an_action_has_one_spelling(text: str, canonical: str) -> None:
    assert parse_action(text, None).text == canonical


@pytest.mark.parametrize(
    "text",
    ["git", "git:", ":push", "git:push:x", "aws:*", "aws:*:*", "aws:*:Get*", "aws:", "gi*:push", "s3:Get**", "GIT:push",
     "git:pu sh", "git:pu/sh", "git:push\u200b", "git:push\u00a0", "g\u0456t:push", "s3:" + "A" * 200, "s3:" + "a*" * 9,
     "",     "git:pu\x1bsh"],
)  # fmt: skip
def test_what_is_no_action_is_refused(text: str) -> None:
    with pytest.raises(PatternError):
        parse_action(text, None)


def test_everything_in_aws_does_not_become_everything() -> None:
    with pytest.raises(PatternError, match="needs a service"):
        parse_action("aws:*:*", None)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("git:pull", "did you mean `git:push`?"),
        ("s3:getobject", "did you mean `s3:GetObject`?"),
        ("s3:GetObjct", "did you mean `s3:GetObject`?"),
        ("s3:Zap*", ""),
        ("*:zap", ""),
    ],
)
def test_an_unknown_operation_of_a_known_service_is_refused(text: str, fix: str) -> None:
    with pytest.raises(PatternError, match="unknown action") as caught:
        parse_action(text, KNOWN)
    assert caught.value.fix == fix


def test_an_unknown_service_is_a_notice() -> None:
    assert "no connector here serves `ecs`" in parse_action("ecs:UpdateService", KNOWN).notice
    assert "did you mean `git`?" in parse_action("gti:push", KNOWN).notice
    assert "yet" in parse_action("git:comment", KNOWN).notice
    assert parse_action("s3:Get*", KNOWN).notice == ""


def test_asked_actions_are_canonical_or_left_alone() -> None:
    assert canonical_action("aws:s3:GetObject") == "s3:GetObject"
    assert canonical_action("aws:s3:Get*") == "aws:s3:Get*"
    assert is_canonical("s3:GetObject")
    assert not any(map(is_canonical, ["s3:*", "aws:s3:GetObject", "s3", "S3:Get", "s3:Get\n", "s3:" + "a" * 200]))


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("repos/*", "repos/*"),
        ("repos/**", "repos/**"),
        ("repos/acme*", "repos/acme*"),
        ("repos/acme/*", "repos/acme/*"),
        ("repos/acme/app", "repos/acme/app"),
        ("repos/*/branches/feature/*", "repos/*/*/branches/feature/*"),
        ("repos/**/branches/main", "repos/*/*/branches/main"),
        ("repos/*/*/branches/main", "repos/*/*/branches/main"),
        ("repos/acme/*/tags/v*", "repos/acme/*/tags/v*"),
        ("repos/*/pull-requests/*", "repos/*/*/pull-requests/*"),
        ("repos/acme/app/*/x", "repos/acme/app/*/x"),
        ("*", "*"),
        ("**", "**"),
        ("**/branches/x", "**/branches/x"),
    ],
)
def test_a_repository_is_two_segments(text: str, pattern: str) -> None:
    assert parse_resource(text, GIT, Effect.ALLOW) == pattern


@pytest.mark.parametrize(
    "text",
    ["repos/acme", "repos/", "repos//app", "repos/acme/app/", "repos/acme/branches/main", "repos/acme*/branches/main",
     "repos/a**/x/branches/main", "repos/acme/**/branches/main", "repos/acme/app/branch/x", "repos/acme/app/branches",
     "repos/*/branches", "repos/acm\u0435/app", "acme/app/branches/main", "arn:aws:s3:::x", "Repos/*", "repos/a b/c",
     "repos/a/b\u200b", "repos/a/b/branches/e\u0301"],
)  # fmt: skip
def test_a_git_rule_that_could_never_apply_is_refused(text: str) -> None:
    with pytest.raises(PatternError):
        parse_resource(text, GIT, Effect.DENY)


def test_other_services_may_name_more_of_a_repository() -> None:
    assert parse_resource("repos/*/issues/*", frozenset({"github"}), Effect.ALLOW) == "repos/*/*/issues/*"
    assert parse_resource("repos/a/b/rulesets/1", frozenset({"github"}), Effect.ALLOW) == "repos/a/b/rulesets/1"


@pytest.mark.req("P1")
@pytest.mark.parametrize(
    ("pattern", "resource", "expected"),
    [
        ("repos/*/branches/feature/*", "repos/acme/app/branches/feature/a", True),
        ("repos/*/branches/feature/*", "repos/acme/app/branches/feature/a/b", True),
        ("repos/*/branches/feature/*", "repos/acme/app/branches/main", False),
        ("repos/*/branches/feature/*", "repos/acme/app/branches/x/branches/feature/y", False),
        ("repos/*/branches/feature/*", "repos/acme/branches/branches/feature/y", True),
        ("repos/*/branches/main", "repos/acme/app/branches/x/branches/main", False),
        ("repos/**/branches/main", "repos/acme/app/branches/x/branches/main", False),
        ("repos/*/branches/*", "repos/acme/app/tags/branches/x", False),
        ("repos/acme/*", "repos/acme/app/branches/main", True),
        ("repos/acme/*", "repos/acme-evil/app", False),
    ],
)
def test_a_branch_name_cannot_pass_for_another_part(pattern: str, resource: str, *, expected: bool) -> None:
    full = parse_resource(pattern, GIT, Effect.ALLOW)
    assert bool(compile_pattern(full).matches(resource)) is expected


def test_the_short_form_of_s3_is_exact_to_allow_and_wide_to_forbid() -> None:
    assert parse_resource("data-lake/raw/*", S3, Effect.ALLOW) == "arn:aws:s3:::data-lake/raw/*"
    assert parse_resource("data-lake/raw/*", S3, Effect.DENY) == "arn:*:s3:::data-lake/raw/*"
    assert parse_resource("data-lake", S3, Effect.REQUIRE_APPROVAL) == "arn:*:s3:::data-lake"
    assert parse_resource("arn:aws:s3:::x/*", S3, Effect.ALLOW) == "arn:aws:s3:::x/*"
    assert parse_resource("arn:*:s3:::x/*", S3, Effect.ALLOW) == "arn:*:s3:::x/*"
    assert parse_resource("**", S3, Effect.DENY) == "**"
    assert parse_resource("data-lake/*", frozenset({"s3", "*"}), Effect.ALLOW) == "data-lake/*"
    with pytest.raises(PatternError, match="never touch"):
        parse_resource("arn:aws:sqs:eu-west-1:1:queue", S3, Effect.DENY)


def test_short_and_full_names_convert_both_ways() -> None:
    assert shortest("arn:aws:s3:::data-lake/raw/x", "s3") == "data-lake/raw/x"
    assert shortest("arn:aws:s3:::arn:x", "s3") == "arn:aws:s3:::arn:x"
    assert shortest("arn:aws:s3:::", "s3") == "arn:aws:s3:::"
    assert shortest("repos/a/b", "git") == "repos/a/b"
    assert full_resource("data-lake/raw/x", "s3") == "arn:aws:s3:::data-lake/raw/x"
    assert full_resource("arn:aws:s3:::b/k", "s3") == "arn:aws:s3:::b/k"
    assert full_resource("repos/a/b", "git") == "repos/a/b"


def test_a_deny_on_a_short_form_holds_in_every_partition() -> None:
    deny = compile_pattern(parse_resource("secrets/*", S3, Effect.DENY))
    assert all(deny.matches(f"arn:{partition}:s3:::secrets/x") for partition in ("aws", "aws-cn", "aws-us-gov"))
