"""The policy files of a folder to the layers that decide for each agent.

    policies/NAME.yaml               the policy of agent NAME, or of the agents its `agents:` names
    policies/guardrails/NAME.yaml    forbids and asks, for every agent or those its `agents:` names
    policies/projects/PROJECT.yaml   the boundary of a project: what it does not name, no agent of it may do

Files that speak of the same agent are one policy. Guardrails are compiled once for all agents they are alike for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from broker.config.files import BOUNDARY_FOLDER, GUARDRAIL_FOLDER, POLICY_FOLDER
from broker.config.model import Agent
from policies.engine import CompiledPolicy, compile_policy
from policies.errors import Finding, LoadError, PolicyError, YamlError
from policies.language.loader import LoadedPolicy, load_policy, merge
from policies.layers import LayeredPolicy, compile_layers
from policies.model import Layer
from policies.patterns.pattern import compile_pattern
from policies.resources.catalogue import Catalogue


@dataclass(slots=True)
class PolicyFiles:
    """Every policy file of a folder, read.

    Args:
        agents: Policies of agents, in the order of their files.
        guardrails: Guardrails, likewise.
        boundaries: Boundaries by the name of their project.
        findings: What is wrong; with findings the rest is not to be used.
        notices: What the authors should know.
    """

    agents: list[LoadedPolicy] = field(default_factory=list)
    guardrails: list[LoadedPolicy] = field(default_factory=list)
    boundaries: dict[str, LoadedPolicy] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notices: list[Finding] = field(default_factory=list)

    def all(self) -> list[LoadedPolicy]:
        """Return every file read."""
        return [*self.guardrails, *self.boundaries.values(), *self.agents]


@dataclass(slots=True)
class Compiled:
    """What decides, by agent.

    Args:
        own: The agent's own policy.
        layers: All that decides for it.
        findings: Policies that are too costly to decide by.
    """

    own: dict[str, CompiledPolicy] = field(default_factory=dict)
    layers: dict[str, LayeredPolicy] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def read_policies(files: Mapping[str, bytes], catalogue: Catalogue) -> PolicyFiles:
    """Read the policy files among ``files``; what is wrong with them is in the findings."""
    found = PolicyFiles()
    for file, data in files.items():
        if not file.startswith(f"{POLICY_FOLDER}/"):
            continue
        layer = layer_of(file)
        try:
            loaded = load_policy(data, file=file, layer=layer, catalogue=catalogue)
        except (YamlError, LoadError) as error:
            found.findings += error.findings
            continue
        if layer is Layer.GUARDRAIL:
            # Guardrails name what may come one day, so that an action nobody serves yet is none of their faults.
            found.guardrails.append(loaded)
            continue
        found.notices += loaded.notices
        if layer is Layer.BOUNDARY:
            found.boundaries[PurePosixPath(file).stem] = loaded
        else:
            found.agents.append(loaded)
    return found


def layer_of(file: str) -> Layer:
    """Return the layer a policy file belongs to, by its name relative to the configuration folder."""
    folder = str(PurePosixPath(file).parent)
    return {GUARDRAIL_FOLDER: Layer.GUARDRAIL, BOUNDARY_FOLDER: Layer.BOUNDARY}.get(folder, Layer.AGENT)


def compile_policies(files: PolicyFiles, agents: Mapping[str, Agent]) -> Compiled:
    """Compile what decides for each declared agent."""
    compiled = Compiled()
    sets: dict[tuple[str, ...], CompiledPolicy | None] = {}

    def shared(loaded: Iterable[LoadedPolicy], owner: str, layer: Layer) -> CompiledPolicy | None:
        members = tuple(loaded)
        key = (layer.value, owner, *(each.file for each in members))
        if key not in sets:
            sets[key] = _compile(members, owner, layer, compiled.findings)
        return sets[key]

    for name, agent in agents.items():
        layers = []
        guardrails = [each for each in files.guardrails if speaks_of(each, name)]
        if guardrails:
            layers.append(shared(guardrails, "", Layer.GUARDRAIL))
        if agent.project in files.boundaries:
            layers.append(shared([files.boundaries[agent.project]], "", Layer.BOUNDARY))
        own = shared((each for each in files.agents if speaks_of(each, name)), name, Layer.AGENT)
        usable = [each for each in (*layers, own) if each is not None]
        if own is not None and len(usable) == len(layers) + 1:
            compiled.own[name] = own
            compiled.layers[name] = compile_layers(name, tuple(usable))
    return compiled


def speaks_of(loaded: LoadedPolicy, agent: str) -> bool:
    """Tell whether a file is for an agent."""
    return any(compile_pattern(name).matches(agent) for name in loaded.agents)


def _compile(
    members: tuple[LoadedPolicy, ...], owner: str, layer: Layer, findings: list[Finding]
) -> CompiledPolicy | None:
    try:
        return compile_policy(merge(members, owner, layer))
    except PolicyError as error:
        findings.append(Finding(members[0].file, 1, 1, str(error), getattr(error, "fix", "")))
        return None
