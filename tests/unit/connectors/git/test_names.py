from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import InvalidParamsError
from connectors.git.names import check_oid, check_ref, check_repo, is_branch, ref_resource, repo_resource

GOOD_REFS = [
    "refs/heads/main",
    "refs/heads/feature/x-1",
    "refs/heads/dependabot/npm_and_yarn/lodash-4.17.21",
    "refs/heads/user@home/fix-#12",
    "refs/heads/@x",
    "refs/tags/v1.0.0+build,1",
]
BAD_REFS = [
    "",
    "main",
    "HEAD",
    "refs/heads/",
    "refs/heads",
    "refs/pull/1/head",
    "refs/remotes/origin/main",
    "refs/heads/../x",
    "refs/heads/feature/../main",
    "refs/heads/a..b",
    "refs/heads/.hidden",
    "refs/heads/a/.b",
    "refs/heads/a//b",
    "refs/heads/a/",
    "refs/heads//a",
    "refs/heads/a.",
    "refs/heads/a.lock",
    "refs/heads/a.LOCK/b",
    "refs/heads/@",
    "refs/heads/a/@",
    "refs/heads/a@{1}",
    "refs/heads/-x",
    "refs/heads/a/--force",
    "--upload-pack=x",
    "refs/heads/a b",
    "refs/heads/a\tb",
    "refs/heads/a\nb",
    "refs/heads/a\x00",
    "refs/heads/a~1",
    "refs/heads/a^",
    "refs/heads/a:b",
    "refs/heads/*",
    "refs/heads/a?",
    "refs/heads/[a]",
    "refs/heads/a\\b",
    "refs/heads/%2e%2e",
    "refs/heads/m\u0430in",  # Cyrillic a
    "refs/heads/main\u200b",
    "refs/heads/HEAD",
    "refs/heads/head",
    "refs/heads/refs/heads/main",
    "refs/tags/Refs/heads/main",
    "refs/heads/" + "a" * 200,
    "refs/heads/main\n",
]


@pytest.mark.parametrize("ref", GOOD_REFS)
def test_a_plain_branch_or_tag_name_is_taken_as_it_is(ref: str) -> None:
    assert check_ref(ref) == ref


@pytest.mark.parametrize("ref", BAD_REFS)
def test_a_ref_that_git_or_a_reader_could_take_for_another_is_refused(ref: str) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        check_ref(ref)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


@given(st.text(alphabet="abA.@{}/-_*~^: \\\x7fé", max_size=12).map("refs/heads/".__add__))
def test_whatever_is_taken_git_would_take_as_well(ref: str) -> None:
    try:
        check_ref(ref)
    except InvalidParamsError:
        return
    assert subprocess.run(["git", "check-ref-format", ref], check=False).returncode == 0


@pytest.mark.parametrize("repo", ["acme/app", "a/b", "acme-1/app.js", "_x/y_z", "acme/app.wiki", "1/2"])
def test_owner_and_name_are_taken(repo: str) -> None:
    assert check_repo(repo, case_sensitive=False) == repo


@pytest.mark.parametrize(
    "repo",
    [
        "",
        "app",
        "acme/app/x",
        "/app",
        "acme/",
        "acme//app",
        "../app",
        "acme/..",
        "./app",
        "-acme/app",
        "acme/-app",
        "acme/.app",
        "acme/app.git",
        "acme/app.GIT",
        "acme/app.lock",
        "acme/app.",
        "acme/a*",
        "acme/a%2fb",
        "acme/a b",
        "acme/app\n",
        "acme/\u0430pp",
        "acme/" + "a" * 101,
        "ext::sh -c x/y",
        "https://x/y",
        "acme/app?x",
        "acme/app#x",
        "a:b@c/d",
    ],
)
@pytest.mark.parametrize("case_sensitive", [True, False])
def test_anything_but_owner_and_name_is_refused(repo: str, case_sensitive: bool) -> None:
    with pytest.raises(InvalidParamsError):
        check_repo(repo, case_sensitive=case_sensitive)


def test_upper_case_is_refused_where_the_host_does_not_tell_it_from_lower_case() -> None:
    with pytest.raises(InvalidParamsError) as caught:
        check_repo("Acme/App", case_sensitive=False)
    assert "`acme/app`" in caught.value.fix
    assert check_repo("Acme/App", case_sensitive=True) == "Acme/App"


@pytest.mark.parametrize("oid", ["", "0" * 40, "a" * 39, "a" * 41, "A" * 40, "g" * 40, "a" * 64, "a" * 40 + "\n"])
def test_anything_but_a_full_object_id_is_refused(oid: str) -> None:
    with pytest.raises(InvalidParamsError):
        check_oid(oid)


def test_resources_keep_branches_and_tags_apart() -> None:
    assert repo_resource("acme/app") == "repos/acme/app"
    assert ref_resource("acme/app", "refs/heads/feature/x") == "repos/acme/app/branches/feature/x"
    assert ref_resource("acme/app", "refs/tags/v1") == "repos/acme/app/tags/v1"
    assert is_branch("refs/heads/tags/v1")
    assert not is_branch("refs/tags/heads/v1")
