"""Names of Anthropic's models at Amazon Bedrock.

Anthropic, "Claude on Amazon Bedrock" (table of model ids) and the model cards of the Bedrock user guide: models with a
date in their name have the version of their ARN behind it, Opus 4.6 has ``-v1``, Sonnet 4.6 and all since 4.7 are named
as at Anthropic. A connection can name any model otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_VENDOR: Final = "anthropic."
_DATED: Final = re.compile(r"-20[0-9]{6}\Z", re.ASCII)
_ELSE: Final = {
    "claude-3-5-sonnet-20241022": "claude-3-5-sonnet-20241022-v2:0",
    "claude-opus-4-0": "claude-opus-4-20250514-v1:0",
    "claude-sonnet-4-0": "claude-sonnet-4-20250514-v1:0",
    "claude-opus-4-1": "claude-opus-4-1-20250805-v1:0",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929-v1:0",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001-v1:0",
    "claude-opus-4-5": "claude-opus-4-5-20251101-v1:0",
    "claude-opus-4-6": "claude-opus-4-6-v1",
}
"""Ids that do not follow from the name."""
_BEFORE_4_7: Final = frozenset({*_ELSE, "claude-sonnet-4-6"})


def bedrock_id(model: str, profile: str, overrides: Mapping[str, str] | None = None) -> str:
    """Return the id to invoke a model with.

    Args:
        model: As Anthropic names it, ``claude-opus-4-8``, dated or not; an id of Bedrock is given back as it is.
        profile: Prefix of the inference profile: ``us``, ``eu``, ``apac``, ``jp``, ``au``, ``global``; empty for the
            model itself, without one.
        overrides: Ids by name; what stands here is taken as it is, without the profile.
    """
    if overrides and model in overrides:
        return overrides[model]
    if model.startswith("arn:") or _VENDOR in model:
        return model
    own = _ELSE.get(model) or (f"{model}-v1:0" if _DATED.search(model) else model)
    return f"{profile}.{_VENDOR}{own}" if profile else _VENDOR + own


def is_before_4_7(model: str) -> bool:
    """Tell whether a model, as Anthropic names it, is one that Bedrock serves the first version of the API only for."""
    return model in _BEFORE_4_7 or _DATED.search(model) is not None
