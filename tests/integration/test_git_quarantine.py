"""What a push would do, found out beside a mirror by the real git: changes, facts, secrets, what people are shown."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.git.quarantine.limits import YardLimits
from connectors.git.quarantine.preview import MAX_PREVIEW_BYTES
from tests.parts.git_yard import ABSENT, SECRET, Field, packed, started

MAIN = "refs/heads/main"
WORK = "refs/heads/work"
TAG = "refs/tags/v1"

pytestmark = pytest.mark.req("A3")


@pytest.fixture
async def field(tmp_path: Path) -> AsyncIterator[Field]:
    made = await started(tmp_path)
    yield made
    assert made.left_behind() == [], "something was left behind"


async def changed(field: Field, ref: str, old: str, new: str) -> str:
    pack = None if new == ABSENT else field.agent.pack(new, *(["^" + old] if old != ABSENT else []))
    held = await field.held({ref: (old, new)}, pack)
    (update,) = held.updates
    assert held.facts["changes"] == [update.change.value]
    return update.change.value


async def test_updates_are_told_apart(field: Field) -> None:
    first = field.main()
    second = field.agent.commit("second", a="1\n")
    assert await changed(field, MAIN, first, second) == "fast-forward"
    assert await changed(field, WORK, ABSENT, second) == "create"
    assert await changed(field, MAIN, first, ABSENT) == "delete"
    other = field.orphan()
    assert await changed(field, MAIN, first, other) == "force"


async def test_a_branch_that_goes_to_a_known_commit_is_compared_with_all_of_history(field: Field) -> None:
    first = field.main()
    second = field.agent.commit("second", a="1\n")
    field.publish("main", f"{first}:{WORK}")
    await field.refresh()
    assert await changed(field, WORK, first, second) == "fast-forward"
    assert await changed(field, MAIN, second, first) == "force"


async def test_a_tag_that_moves_is_forced_even_forward(field: Field) -> None:
    field.agent.git("tag", "--annotate", "--message", "one", "v1")
    field.publish("v1")
    await field.refresh()
    old = field.agent.git("rev-parse", "v1")
    second = field.agent.commit("second", a="1\n")
    assert await changed(field, TAG, old, second) == "force"
    field.agent.git("tag", "--force", "--annotate", "--message", "two", "v1")
    assert await changed(field, TAG, old, field.agent.git("rev-parse", "v1")) == "force"


async def test_each_ref_of_a_push_is_judged_by_itself(field: Field) -> None:
    """Two branches at the commit of the default branch: that one moves forward says nothing of the other."""
    first = field.main()
    field.publish(f"{first}:{WORK}")
    await field.refresh()
    forward = field.agent.commit("forward", a="1\n")
    other = field.orphan()
    pack = field.agent.pack(forward, other, f"^{first}")
    held = await field.held({MAIN: (first, forward), WORK: (first, other), TAG: (ABSENT, forward)}, pack, "ci.skip")
    assert [update.change.value for update in held.updates] == ["fast-forward", "force", "create"]
    assert {name: held.facts[name] for name in ("changes", "branches", "tags", "options", "commits")} == {
        "changes": ["create", "fast-forward", "force"],
        "branches": ["main", "work"],
        "tags": ["v1"],
        "options": ["ci.skip"],
        "commits": 2,
    }


async def test_commits_that_another_branch_has_are_judged_again(field: Field) -> None:
    """What was let onto a branch that anybody may push to cannot go on from there unseen."""
    first = field.main()
    evil = field.agent.commit("evil", **{".github__workflows__ci.yml": "on: evil\n"})
    field.publish(f"{evil}:{WORK}")
    await field.refresh()
    for updates in (
        {MAIN: (first, evil)},
        {"refs/heads/release": (ABSENT, evil)},
        {MAIN: (first, evil), WORK: (evil, ABSENT)},
        {MAIN: (first, evil), WORK: (evil, first)},
    ):
        held = await field.held(updates, packed())
        assert held.facts["paths"] == [".github/workflows/ci.yml"], updates
        assert held.facts["commits"] == 1
        assert held.preview["refs"][0]["files"][0]["path"] == ".github/workflows/ci.yml"


async def test_every_path_counts_that_any_commit_touches(field: Field) -> None:
    first = field.main()
    field.agent.commit("there", hidden="1\n")
    field.agent.commit("and gone", hidden=None, README=None, Moved="hello\n")
    (field.agent.path / "link").symlink_to("/etc/passwd")
    field.agent.git("update-index", "--add", "--cacheinfo", f"160000,{first},sub")
    (field.agent.path / "sub").mkdir()
    (field.agent.path / ".github/workflows/ci.yml").chmod(0o755)
    tip = field.agent.commit("modes", **{"\uff24ocs__\uff21.md": "x\n"})
    held = await field.held({MAIN: (first, tip)}, field.agent.pack(tip, f"^{first}"))
    assert held.facts["paths"] == [
        ".github/workflows/ci.yml", "Moved", "README", "hidden", "link", "sub", "\uff24ocs/\uff21.md",
    ]  # fmt: skip
    assert "docs/a.md" in held.facts["paths_folded"]
    assert "moved" in held.facts["paths_folded"]
    # A moved file and one that only got another mode bring nothing new.
    assert (held.facts["files"], held.facts["added_bytes"]) == (7, len("1\n" + "/etc/passwd" + "x\n"))


async def test_a_merge_counts_what_differs_from_any_parent(field: Field) -> None:
    first = field.main()
    theirs = field.agent.commit("theirs", **{".github__workflows__ci.yml": "on: safer\n"})
    field.publish("main")
    await field.refresh()
    field.agent.git("checkout", "--quiet", "-B", "work", first)
    field.agent.commit("mine", mine="1\n")
    field.agent.git("merge", "--quiet", "--strategy", "ours", "--message", "undo", theirs)
    tip = field.agent.git("rev-parse", "HEAD")
    held = await field.held({MAIN: (theirs, tip)}, field.agent.pack(tip, f"^{theirs}"))
    assert held.updates[0].change.value == "fast-forward"
    assert held.facts["paths"] == [".github/workflows/ci.yml", "mine"]


async def test_names_cannot_hide(field: Field) -> None:
    first = field.main()
    for name in (b"bad\xff", b"two\nlines", "right\u202eleft".encode(), b"back\\slash", b'quote"', "é".encode()):
        field.agent.write(name, "x\n")
    tip = field.agent.commit("names")
    held = await field.held({MAIN: (first, tip)}, field.agent.pack(tip, f"^{first}"))
    assert held.facts["paths"] == [
        "back\\\\slash", "bad\\xff", 'quote"', "right\\u{202e}left", "two\\u{a}lines", "é",
    ]  # fmt: skip


async def test_people_and_signatures_are_told(field: Field) -> None:
    first = field.main()
    field.agent.git("commit", "--quiet", "--allow-empty", "--message", "x", "--author", "Al <al@example.com>")
    unsigned = field.agent.git("rev-parse", "HEAD")
    raw = field.agent.raw("cat-file", "commit", unsigned)
    head, _, message = raw.partition(b"\n\n")
    lines = b"\ngpgsig -----BEGIN SSH SIGNATURE-----\n U1NIU0lH\n -----END SSH SIGNATURE-----"
    signed = field.agent.store("commit", head + lines + b"\n\n" + message)
    mixed = field.agent.store("commit", head.replace(first.encode(), signed.encode()) + b"\n\n" + message)
    for tip, expected in ((signed, True), (unsigned, False), (mixed, False)):
        held = await field.held({WORK: (ABSENT, tip)}, field.agent.pack(tip, f"^{first}"))
        assert held.facts["signed"] is expected
    assert held.facts["authors"] == ["al@example.com"]
    assert held.facts["committers"] == ["bob@example.com"]
    assert (await field.held({WORK: (ABSENT, first)}, packed())).facts["signed"] is False


async def test_a_file_that_is_gone_again_still_counts_with_its_size(field: Field) -> None:
    first = field.main()
    field.agent.commit("large", data=b"\0" * 5000)
    tip = field.agent.commit("small", data=b"\0")
    facts = (await field.held({MAIN: (first, tip)}, field.agent.pack(tip, f"^{first}"))).facts
    assert (facts["added_bytes"], facts["largest_file_bytes"], facts["binary_files"]) == (5001, 5000, ["data"])


async def test_secrets_are_told_by_place_and_never_shown(field: Field) -> None:
    first = field.main()
    token = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    secret = SECRET.decode()
    key = (
        "-----BEGIN OPENSSH PRIVATE KEY-----\n"
        + "b3BlbnNzaC1rZXktdjEAAAAA\n" * 3
        + "-----END OPENSSH PRIVATE KEY-----\n"
    )
    field.agent.commit("in and out", env=f"a\nb={secret}\n", key=key)
    field.agent.commit("gone", env="a\n")
    field.agent.commit("binary", image=b"\0\1\2" + SECRET + b"\0" * 100)
    tip = field.agent.commit(f"message {secret}", config=f"safe\ntoken {token}\n{secret}\n")
    held = await field.held({MAIN: (first, tip)}, field.agent.pack(tip, f"^{first}"))
    found = {(leak["path"], leak["line"]) for leak in held.preview["leaks"] if leak["rule"] == "vault-value"}
    assert found == {("env", 2), ("image", 0), ("config", 3), ("", 1)}
    assert {leak["path"] for leak in held.preview["leaks"]} >= {"key"}
    assert "vault-value" in held.facts["leaks"]
    shown = json.dumps(held.preview["refs"])
    assert secret not in shown
    assert "b3BlbnNzaC1rZXk" not in shown
    assert "+[vault-value]" in shown
    assert "+safe" in shown


async def test_a_secret_that_was_there_before_is_no_finding_and_is_not_shown(field: Field) -> None:
    old = field.agent.commit("old", env=f"one\n{SECRET.decode()}\nthree\n")
    field.publish("main")
    await field.refresh()
    tip = field.agent.commit("new", env=f"one\n{SECRET.decode()}\nfour\n")
    held = await field.held({MAIN: (old, tip)}, field.agent.pack(tip, f"^{old}"))
    assert held.facts["leaks"] == []
    assert held.preview["refs"][0]["diff"][0]["lines"] == [
        "@@ -1,3 +1,3 @@",
        " one",
        " [vault-value]",
        "-three",
        "+four",
    ]


async def test_what_people_are_shown_is_the_same_each_time_and_small(field: Field) -> None:
    first = field.main()
    for number in range(30):
        files = {
            f"folder__file{number}-{part}.txt": "a line that is not short, so that forty of them take some room\n" * 100
            for part in range(5)
        }
        field.agent.commit(f"commit {number} " + "long " * 40, **files)
    tip = field.agent.git("rev-parse", "HEAD")
    pack = field.agent.pack(tip, f"^{first}")
    one, other = [await field.held({MAIN: (first, tip)}, pack) for _ in range(2)]
    assert one.preview == other.preview
    assert len(json.dumps(one.preview)) <= MAX_PREVIEW_BYTES * 1.1
    (shown,) = one.preview["refs"]
    assert (shown["commits_total"], shown["files_total"]) == (30, 150)
    assert shown["totals"] == {"files": 150, "added": 15000, "removed": 0, "binary": 0}
    assert one.preview["cut"] is True
    assert len(shown["commits"]) < 20
    assert "paths" in one.facts


async def test_a_small_push_is_shown_whole(field: Field) -> None:
    first = field.main()
    (field.agent.path / "README").unlink()
    field.agent.write("README", "hello\n" + "\x1b[31mred\u202e\n" + "x" * 500 + "\n")
    tip = field.agent.commit("change", blob=b"\0")
    held = await field.held({MAIN: (first, tip)}, field.agent.pack(tip, f"^{first}"))
    assert held.preview == {
        "refs": [
            {
                "ref": MAIN,
                "old": first,
                "new": tip,
                "change": "fast-forward",
                "commits": [
                    {
                        "oid": tip,
                        "author": "Bob <bob@example.com>",
                        "committer": "Bob <bob@example.com>",
                        "date": "2026-01-02T03:04:05+01:00",
                        "subject": "change",
                        "signed": False,
                    }
                ],
                "commits_total": 1,
                "files": [
                    {"path": "README", "added": 2, "removed": 0, "binary": False, "status": "M"},
                    {"path": "blob", "added": None, "removed": None, "binary": True, "status": "A"},
                ],
                "files_total": 2,
                "totals": {"files": 2, "added": 2, "removed": 0, "binary": 1},
                "diff": [
                    {
                        "path": "README",
                        "lines": ["@@ -1 +1,3 @@", " hello", "+\\u{1b}[31mred\\u{202e}", "+" + "x" * 198 + "…"],
                        "more": False,
                    },
                    {"path": "blob", "lines": [], "more": False},
                ],
            }
        ],
        "leaks": [],
        "leaks_total": 0,
        "cut": False,
    }


async def test_a_whole_history_into_an_empty_repository_is_compared_with_nothing(field: Field, tmp_path: Path) -> None:
    empty = Field(tmp_path / "empty")
    await empty.refresh()
    tip = field.agent.commit("second", a="1\n")
    held = await empty.held({MAIN: (ABSENT, tip)}, field.agent.pack(tip))
    assert held.updates[0].change.value == "create"
    assert held.facts["paths"] == [".github/workflows/ci.yml", "README", "a"]
    assert held.preview["refs"][0]["totals"]["files"] == 3


async def test_more_paths_than_can_be_listed_are_not_listed(field: Field) -> None:
    first = field.main()
    tip = field.agent.commit("many", **{f"file{number}": "" for number in range(501)})
    facts = (await field.held({MAIN: (first, tip)}, field.agent.pack(tip, f"^{first}"))).facts
    assert facts["too_many_paths"] is True
    assert facts["too_many_paths_folded"] is True
    assert "paths" not in facts
    assert facts["files"] == 501


async def test_a_history_that_is_too_long_is_only_counted(tmp_path: Path) -> None:
    for name, limits in (("commits", YardLimits(commits=2)), ("changes", YardLimits(changes=2))):
        field = await started(tmp_path / name, limits)
        first = field.main()
        for number in range(3):
            tip = field.agent.commit(f"{number}", **{f"file{number}": "x\n"})
        pack = field.agent.pack(tip, f"^{first}")
        created = await field.held({WORK: (ABSENT, tip)}, pack)
        # Compared with the default branch, and not with some commit in the middle.
        if name == "commits":
            assert [file["path"] for file in created.preview["refs"][0]["files"]] == ["file0", "file1", "file2"]
        assert created.preview["refs"][0]["commits_total"] is None
        facts = (await field.held({MAIN: (first, tip)}, pack)).facts
        assert facts["commits"] == 3
        assert facts["too_many_paths"] is True
        assert facts["leaks"] == ["too-large-to-scan"]
        assert not {"paths", "authors", "signed", "files"} & set(facts)


async def test_the_limits_are_those_of_all_ranges_together(tmp_path: Path) -> None:
    field = await started(tmp_path, YardLimits(commits=2, scan_bytes=300))
    first = field.main()
    field.publish(f"{first}:refs/heads/one", f"{first}:refs/heads/two")
    one = field.agent.commit("one", one="x\n" * 100)
    field.publish("main:refs/heads/one")
    await field.refresh()
    two, three = (field.agent.commit(name, **{name: "x\n" * 100}) for name in ("two", "three"))
    updates = {"refs/heads/one": (one, two), "refs/heads/two": (first, two)}
    held = await field.held(updates, field.agent.pack(two, f"^{one}"))
    assert (held.facts["commits"], held.facts["leaks"]) == (2, ["too-large-to-scan"])
    assert held.facts["paths"] == ["one", "two"]
    updates = {"refs/heads/one": (one, three), "refs/heads/two": (first, one), MAIN: (first, two)}
    facts = (await field.held(updates, field.agent.pack(three, f"^{one}"))).facts
    assert facts["too_many_paths"] is True


async def test_text_that_is_too_large_to_scan_is_a_finding(tmp_path: Path) -> None:
    field = await started(tmp_path, YardLimits(scan_bytes=1000, scan_file_bytes=800))
    first = field.main()
    small = field.agent.commit("small", a="x\n" * 100, b=b"\0" * 100)
    cases: dict[str, dict[str, str | bytes]] = {
        "a large file": {"c": "x\n" * 450},
        "too much text": {"c": "x\n" * 300, "d": "x\n" * 300},
        "too many binary bytes": {"c": b"\0" * 600, "d": b"\0\1" * 300},
        "a large pack": {"c": bytes((7 * i * i + i // 3) % 251 for i in range(20_000))},
    }
    held = await field.held({MAIN: (first, small)}, field.agent.pack(small, f"^{first}"))
    assert held.facts["leaks"] == []
    for name, files in cases.items():
        field.agent.git("checkout", "--quiet", "-B", "main", small)
        tip = field.agent.commit(name, **files)
        facts = (await field.held({MAIN: (first, tip)}, field.agent.pack(tip, f"^{first}"))).facts
        assert facts["leaks"] == ["too-large-to-scan"], name
        assert facts["paths"] == ["a", "b", *files], name
