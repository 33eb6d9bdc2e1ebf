from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.doors.git.places import Place, Want, place_of
from connectors.errors import InvalidParamsError
from connectors.git.names import check_repo

SERVICE = {Want.READ_REFS: b"service=git-upload-pack", Want.PUSH_REFS: b"service=git-receive-pack"}


@pytest.mark.parametrize("suffix", [".git", ""])
@pytest.mark.parametrize(
    ("method", "what", "query", "want"),
    [
        ("GET", "info/refs", "service=git-upload-pack", Want.READ_REFS),
        ("GET", "info/refs", "service=git-receive-pack", Want.PUSH_REFS),
        ("POST", "git-upload-pack", "", Want.FETCH),
        ("POST", "git-receive-pack", "", Want.PUSH),
    ],
)
def test_each_request_of_git_has_its_place(suffix: str, method: str, what: str, query: str, want: Want) -> None:
    path = f"/git/forge-1.eu/Acme/App.x{suffix}/{what}".encode()
    assert place_of(method, path, query.encode()) == Place("forge-1.eu", "Acme/App.x", want)


def test_what_is_below_lfs_is_handed_on_whole() -> None:
    path = b"/git/forge/acme/app.git/info/lfs/objects/batch"
    assert place_of("POST", path, b"x=y") == Place("forge", "acme/app", Want.LFS, "objects/batch")


@pytest.mark.parametrize(
    "path",
    [
        b"/git/Forge/acme/app.git/info/refs",
        b"/git/-forge/acme/app.git/info/refs",
        b"/git/forge/.acme/app.git/info/refs",
        b"/git/forge/acme/-app.git/info/refs",
        b"/git/forge/acme/a%2fb.git/info/refs",
        b"/git/forge/acme/app.git/info/refs/",
        b"/git/forge/acme/app.git/info/refs\n",
        b"/git/forge/acme/app.git//info/refs",
        b"/git/forge/acme/app.git/info/lfs/",
        b"/git/forge/acme/app/b.git/info/refs",
        b"/x/git/forge/acme/app.git/info/refs",
        b"/git/forge/acme/\xc3\xa4pp.git/info/refs",
        b"/git/forge/" + b"a" * 101 + b"/app.git/info/refs",
        b"/git/" + b"f" * 64 + b"/acme/app.git/info/refs",
    ],
)
def test_any_other_path_is_no_place(path: bytes) -> None:
    for query in SERVICE.values():
        assert place_of("GET", path, query) is None


@pytest.mark.parametrize("query", [b"", b"service=git-upload-archive", b"service=git-upload-pack&x=y", b"SERVICE=x"])
def test_refs_are_listed_for_one_of_two_services(query: bytes) -> None:
    assert place_of("GET", b"/git/forge/acme/app.git/info/refs", query) is None


@given(name=st.from_regex(r"[ -~]{1,30}", fullmatch=True))
def test_every_repository_that_may_be_asked_for_has_a_place_and_no_other_repository(name: str) -> None:
    place = place_of("GET", f"/git/forge/acme/{name}.git/info/refs".encode(), SERVICE[Want.READ_REFS])
    if place is not None:
        assert place.repo == f"acme/{name}"
    try:
        check_repo(f"acme/{name}", case_sensitive=True)
    except InvalidParamsError:
        return
    assert place is not None
