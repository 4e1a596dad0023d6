"""A minute of trouble: three small worlds, each hurt in a third of the ways that troubles.py knows.

`make faults` plays the long version. A seed that failed is played again with
`python -m tests.faults --worlds 1 --seed N`, and its history says what happened when.
"""

import asyncio
import tempfile
from pathlib import Path

import pytest

from tests.faults import plan
from tests.faults.run import Size, run


@pytest.mark.parametrize("seed", plan.SHORT_SEEDS)
def test_nothing_is_lost_doubled_or_stale_whatever_breaks(seed):
    with tempfile.TemporaryDirectory(prefix="shopbell-faults-", ignore_cleanup_errors=True) as folder:
        directory = Path(folder)
        directory.chmod(0o711)  # PostgreSQL may run as somebody else, who passes through
        result = asyncio.run(run(directory, seed, plan.short(seed), Size(deliveries=700)))
    assert not result.violations
    assert result.counts["delivery"] >= 650
