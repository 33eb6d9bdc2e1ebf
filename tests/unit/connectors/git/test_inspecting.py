"""What a push would do, found out beside a real mirror; the verdicts themselves are in test_git_quarantine.py."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.base import Connection, JsonObject, UploadStream
from connectors.errors import ConnectorError, InvalidParamsError, UploadBrokenError, UpstreamRefusedError
from connectors.git.advertisement import Service
from connectors.git.inspecting import PackFile, asks_of, inspected
from connectors.git.plans import plan_push
from connectors.git.read import listing
from connectors.git.reading import alike
from connectors.inspection import Ask, Evidence, Inquiry
from tests.parts.git_wire import NEW, OLD, ZERO
from tests.parts.git_yard import CONNECTION, REPO, SECRET, Field
from tests.parts.streams import PaperUpload
from tests.unit.connectors.git.test_plans import ONE, pushed
from vault.model import CredentialRef

MAIN, WORK, IDLE = "refs/heads/main", "refs/heads/work", "refs/heads/idle"
PLACE = Connection(CONNECTION, "git", CredentialRef("git/acme"), {"url": "https://git.test"})
GUARDED = replace(PLACE, options={**PLACE.options, "protected_branches": ["ma*", "release"]})


class Repo:
    """A repository upstream with `main` and `idle`, a mirror of it, and a push to it that was not sent yet."""

    def __init__(self, folder: Path) -> None:
        self.field = Field(folder)
        agent = self.field.agent
        self.first = agent.commit("first", README="hello\n")
        self.field.publish("main", f"{self.first}:{IDLE}", f"{self.first}:refs/heads/Case")
        self.second = agent.commit("second", a="1\n")
        self.workflow = agent.commit("third", **{".GitHub__workflows__ci.yml": "on: push\n"})
        self.leak = agent.commit("fourth", **{"leak.txt": b"key:\n" + SECRET + b"\n"})
        self.pack = agent.pack(self.second, f"^{self.first}")
        self.bundle = self.bundled(self.second, MAIN)

    def bundled(self, commit: str, *refs: str) -> str:
        pack = self.field.agent.pack(commit, f"^{self.first}")
        head = "".join(f"{commit} {ref}\n" for ref in refs)
        return base64.b64encode(f"# v2 git bundle\n-{self.first}\n{head}\n".encode() + pack).decode()

    def push(self, ref: str = MAIN, old: str = "", new: str = "", **more: object) -> JsonObject:
        update = {"ref": ref, "old": old or self.first, "new": new or self.second}
        return {"repo": REPO, "updates": [update], "pack": {"upload": {}}, **more}

    @asynccontextmanager
    async def inspect(
        self, params: JsonObject, upload: UploadStream | None = None, connection: Connection = PLACE
    ) -> AsyncIterator[Evidence]:
        (ask,) = asks_of(params, connection)
        wanted, now = tuple(ask.params["refs"]), await self.field.remote.refs(Service.FETCH)
        answer = {**listing(now, wanted), "alike": alike(now.refs, wanted)}
        inquiry = Inquiry((answer,), self.field.masker, upload)
        async with inspected(self.field.yard, params, connection, inquiry) as evidence:
            yield evidence

    async def evidence(self, params: JsonObject, upload: UploadStream | None = None) -> Evidence:
        async with self.inspect(params, upload) as evidence:
            return evidence

    async def code(self, params: JsonObject, upload: UploadStream | None = None) -> str:
        with pytest.raises(ConnectorError) as caught:
            await self.evidence(params, upload)
        return getattr(caught.value, "code", type(caught.value).__name__)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    return Repo(tmp_path_factory.mktemp("inspecting"))


@pytest.fixture
async def repo(made: Repo) -> AsyncIterator[Repo]:
    await made.field.refresh()
    yield made
    assert made.field.left_behind() == []


@pytest.mark.parametrize(
    ("params", "refs"),
    [
        (pushed("create", "delete"), ["refs/heads/new", "refs/heads/old"]),
        ({"repo": REPO, "bundle": ONE}, ["refs/heads/feature/x"]),
    ],
)
def test_a_push_rests_on_the_mirror_and_on_where_its_refs_are(params: JsonObject, refs: list[str]) -> None:
    assert asks_of(params, PLACE) == (Ask("git:read", {"repo": REPO, "what": "mirror", "refs": refs}),)


@pytest.mark.parametrize("params", [{"repo": "Acme/app", "bundle": ONE}, {"repo": REPO}, {"repo": REPO, "bundle": "x"}])
def test_what_does_not_fit_asks_for_nothing(params: JsonObject) -> None:
    with pytest.raises(InvalidParamsError):
        asks_of(params, PLACE)


@pytest.mark.req("A3")
async def test_the_push_of_a_client_is_bound_to_the_very_pack_that_was_looked_at(repo: Repo) -> None:
    params = repo.push(options=["ci.skip"])
    async with repo.inspect(params, PaperUpload(repo.pack[:20], repo.pack[20:])) as evidence:
        assert evidence.upload is not None
        again = b"".join([piece async for piece in evidence.upload])
        assert (again, evidence.upload.trailers) == (repo.pack, {})
    bound = {"upload": {"bytes": len(repo.pack), "sha256": hashlib.sha256(repo.pack).hexdigest()}}
    assert evidence.params == {**params, "pack": bound}
    row = {"ref": MAIN, "old": repo.first, "new": repo.second, "change": "fast-forward"}
    assert evidence.found == {"updates": [row], "workflows": False}
    assert (evidence.facts["paths"], evidence.facts["options"]) == (["a"], ["ci.skip"])
    plan = plan_push(evidence.params, PLACE, evidence.found)
    assert [need.action for need in plan.requirements] == ["git:push"]


@pytest.mark.req("A3")
async def test_a_bundle_becomes_the_push_of_a_client_with_the_same_pack(repo: Repo) -> None:
    evidence = await repo.evidence({"repo": REPO, "bundle": repo.bundle, "options": ["x"]})
    digest = hashlib.sha256(repo.pack).hexdigest()
    params = repo.push(options=["x"], pack={"upload": {"bytes": len(repo.pack), "sha256": digest}})
    assert evidence.params == params
    assert evidence.found["updates"][0]["change"] == "fast-forward"


async def test_refs_of_a_bundle_that_are_there_already_are_left_alone(repo: Repo) -> None:
    head = f"# v2 git bundle\n-{repo.first}\n{repo.second} {MAIN}\n{repo.first} {IDLE}\n\n".encode()
    evidence = await repo.evidence({"repo": REPO, "bundle": base64.b64encode(head + repo.pack).decode()})
    assert [each["ref"] for each in evidence.params["updates"]] == [MAIN]
    assert evidence.found["updates"][1] == {"ref": IDLE, "old": repo.first, "new": repo.first, "change": "none"}
    plan = plan_push(evidence.params, PLACE, evidence.found)
    assert [need.resource for need in plan.requirements] == [
        f"repos/{REPO}/branches/{name}" for name in ("main", "idle")
    ]


async def test_a_bundle_the_host_has_all_of_pushes_nothing(repo: Repo) -> None:
    params = {"repo": REPO, "bundle": repo.bundled(repo.first, IDLE)}
    evidence = await repo.evidence(params)
    assert (evidence.params, evidence.upload, evidence.facts) == ({}, None, {})
    plan = plan_push(params, PLACE, evidence.found)
    assert (plan.upload, plan.call["changes"]) == (None, {IDLE: "none"})


@pytest.mark.req("A3")
async def test_a_deletion_has_no_pack(repo: Repo) -> None:
    params = repo.push(IDLE, new=ZERO)
    del params["pack"]
    evidence = await repo.evidence(params)
    assert (evidence.upload, evidence.params) == (None, {**params, "options": []})
    assert evidence.found["updates"][0]["change"] == "delete"
    assert plan_push(evidence.params, PLACE, evidence.found).upload is None


@pytest.mark.req("A3")
async def test_what_a_client_says_of_old_ids_is_not_believed(repo: Repo) -> None:
    for params in (repo.push(old=NEW), repo.push(old=ZERO), repo.push(WORK, old=repo.first)):
        upload = PaperUpload(repo.pack)
        assert await repo.code(params, upload) == "stale"
        assert upload.read == 0
    for expected in ({MAIN: ZERO}, {MAIN: OLD}):
        assert await repo.code({"repo": REPO, "bundle": repo.bundle, "expected": expected}) == "stale"
    evidence = await repo.evidence({"repo": REPO, "bundle": repo.bundle, "expected": {MAIN: repo.first}})
    assert evidence.found["updates"][0]["old"] == repo.first
    there = {"repo": REPO, "bundle": repo.bundled(repo.first, IDLE), "expected": {IDLE: ZERO}}
    assert (await repo.evidence(there)).found["updates"][0]["change"] == "none"


@pytest.mark.req("A3")
async def test_a_new_ref_that_differs_from_another_in_case_only_is_refused(repo: Repo) -> None:
    assert await repo.code(repo.push("refs/heads/case", old=ZERO), PaperUpload(repo.pack)) == "look-alike"
    assert await repo.code({"repo": REPO, "bundle": repo.bundled(repo.second, "refs/heads/Main")}) == "look-alike"


@pytest.mark.req("A3")
async def test_a_ref_that_is_another_name_for_a_guarded_one_is_refused(repo: Repo) -> None:
    params = repo.push(WORK, old=ZERO)
    answer = {"refs": [], "symbolic": {WORK: f"{MAIN}\x1b[2J"}}
    inquiry = Inquiry((answer,), repo.field.masker, PaperUpload(repo.pack))
    with pytest.raises(UpstreamRefusedError) as caught:
        await inspected(repo.field.yard, params, PLACE, inquiry).__aenter__()
    assert caught.value.code == "symbolic-ref"
    assert str(caught.value).isprintable()


async def test_a_pack_goes_with_updates_that_bring_something_and_with_no_others(repo: Repo) -> None:
    without = repo.push()
    del without["pack"]
    assert await repo.code(without, PaperUpload(repo.pack)) == "InvalidParamsError"
    assert await repo.code(repo.push(IDLE, new=ZERO), PaperUpload(repo.pack)) == "InvalidParamsError"
    assert await repo.code(repo.push()) == "bad-pack", "one was declared and none came"


async def test_a_pack_that_does_not_come_whole_is_told_as_broken(repo: Repo) -> None:
    assert await repo.code(repo.push(), PaperUpload(repo.pack[:50], broken="cut")) == "UploadBrokenError"


@pytest.mark.parametrize(("attribute", "workflows"), [("second", False), ("workflow", True)])
async def test_a_push_that_touches_workflows_in_any_spelling_is_told(
    repo: Repo, attribute: str, workflows: bool
) -> None:
    evidence = await repo.evidence({"repo": REPO, "bundle": repo.bundled(getattr(repo, attribute), WORK)})
    assert evidence.found["workflows"] is workflows


async def test_branches_the_operator_protects_and_the_default_one_are_told_for_people(repo: Repo) -> None:
    params = {"repo": REPO, "bundle": repo.bundled(repo.second, MAIN, WORK, "refs/tags/main")}
    async with repo.inspect(params, connection=GUARDED) as evidence:
        assert (evidence.preview["protected"], evidence.preview["head"]) == ([MAIN], MAIN)
        assert {each["ref"] for each in evidence.preview["refs"]} == {MAIN, WORK, "refs/tags/main"}


async def test_an_agent_is_told_where_a_secret_is_and_never_which(repo: Repo) -> None:
    evidence = await repo.evidence({"repo": REPO, "bundle": repo.bundled(repo.leak, WORK)})
    (note,) = evidence.notes
    assert f"in leak.txt:2, commit {repo.leak[:12]}" in note
    assert SECRET.decode() not in str((evidence.notes, evidence.facts, evidence.found))


async def test_a_pack_that_is_gone_from_the_disk_breaks_the_upload(tmp_path: Path) -> None:
    with pytest.raises(UploadBrokenError):
        await anext(aiter(PackFile(tmp_path / "none")))
