from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.document.nodes import to_json
from policies.document.repair import MAX_REPAIRS, build_repaired
from policies.document.strict_yaml import UnparsableError
from policies.errors import YamlError
from policies.language.loader import load_policy
from policies.language.options import OPTIONS

RULES = st.sampled_from(["git:read on repos/*", "deny git:push on repos/a/b", "ecs:X on arn:aws:ecs:*:*:service/p-*"])
EXTRAS = st.sampled_from(
    ["requires_approval: true", "approval_channel: slack:#x", "id: a", "approval_timeout: 60m",
     "description: |\n      - a:b on c\n        requires_approval: true"]
)  # fmt: skip


@st.composite
def pairs_of_forms(draw: st.DrawFn) -> tuple[str, str, int]:
    """The literal form, the canonical form of the same items, and how many need a repair."""
    literal, canonical, repairs = ["policies:"], ["policies:"], 0
    for _ in range(draw(st.integers(1, 5))):
        rule = draw(RULES)
        extras = draw(st.lists(EXTRAS, max_size=3, unique_by=lambda extra: extra.partition(":")[0]))
        word, _, rest = rule.partition(" ") if rule.startswith("deny ") else ("allow", "", rule)
        between = draw(st.sampled_from(["", "\n    # between", "\n"])) if extras else ""
        literal.append(f"  - {rule}{between}")
        canonical.append(f"  - {word}: {rest}{between}" if extras else f"  - {rule}")
        literal += [f"    {extra}" for extra in extras]
        canonical += [f"    {extra}" for extra in extras]
        repairs += bool(extras)
    return "\n".join(literal) + "\n", "\n".join(canonical) + "\n", repairs


@given(pairs_of_forms())
def test_the_literal_form_reads_as_the_canonical_one(forms: tuple[str, str, int]) -> None:
    literal, canonical, repairs = forms
    mended, plain = build_repaired(literal, "x", OPTIONS), build_repaired(canonical, "x", OPTIONS)
    assert to_json(mended.root) == to_json(plain.root)
    assert (len(mended.lines), plain.lines) == (repairs, ())


def test_the_same_words_inside_a_text_block_stay_text() -> None:
    text = "description: |\n  - a:b on c\n    requires_approval: true\npolicies:\n  - a:b on c\n    id: x\n"
    repaired = build_repaired(text, "x", OPTIONS)
    assert to_json(repaired.root) == {
        "description": "- a:b on c\n  requires_approval: true\n",
        "policies": [{"allow": "a:b on c", "id": "x"}],
    }
    assert repaired.lines == (5,)


@pytest.mark.parametrize(
    "text",
    [
        "policies:\n  - a:b on c\n    unknown: true\n",
        "policies:\n  - a:b on c\n      id: x\n",
        "policies:\n  - a:b on c\n   id: x\n",
        'policies:\n  - "a:b on c"\n    id: x\n',
        "policies:\n  - a:b on c d\n    id: x\n",
        "policies:\n  - allow: a:b: c\n    id: x\n",
        "id: a\n  id: b\n",
        "- [\n",
    ],
)
def test_what_is_no_literal_form_stays_an_error(text: str) -> None:
    with pytest.raises(UnparsableError):
        build_repaired(text, "x", OPTIONS)


def test_the_number_of_repairs_is_bounded() -> None:
    item = "  - a:b on c\n    id: x\n"
    assert len(build_repaired("policies:\n" + item * 40, "x", OPTIONS).lines) == 40
    with pytest.raises(YamlError, match="not valid YAML"):
        load_policy(("policies:\n" + item * (MAX_REPAIRS + 1)).encode(), file="a.yaml")
