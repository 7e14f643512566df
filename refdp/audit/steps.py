"""Steps from epochs, counted the three ways that tools count them.

int(epochs / rate)          Opacus, ``get_noise_multiplier(epochs=...)`` (opacus/accountants/utils.py)
ceil(epochs n / B)          TF-Privacy and dp-accounting's ``compute_dp_sgd_privacy``; refdp
epochs x len(loader)        what a training loop runs: ceil(n / B) batches an epoch, floor with ``drop_last``
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from refdp.audit.claim import Run


@dataclass(frozen=True)
class Count:
    """A number of steps and who would arrive at it."""

    steps: int
    how: str


def step_counts(run: Run, sample_rate: float | None) -> list[Count]:
    """Distinct counts, in the order above; whole epochs only for the loop's.

    Args:
        sample_rate: the accounted one; batch_size / dataset_size where there is none.
    """
    epochs = Fraction(run.epochs)
    rate = sample_rate if sample_rate else run.batch_size / run.dataset_size
    full, rest = divmod(run.dataset_size, run.batch_size)
    found = [
        Count(int(run.epochs / rate), "int(epochs / rate), as Opacus"),
        Count(
            math.ceil(epochs * run.dataset_size / run.batch_size),
            "ceil(epochs x n / B), as TF-Privacy, refdp",
        ),
    ]
    if epochs.denominator == 1:
        ways = {None: (0, 1), True: (0,), False: (1,)}[run.drop_last]
        for more in ways if rest else (0,):
            what = "floor" if rest and not more else "ceil"
            found.append(
                Count(int(epochs) * (full + more), f"epochs x {what}(n / B), a loop over the loader")
            )
    merged: dict[int, list[str]] = {}
    for count in found:
        merged.setdefault(count.steps, []).append(count.how)
    return [Count(steps, "; ".join(how)) for steps, how in merged.items() if steps > 0]


def loader_rate(run: Run) -> float:
    """1 / len(loader), the rate that Opacus takes from a data loader."""
    full, rest = divmod(run.dataset_size, run.batch_size)
    return 1.0 / (full + (1 if rest and not run.drop_last else 0))
