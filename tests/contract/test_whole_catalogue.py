"""A sample of all of AWS keeps the contract; which follows from the catalogue. All of it runs in ``tests/bench``."""

from __future__ import annotations

import pytest

from connectors.aws.catalogue.data import load
from tests.contract.whole import faults, sampled

SHARDS = 3
OPERATIONS = 60


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_sample_of_all_operations_keeps_the_contract(shard: int) -> None:
    # Neighbours share a model, so a shard is a run of them.
    size = OPERATIONS // SHARDS
    assert list(faults(sampled(OPERATIONS)[shard * size : (shard + 1) * size])) == []


def test_the_sample_comes_from_many_services_and_stays_what_it_is() -> None:
    assert sampled(OPERATIONS) == sampled(OPERATIONS)
    assert len({name.partition(":")[0] for name in sampled(OPERATIONS)}) > OPERATIONS // 2
    assert {name.partition(":")[0] for name in sampled(OPERATIONS)} <= load().services()
