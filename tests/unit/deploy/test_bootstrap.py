"""The bootstrap says what it does, passes statuses on and never takes a half-made environment for a whole one."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.console import Console, StepError
from deploy.environment import Checkout, Profile, _write_stamp, is_ready, setup_environment
from deploy.lockfile import _refuse_hosts

ROOT = Path(__file__).resolve().parents[3]


def bootstrap(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the bootstrap of this checkout as a user does."""
    command = [sys.executable, "deploy/bootstrap.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def make_environment(root: Path) -> Checkout:
    """Lay out a checkout whose environment is whole, without installing anything."""
    checkout = Checkout(root)
    for name in ("runtime", "dev"):
        checkout.requirements(name).parent.mkdir(parents=True, exist_ok=True)
        checkout.requirements(name).write_text(f"{name}==1\n")
    (root / "pyproject.toml").write_text("[project]\n")
    checkout.python.parent.mkdir(parents=True)
    checkout.python.symlink_to(sys.executable)
    (checkout.venv / "bin" / "ostiary").touch()
    return checkout


def stamp(checkout: Checkout, profile: Profile) -> None:
    """Stamp the environment as the set-up does when it is through."""
    _write_stamp(checkout, profile)


def test_no_command_is_a_usage_error_that_shows_the_commands() -> None:
    result = bootstrap()
    assert result.returncode == 2
    assert "tour" in result.stderr


def test_help_goes_to_standard_output() -> None:
    result = bootstrap("--help")
    assert result.returncode == 0
    assert "up [--data DIR ...]" in result.stdout


def test_an_unknown_command_is_named() -> None:
    result = bootstrap("tuor")
    assert result.returncode == 2
    assert "`tuor`" in result.stderr


@pytest.mark.req("O1")
def test_the_bootstrap_needs_the_standard_library_only() -> None:
    code = "import sys; sys.path.insert(0, '.'); import deploy.commands; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    tops = {name.partition(".")[0] for name in result.stdout.split()} - {"deploy", "__main__"}
    assert tops - set(sys.stdlib_module_names) == set()


def test_ci_runs_the_command_that_the_readme_names() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "python3 deploy/bootstrap.py test" in script.read_text("utf-8")


@pytest.mark.req("O1")
def test_an_environment_made_for_the_tests_serves_as_well(tmp_path: Path) -> None:
    checkout = make_environment(tmp_path)
    stamp(checkout, Profile.DEV)
    assert is_ready(checkout, Profile.DEV)
    assert is_ready(checkout, Profile.RUNTIME)


def test_an_environment_made_to_serve_is_not_enough_for_the_tests(tmp_path: Path) -> None:
    checkout = make_environment(tmp_path)
    stamp(checkout, Profile.RUNTIME)
    assert is_ready(checkout, Profile.RUNTIME)
    assert not is_ready(checkout, Profile.DEV)


def test_an_environment_without_a_stamp_is_not_taken_for_whole(tmp_path: Path) -> None:
    assert not is_ready(make_environment(tmp_path), Profile.RUNTIME)


@pytest.mark.parametrize("text", ["", "[]", "null", '{"runtime": 1}', "{"])
def test_a_broken_stamp_is_no_stamp(tmp_path: Path, text: str) -> None:
    checkout = make_environment(tmp_path)
    (checkout.venv / "ostiary-stamp.json").write_text(text)
    assert not is_ready(checkout, Profile.RUNTIME)


@pytest.mark.parametrize("name", ["deploy/requirements/runtime.txt", "pyproject.toml"])
def test_a_changed_requirement_makes_the_environment_stale(tmp_path: Path, name: str) -> None:
    checkout = make_environment(tmp_path)
    stamp(checkout, Profile.RUNTIME)
    with (tmp_path / name).open("a") as file:
        file.write("# changed\n")
    assert not is_ready(checkout, Profile.RUNTIME)


@pytest.mark.parametrize("name", ["python", "ostiary"])
def test_an_environment_whose_programs_are_gone_is_stale(tmp_path: Path, name: str) -> None:
    checkout = make_environment(tmp_path)
    stamp(checkout, Profile.RUNTIME)
    (checkout.venv / "bin" / name).unlink()
    assert not is_ready(checkout, Profile.RUNTIME)


def test_a_moved_checkout_is_stale_as_its_programs_name_the_old_place(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    checkout = make_environment(tmp_path / "old")
    stamp(checkout, Profile.RUNTIME)
    moved = Checkout((tmp_path / "old").rename(tmp_path / "new"))
    assert json.loads((moved.venv / "ostiary-stamp.json").read_text())["root"] != str(moved.root)
    assert not is_ready(moved, Profile.RUNTIME)


def test_package_tools_trust_the_machine_and_nothing_redirects_them() -> None:
    given = {"PATH": "/bin", "PYTHONPATH": "/elsewhere", "VIRTUAL_ENV": "/elsewhere", "PIP_INDEX_URL": "https://mirror"}
    child = setup_environment(given)
    assert child["UV_SYSTEM_CERTS"] == "1"
    assert child["UV_DEFAULT_INDEX"] == "https://mirror"
    assert child["PATH"] == "/bin"
    assert "/elsewhere" not in child.values()


@pytest.mark.parametrize(
    "line", ["x @ https://host/x", "x==1 # from https://host", "-f /folder", "--find-links x", "x==1 # from file:///x"]
)
def test_a_requirement_file_that_names_a_place_is_refused(tmp_path: Path, line: str) -> None:
    draft = tmp_path / "runtime.txt"
    draft.write_text(f"a==1 \\\n    --hash=sha256:{hashlib.sha256().hexdigest()}\n{line}\n")
    with pytest.raises(StepError, match="locking") as caught:
        _refuse_hosts(draft)
    assert "runtime.txt:3" in caught.value.cause


def test_a_step_is_one_plain_line_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    Console(stream).run("doing it", [sys.executable, "-c", "print('noise')"], {})
    assert stream.getvalue().startswith("ok doing it (")
    assert stream.getvalue().count("\n") == 1


def test_a_failing_step_tells_what_its_program_said_and_what_to_do_next() -> None:
    stream = io.StringIO()
    with pytest.raises(StepError) as caught:
        Console(stream).run("doing it", [sys.executable, "-c", "print('error: no luck'); exit(3)"], {}, fix="try luck")
    assert caught.value.gist == "error: no luck"
    assert caught.value.cause.endswith("exit status 3")
    assert caught.value.fix == "try luck"
    assert stream.getvalue().startswith("FAILED doing it")


def test_a_step_whose_program_is_missing_fails_like_any_other() -> None:
    with pytest.raises(StepError, match="doing it"):
        Console(io.StringIO()).run("doing it", ["/nowhere/at/all"], {})
