"""Amazon ECS: services and tasks under their cluster, which is ``default`` when none is named.

ARNs are in the long form, ``service/<cluster>/<service>``. An ARN in the old form has no cluster in it; the one of the
request is put in, because that is where ECS looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, Kind, Resources, as_given, read_arn, segment
from connectors.aws.catalogue.overrides.passing import passes, passes_some_role
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import found, given, text
from connectors.aws.catalogue.place import ANY, UNKNOWN, Params, Place

_ECS: Final = Service("ecs", "ecs")
_DEFAULT: Final = "default"
CLUSTER: Final = Kind("ecs", "cluster/{}")
_CAPACITY: Final = Kind("ecs", "capacity-provider/{}")
_CLUSTER: Final = CLUSTER.at("cluster", _DEFAULT)


def inside(kind: str, path: str, cluster: str = "cluster") -> Resources:
    """Return what stands at a path and lives in a cluster.

    Args:
        kind: ``service``, ``task``, ``container-instance``.
        path: Of names, ids or ARNs.
        cluster: Of the cluster's name or ARN.
    """
    whole = Kind("ecs", f"{kind}/{{}}", form=ARN_ONLY)

    def resources(params: Params, place: Place) -> Iterator[str]:
        # A cluster in another account or region takes what is in it along.
        home, _, name = CLUSTER.read(params.get(cluster) or _DEFAULT, place, cluster).rpartition(":cluster/")
        for value in found(params, path) or [None]:
            arn = None if value is None else read_arn(text(value, path), path)
            if arn is None:
                yield f"{home}:{kind}/{name}/{segment(value, path)}"
                continue
            head, _, rest = whole.whole(arn, path).partition(f":{kind}/")
            yield f"{head}:{kind}/{rest if '/' in rest else f'{name}/{rest}'}"
            if "/" in rest and given(cluster)(params) and rest.partition("/")[0] != name:
                yield f"{home}:{kind}/{name}/{rest.rpartition('/')[2]}"

    return resources


def _definitions(path: str = "taskDefinition") -> Resources:
    """Return task definitions; without a revision the newest is meant, whose number is unknown."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        for value in found(params, path) or [None]:
            if value is not None and value != "":
                arn = read_arn(text(value, path), path)
                if arn is not None:
                    yield _revision(_DEFINITION.whole(arn, path))
                    continue
            family, _, revision = (value or UNKNOWN).partition(":")
            known = segment(family, path) if family != UNKNOWN else UNKNOWN
            yield f"{_DEFINITION.named(place, known)}:{segment(revision, path)}"

    return resources


def _revision(arn: str) -> str:
    return arn if ":" in arn.rpartition("task-definition/")[2] else f"{arn}:{UNKNOWN}"


def _registered(params: Params, place: Place) -> Iterator[str]:
    """Return the revision that is made, whose number AWS chooses."""
    yield f"{_DEFINITION.named(place, segment(params.get('family'), 'family'))}:*"


def _task_sets(path: str) -> Resources:
    def resources(params: Params, place: Place) -> Iterator[str]:
        for service in _SERVICE(params, place):
            for value in found(params, path) or [None]:
                arn = None if value is None else read_arn(text(value, path), path)
                if arn is not None:
                    yield _TASK_SET.whole(arn, path)
                else:
                    yield f"{service.replace(':service/', ':task-set/')}/{segment(value, path)}"

    return resources


def _new_task_set(params: Params, place: Place) -> Iterator[str]:
    for service in _SERVICE(params, place):
        yield f"{service.replace(':service/', ':task-set/')}/{ANY}"


_DEFINITION: Final = Kind("ecs", "task-definition/{}", form=ARN_ONLY)
_TASK_SET: Final = Kind("ecs", "task-set/{}", form=ARN_ONLY)
_SERVICE: Final = inside("service", "service")
_TASK: Final = inside("task", "task")
_INSTANCE: Final = inside("container-instance", "containerInstance")
_TARGETS: Final = inside("container-instance", "attributes[].targetId")
_BY_SERVICE_ARN: Final = inside("service", "serviceArn")

_CLUSTERS: Final[Rows] = merged(
    _ECS.each(
        "CreateCluster",
        CLUSTER.at("clusterName", _DEFAULT),
        more=(Need("ecs:TagResource", CLUSTER.at("clusterName", _DEFAULT), given("tags")),),
    ),
    _ECS.each(
        "DeleteCluster DeregisterContainerInstance ListAttributes ListContainerInstances PutClusterCapacityProviders "
        "RegisterContainerInstance SubmitAttachmentStateChanges SubmitContainerStateChange SubmitTaskStateChange "
        "UpdateCluster UpdateClusterSettings",
        _CLUSTER,
    ),
    _ECS.each("DescribeClusters", CLUSTER.at("clusters[]", _DEFAULT)),
    _ECS.each(
        "DescribeContainerInstances UpdateContainerInstancesState", inside("container-instance", "containerInstances[]")
    ),
    _ECS.each("UpdateContainerAgent", _INSTANCE),
    _ECS.each("DeleteAttributes PutAttributes", _TARGETS),
    _ECS.each("DeleteCapacityProvider", _CAPACITY.at("capacityProvider")),
    _ECS.each("DescribeCapacityProviders", _CAPACITY.at("capacityProviders[]")),
    _ECS.each(
        "CreateCapacityProvider UpdateCapacityProvider",
        _CAPACITY.at("name"),
        more=passes("managedInstancesProvider.infrastructureRoleArn"),
    ),
    _ECS.each("ListTagsForResource TagResource UntagResource", as_given("ecs", "resourceArn")),
)

# What runs gets the roles of its task definition, which are not in the request.
_RUNS: Final = (
    passes_some_role(),
    *passes("overrides.taskRoleArn", "overrides.executionRoleArn"),
)
_DEPLOYS: Final = (
    passes_some_role(given("taskDefinition")),
    *passes("role", "volumeConfigurations[].managedEBSVolume.roleArn"),
)

_SERVICES: Final[Rows] = merged(
    _ECS.each("CreateService", inside("service", "serviceName"), more=_DEPLOYS),
    _ECS.each("UpdateService", _SERVICE, more=_DEPLOYS),
    _ECS.each("DeleteService ListServiceDeployments UpdateServicePrimaryTaskSet", _SERVICE),
    _ECS.each("DescribeServices", inside("service", "services[]")),
    _ECS.each("DeleteExpressGatewayService DescribeExpressGatewayService", _BY_SERVICE_ARN),
    _ECS.each(
        "CreateExpressGatewayService",
        inside("service", "serviceName"),
        more=passes("executionRoleArn", "infrastructureRoleArn", "taskRoleArn"),
    ),
    _ECS.each("UpdateExpressGatewayService", _BY_SERVICE_ARN, more=passes("executionRoleArn", "taskRoleArn")),
    _ECS.each("CreateTaskSet", _new_task_set, more=(passes_some_role(),)),
    _ECS.each("DeleteTaskSet UpdateTaskSet", _task_sets("taskSet")),
    _ECS.each("DescribeTaskSets", _task_sets("taskSets[]")),
)

_TASKS: Final[Rows] = merged(
    _ECS.each(
        "RunTask StartTask", _definitions(), more=(*_RUNS, *passes("volumeConfigurations[].managedEBSVolume.roleArn"))
    ),
    _ECS.each("StopTask", _TASK),
    _ECS.each("DescribeTasks GetTaskProtection UpdateTaskProtection", inside("task", "tasks[]")),
    _ECS.each("ExecuteCommand", _CLUSTER, _TASK),
    _ECS.each("ListTasks", inside("container-instance", "containerInstance")),
    _ECS.each(
        "RegisterTaskDefinition",
        _registered,
        more=(*passes("taskRoleArn", "executionRoleArn"), Need("ecs:TagResource", _registered, given("tags"))),
    ),
    _ECS.each("DeleteTaskDefinitions", _definitions("taskDefinitions[]")),
)

TABLE: Final[Rows] = merged(_CLUSTERS, _SERVICES, _TASKS)
