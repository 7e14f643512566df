"""How many steps epochs are: tools count differently, and epsilon is for the steps really taken.

Read in the sources of Opacus 1.6.0 (``accountants/utils.py``, ``privacy_engine.py``), TF-Privacy
(``compute_dp_sgd_privacy_lib.py``) and JAX-Privacy 2.0.0 (``keras_api.py``). dp-accounting, prv-accountant and autodp
take a number of steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from refdp.accounting import Bounds, Ledger, epsilon
from refdp.errors import RefDPError


@dataclass(frozen=True)
class StepCount:
    """One way of counting.

    Attributes:
        rule: the formula; B is the batch size, n the data set size.
        tools: which count so.
        steps: what it gives.
        sample_rate: what the tool accounts with.
    """

    rule: str
    tools: str
    steps: int
    sample_rate: float


def step_counts(epochs: int, batch_size: int, dataset_size: int) -> tuple[StepCount, ...]:
    """Every way of counting the steps of so many epochs.

    Raises:
        RefDPError: a size that is not positive, or a batch larger than the data set.
    """
    if epochs < 0 or not 1 <= batch_size <= dataset_size:
        raise RefDPError(
            f"epochs {epochs}, batch size {batch_size}, dataset size {dataset_size}: must be whole, with "
            "1 <= batch size <= dataset size"
        )
    rate = batch_size / dataset_size
    loader = -(-dataset_size // batch_size)  # batches an epoch, the last one short
    return (
        StepCount(
            "ceil(epochs n / B)", "refdp", math.ceil(Fraction(epochs * dataset_size, batch_size)), rate
        ),
        StepCount(
            "ceil(epochs / (B / n)), in floats",
            "TF-Privacy compute_dp_sgd_privacy_statement",
            math.ceil(epochs / rate),
            rate,
        ),
        StepCount(
            "int(epochs / (B / n)), in floats",
            "Opacus get_noise_multiplier, given sample_rate B / n",
            int(epochs / rate),
            rate,
        ),
        StepCount(
            "int(epochs / (1 / len(loader))), in floats, at rate 1 / len(loader)",
            "Opacus make_private_with_epsilon",
            int(epochs / (1 / loader)),
            1 / loader,
        ),
        StepCount(
            "epochs len(loader) = epochs ceil(n / B)",
            "a training loop over a data loader",
            epochs * loader,
            rate,
        ),
        StepCount(
            "epochs floor(n / B)",
            "a training loop with drop_last; JAX-Privacy's Keras API",
            epochs * (dataset_size // batch_size),
            rate,
        ),
    )


@dataclass(frozen=True)
class Counted:
    """A count and what it costs."""

    count: StepCount
    bounds: Bounds

    def to_json(self) -> dict[str, Any]:
        """An entry of the report."""
        return {**vars(self.count), "epsilon": {"lower": self.bounds.lower, "upper": self.bounds.upper}}


def cost(
    counts: tuple[StepCount, ...], ledger_of: Callable[[StepCount], Ledger], delta: float
) -> list[Counted]:
    """refdp's epsilon at each count; equal questions are answered once."""
    known: dict[tuple[int, float], Bounds] = {}
    found = []
    for count in counts:
        key = (count.steps, count.sample_rate)
        if key not in known:
            known[key] = epsilon(ledger_of(count), delta)
        found.append(Counted(count, known[key]))
    return found
