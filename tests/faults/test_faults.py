"""A minute of trouble: three small worlds, each hurt in a third of the ways that troubles/ knows.

`make faults` plays the long version. A seed that failed is played again with
`python -m tests.faults --short --no-mutants --worlds 1 --seed N`; what happened when is in its history.
"""

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.faults import plan
from tests.faults.result import Result, Size
from tests.faults.run import run


@pytest.mark.parametrize("seed", plan.SHORT_SEEDS)
def test_nothing_is_lost_doubled_or_stale_whatever_breaks(seed, tmp_path):
    result = Result(seed)
    # Not below tmp_path, which only its owner may pass through: PostgreSQL may run as somebody else.
    with tempfile.TemporaryDirectory(prefix="shopbell-faults-", ignore_cleanup_errors=True) as folder:
        directory = Path(folder)
        directory.chmod(0o711)
        try:
            asyncio.run(run(directory, result, plan.short(seed), Size(deliveries=700)))
        finally:
            shutil.copy(directory / "history.jsonl", tmp_path)
    assert not result.violations
    assert result.counts["delivery"] >= 600
    assert result.counts["damaged delivery"] >= 14, "or Stripe has forgotten to send bad ones"
    assert result.counts["repeated delivery"] >= 60
    assert result.converged
    assert result.asked.keys() >= {"checkout during nothing", "staff during nothing"}
