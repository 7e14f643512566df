"""How many steps epochs are: tools count differently, and epsilon is for the steps really taken.

Read in the sources of Opacus 1.6.0 (``accountants/utils.py``, ``privacy_engine.py``), TF-Privacy
(``compute_dp_sgd_privacy_lib.py``) and JAX-Privacy 2.0.0 (``keras_api.py``). dp-accounting, prv-accountant and autodp
take a number of steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from refdp.accounting import _checks
from refdp.accounting.errors import AccountingError


@dataclass(frozen=True)
class StepCount:
    """One way of counting.

    Attributes:
        rule: the formula; B is the batch size, n the data set size.
        tools: which count so.
        steps: what it gives.
        sample_rate: what the tool accounts with.
        is_loop: a training loop's own count, which accounts for nothing itself.
    """

    rule: str
    tools: str
    steps: int
    sample_rate: float
    is_loop: bool = False


def loader_batches(batch_size: int, dataset_size: int, drop_last: bool | None = None) -> int:
    """len(loader): ceil(n / B), or floor where the shorter last batch is dropped."""
    full, rest = divmod(dataset_size, batch_size)
    return full + (1 if rest and not drop_last else 0)


def step_counts(
    epochs: float, batch_size: int, dataset_size: int, drop_last: bool | None = None
) -> tuple[StepCount, ...]:
    """Every way of counting the steps of so many epochs.

    Args:
        epochs: >= 0; loops over a loader are counted for whole ones only.
        drop_last: whether the loader drops a shorter last batch; None: not known, and both are counted.

    Raises:
        AccountingError: a size that is not positive, or a batch larger than the data set.
    """
    _checks.non_negative("epochs", epochs)
    if not 1 <= batch_size <= dataset_size:
        raise AccountingError(
            f"batch size {batch_size}, dataset size {dataset_size}: must be whole, with 1 <= batch size <= dataset size"
        )
    rate, loader = batch_size / dataset_size, loader_batches(batch_size, dataset_size, drop_last)
    exact = Fraction(epochs) * dataset_size / batch_size
    counts = [
        StepCount("ceil(epochs n / B)", "refdp", math.ceil(exact), rate),
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
    ]
    if epochs == math.floor(epochs):
        whole = int(epochs)
        if not drop_last:
            counts.append(
                StepCount(
                    "epochs len(loader) = epochs ceil(n / B)",
                    "a training loop over a data loader",
                    whole * -(-dataset_size // batch_size),
                    rate,
                    True,
                )
            )
        if drop_last is not False:
            counts.append(
                StepCount(
                    "epochs floor(n / B)",
                    "a training loop with drop_last; JAX-Privacy's Keras API",
                    whole * (dataset_size // batch_size),
                    rate,
                    True,
                )
            )
    return tuple(counts)
