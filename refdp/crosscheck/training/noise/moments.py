"""Scale of noise and sums of it along axes: exact chi-square tests, for any number of coordinates."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from refdp.crosscheck.training.noise.sample import Pool, Sample, Tensor

CONFIDENCE = 0.99
"""Of the interval given for the ratio of standard deviations."""


def chi_square(length: float, room: float, degrees: int) -> float:
    """Two-sided p-value of |z|^2 ~ chi-square; the largest over all |z| within ``room`` of ``length``."""
    median = math.sqrt(stats.chi2.ppf(0.5, degrees))
    if abs(length - median) <= room:
        return 1.0
    nearest = length - room if length > median else length + room
    square = nearest * nearest
    tail = stats.chi2.sf(square, degrees) if length > median else stats.chi2.cdf(square, degrees)
    return float(min(1.0, 2 * tail))


def scale(pool: Pool) -> tuple[float, float, tuple[float, float]]:
    """p-value; ratio of the noise's standard deviation to what it should be; its ``CONFIDENCE`` interval."""
    length, degrees = float(np.linalg.norm(pool.values)), pool.values.size
    tails = stats.chi2.ppf([0.5 + CONFIDENCE / 2, 0.5 - CONFIDENCE / 2], degrees)
    shortest = length - pool.error if length > pool.error else 0.0  # a length is never less
    low, high = shortest / math.sqrt(tails[0]), (length + pool.error) / math.sqrt(tails[1])
    p_value = chi_square(length, pool.error, degrees)
    return p_value, length / math.sqrt(degrees), (float(low), float(high))


def by_tensor(sample: Sample) -> tuple[float, dict[str, float]]:
    """p-value of the oddest tensor's scale (of all of them); ratio of each."""
    lengths = {t.name: float(np.linalg.norm(t.rows)) for t in sample.tensors}
    found = [chi_square(lengths[t.name], t.error(), t.z.size) for t in sample.tensors]
    ratios = {t.name: lengths[t.name] / math.sqrt(t.z.size) for t in sample.tensors}
    return smallest(found), ratios


def mean(pool: Pool) -> tuple[float, float]:
    """p-value; mean of all entries."""
    total = float(pool.values.sum()) / math.sqrt(pool.values.size)
    return chi_square(abs(total), pool.error, 1), float(pool.values.mean())


def along_axes(sample: Sample) -> tuple[float, tuple[str, int] | None]:
    """p-value of sums along each axis of each tensor; the oddest tensor and axis (0 is a parameter's first).

    sum_i z_i / sqrt(n) over an axis of n entries is standard normal again and independent over the others, so the sum
    of its squares is chi-square. A value shared along the axis makes it n times as large; a constant one shows too.
    """
    found: list[tuple[float, tuple[str, int]]] = []
    for tensor in sample.tensors:
        error = tensor.error()
        for axis in range(1, tensor.z.ndim):
            if tensor.z.shape[axis] > 1:
                found.append((_along(tensor, axis, error), (tensor.name, axis - 1)))
    if not found:
        return 1.0, None
    return smallest([p for p, _ in found]), min(found)[1]


def _along(tensor: Tensor, axis: int, error: float) -> float:
    sums = tensor.z.sum(axis=axis) / math.sqrt(tensor.z.shape[axis])
    return chi_square(float(np.linalg.norm(sums)), error, sums.size)


def smallest(p_values: list[float]) -> float:
    """p-value of the smallest of many, by Bonferroni; 1 of none."""
    return min(1.0, len(p_values) * min(p_values)) if p_values else 1.0
