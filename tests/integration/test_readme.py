"""README.md is true line by line: its path is walked as it is written, and what it names is there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.parts.git_server import GitServer, git_server
from tests.parts.github import ADMIN_TOKEN, Hub, github_hub
from tests.parts.llm_providers import KEYS, Providers
from tests.parts.llm_script import Provider
from tests.parts.moto import Moto, moto_server
from tests.parts.page import Terminal, blocks, section
from tests.parts.up import ROOT, Up, data_folder, eventually

PAGE = (ROOT / "README.md").read_text("utf-8")
PATH = section(PAGE, "Ten minutes to your own account and repository")
CONTENT = b"order,amount\n1001,42\n"
REPO = "acme/app"
MAIN = "refs/heads/main"
LANDED = "OSTIARY_TOKEN=ost_s_… git -C app push origin feature/hello:main"


@dataclass(frozen=True)
class World:
    """A reader's machine, account, git host and models."""

    house: Up
    moto: Moto
    git: GitServer
    hub: Hub
    models: Providers


@pytest.fixture
def world() -> Iterator[World]:
    with (
        # Nobody answers while the page's reader waits, so they wait for a second here and not for 45.
        data_folder(OSTIARY_WIRE_APPROVAL_WAIT_SECONDS="1") as house,
        moto_server({"data-lake": {"raw/x.csv": CONTENT}}) as moto,
        git_server(house.folder / "srv") as git,
        github_hub() as hub,
        Providers() as models,
    ):
        # The page starts it in the checkout, where the bootstrap has made `.venv`.
        house.data = house.folder / "ostiary-data"
        (house.folder / ".venv").symlink_to(sys.prefix)
        git.create_repo(REPO)
        git.seed_repo(REPO)
        hub.commit("feature/hello", {"HELLO.md": "hello\n"})
        yield World(house, moto, git, hub, models)


def terminal(world: World) -> Terminal:
    """The second terminal of the path, and the values only its reader knows."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(world.house.folder), "LANG": "C.UTF-8"}
    for who in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{who}_NAME": "Ada", f"GIT_{who}_EMAIL": "ada@example.com"}
    own = {
        "123456789012": world.moto.account,
        "# endpoint: https://minio.example.com:9000 (for an S3 that is not AWS itself)": (
            f"endpoint: {world.moto.endpoint}"
        ),
        "https://github.com": world.git.url,
        "https://api.github.com": world.hub.url,
        "*.amazonaws.com": urlsplit(world.moto.endpoint).netloc,
        "--host github.com": f"--host {urlsplit(world.git.url).netloc}",
        "--host api.github.com": f"--host {urlsplit(world.hub.url).netloc}",
        "speaks: anthropic}": f'speaks: anthropic, url: "{world.models.url}"}}',
        "--host api.anthropic.com": f"--host {urlsplit(world.models.url).netloc}",
        "http://127.0.0.1:8700": world.house.ready["url"],
    }
    assert all(example in PATH for example in own)
    return Terminal(world.house.folder, environment, own)


def walk(world: World) -> dict[str, str]:
    """Do what the path says, in its order; return what each line printed."""
    first, *rest = blocks(PATH)
    assert first.lines == ["python3 deploy/bootstrap.py up"]
    world.house.start()
    shell = terminal(world)
    fields = {
        "aws/lake": {"access_key_id": world.moto.access_key, "secret_access_key": world.moto.secret_key},
        "git/code": {"username": "ada", "password": world.git.rw_token},
        "github/hub": {"token": ADMIN_TOKEN},
        "llm/anthropic": {"token": KEYS[Provider.ANTHROPIC]},
    }
    said = {}
    for block in rest:
        if block.kind == "yaml":
            name = re.findall(r"`(ostiary-data/config/\S+\.yaml)`", block.before)[-1]
            (world.house.folder / name).write_text(shell.fill_in(block.text))
            continue
        if block.kind == "python":
            name = re.findall(r"`(\w+\.py)`", block.before)[-1]
            (world.house.folder / name).write_text(block.text)
            continue
        assert block.kind == "sh"
        for line in block.lines:
            if line == LANDED:  # a worker is at it
                eventually(lambda: len(set(world.git.refs(REPO).values())) == 1)
            ref = next((ref for ref in fields if f"vault put {ref} " in line), "")
            said[line] = shell.type(line, json.dumps(fields[ref]) if ref else "")
    return said


@pytest.mark.req("O1", "A1", "A3", "A4", "A5", "L1", "P1", "P2", "H1", "H2", "H3", "S1", "S2", "E1", "E2", "V1", "V2")
def test_the_ten_minute_path_works_as_it_is_written(world: World) -> None:
    said = walk(world)

    folder, refs = world.house.folder, world.git.refs(REPO)
    assert (folder / "x.csv").read_bytes() == (folder / "y.csv").read_bytes() == CONTENT
    assert world.moto.client().list_objects_v2(Bucket="data-lake")["KeyCount"] == 1
    head = subprocess.check_output(["git", "-C", str(folder / "app"), "rev-parse", "HEAD"], text=True).strip()
    assert (refs["refs/heads/feature/hello"], refs[MAIN]) == (head, head)
    assert said[LANDED].strip() == "Everything up-to-date"
    assert "+hello" in said["ostiary approvals show apr_…"]
    assert "remote: ostiary: policy denies `git:delete-ref`" in "\n".join(said.values())
    assert [pull["head"]["ref"] for pull in world.hub.get(f"/repos/{REPO}/pulls")] == ["feature/hello"]
    assert said["python3 ask.py"].strip() == world.models.reply.text
    assert re.search(r"claude-haiku-4-5 .* 1 ", said["ostiary usage --agent ci-runner"])
    assert "agent/ci-runner/max_cost_per_day" in said["ostiary budget list --agent ci-runner"]
    assert "denied" in said["ostiary alerts list"]
    assert "looks odd" in said["ostiary halts"]
    story = said["ostiary session replay ses_…"]
    order = ["session.started", "intent.denied", "intent.parked", "approval.approved", "intent.succeeded"]
    places = [story.rindex(event) for event in order]
    assert places == sorted(places)
    assert re.search(r"^ok +true$", said["ostiary audit verify"], re.MULTILINE)
    everything = "\n".join(said.values())
    assert world.moto.secret_key not in everything
    assert world.git.rw_token not in everything
    assert ADMIN_TOKEN not in everything
    assert KEYS[Provider.ANTHROPIC] not in everything
    assert world.house.process.wait() == 0
    assert world.house.left() == []


@pytest.mark.req("O1")
def test_what_up_prints_can_be_typed_with_the_untouched_starter(world: World) -> None:
    world.house.start()
    eventually(lambda: "--dry-run\n" in world.house.said)
    # What its processes log may follow.
    said = world.house.said.partition("next, in another terminal:\n")[2].splitlines()
    put, start, ask = (line.strip() for line in said[:3])
    environment = {"PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "HOME": str(world.house.folder)}
    shell = Terminal(world.house.folder, environment, {"OSTIARY_TOKEN=TOKEN": "OSTIARY_TOKEN=ost_s_…"})
    shell.type(put, json.dumps({"access_key_id": "AKIAEXAMPLE", "secret_access_key": "s" * 40}))
    shell.type(start)
    assert '"effect": "allow"' in shell.type(ask)


def test_the_two_commands_are_what_ci_and_the_tour_run() -> None:
    [block] = blocks(section(PAGE, "Two commands"))
    assert block.lines == ["python3 deploy/bootstrap.py tour", "python3 deploy/bootstrap.py test"]
    assert f"exec {block.lines[1]} " in (ROOT / ".ci" / "run").read_text()
    usage = subprocess.check_output([sys.executable, "deploy/bootstrap.py", "--help"], cwd=ROOT, text=True)
    named = re.findall(r"`python3 deploy/bootstrap\.py (\w+)", PAGE)
    for name in ["tour", "test", "up", *named]:
        assert re.search(rf"^  {name} ", usage, re.MULTILINE), name
    assert (ROOT / "deploy" / "tour" / "__main__.py").is_file()


def test_every_room_of_the_map_is_there_and_every_room_is_on_it() -> None:
    rooms = re.findall(r"`([a-z/]+/)`", section(PAGE, "Map of the rooms"))
    assert [room for room in rooms if not (ROOT / room).is_dir()] == []
    assert {room.partition("/")[0] for room in rooms} == {path.parent.name for path in ROOT.glob("*/__init__.py")} | {
        "tests"
    }


def test_every_link_of_the_page_leads_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", PAGE)
    assert len(targets) > 10
    assert [target for target in targets if not Path(ROOT / target).exists()] == []
