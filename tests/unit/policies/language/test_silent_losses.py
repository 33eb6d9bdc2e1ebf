"""Every way in which YAML would drop an approval without a word, one test each: refused, with line and column."""

from __future__ import annotations

import pytest

from policies.errors import LoadError, YamlError
from policies.language.loader import load_policy
from policies.model import Effect, ResourceType
from policies.resources.catalogue import build_catalogue

CATALOGUE = build_catalogue(
    [ResourceType("git/branch", "repos/{repo=*/*}/branches/{branch=**}", ("git:push",))],
    {name: (name,) for name in ("git:read", "git:push")},
)

HEAD = "policies:\n  - git:read on repos/*\n  - git:push on repos/*/branches/main"
ALLOW = HEAD.replace("- git:push", "- allow: git:push")

LOSSES = {
    "no space after the colon": (HEAD + "\n    requires_approval:true\n", 4, 5),
    "no space after any colon": (HEAD + "\n    requires_approval:true\n    approval_channel:x\n", 4, 5),
    "no space, below allow": (ALLOW + "\n    requires_approval:true\n", 4, 5),
    "the next rule without its dash": (HEAD + "\n    git:push on repos/x/y\n", 4, 5),
    "the option as an item of its own": (HEAD + "\n  - requires_approval: true\n", 4, 5),
    "the option one level out": (HEAD + "\n  requires_approval: true\n", 4, 3),
    "the option at column 1": (HEAD + "\nrequires_approval: true\n", 4, 1),
    "the option too deep": (HEAD + "\n      requires_approval: true\n", 4, 24),
    "duplicate keys, the last wins": (ALLOW + "\n    requires_approval: true\n    requires_approval: false\n", 5, 5),
    "duplicate policies, the last wins": (HEAD + "\npolicies: []\n", 4, 1),
    "a YAML 1.1 boolean": (ALLOW + "\n    requires_approval: yes\n", 4, 24),
    "a YAML 1.1 boolean that is no": (ALLOW + "\n    requires_approval: off\n", 4, 24),
    "a quoted boolean": (ALLOW + '\n    requires_approval: "true"\n', 4, 24),
    "a number for a boolean": (ALLOW + "\n    requires_approval: 1\n", 4, 24),
    "an empty boolean": (ALLOW + "\n    requires_approval:\n", 4, 23),
    "a misspelt option": (ALLOW + "\n    require_approval: true\n", 4, 5),
    "a misspelt option in the literal form": (HEAD + "\n    require_approval: true\n", 4, 21),
    "a capital letter in an option": (ALLOW + "\n    Requires_Approval: true\n", 4, 5),
    "a channel that is a comment": (ALLOW + "\n    requires_approval: true\n    approval_channel: #deploy\n", 5, 22),
    "a channel without the switch": (ALLOW + "\n    approval_channel: deploys\n", 4, 23),
    "a timeout without the switch": (ALLOW + "\n    approval_timeout: 60m\n", 4, 23),
    "options beside a switch that is off": (
        ALLOW + "\n    requires_approval: false\n    approval_channel: deploys\n", 5, 23,
    ),
    "a sexagesimal timeout": (ALLOW + "\n    requires_approval: true\n    approval_timeout: 1:30\n", 5, 23),
    "a timeout without a unit": (ALLOW + "\n    requires_approval: true\n    approval_timeout: 60\n", 5, 23),
    "a merge key": (
        "x: &x {requires_approval: true}\npolicies:\n  - allow: git:push on repos/*\n    <<: *x\n", 1, 4,
    ),
    "an alias": ("policies:\n  - &r git:push on repos/*\n  - *r\n", 2, 5),
    "a tag": ("policies:\n  - !deny git:push on repos/*\n", 2, 5),
    "a second document": (HEAD + "\n---\npolicies:\n  - '* on **'\n", 4, 1),
    "a tab for an indent": (HEAD + "\n\trequires_approval: true\n", 4, 1),
    "a tab between words": ("policies:\n  - git:read\ton repos/*\n", 2, 13),
    "a rule folded over two lines": ("policies:\n  - git:push on\n    repos/*\n", 3, 5),
    "a no-break space in a rule": ("policies:\n  - git:push\u00a0on repos/*\n", 2, 13),
    "a zero-width space in a rule": ("policies:\n  - git:push on repos/acme\u200b/*\n", 2, 27),
    "a zero-width space in an action": ("policies:\n  - git:pu\u200bsh on repos/*\n", 2, 11),
    "a look-alike letter in an action": ("policies:\n  - deny g\u0456t:push on repos/*\n", 2, 10),
    "a look-alike letter in a repository": ("policies:\n  - deny git:push on rep\u043es/*\n", 2, 22),
    "a line only YAML sees": (HEAD + "  # harmless\u2028  - '* on **'\n", 3, 50),
    "a rule that is a key with options": (HEAD + ":\n    requires_approval: true\n", 3, 5),
    "a rule that is a key of options": (HEAD + ":\n      requires_approval: true\n", 3, 5),
    # Research, section 1.1, row by row where it is not above.
    "a rule with a colon, options at its indent": (HEAD + ":\n    approvers: [alice]\n", 3, 5),
    "an unquoted star at the beginning": ("policies:\n  - *:read on repos/*\n", 2, 6),
    "a key that becomes a boolean": ("policies:\n  - allow: git:push on repos/*\n    on: true\n", 3, 5),
    "an agent that becomes a boolean": ("agent: no\npolicies: []\n", 1, 8),
    "a timeout that becomes octal": (ALLOW + "\n    requires_approval: true\n    approval_timeout: 010\n", 5, 23),
    "a number with underscores": (ALLOW + "\n    requires_approval: true\n    max_uses: 12_000\n", 5, 15),
    "an at sign at the beginning": ("policies:\n  - @deploy on repos/*\n", 2, 5),
    "a percent sign at the beginning": ("policies:\n  - %deploy on repos/*\n", 2, 5),
    "an exclamation mark for a denial": ("policies:\n  - !git:push on repos/*\n", 2, 5),
    "a class of characters in a flow list": ("policies: [git:push on repos/[ab]*]\n", 1, 35),
    "options in braces with a tab": (HEAD + "\n  - {allow: x:y on z,\trequires_approval: true}\n", 4, 22),
    # The options that came later.
    "no space after the colon of approvers": (ALLOW + "\n    requires_approval: true\n    approvers:[alice]\n", 5, 5),
    "approvers without the switch": (ALLOW + "\n    approvers: [alice]\n", 4, 16),
    "nobody may approve": (ALLOW + "\n    requires_approval: true\n    approvers: []\n", 5, 16),
    "approvers that are a comment": (ALLOW + "\n    requires_approval: true\n    approvers: #alice\n", 5, 15),
    "an assurance without the switch": (ALLOW + "\n    assurance: passkey\n", 4, 16),
    "an empty assurance": (ALLOW + '\n    requires_approval: true\n    assurance: ""\n', 5, 16),
    "a misspelt assurance": (ALLOW + "\n    requires_approval: true\n    assurance: pass-key\n", 5, 16),
    "an end that is a date": (ALLOW + "\n    until: 2027-01-31\n", 4, 12),
    "an end without an offset": (ALLOW + '\n    until: "2027-01-31T18:00:00"\n', 4, 12),
    "an empty end": (ALLOW + '\n    until: ""\n', 4, 12),
    "an end that is a comment": (ALLOW + "\n    until: #2027-01-31T18:00:00Z\n", 4, 11),
    "an end of its own": (HEAD + '\n  - until: "2027-01-31T18:00:00Z"\n', 4, 5),
    "an end one level out": (HEAD + '\n  until: "2027-01-31T18:00:00Z"\n', 4, 3),
    "no uses at all": (ALLOW + "\n    max_uses: 0\n", 4, 15),
    "a quoted number of uses": (ALLOW + '\n    max_uses: "3"\n', 4, 15),
    "uses at column 1": (HEAD + "\nmax_uses: 3\n", 4, 1),
    "conditions that are a comment": (ALLOW + "\n    when: #weekdays\n", 4, 10),
    "conditions of their own": (HEAD + "\n  - when: {project: shop}\n", 4, 5),
    "a condition beside when": (ALLOW + "\n    source_ip: [10.0.0.0/8]\n", 4, 5),
    "a condition given twice": (ALLOW + "\n    when: {project: a, project: b}\n", 4, 24),
    "a condition without its space": (ALLOW + "\n    when:\n      project:shop\n", 5, 7),
    "a quoted boolean to compare with": (ALLOW + '\n    when: {params.force: "false"}\n', 4, 26),
}  # fmt: skip


@pytest.mark.req("P1")
@pytest.mark.parametrize("loss", LOSSES)
def test_no_approval_is_lost_in_silence(loss: str) -> None:
    text, line, column = LOSSES[loss]
    with pytest.raises((LoadError, YamlError)) as caught:
        load_policy(text.encode(), file="policies/a.yaml", catalogue=CATALOGUE)
    assert (caught.value.findings[0].line, caught.value.findings[0].column) == (line, column), str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "\n    requires_approval: true\n",
        HEAD + "   \n    requires_approval: true\n",
        HEAD + "  # production\n    requires_approval: true\n",
        HEAD + "\n    # a comment between\n\n  # and another\n    requires_approval: true\n",
        (HEAD + "\n    requires_approval: true\n").replace("\n", "\r\n"),
        ALLOW + "\n    requires_approval: true\n",
        HEAD
        + "\n    description: |\n      - x:y on z\n        requires_approval: false\n    requires_approval: true\n",
        HEAD.replace("  -", "-") + "\n  requires_approval: true\n",
        "\ufeff" + HEAD + "\n    requires_approval: true\n",
    ],
)
def test_the_literal_form_asks_in_all_its_spellings(text: str) -> None:
    rules = load_policy(text.encode(), file="policies/a.yaml", catalogue=CATALOGUE).policy.rules
    assert [rule.effect for rule in rules] == [Effect.ALLOW, Effect.REQUIRE_APPROVAL]
