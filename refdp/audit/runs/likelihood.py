"""How much more likely a step's release is if the canary was planted: the score of every white-box adversary here.

The adversary knows all that the step adds up but the canary, so what is left is

    o = B c + N(0, S),        S = diag((noise_multiplier_t * noise_scale)^2)

with the canary's clipped gradient c, and B = 1 if it was planted and drawn. Of o only x = <o, c>_{S^-1} matters
(Neyman-Pearson), which is N(B a^2, a^2) with a^2 = |c|^2_{S^-1}. Drawn with probability q, the step's log-likelihood
ratio is

    log(1 - q + q exp(x - a^2 / 2))

and those of a run's steps add up, for each is conditional on all before it. With q = 1 the sum is N(+-mu^2/2, mu^2),
mu^2 = sum_t a_t^2: the two distributions that an estimator must tell apart are those of mu-GDP (Dong, Roth, Su 2019,
arXiv 1905.02383). For a Dirac canary with |c| = K, and noise K on every coordinate,
mu^2 = sum_t 1/noise_multiplier_t^2.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def increment(x: np.ndarray, a_squared: Any, rate: Any) -> np.ndarray:
    """One step's log-likelihood ratio, float64 [m].

    Args:
        x: <o, c>_{S^-1}, float64 [m].
        a_squared: |c|^2_{S^-1}, a number or [m].
        rate: q, the probability that a planted canary took part, in [0, 1]: a number, or [m] where what the adversary
            knows of each differs.
    """
    exponent = x - a_squared / 2
    q = np.broadcast_to(np.asarray(rate, dtype=np.float64), exponent.shape)
    with np.errstate(divide="ignore"):  # log 0, of a canary that surely took part or surely did not
        return np.asarray(np.logaddexp(np.log1p(-q), np.log(q) + exponent))


def increment_replaced(x: np.ndarray, a_squared: Any, rate: Any) -> np.ndarray:
    """The same where a canary that is not planted is replaced by its opposite, -c: planted against replaced."""
    return np.asarray(increment(x, a_squared, rate) - increment(-x, a_squared, rate))
