"""What IAM requires is asked for; what it only may check is asked for when the request names it."""

from __future__ import annotations

from deploy.catalogue.binding import Member
from deploy.catalogue.pairs import is_complete, pairs_of
from deploy.catalogue.sources import Action, Kind


def kind(name: str, *, required: bool = False) -> Kind:
    """A type whose ARN has one variable."""
    return Kind(name, required, (f"arn:${{Partition}}:svc:${{Region}}:${{Account}}:{name}/${{{name.title()}Name}}",))


def action(*kinds: Kind) -> Action:
    """An action that is about some types."""
    return Action("svc", "DoIt", "Write", kinds)


def members(*names: str) -> tuple[Member, ...]:
    """Required members."""
    return tuple(Member(name, required=True) for name in names)


def test_an_action_without_types_is_about_everything_and_complete() -> None:
    drafts = pairs_of(action(), "DoIt", members("name"))
    assert [draft.template for draft in drafts] == ["*"]
    assert is_complete(drafts)


def test_a_required_type_that_nothing_names_makes_it_incomplete() -> None:
    drafts = pairs_of(action(kind("a", required=True), kind("b", required=True)), "DoIt", members("aName"))
    assert [(draft.complete, draft.optional) for draft in drafts] == [(True, False), (False, False)]
    assert not is_complete(drafts)


def test_a_type_that_is_not_required_counts_only_when_it_can_be_named() -> None:
    drafts = pairs_of(action(kind("a", required=True), kind("b"), kind("c")), "DoIt", members("aName", "cName"))
    assert [(draft.kinds[0].name, draft.optional) for draft in drafts] == [("a", False), ("c", True)]


def test_a_single_type_is_what_it_is_about_even_when_not_required() -> None:
    drafts = pairs_of(action(kind("a")), "DoIt", members("aName"))
    assert [draft.optional for draft in drafts] == [False]


def test_types_that_only_a_nameless_arn_gives_are_one_pair() -> None:
    drafts = pairs_of(action(kind("a"), kind("b")), "TagResource", members("resourceArn"))
    assert [(draft.template, draft.arns, len(draft.kinds)) for draft in drafts] == [("{?}", ("resourceArn",), 2)]
    assert not drafts[0].optional
    assert is_complete(drafts)


def test_a_nameless_arn_beside_a_name_is_not_the_named_thing() -> None:
    drafts = pairs_of(action(kind("vault", required=True)), "StartBackup", members("vaultName", "resourceArn"))
    assert [draft.arns for draft in drafts] == [()]


def test_a_nameless_arn_may_stand_for_a_name_that_may_be_left_out() -> None:
    name, arn = Member("vaultName", required=False), Member("resourceArn", required=False)
    drafts = pairs_of(action(kind("vault", required=True)), "StartBackup", (name, arn))
    assert [draft.arns for draft in drafts] == [("resourceArn",)]


def test_nothing_named_is_unknown_and_never_everything() -> None:
    drafts = pairs_of(action(kind("a"), kind("b")), "DoIt", ())
    assert [(draft.template, draft.complete) for draft in drafts] == [("{?}", False)]
