"""What may stand in no file: hosts of package indexes, places of one machine, promises of later work."""

from __future__ import annotations

import json
import re

from tests.architecture.tree import ROOT, files, name_of

LATER = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
INDEXES = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "registry.npmjs" + ".org",
    "artifact" + "ory",
    "npmmirror" + ".com",
)
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|opt/pypi)/")
ALLOWED_TOP = {
    ".ci", ".github", ".gitattributes", ".gitignore", "CHANGELOG.md", "LICENSE", "README.md",
    "broker", "connectors", "deploy", "policies", "pyproject.toml", "tests", "vault",
}  # fmt: skip
MADE_BY_TOOLS = re.compile(r"^(\.coverage.*|uv\.lock|bench-results\.json|.*\.pyc)$")


def texts() -> list[tuple[str, str]]:
    """Name and text of every file of ours that is text."""
    found = []
    for path in files():
        if MADE_BY_TOOLS.match(path.name) or path.is_relative_to(ROOT / "tests" / "conformance"):
            continue
        try:
            found.append((name_of(path), path.read_text("utf-8")))
        except UnicodeDecodeError:
            continue
    return found


def test_the_top_level_holds_the_rooms_and_nothing_else() -> None:
    top = {name_of(path).partition("/")[0] for path in files() if not MADE_BY_TOOLS.match(path.name)}
    assert top <= ALLOWED_TOP


def test_no_file_names_a_package_index() -> None:
    assert [(name, index) for name, text in texts() for index in INDEXES if index in text] == []


def test_no_file_names_a_place_of_one_machine() -> None:
    assert [(name, match.group()) for name, text in texts() for match in MACHINE.finditer(text)] == []


def test_no_file_promises_later_work() -> None:
    assert [(name, match.group()) for name, text in texts() for match in LATER.finditer(text)] == []


def test_requirement_files_hold_names_versions_and_hashes_only() -> None:
    line = re.compile(r"^([a-z0-9._-]+(\[[a-z0-9,-]+\])?==[^ ]+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?)$")
    for path in (ROOT / "deploy" / "requirements").glob("*.txt"):
        lines = path.read_text("utf-8").splitlines()
        assert lines
        assert [text for text in lines if not line.match(text)] == [], path.name


def test_the_tests_run_on_the_versions_that_serve() -> None:
    folder = ROOT / "deploy" / "requirements"
    runtime, dev = (
        {text.split()[0] for text in (folder / name).read_text("utf-8").splitlines() if text[0].isalnum()}
        for name in ("runtime.txt", "dev.txt")
    )
    assert runtime <= dev


def test_npm_lock_files_name_no_host() -> None:
    for path in files():
        if path.name == "package-lock.json":
            assert "resolved" not in json.dumps(json.loads(path.read_text("utf-8"))), name_of(path)
