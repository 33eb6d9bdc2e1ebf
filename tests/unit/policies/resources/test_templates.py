from __future__ import annotations

from dataclasses import replace

import pytest

from policies.model import ResourceType
from policies.resources.templates import CatalogueError, compile_template, compile_type

BRANCH = compile_template("repos/{repo=*/*}/branches/{branch=**}")
STREAM = compile_template("arn:logs::group:{group=**}:stream:{stream}")
BUCKET = compile_template("arn:{partition}:s3:::{bucket}")

STORE = ResourceType(
    "x/thing", "arn:{partition}:x:{region}:thing/{box}/{path=**}", ("x:*",), ("thing/{path=**}",), {"partition": "aws"}
)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("repos/acme/app/branches/main", {"repo": "acme/app", "branch": "main"}),
        ("repos/acme/app/branches/a/b:c", {"repo": "acme/app", "branch": "a/b:c"}),
        ("repos/acme/app/branches/x/branches/y", {"repo": "acme/app", "branch": "x/branches/y"}),
        ("repos/acme/branches/branches/x", {"repo": "acme/branches", "branch": "x"}),
        ("repos/acme/app/branches/feature/", {"repo": "acme/app", "branch": "feature/"}),
        ("repos/acme/app/branches/", None),
        ("repos/acme/app/branches", None),
        ("repos/acme/app/tags/main", None),
        ("repos/acme/branches/main", None),
        ("repos//app/branches/main", None),
        ("repos/acme:app/branches/main", None),
        ("repos:acme/app/branches/main", None),
        ("xrepos/acme/app/branches/main", None),
        ("", None),
    ],
)
def test_a_name_has_one_reading(name: str, values: dict[str, str] | None) -> None:
    assert BRANCH.parse(name) == values


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("arn:logs::group:/aws/x:stream:s", {"group": "/aws/x", "stream": "s"}),
        ("arn:logs::group:a:b:stream:s", {"group": "a:b", "stream": "s"}),
        ("arn:logs::group:a:stream:b:stream:s", None),
        ("arn:logs::group:a:stream:s/t", None),
        ("arn:logs::group:a", None),
        ("arn:logs:x:group:a:stream:s", None),
    ],
)
def test_an_open_part_in_the_middle_ends_at_the_literal_behind_it(name: str, values: dict[str, str] | None) -> None:
    assert STREAM.parse(name) == values


def test_one_segment_is_one_segment() -> None:
    assert BUCKET.parse("arn:aws:s3:::b") == {"partition": "aws", "bucket": "b"}
    assert BUCKET.parse("arn:aws:s3:::b/k") is None
    assert BUCKET.parse("arn:aws:s3:::") is None
    assert BUCKET.variables == ("partition", "bucket")


def test_a_template_is_shown_without_its_shapes() -> None:
    assert BRANCH.plain == "repos/{repo}/branches/{branch}"


def test_what_was_formatted_parses_to_the_same_values() -> None:
    values = {"repo": "acme/app", "branch": "x/branches/*"}
    assert BRANCH.parse(BRANCH.format(values)) == values


@pytest.mark.parametrize(
    "values",
    [
        {"repo": "acme/app"},
        {"repo": "acme/app", "branch": "main", "tag": "v1"},
        {"repo": "acme", "branch": "main"},
        {"repo": "acme/app/x", "branch": "main"},
        {"repo": "acme:app", "branch": "main"},
        {"repo": "acme/", "branch": "main"},
        {"repo": "acme/app", "branch": ""},
        {"repo": "acme/app", "branch": "ma\nin"},
        {"repo": "acme/app", "branch": "ma\x00in"},
        {"repo": "acme/app", "branch": "ma\x7fin"},
        {"repo": "acme/a\ud800", "branch": "main"},
    ],
)
def test_a_value_that_does_not_fit_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(CatalogueError):
        BRANCH.format(values)


def test_a_value_never_holds_the_literal_that_ends_it() -> None:
    with pytest.raises(CatalogueError):
        STREAM.format({"group": "a:stream:b", "stream": "s"})


@pytest.mark.parametrize(
    "text",
    ["", "repos/{repo}x", "repos/x{repo}", "repos/{a}{b}", "repos/{Repo}", "repos/{}", "repos/{a=*}", "repos/{a",
     "repos/a}", "repos/*", "repos/${a}", "re pos/{a}", "{a}/{a}", "{a=**}/x/{b=**}", "{a=*/*}/{b=*/*}", "{a=**}/{b}",
     "x/{a=**}//{b}"],
)  # fmt: skip
def test_a_template_that_could_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(CatalogueError):
        compile_template(text)


@pytest.mark.parametrize(
    ("left", "right", "meet"),
    [
        ("repos/{r=*/*}", "repos/{r=*/*}/tags/{t=**}", False),
        ("repos/{r=*/*}/branches/{b=**}", "repos/{r=*/*}/tags/{t=**}", False),
        ("repos/{r=*/*}/branches/{b=**}", "repos/{x}/{y}/{z}/{rest}", True),
        ("a/{x}", "a/{x}:{y}", False),
        ("a/{x}", "a:{x}", False),
        ("a/{x=**}", "a/{x}:{y}", True),
        ("a/{x=**}", "b/{x=**}", False),
        ("a/{x=**}", "a/{x}//{y}", True),
        ("a/{x}", "a/", False),
        ("a/{x}/b", "a/{x}/{y}", True),
    ],
)
def test_templates_say_whether_a_name_can_be_of_both(left: str, right: str, *, meet: bool) -> None:
    assert compile_template(left).overlaps(compile_template(right)) is meet
    assert compile_template(right).overlaps(compile_template(left)) is meet


def test_a_type_has_its_template_and_its_short_forms() -> None:
    kind = compile_type(STORE)
    assert [form.plain for form in kind.forms] == ["arn:{partition}:x:{region}:thing/{box}/{path}", "thing/{path}"]


@pytest.mark.parametrize(
    "wrong",
    [
        replace(STORE, short_forms=("thing/{other}",)),
        replace(STORE, short_forms=("thing",)),
        replace(STORE, short_forms=("{path=**}/thing/{box}",)),
        replace(STORE, short_forms=("thing/{path}",)),
        replace(STORE, short_forms=("{path=**}",)),
        replace(STORE, template="x/{path=**}/end/{box}", defaults={}, short_forms=("x/{path=**}",)),
        replace(STORE, defaults={"zone": "a"}),
        replace(STORE, defaults={"partition": "a/b"}),
        replace(STORE, words={"shelf": "a"}),
        replace(STORE, words={"box": ""}),
        replace(STORE, actions=()),
    ],
)
def test_a_type_that_contradicts_itself_is_refused(wrong: ResourceType) -> None:
    with pytest.raises(CatalogueError):
        compile_type(wrong)
