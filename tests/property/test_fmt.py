"""Formatting keeps the meaning and every comment, and a formatted file stays as it is."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from policies.document.comments import read_notes
from policies.document.nodes import to_json
from policies.document.repair import build_repaired
from policies.document.strict_yaml import decode, scalars
from policies.errors import YamlError
from policies.language.fmt import format_policy
from policies.language.loader import load_policy
from policies.language.options import OPTIONS
from policies.model import Rule, Span

RULES = ("git:read on repos/acme/*", "s3:Get*,s3:List* on data-lake/raw/*", "x:Do on *", "y:do.more,y:*.x on a/**/b")
OPTION_LINES = {
    "id": ["id: {id}", "id: '{id}'", 'id: "{id}"'],
    "description": [
        "description: why {id}",
        "description: \"it's: {id}\"",
        "description: |\n{pad}  one # {id}\n{pad}    two\n\n{pad}  three",
        "description: >-\n{pad}  folded\n{pad}  text {id}",
        "description: |2\n{pad}    far\n{pad}  near",
    ],
    "requires_approval": ["requires_approval: true"],
    "approval_channel": ["approval_channel: slack:#deploys", "approval_channel: 'ops'"],
    "approval_timeout": ["approval_timeout: 60m"],
    "approvers": ["approvers: [alice, bob]", "approvers:\n{pad}- alice\n{pad}- bob", "approvers: [alice,\n{pad}  bob]"],
    "until": ['until: "2027-01-31T18:00:00Z"', "until: '2027-01-31T18:00:00Z'"],
    "max_uses": ["max_uses: 3"],
    "returns_secrets": ["returns_secrets: true", "returns_secrets: false"],
}  # fmt: skip
NAMES = list(OPTION_LINES)


@st.composite
def comments(draw: st.DrawFn, indent: int) -> list[str]:
    """Comments and blank lines to stand above a line."""
    kinds = draw(st.lists(st.sampled_from(["", "#", "# note"]), max_size=2))
    return [f"{' ' * indent}{kind} {draw(st.integers(0, 99))}" if kind else "" for kind in kinds]


@st.composite
def items(draw: st.DrawFn, number: int, *, in_order: bool) -> list[str]:
    """The lines of one item in one of its forms, with comments."""
    rule = draw(st.sampled_from(RULES))
    form = draw(st.sampled_from(["bare", "deny", "literal", "mapping", "list", "flow"]))
    if form in {"bare", "deny"}:
        quoted = draw(st.sampled_from(["{}", '"{}"', "'{}'"]))
        return ["  - " + quoted.format(f"deny {rule}" if form == "deny" else rule)]
    if form == "flow":
        return [f'  - {{deny: ["{rule}", git:push on repos/a/b], id: i{number}}}']
    picked = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    if {"approval_channel", "approval_timeout", "approvers"} & set(picked):
        picked = ["requires_approval", *(name for name in picked if name != "requires_approval")]
    if in_order:
        picked.sort(key=OPTIONS.index)
    start = {"literal": [f"  - {rule}"], "mapping": [f"  - allow: {rule}"], "list": ["  - allow:", f"    - {rule}"]}
    lines = start[form]
    for name in picked:
        text = draw(st.sampled_from(OPTION_LINES[name])).format(id=f"i{number}", pad="    ")
        lines += [*draw(comments(4)), *f"    {text}".split("\n")]
    return lines


@st.composite
def policies(draw: st.DrawFn, *, in_order: bool) -> str:
    lines = draw(comments(0))
    top = ["version: 1", "agent: bot"]
    for line in top if in_order else draw(st.permutations(top)):
        lines += [line + draw(st.sampled_from(["", " # behind", "   #"])), *draw(comments(0))]
    lines.append("policies:" + draw(st.sampled_from(["", "  # the rules"])))
    for number in range(draw(st.integers(1, 4))):
        lines += [*draw(comments(2)), *draw(items(number, in_order=in_order))]
        if "|" not in lines[-1] and lines[-1].startswith("  - "):
            lines[-1] += draw(st.sampled_from(["", " # behind"]))
    return "\n".join([*lines, *draw(comments(draw(st.sampled_from([0, 2]))))]) + draw(
        st.sampled_from(["", "\n", "\n\n"])
    )


def meaning(data: bytes) -> list[Rule]:
    nowhere = Span("", 0)
    rules = load_policy(data, file="bot.yaml").rules
    return [replace(rule, span=nowhere, id="" if rule.id.startswith("bot-L") else rule.id) for rule in rules]


def written_comments(data: bytes) -> list[str]:
    text = build_repaired(decode(data, "bot.yaml"), "bot.yaml", OPTIONS).text
    return [note.text for note in read_notes(text, scalars(text)) if note.text]


@given(policies(in_order=False))
def test_the_formatted_file_means_the_same_and_keeps_its_comments(text: str) -> None:
    formatted = format_policy(text.encode(), "bot.yaml")
    assert format_policy(formatted, "bot.yaml") == formatted
    assert meaning(formatted) == meaning(text.encode())
    assert sorted(written_comments(formatted)) == sorted(written_comments(text.encode()))
    assert not any("not YAML" in notice.message for notice in load_policy(formatted, file="bot.yaml").notices)
    assert b"\n\n\n" not in formatted.replace(b"two\n\n", b"")
    assert not formatted.startswith(b"\n")


@given(policies(in_order=True))
def test_comments_keep_their_order_where_keys_keep_theirs(text: str) -> None:
    assert written_comments(format_policy(text.encode(), "bot.yaml")) == written_comments(text.encode())


@given(st.text(alphabet="ab:- \n#'\"[]{}|>,?0\\é", max_size=60))
def test_any_text_is_formatted_without_a_change_or_refused(text: str) -> None:
    try:
        formatted = format_policy(text.encode(), "x.yaml")
    except YamlError:
        return
    assert format_policy(formatted, "x.yaml") == formatted
    tree = build_repaired(text, "x.yaml", OPTIONS).root
    assert to_json(build_repaired(formatted.decode(), "x.yaml", ()).root) == to_json(tree)
    assert sorted(written_comments(formatted)) == sorted(written_comments(text.encode()))


@given(st.text(max_size=40), st.text(min_size=1, max_size=10).filter(lambda key: key != "b"))
def test_any_value_survives(value: str, key: str) -> None:
    escaped = "".join(f"\\U{ord(char):08x}" for char in value)
    name = "".join(f"\\U{ord(char):08x}" for char in key)
    text = f'? "{name}"\n: ["{escaped}", {{a: "{escaped}"}}]\nb: "{escaped}"\n'
    formatted = format_policy(text.encode(), "x.yaml")
    assert format_policy(formatted, "x.yaml") == formatted
