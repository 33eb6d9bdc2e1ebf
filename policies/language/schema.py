"""The JSON Schema of policy files, for editors: completion, and most of what the loader refuses, while one types.

What a schema cannot say is left to the loader: ids that stand twice, an ``agent`` that is not the file's name, a day no
month has, a network with bits outside its mask, and the finer faults of resources (`policies.language.rule_schema`). A
file the loader takes, in its canonical form, is always valid here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policies.conditions.facts import AGENT_ID, MAX_DEPTH, PROJECT
from policies.conditions.operands import MAX_OPERAND_CHARS, MAX_OPERANDS, MAX_STARS, RATE_CLASSES
from policies.conditions.when import MAX_CONDITIONS
from policies.conditions.windows import DAYS
from policies.conditions.zones import zone_names
from policies.document.nodes import MAX_TEXTS
from policies.language.loader import AGENT_GLOB, MAX_RULES
from policies.language.options import (
    APPROVAL_OPTIONS,
    CHANNEL,
    MAX_APPROVERS,
    MAX_DESCRIPTION_CHARS,
    MAX_TIMEOUT_SECONDS,
    MAX_USES,
    NAME,
    RULE_ID,
)
from policies.language.rule_schema import escaped, rule_expression, whole
from policies.model import Assurance, Layer
from policies.resources.catalogue import UNCHECKED, Catalogue

Schema = dict[str, object]
"""A JSON Schema, or a part of one."""

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
FILE_LAYERS: Final = (Layer.AGENT, Layer.GUARDRAIL, Layer.BOUNDARY)
"""Layers that stand in files."""

_LABEL: Final = "[a-z0-9][a-z0-9._\\/-]{0,62}"
_MOMENT: Final = (
    "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    "(?:\\.[0-9]{1,9})?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_CLOCK: Final = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_NETWORK: Final = "[0-9]{1,3}(?:\\.[0-9]{1,3}){3}(?:\\/[0-9]{1,2})?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:\\/[0-9]{1,3})?"


def policy_schema(catalogue: Catalogue = UNCHECKED, layer: Layer | None = None) -> Schema:
    """Return the schema of policy files.

    Args:
        catalogue: The actions and the types of resources that connectors offer.
        layer: Whose files it is for; None for a file of any layer.

    Raises:
        ValueError: no file stands in that layer.
    """
    if layer is not None and layer not in FILE_LAYERS:
        raise ValueError("a session's scope is no file")
    root = {"anyOf": [_ref(each.value) for each in FILE_LAYERS]} if layer is None else _ref(layer.value)
    return {
        "$schema": DIALECT,
        "title": "Ostiary policy",
        **root,
        "$defs": {
            Layer.AGENT.value: _file(
                _ref("own_item"),
                {"agent": _text(NAME.pattern), "agents": _ref("agents")},
                {"not": {"required": ["agent", "agents"]}},
            ),
            Layer.GUARDRAIL.value: _file(_ref("guarding_item"), {"agents": _ref("agents")}),
            Layer.BOUNDARY.value: _file(_ref("item"), {"project": _text(NAME.pattern)}),
            "agents": _list(_text(AGENT_GLOB.pattern), MAX_TEXTS),
            **_items(catalogue),
            **_options(),
            **_conditions(),
        },
    }


def _file(item: Schema, more: Mapping[str, Schema], rest: Mapping[str, object] | None = None) -> Schema:
    policies: Schema = {"type": "array", "items": item, "maxItems": MAX_RULES}
    return _mapping({"version": {"const": 1}, **more, "policies": policies}, ["policies"]) | dict(rest or {})


def _items(catalogue: Catalogue) -> Schema:
    rule, denial = rule_expression(catalogue), {"pattern": "^deny "}
    common: dict[str, Schema] = {name: _ref(name) for name in ("id", "description", "when", "until")}
    asking: dict[str, Schema] = {name: _ref(name) for name in APPROVAL_OPTIONS}
    deny = _mapping({"deny": _ref("rules"), **common}, ["deny"])
    allow: dict[str, Schema] = {"allow": _ref("rules"), "requires_approval": {"type": "boolean"}, **asking, **common}
    granting = {**allow, "max_uses": _ref("max_uses")}
    return {
        # The one place with the expression, which is long; the rest refers to it.
        "line": _text(f"(?:deny )?{rule}", description="action on resource, or deny action on resource"),
        "rule": {"allOf": [_ref("line"), {"not": denial}], "description": "action on resource"},
        "rules": {"anyOf": [_ref("rule"), _list(_ref("rule"), MAX_RULES, unique=False)]},
        "denial": deny,
        "item": _any_of(_ref("line"), _grant(granting), _ref("denial")),
        "own_item": _any_of(
            _ref("line"), _grant({**granting, "returns_secrets": _ref("returns_secrets")}), _ref("denial")
        ),
        "guarding_item": _any_of(
            {"allOf": [_ref("line"), denial], "description": "deny action on resource"},
            _mapping({**allow, "requires_approval": {"const": True}}, ["allow", "requires_approval"]),
            _ref("denial"),
        ),
    }


def _grant(options: Mapping[str, Schema]) -> Schema:
    """Return the schema of an item that allows; words about an approval need one."""
    return _mapping(options, ["allow"]) | {
        "if": {"anyOf": [{"required": [name]} for name in APPROVAL_OPTIONS]},
        "then": {"properties": {"requires_approval": {"const": True}}, "required": ["requires_approval"]},
    }


def _options() -> Schema:
    return {
        "id": _text(RULE_ID.pattern, description="the rule's name in reasons and events"),
        "description": {"type": "string", "maxLength": MAX_DESCRIPTION_CHARS},
        "approval_channel": _text(CHANNEL.pattern, description="a name under `channels:`"),
        "approval_timeout": _text(_timeouts(), description="as `90s`, `60m` or `24h`"),
        "approvers": _list(_text(NAME.pattern), MAX_APPROVERS),
        "assurance": {"enum": [each.value for each in Assurance]},
        "returns_secrets": {"type": "boolean", "description": "grants requests that return secrets, too"},
        "until": _ref("moment"),
        "max_uses": {"type": "integer", "minimum": 1, "maximum": MAX_USES},
        "moment": _text(_MOMENT, description="a quoted moment with its offset, as `2027-01-31T18:00:00Z`"),
    }


def _conditions() -> Schema:
    text, moment = _or_not(_one_or_many(_ref("text"))), _ref("moment")
    params = f"params(?:\\.[A-Za-z0-9_-]{{1,64}}){{1,{MAX_DEPTH}}}"
    variables = f"\\$\\{{(?:{escaped(AGENT_ID)}|{PROJECT}|session\\.{_LABEL})\\}}"
    return {
        "when": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": MAX_CONDITIONS,
            "properties": {
                "source_ip": _or_not(_one_or_many(_text(_NETWORK, description="a network, as `10.0.0.0/8`"))),
                "time": {"anyOf": [_ref("window"), _mapping({"not": _ref("window")}, ["not"])]},
                "before": moment,
                "after": moment,
                AGENT_ID: text,
                "agent.owner": text,
                PROJECT: text,
                "rate_class": _or_not(_one_or_many({"enum": list(RATE_CLASSES)})),
            },
            "patternProperties": {whole(f"session\\.{_LABEL}"): text, whole(params): _ref("param")},
            "additionalProperties": False,
        },
        "text": _text(f"(?!(?:[^*]*\\*){{{MAX_STARS + 1}}})(?:[^$]|\\$(?!\\{{)|{variables}){{1,{MAX_OPERAND_CHARS}}}")
        | {"maxLength": MAX_OPERAND_CHARS},
        "value": {
            "anyOf": [
                {"type": ["integer", "boolean"]},
                {"allOf": [_ref("text"), {"not": _text("true|false|0|-?[1-9][0-9]*")}]},
            ]
        },
        "param": {
            "anyOf": [
                _one_or_many(_ref("value")),
                _mapping(
                    {
                        "min": {"type": "integer"},
                        "max": {"type": "integer"},
                        "text": _one_or_many(_ref("text")),
                        "not": {
                            "anyOf": [
                                _one_or_many(_ref("value")),
                                _mapping({"text": _one_or_many(_ref("text"))}, ["text"]),
                            ]
                        },
                    },
                    [],
                )
                | {"minProperties": 1},
            ]
        },
        "window": _window(),
    }


def _window() -> Schema:
    days = f"(?:{'|'.join(DAYS)})"
    window = _mapping(
        {
            "days": _one_or_many(_text(f"{days}(?:-{days})?", description="as `mon-fri`")),
            "hours": _one_or_many(_text(f"{_CLOCK}-(?:{_CLOCK}|24:00)", description="as `09:00-17:00`")),
            "zone": {"enum": sorted(zone_names())},
        },
        ["zone"],
    )
    return window | {"anyOf": [{"required": ["days"]}, {"required": ["hours"]}]}


def _timeouts() -> str:
    limits = {"s": MAX_TIMEOUT_SECONDS, "m": MAX_TIMEOUT_SECONDS // 60, "h": MAX_TIMEOUT_SECONDS // 3600}
    choices = "|".join(f"0*(?:{_up_to(limit)}){unit}" for unit, limit in limits.items())
    return f"(?=[0-9]{{1,6}}[smh]$)(?:{choices})"


def _up_to(limit: int) -> str:
    """Return the expression of the numbers 1 to ``limit``, without leading zeros."""
    digits = str(limit)
    choices = [digits]
    if len(digits) > 1:
        choices.append(f"[1-9][0-9]{{0,{len(digits) - 2}}}")
    for place, digit in enumerate(digits):
        low = 1 if place == 0 else 0
        if int(digit) > low:
            choices.append(f"{digits[:place]}[{low}-{int(digit) - 1}][0-9]{{{len(digits) - place - 1}}}")
    return "|".join(choices)


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _text(expression: str, *, description: str = "") -> Schema:
    schema: Schema = {"type": "string", "pattern": whole(expression)}
    return schema | ({"description": description} if description else {})


def _mapping(properties: Mapping[str, Schema], required: list[str]) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": required,
        "additionalProperties": False,
    }


def _list(item: Schema, most: int, *, unique: bool = True) -> Schema:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": most, "uniqueItems": unique}


def _one_or_many(value: Schema) -> Schema:
    return _any_of(value, _list(value, MAX_OPERANDS, unique=False))


def _or_not(values: Schema) -> Schema:
    return _any_of(values, _mapping({"not": values}, ["not"]))


def _any_of(*choices: Schema) -> Schema:
    return {"anyOf": list(choices)}
