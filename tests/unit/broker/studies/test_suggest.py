from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from broker.studies import suggest as suggesting
from broker.studies.records import RecordedIntent
from broker.studies.suggest import Suggestion, suggest
from policies.engine import compile_policy
from policies.language.loader import load_policy, merge
from policies.layers import LayeredPolicy, compile_layers
from policies.model import Effect, Layer
from tests.unit.broker.studies.desk import CATALOGUE, record, stream, whole

FILE = "policies/ci.yaml"
READ = "desk:Read on sheets/a/x"
GATED = "  - allow: desk:Write on sheets/c/*   # people\n    requires_approval: true\n"


def policy_of(files: dict[str, str], agent: str = "ci") -> LayeredPolicy:
    loaded = [load_policy(text.encode(), file=name, catalogue=CATALOGUE) for name, text in files.items()]
    return compile_layers(agent, (compile_policy(merge(loaded, agent, Layer.AGENT)),))


async def suggested(files: dict[str, str], *records: RecordedIntent) -> Suggestion:
    stored = {name: text.encode() for name, text in files.items()}
    report = await suggest(stream(records), {"ci": policy_of(files)}, stored, CATALOGUE)
    json.dumps(report.to_json())
    return report.suggestions[0]


async def test_a_wide_rule_becomes_what_was_asked_for_and_the_rest_of_the_file_stays() -> None:
    text = "# mine\nversion: 1\n" + whole(
        f"  # read\n  - desk:* on sheets/*\n  - deny desk:Read on sheets/z/*\n{GATED}"
    )
    found = await suggested({FILE: text}, record(READ), record("desk:Write on sheets/b/x"))
    assert found.after == text.replace(
        "  - desk:* on sheets/*\n", "  - desk:Read on sheets/a/x\n  - desk:Write on sheets/b/x\n"
    )
    assert (found.observed, found.kept, found.inexpressible, found.notes) == (2, (), (), ())


async def test_the_diff_can_be_applied_by_the_tools_of_the_trade(tmp_path: Path) -> None:
    text = whole("  - desk:* on sheets/*\n")
    found = await suggested({FILE: text}, record(READ))
    patch = shutil.which("git")
    if patch is None:
        pytest.skip("git is not here")
    target = tmp_path / FILE
    target.parent.mkdir(parents=True)
    target.write_text(text)
    (tmp_path / "found.diff").write_text(found.diff)
    await asyncio.to_thread(subprocess.run, [patch, "apply", "found.diff"], cwd=tmp_path, check=True)
    assert target.read_text() == found.after


async def test_a_rule_nothing_needed_goes() -> None:
    found = await suggested({FILE: whole("  - desk:Read on sheets/a/x\n  - git:push on repos/*\n")}, record(READ))
    assert found.after == whole("  - desk:Read on sheets/a/x\n")


async def test_many_resources_become_a_prefix_within_the_rule() -> None:
    records = [record(f"desk:Read on sheets/a/raw/{number}") for number in range(7)]
    found = await suggested({FILE: whole("  - desk:Read on sheets/*\n")}, *records)
    assert found.after == whole("  - desk:Read on sheets/a/raw/*\n")


async def test_what_was_asked_of_people_stays_with_people() -> None:
    text = whole(f"  - desk:* on sheets/*\n{GATED}")
    found = await suggested({FILE: text}, record("desk:Write on sheets/c/x", effect=Effect.REQUIRE_APPROVAL))
    assert found.after == whole(GATED)


async def test_rules_with_conditions_stay_as_written() -> None:
    conditional = "  - allow: desk:Write on sheets/*\n    when: {source_ip: [10.0.0.0/8]}\n"
    found = await suggested({FILE: whole(f"{conditional}  - desk:Read on sheets/*\n")}, record(READ, context={}))
    assert found.after == whole(f"{conditional}  - desk:Read on sheets/a/x\n")


async def test_what_today_denies_is_not_suggested() -> None:
    text = whole("  - desk:Read on sheets/*\n  - deny desk:Read on sheets/z/*\n")
    found = await suggested({FILE: text}, record(READ), record("desk:Read on sheets/z/x"), record("git:push on x"))
    assert found.after == text.replace("desk:Read on sheets/*", READ)


async def test_a_resource_no_rule_can_name_keeps_its_rule_and_is_listed() -> None:
    text = whole("  - desk:Read on sheets/*\n")
    found = await suggested({FILE: text}, record(READ), record("desk:Read on sheets/a/x*y"))
    assert (found.after, found.diff) == (text, "")
    assert [each.resource for each in found.inexpressible] == ["sheets/a/x*y"]
    assert [each.why for each in found.kept] == ["it answers for a resource no rule can name"]


async def test_a_rule_that_says_no_more_than_was_asked_for_is_kept() -> None:
    text = whole("  - desk:Read on sheets/a/x\n")
    found = await suggested({FILE: text}, record(READ))
    assert (found.diff, found.kept[0].why) == ("", "nothing narrower covers what was asked")


async def test_a_suggestion_gives_every_record_the_answer_it_has_today() -> None:
    text = whole(f"  - desk:* on sheets/*\n  - git:push on repos/*\n  - deny desk:Read on sheets/z/*\n{GATED}")
    needs = [f"desk:Read on sheets/{room}/{name}" for room in ("a", "b", "z") for name in ("x", "y/1", "y/2")]
    needs += [f"git:push on repos/acme/app/branches/feature/{number}" for number in range(9)]
    needs += ["desk:Write on sheets/c/x", "desk:Write on sheets/d/x", "git:push on repos/acme/app/branches/main"]
    records = [record(need) for need in needs]
    found = await suggested({FILE: text}, *records)
    assert found.diff
    before, after = policy_of({FILE: text}), policy_of({FILE: found.after})
    answers = [(before.decide(each.request()).effect, after.decide(each.request()).effect) for each in records]
    assert all(old is new for old, new in answers)
    assert {old for old, _ in answers} == set(Effect)


async def test_an_agent_that_asked_for_nothing_gets_no_suggestion() -> None:
    found = await suggested({FILE: whole("  - desk:Read on sheets/*\n")})
    assert (found.diff, found.notes) == ("", ("nothing was recorded",))


async def test_shared_rules_stay_and_a_file_of_the_agents_own_is_suggested() -> None:
    shared = "agents: [c*]\n" + whole("  - desk:* on sheets/*\n")
    found = await suggested({"policies/all.yaml": shared}, record(READ))
    assert found.diff.startswith("--- /dev/null\n+++ b/policies/ci.yaml\n")
    assert found.after.endswith("agent: ci\npolicies:\n  - desk:Read on sheets/a/x\n")
    assert "policies/all.yaml" in found.notes[0]


@pytest.mark.parametrize("text", ["agents: [c*]\n" + whole("  - desk:* on sheets/*\n"), "policies: 5\n"])
async def test_a_file_that_is_not_the_agents_own_is_left_alone(text: str) -> None:
    policy = policy_of({FILE: whole("  - desk:* on sheets/*\n")})
    report = await suggest(stream([record(READ)]), {"ci": policy}, {FILE: text.encode()}, CATALOGUE)
    assert report.suggestions[0].diff == ""
    assert report.suggestions[0].notes == ("policies/ci.yaml is not the policy of this agent alone",)


async def test_a_file_whose_rules_share_lines_is_left_alone() -> None:
    found = await suggested({FILE: "policies: [desk:* on sheets/*]\n"}, record(READ))
    assert found.diff == ""
    assert "policy fmt" in found.notes[0]


async def test_more_than_is_remembered_is_not_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggesting, "MAX_KEPT", 2)
    records = [record(f"desk:Read on sheets/a/{number}") for number in range(5)]
    found = await suggested({FILE: whole("  - desk:* on sheets/*\n")}, *records)
    assert found.diff == ""
    assert "look at a shorter time" in found.notes[0]


async def test_a_suggestion_that_would_answer_otherwise_is_withdrawn() -> None:
    # The file on disk has a deny the policy in force does not have yet.
    text = whole("  - desk:* on sheets/*\n")
    newer = whole("  - desk:* on sheets/*\n  - deny desk:Read on sheets/a/*\n")
    report = await suggest(stream([record(READ)]), {"ci": policy_of({FILE: text})}, {FILE: newer.encode()}, CATALOGUE)
    assert report.suggestions[0].diff == ""
    assert "nothing is suggested" in report.suggestions[0].notes[0]


async def test_only_the_agents_asked_about_are_looked_at() -> None:
    policies = {"ci": policy_of({FILE: whole("  - desk:* on sheets/*\n")}), "bot": compile_layers("bot", ())}
    records = [record(READ), record(READ, agent="bot"), record(READ, agent="gone")]
    report = await suggest(stream(records), policies, {}, CATALOGUE, agents=["bot"])
    assert ([each.agent for each in report.suggestions], report.intents) == (["bot"], 1)
    assert report.suggestions[0].diff == ""


async def test_a_rule_that_grants_secrets_stays_and_another_one_is_not_widened_by_it() -> None:
    grant = "  - allow: desk:Read on sheets/a/*\n    returns_secrets: true\n"
    text = whole(f"  - desk:* on sheets/*\n{grant}")
    found = await suggested({FILE: text}, record(READ, returns_secrets=True), record("desk:Write on sheets/b/x"))
    assert found.after == whole(f"  - desk:Write on sheets/b/x\n{grant}")
