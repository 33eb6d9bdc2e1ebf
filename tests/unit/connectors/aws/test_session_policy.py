"""What a session policy allows is what the requirements name: judged by an evaluator of IAM's policy language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.aws.catalogue.place import UNKNOWN
from connectors.aws.session_policy import MAX_POLICY_CHARS, session_policy
from connectors.errors import InvalidParamsError
from policies.model import Requirement

_VARIABLES = {"${*}": "*", "${?}": "?", "${$}": "$"}


def allows(policy: str, action: str, resource: str) -> bool:
    """Tell whether a policy allows an action on a resource, as IAM does (IAM user guide, policy elements).

    Only what session policies of ours may hold is known: statements that allow, actions in any case, resources with
    wildcards and the three variables that stand for special characters. Anything else is a fault of the test.
    """
    document = json.loads(policy)
    assert set(document) == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    found = False
    for statement in document["Statement"]:
        assert set(statement) == {"Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        actions = [named.lower() for named in _listed(statement["Action"])]
        found |= action.lower() in actions and any(_fits(one, resource) for one in _listed(statement["Resource"]))
    return found


def _listed(value: str | list[str]) -> list[str]:
    assert value, "an empty list is not in the language"
    return [value] if isinstance(value, str) else value


def _fits(pattern: str, resource: str) -> bool:
    return re.fullmatch("".join(_tokens(pattern)), resource, re.DOTALL) is not None


def _tokens(pattern: str) -> Iterator[str]:
    at = 0
    while at < len(pattern):
        variable = pattern[at : at + 4]
        if variable in _VARIABLES:
            yield re.escape(_VARIABLES[variable])
            at += 4
            continue
        assert not pattern.startswith("${", at), "an unknown variable"
        yield {"*": ".*", "?": "."}.get(pattern[at]) or re.escape(pattern[at])
        at += 1


ACTIONS = ["s3:GetObject", "s3:PutObject", "sqs:SendMessage", "ec2:RunInstances"]
NAMES = st.text("ab*?$/{}\\\u00e9\u4e00\x00", min_size=1, max_size=6)
RESOURCES = NAMES.map("arn:aws:s3:::lake/{}".format) | st.sampled_from(["*", UNKNOWN, "arn:aws:sqs:eu-west-1:1:jobs"])
NEEDS = st.lists(st.builds(Requirement, st.sampled_from(ACTIONS), RESOURCES), min_size=1, max_size=5)


def named(need: Requirement, action: str, resource: str) -> bool:
    """Tell whether a requirement names an action on a resource; the plain meaning, without IAM."""
    if need.action != action:
        return False
    parts = [re.escape(part) for part in need.resource.split(UNKNOWN)]
    return need.resource == "*" or re.fullmatch(".*".join(parts), resource, re.DOTALL) is not None


@pytest.mark.req("V1")
@given(needs=NEEDS, action=st.sampled_from(ACTIONS), resource=RESOURCES, extra=st.sets(st.just("s3:ListBucket")))
def test_a_session_may_do_what_is_required_and_nothing_else(
    needs: list[Requirement], action: str, resource: str, extra: set[str]
) -> None:
    policy = session_policy(needs, extra)
    for need in needs:
        assert allows(policy, need.action, need.resource.replace(UNKNOWN, "what/it:is"))
        for other in needs:
            wanted = any(named(one, need.action, other.resource) for one in needs)
            assert allows(policy, need.action, other.resource) == wanted
    assert allows(policy, action, resource) == any(named(need, action, resource) for need in needs)
    assert allows(policy, "s3:ListBucket", resource) == bool(extra)
    assert not allows(policy, "s3:DeleteObject", resource)


@given(needs=NEEDS, order=st.randoms())
def test_the_same_requirements_give_the_same_text_in_any_order(needs: list[Requirement], order: object) -> None:
    shuffled = sorted(needs, key=lambda _: order.random())  # type: ignore[attr-defined]  # hypothesis' own source
    assert session_policy(shuffled + needs) == session_policy(needs)
    assert set(session_policy(needs)) <= {chr(code) for code in range(0x20, 0x7F)}


def test_resources_of_the_same_actions_share_a_statement() -> None:
    needs = [Requirement(action, f"arn:aws:s3:::lake/{key}") for action in ACTIONS[:2] for key in "ba"]
    assert session_policy(needs) == (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],'
        '"Resource":["arn:aws:s3:::lake/a","arn:aws:s3:::lake/b"]}]}'
    )


def test_special_characters_are_themselves_and_unknown_parts_are_any() -> None:
    need = Requirement("s3:GetObject", f"arn:aws:s3:::lake/${{aws:username}}/*?/{UNKNOWN}")
    statement = json.loads(session_policy([need]))["Statement"][0]
    assert statement["Resource"] == "arn:aws:s3:::lake/${$}{aws:username}/${*}${?}/*"


def test_more_than_sts_takes_is_refused_with_a_way_out() -> None:
    needs = [Requirement("s3:DeleteObject", f"arn:aws:s3:::lake/{number:040}") for number in range(60)]
    with pytest.raises(InvalidParamsError) as caught:
        session_policy(needs)
    assert caught.value.fix
    assert len(session_policy(needs[:28])) <= MAX_POLICY_CHARS


def test_no_requirement_is_not_everything() -> None:
    with pytest.raises(InvalidParamsError):
        session_policy([])
