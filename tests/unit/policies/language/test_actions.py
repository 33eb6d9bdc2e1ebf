from __future__ import annotations

import pytest

from policies.errors import PatternError
from policies.language.actions import KnownActions, canonical_action, is_canonical, parse_action

KNOWN = KnownActions({"git:read", "git:push", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"})


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("git:push", "git:push"),
        ("aws:ecs:UpdateService", "ecs:UpdateService"),
        ("aws:s3:Get*", "s3:Get*"),
        ("s3:*", "s3:*"),
        ("*:read", "*:read"),
        ("*", "*"),
        ("git:force-push", "git:force-push"),
        ("github:pulls.merge", "github:pulls.merge"),
        ("github:*.list-*", "github:*.list-*"),
    ],
)
def test_an_action_has_one_spelling(text: str, canonical: str) -> None:
    assert parse_action(text, None).text == canonical


@pytest.mark.parametrize(
    "text",
    ["git", "git:", ":push", "git:push:x", "aws:*", "aws:*:*", "aws:*:Get*", "aws:", "gi*:push", "s3:Get**", "GIT:push",
     "git:pu sh", "git:pu/sh", "git:push\u200b", "git:push\u00a0", "g\u0456t:push", "s3:" + "A" * 200, "s3:" + "a*" * 9,
     "", "git:pu\x1bsh", "git:-push", "git:.push", "gi.t:push"],
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


def test_an_operation_that_asks_for_another_action_is_never_asked_itself() -> None:
    with pytest.raises(PatternError, match="asks for `s3:GetObject`"):
        parse_action("s3:HeadObject", KNOWN, {"s3:HeadObject": ("s3:GetObject",)})


def test_asked_actions_are_canonical_or_left_alone() -> None:
    assert canonical_action("aws:s3:GetObject") == "s3:GetObject"
    assert canonical_action("aws:s3:Get*") == "aws:s3:Get*"
    assert canonical_action("aws:s3:Get.Object") == "s3:Get.Object"
    assert is_canonical("s3:GetObject")
    assert is_canonical("github:actions.create-workflow-dispatch")
    assert not any(
        map(is_canonical, ["s3:*", "aws:s3:GetObject", "s3", "S3:Get", "s3:Get\n", "s3:.a", "s.3:a", "s3:" + "a" * 200])
    )


def test_actions_are_found_by_the_service_of_a_pattern() -> None:
    assert KNOWN.near("s3:Get*") == ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject")
    assert KNOWN.near("ecs:*") == ()
    assert list(KNOWN.near("*")) == list(KNOWN)
    assert list(KNOWN.by_service) == ["git", "s3"]


def test_for_any_service_the_actions_of_one_first_letter_come_into_question() -> None:
    assert set(KNOWN.near("*:Get*")) == {"s3:GetObject", "s3:GetObjectVersion"}
    assert set(KNOWN.near("*:P*")) == {"git:push", "s3:PutObject"}
    assert set(KNOWN.near("*:*x")) == set(KNOWN)
    assert set(KNOWN.near("*:zap")) == set()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("*:GetObjct", "did you mean `s3:GetObject`?"),
        ("*:getobject", ""),
        ("*:Zap", ""),
        ("s3:GetObjct", "did you mean `s3:GetObject`?"),
        ("s3:Completely-Other", ""),
    ],
)
def test_a_slip_of_the_pen_is_told_for_one_service_and_for_all(text: str, hint: str) -> None:
    with pytest.raises(PatternError) as caught:
        parse_action(text, KNOWN)
    assert caught.value.fix == hint or (not hint and "did you mean" in caught.value.fix)


def test_where_nothing_is_served_an_action_of_any_service_is_a_notice() -> None:
    assert parse_action("*:Get*", KnownActions()).notice
    assert parse_action("crm:Read", KNOWN).notice
