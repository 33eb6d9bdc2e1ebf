"""A vault with one AWS credential over an IAM of paper."""

from __future__ import annotations

import pytest

from tests.unit.vault.rotation.iam import Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()
