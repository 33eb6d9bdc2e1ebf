"""AWS Step Functions: state machines, their versions and aliases, and executions, all by ARN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, Kind, as_given
from connectors.aws.catalogue.overrides.kms import uses_key
from connectors.aws.catalogue.overrides.passing import passes
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import given, says
from connectors.aws.catalogue.place import Params, Place

_STATES: Final = Service("stepfunctions", "states")
_NEW_MACHINE, _NEW_ACTIVITY = Kind("states", "stateMachine:{}"), Kind("states", "activity:{}")
MACHINE: Final = Kind("states", "stateMachine:{}", form=ARN_ONLY)
_ACTIVITY: Final = Kind("states", "activity:{}", form=ARN_ONLY)
_EXECUTION: Final = Kind("states", "execution:{}", form=ARN_ONLY, types=("express:",))
_MAP_RUN: Final = Kind("states", "mapRun:{}", form=ARN_ONLY)
_AT: Final = MACHINE.at("stateMachineArn")
_MADE: Final = _NEW_MACHINE.at("name")
_COLONS: Final = 6
"""In the ARN of a state machine; that of a version has one more."""


def _routed(params: Params, place: Place) -> Iterator[str]:
    """Return the state machines whose versions an alias leads to."""
    for version in MACHINE.at("routingConfiguration[].stateMachineVersionArn")(params, place):
        yield version.rpartition(":")[0] if version.count(":") > _COLONS else version


TABLE: Final[Rows] = merged(
    _STATES.each(
        "DeleteStateMachine DescribeStateMachine ListStateMachineAliases ListStateMachineVersions "
        "PublishStateMachineVersion StartExecution StartSyncExecution",
        _AT,
    ),
    _STATES.each(
        "CreateStateMachine",
        _MADE,
        more=(
            *passes("roleArn"),
            Need("states:TagResource", _MADE, given("tags")),
            Need("states:PublishStateMachineVersion", _MADE, says("publish", value=True)),
            *uses_key("encryptionConfiguration.kmsKeyId", "DescribeKey", "GenerateDataKey"),
        ),
    ),
    _STATES.each(
        "UpdateStateMachine",
        _AT,
        more=(
            *passes("roleArn"),
            Need("states:PublishStateMachineVersion", _AT, says("publish", value=True)),
            *uses_key("encryptionConfiguration.kmsKeyId", "DescribeKey", "GenerateDataKey"),
        ),
    ),
    _STATES.each("CreateStateMachineAlias", _routed),
    _STATES.each(
        "DeleteStateMachineAlias DescribeStateMachineAlias UpdateStateMachineAlias", MACHINE.at("stateMachineAliasArn")
    ),
    _STATES.each("DeleteStateMachineVersion", MACHINE.at("stateMachineVersionArn")),
    _STATES.each(
        "DescribeExecution DescribeStateMachineForExecution GetExecutionHistory ListMapRuns RedriveExecution "
        "StopExecution",
        _EXECUTION.at("executionArn"),
    ),
    _STATES.row(
        "ListExecutions",
        Need("states:ListExecutions", MACHINE.where("stateMachineArn")),
        Need("states:ListExecutions", _MAP_RUN.where("mapRunArn")),
    ),
    _STATES.each("DescribeMapRun UpdateMapRun", _MAP_RUN.at("mapRunArn")),
    _STATES.each("CreateActivity", _NEW_ACTIVITY.at("name")),
    _STATES.each("DeleteActivity DescribeActivity GetActivityTask", _ACTIVITY.at("activityArn")),
    _STATES.each(
        "TestState", more=(*passes("roleArn"), Need("states:RevealSecrets", when=says("revealSecrets", value=True)))
    ),
    _STATES.each("SendTaskFailure SendTaskHeartbeat SendTaskSuccess"),
    _STATES.each("ListTagsForResource TagResource UntagResource", as_given("states", "resourceArn")),
)
