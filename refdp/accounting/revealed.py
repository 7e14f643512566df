"""An upper bound on epsilon of shuffled epochs whose noise changes within an epoch.

Let the adversary see into which batch the record falls, epoch by epoch: by joint convexity of the hockey-stick
divergence over permutations,
    delta(eps) <= E_T [ delta_Gauss(mu_T, eps) ],    mu_T^2 = d^2 sum_e 1 / s_(e, T_e)^2,
T_e the batch of epoch e that it falls into (with chances as the batches' sizes), or none, independent of the other
epochs; d = 1 (zero-out) or 2 (replace-one); delta_Gauss the exact curve (Balle and Wang 2018, arXiv 1805.06530,
Theorem 8). The least noise of every epoch, which a ledger states, is the worst T alone. The distribution of mu_T^2 is
convolved on a grid, every value rounded up.

G1. The value returned is a true upper bound on epsilon at delta.
"""

from __future__ import annotations

import math

import numpy as np

from refdp.accounting import _checks
from refdp.accounting.errors import AccountingError
from refdp.accounting.gaussian import gaussian_delta, gaussian_epsilon
from refdp.accounting.neighboring import REPLACE_ONE, ZERO_OUT

_GRID, _POINTS, _KINDS = 1 << 15, 768, 64
_MARGIN = 1 + 1e-9  # of probabilities (sums of positive floats) and of mu


def shuffle_epsilon_upper(
    noise_multipliers: np.ndarray,
    delta: float,
    neighboring: str = ZERO_OUT,
    *,
    chances: np.ndarray | None = None,
) -> float:
    """Upper bound on epsilon at delta of shuffled epochs; inf where a batch has no noise.

    Args:
        noise_multipliers: of every batch, > 0, float64 [epochs, batches]; inf where an epoch has no such batch.
        delta: in (0, 1).
        neighboring: "zero-out" or "replace-one".
        chances: that the record falls into each batch of an epoch, float64 [batches], summing to at most 1 (the rest:
            into none); by default 1 / batches each.

    Raises:
        AccountingError: delta, the relation, a multiplier or the chances out of range.
    """
    _checks.open_unit("delta", delta)
    _checks.option("neighboring", neighboring, (ZERO_OUT, REPLACE_ONE))
    noise = np.asarray(noise_multipliers, dtype=np.float64)
    if noise.ndim != 2 or not noise.size or not np.all(noise >= 0):
        raise AccountingError("noise_multipliers: must be numbers >= 0, [epochs, batches]")
    weights = (
        np.full(noise.shape[1], 1.0 / noise.shape[1]) if chances is None else np.asarray(chances, np.float64)
    )
    if weights.shape != noise.shape[1:] or not np.all(weights >= 0) or not weights.sum() <= 1 + 1e-9:
        raise AccountingError("chances: must be one >= 0 for each batch, at most 1 together")
    with np.errstate(divide="ignore", over="ignore"):
        cost = 1.0 / noise**2
    worst = float(np.sum(cost.max(axis=1)))
    distance = 2.0 if neighboring == REPLACE_ONE else 1.0
    if not worst < 1e200:
        return math.inf
    if worst == 0:
        return 0.0
    squares, likely = _spread(cost, weights, worst)
    mus = distance * np.sqrt(squares) * _MARGIN
    low, high = 0.0, gaussian_epsilon(float(mus[-1]), delta)[1]
    if _delta(mus, likely, low) <= delta:
        return 0.0
    for _ in range(48):
        middle = 0.5 * (low + high)
        if _delta(mus, likely, middle) <= delta:
            high = middle
        else:
            low = middle
        if high - low <= 1e-9 * high:
            break
    return high


def _spread(cost: np.ndarray, weights: np.ndarray, worst: float) -> tuple[np.ndarray, np.ndarray]:
    """Values of sum_e cost[e, T_e], rounded up, ascending, and upper values of their chances."""
    step = worst / _GRID
    law, absent = np.ones(1), max(0.0, 1.0 - float(weights.sum()))
    for row in cost:
        places, kind = np.unique(np.ceil(row / step).astype(np.int64), return_inverse=True)
        likely = np.bincount(kind, weights)
        if len(places) > _KINDS:  # few kinds of batches, each as costly as the worst of its kind
            parts = np.array_split(np.arange(len(places)), _KINDS)
            likely = np.array([likely[part].sum() for part in parts])
            places = np.array([places[part[-1]] for part in parts])
        longer = np.zeros(len(law) + int(places[-1]))
        longer[: len(law)] += law * absent
        for place, chance in zip(places, likely, strict=True):
            longer[place : place + len(law)] += law * chance
        law = longer
    edges = np.unique(
        np.concatenate([np.geomspace(1, len(law), _POINTS), np.linspace(1, len(law), _POINTS)]).astype(int)
    )
    blocks = np.split(np.arange(len(law)), edges[edges < len(law)])
    chances = np.array([law[block].sum() for block in blocks]) * _MARGIN
    values = np.array([block[-1] for block in blocks]) * step * _MARGIN
    kept = chances > 0
    return values[kept], chances[kept]


def _delta(mus: np.ndarray, chances: np.ndarray, epsilon: float) -> float:
    return math.fsum(
        float(chance) * gaussian_delta(float(mu), epsilon)[1] for mu, chance in zip(mus, chances, strict=True)
    )
