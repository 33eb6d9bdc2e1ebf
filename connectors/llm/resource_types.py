"""What can be named of models: one resource for each, as ``models/anthropic/claude-opus-4-8``."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from policies.model import ResourceType

RESOURCE_TYPES: Final = (
    ResourceType(
        "llm/model",
        "models/{provider}/{model}",
        ("llm:*",),
        words=MappingProxyType({"provider": "anthropic", "model": "claude-opus-4-8"}),
    ),
)
