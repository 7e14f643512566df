"""Batch sizes: under Poisson sampling independent and binomial(N, q).

The bet on an alternative law is the product over steps of alternative / binomial, where the alternative may look at
all sizes before. With q given its mean is 1 under Poisson sampling. With q not given the denominator is the likelihood
at the q that fits best at the end: no smaller than at the true q, so the mean is at most 1 for every q (universal
inference: Wasserman, Ramdas, Balakrishnan 2020, arXiv 1912.11436).

Alternatives: another rate; the commonest size so far again; the largest so far again (a cap); too little or too much
spread; no empty batch.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln, log_ndtr, xlog1py, xlogy

from refdp.audit.sampling.batches import Batches
from refdp.audit.sampling.evidence import Evidence

SPREADS = (1 / 64, 1 / 16, 1 / 4, 1 / 2, 2, 4, 16, 64)
"""Variances, as multiples of the binomial's."""
_AGAIN = {"same size": 0.5, "cap": 0.1}
_SAFE = math.log(0.05)  # what a bet on a spread keeps on the binomial law, lest one size ruin it


def sizes(batches: Batches, sample_rate: float | None = None) -> Evidence:
    """Evidence against independent binomial sizes, at this rate or at any.

    G1. Each bet's mean is at most 1 under Poisson sampling (at ``sample_rate`` where given).
    """
    size, records = batches.sizes, batches.dataset_size
    steps = np.arange(len(size))
    seen = np.cumsum(size) - size
    rate = (seen + 0.5) / (steps * records + 1.0)  # of all draws before; not used at the first step
    if sample_rate is None:
        null = _binomial(size, records, float(size.sum()) / (len(size) * records))
    else:
        null = _binomial(size, records, sample_rate)
    if np.isneginf(null).any():
        return Evidence("sizes", {"impossible": math.inf})
    flat = -math.log(records + 1)
    first = flat if sample_rate is None else float(np.logaddexp(null[0], flat)) - math.log(2)
    own = _binomial(size, records, rate)
    found = {"rate": own}
    commonest, largest = _commonest(size), np.maximum.accumulate(np.concatenate([[-1], size[:-1]]))
    for name, again in (("same size", commonest), ("cap", largest)):
        weight = _AGAIN[name]
        hit = np.where(size == again, math.log(weight), -np.inf)
        found[name] = np.logaddexp(hit, own + math.log1p(-weight))
    for spread in SPREADS:
        std = np.sqrt(spread * np.maximum(records * rate * (1 - rate), 0.05))
        normal = _normal(size, records * rate, std)
        found[f"spread {spread:g}"] = np.logaddexp(normal + math.log1p(-math.exp(_SAFE)), own + _SAFE)
    found["no empty batch"] = own + _without_empty(size, records, rate)
    if sample_rate is not None and 0 < sample_rate < 1:
        found["no empty batch at this rate"] = null + _without_empty(
            size, records, np.full(len(size), sample_rate)
        )
    rest = null.sum()
    return Evidence("sizes", {name: float(first + law[1:].sum() - rest) for name, law in found.items()})


def _binomial(size: np.ndarray, records: int, rate: float | np.ndarray) -> np.ndarray:
    ways = gammaln(records + 1) - gammaln(size + 1) - gammaln(records - size + 1)
    law: np.ndarray = ways + xlogy(size, rate) + xlog1py(records - size, -np.asarray(rate))
    return law


def _normal(size: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """log of a normal's mass from size - 1/2 to size + 1/2: at most 1 in all."""
    distance = np.abs(size - mean)
    near, far = log_ndtr(-(distance - 0.5) / std), log_ndtr(-(distance + 0.5) / std)
    with np.errstate(divide="ignore", invalid="ignore"):
        law = near + np.log1p(-np.exp(far - near))
    return np.where(np.isnan(law), -np.inf, law)


def _without_empty(size: np.ndarray, records: int, rate: np.ndarray) -> np.ndarray:
    """-log P(not empty) where a batch is not, -inf where it is."""
    with np.errstate(divide="ignore"):
        some = np.log(-np.expm1(records * np.log1p(-rate)))
    return np.where(size > 0, -some, -np.inf)


def _commonest(size: np.ndarray) -> np.ndarray:
    """The commonest size before each step, the earliest to be so; -1 at the first."""
    seen: dict[int, int] = {}
    best, found = -1, np.empty(len(size), dtype=np.int64)
    for step, value in enumerate(size.tolist()):
        found[step] = best
        seen[value] = seen.get(value, 0) + 1
        if best < 0 or seen[value] > seen[best]:
            best = value
    return found
