"""Values that were drawn more than once: noise of few bits, broadcast noise, and noise used again, mirrored or not.

|z| is sorted into bins of a width that holds what rounding may have moved equal values by. Entry i falls into a bin
that one of the i before it is in with probability at most i p_i, whatever those are, with

    p_i = 2 (0.3990 (width + 2 rounding_i) + 2^-23):

0.3990 bounds the normal density, twice since z and -z share a bin, and 2^-23 the probability of any one value of a
generator of float32 (jax.random.normal has 2^23 values, all alike; torch's has more). So the number of such entries is
at most a sum of independent coin throws of mean mu = sum_i min(1, i p_i), and reaches k > mu with probability at most
exp(k - mu - k ln(k / mu)) (Chernoff).
"""

from __future__ import annotations

import math

import numpy as np

from refdp.crosscheck.training.noise.moments import smallest
from refdp.crosscheck.training.noise.sample import Sample

_DENSITY, _ATOM = 0.3990, 2.0**-23


def repeats(values: np.ndarray, rounding: np.ndarray, unknown: float = 0.0) -> tuple[float, int, float]:
    """p-value; how many entries repeat an earlier one; the most that are to be expected.

    Args:
        values, rounding: of one shape, in standard deviations.
        unknown: root mean square of what entries may be off by besides: it widens bins, and is otherwise harmless
            since it does not depend on the noise.
    """
    flat = rounding.ravel()
    width = max(8 * (math.sqrt(float(np.square(flat).mean())) + unknown), 2.0**-22)
    found = values.size - len(np.unique(np.floor(np.abs(values.ravel()) / width)))
    each = 2 * (_DENSITY * (width + 2 * flat) + _ATOM)
    expected = float(np.minimum(1.0, np.arange(values.size) * each).sum())
    return _at_least(found, expected), found, expected


def zeros(sample: Sample) -> tuple[float, int]:
    """p-value; how many entries have no noise at all, to rounding: few of very many do not show in the noise's scale.

    |z + e| <= t with probability at most 0.798 t and the few values that a float32 generator has there, whatever e;
    what is recorded of it is off by its rounding besides.
    """
    pool = sample.pool
    room = pool.rounding + pool.sum_error / math.sqrt(sample.rows.shape[1]) + 2.0**-22
    found = int((np.abs(pool.values) <= room).sum())
    expected = float(np.minimum(1.0, 2 * _DENSITY * (room + pool.rounding) + 4 * _ATOM).sum())
    return _at_least(found, expected), found


def _at_least(found: int, expected: float) -> float:
    """Of so many among independent events of which so many are expected (Chernoff)."""
    if found <= expected:
        return 1.0
    return math.exp(found - expected - found * math.log(found / expected))


def within(sample: Sample) -> tuple[float, dict[str, int], int, float]:
    """p-value; repeats by tensor, repeats of all, and the most expected of all.

    Of all entries, of each tensor's, and of all noised sums: these are noise moved by something that does not depend on
    it, and repeat where they were rounded to a shorter type than the one they were recorded in.
    """
    shared = sample.pool.sum_error / math.sqrt(sample.rows.shape[1])
    together, found, expected = repeats(sample.pool.values, sample.pool.rounding, shared)
    each = {
        t.name: repeats(t.z, t.rounding, t.sum_error / math.sqrt(t.rows.shape[1])) for t in sample.tensors
    }
    noised = np.concatenate([t.noised.ravel() for t in sample.tensors])
    moved, _, _ = repeats(noised, np.concatenate([t.rounding.ravel() for t in sample.tensors]))
    p_value = smallest([together, moved, *(p for p, _, _ in each.values())])
    return p_value, {name: count for name, (_, count, _) in each.items()}, found, expected
