"""All layers that speak of one agent's requests: guardrails, project boundary, the agent's policy, session scopes.

Each layer is asked by itself and the strictest answer counts, so no layer grants what another one does not. A
guardrail that is silent objects to nothing; silence of any other layer is a denial; guardrails alone grant nothing.
Only the agent's own policy grants what returns secrets, so without one that is denied.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policies.digest import layers_version
from policies.engine import CompiledPolicy, compile_policy, decide_layers
from policies.errors import PolicyError, quote
from policies.model import AccessRequest, Decision, Layer, PolicySet, PolicyVersion

_NO_POLICY: Final = compile_policy(PolicySet("", (), PolicyVersion("")))
"""What an agent without a policy of its own may do."""


class LayeredPolicy:
    """What decides for one agent; immutable, and cheap to make from layers that are compiled.

    Args:
        layers: All that speak, in the order their reasons are preferred; a layer without an agent is anybody's.
        agent: Whose requests are decided.

    Raises:
        PolicyError: a layer is another agent's.
    """

    __slots__ = ("_owned", "agent", "layers", "limited", "version")

    def __init__(self, layers: tuple[CompiledPolicy, ...], agent: str) -> None:
        for layer in layers:
            if layer.policy.agent not in ("", agent):
                raise PolicyError(f"a layer of {quote(layer.policy.agent)} among those of {quote(agent)}")
        self.agent = agent
        self.layers = layers
        self.version: PolicyVersion = layers_version(layer.policy.version for layer in layers)
        self._owned = any(layer.policy.layer is Layer.AGENT for layer in layers)
        self.limited: frozenset[str] = frozenset().union(*(layer.limited for layer in layers))

    def decide(self, request: AccessRequest) -> Decision:
        """Decide a request by all layers; never raises."""
        layers = self.layers if self._owned or not request.returns_secrets else (*self.layers, _NO_POLICY)
        return decide_layers(layers, self.agent, self.version, request)


def compile_layers(agent: str, layers: Iterable[CompiledPolicy | PolicySet]) -> LayeredPolicy:
    """Put layers together, compiling those that are not compiled yet.

    Args:
        agent: Whose requests are decided.
        layers: Compiled or not.

    Raises:
        PolicyError: a layer is another agent's, or cannot be compiled (`compile_policy`).
    """
    compiled = [layer if isinstance(layer, CompiledPolicy) else compile_policy(layer) for layer in layers]
    return LayeredPolicy(tuple(compiled), agent)
