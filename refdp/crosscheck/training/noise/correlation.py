"""The same draws in two places: correlations that independent normal vectors do not have.

With r = a.b / (|a| |b|) of independent standard normal vectors in m dimensions, r^2 ~ Beta(1/2, (m - 1)/2), exactly:
the direction of either is uniform on the sphere. Errors of Euclidean length e_a and e_b move r by at most
2 e_a / |a| + 2 e_b / |b|.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy import fft, special

from refdp.crosscheck.training.noise.moments import smallest
from refdp.crosscheck.training.noise.sample import Sample

ROWS = 512
"""The most draws of which all pairs are compared; the first ones."""
SHIFTED = 10_000_000
"""The most coordinates, over all pairs of steps, that are compared at every shift; steps close to each other first."""
OVERLAP = 16
"""The fewest coordinates that must overlap at a shift, where there are as many."""


def p_value(r: float, size: int, room: float = 0.0) -> float:
    """Of |r| or more between vectors of ``size`` entries; one entry says nothing."""
    known = min(abs(r), 1.0) - room
    if size < 2 or known <= 0:
        return 1.0
    return float(special.betainc((size - 1) / 2, 0.5, (1 - known) * (1 + known)))


def between_tensors(sample: Sample) -> tuple[float, tuple[str, str, float] | None]:
    """p-value of every two tensors' common beginnings; the oddest two, and their correlation."""
    found = []
    for a, b in itertools.combinations(sample.tensors, 2):
        size = min(a.rows.shape[1], b.rows.shape[1])
        first, second = a.rows[:, :size].ravel(), b.rows[:, :size].ravel()
        lengths = float(np.linalg.norm(first)), float(np.linalg.norm(second))
        if 0 in lengths:
            continue
        r = float(first @ second) / (lengths[0] * lengths[1])
        room = 2 * a.error(size) / lengths[0] + 2 * b.error(size) / lengths[1]
        found.append((p_value(r, first.size, room), (a.name, b.name, r)))
    if not found:
        return 1.0, None
    return smallest([p for p, _ in found]), min(found)[1]


def between_rows(
    rows: np.ndarray, errors: np.ndarray, groups: np.ndarray | None = None
) -> tuple[float, tuple[int, int, float] | None]:
    """p-value of every two rows; the oddest two, and their correlation.

    Args:
        rows: [R, D]; only the first ``ROWS`` are compared.
        errors: the most by which each is unknown, in Euclidean length [R].
        groups: rows of one group are not compared [R].
    """
    rows, errors = rows[:ROWS], errors[:ROWS]
    lengths = np.linalg.norm(rows, axis=1)
    usable = lengths > 0
    scaled = rows / np.where(usable, lengths, 1.0)[:, None]
    off = np.where(usable, 2 * errors / np.where(usable, lengths, 1.0), np.inf)
    first, second = np.triu_indices(len(rows), 1)
    if groups is not None:
        apart = groups[first] != groups[second]
        first, second = first[apart], second[apart]
    if not len(first) or rows.shape[1] < 2:
        return 1.0, None
    r = (scaled @ scaled.T)[first, second]
    place = int(np.argmax(np.abs(r) - off[first] - off[second]))
    a, b = int(first[place]), int(second[place])
    one = p_value(float(r[place]), rows.shape[1], float(off[a] + off[b]))
    return min(1.0, len(r) * one), (a, b, float(r[place]))


def shifted(rows: np.ndarray, errors: np.ndarray) -> tuple[float, tuple[int, int, int, float] | None]:
    """p-value of every two rows [R, D] at every shift but none; the oddest: (a, b, shift, r), a[shift:] beside b."""
    count, size = rows.shape
    order = sorted(itertools.combinations(range(count), 2), key=lambda pair: (pair[1] - pair[0], pair))
    chosen = order[: max(1, SHIFTED // size)]
    shifts = np.arange(-(size - 1), size)
    overlaps = size - np.abs(shifts)
    valid = (overlaps >= min(OVERLAP, size)) & (shifts != 0)
    if not chosen or not valid.any():
        return 1.0, None
    best = [_best_shift(rows[a], rows[b], valid, overlaps) for a, b in chosen]
    tried, found = len(chosen) * int(valid.sum()), []
    for (a, b), (place, r, lengths) in zip(chosen, best, strict=True):
        room = 2 * errors[a] / lengths[0] + 2 * errors[b] / lengths[1]
        found.append((p_value(r, int(overlaps[place]), room), (a, b, int(shifts[place]), r)))
    p, closest = min(found)
    return min(1.0, tried * p), closest


def _best_shift(
    a: np.ndarray, b: np.ndarray, valid: np.ndarray, overlaps: np.ndarray
) -> tuple[int, float, tuple[float, float]]:
    """Place in shifts of the largest -(m - 1) ln(1 - r^2), r there, and lengths of what overlaps there."""
    size = len(a)
    length = fft.next_fast_len(2 * size - 1, real=True)
    product = fft.irfft(fft.rfft(a, length) * np.conj(fft.rfft(b, length)), length)
    cross = np.concatenate([product[length - size + 1 :], product[:size]])  # sum_i a[i + shift] b[i]
    heads, tails = [np.cumsum(np.square(v)) for v in (a, b)], [np.cumsum(np.square(v[::-1])) for v in (a, b)]
    squares_a = np.concatenate([heads[0][:-1], tails[0][::-1]])
    squares_b = np.concatenate([tails[1][:-1], heads[1][::-1]])
    usable = valid & (squares_a > 0) & (squares_b > 0)
    r = np.where(usable, cross / np.sqrt(np.where(usable, squares_a * squares_b, 1.0)), 0.0)
    evidence = -(overlaps - 1) * np.log1p(-np.minimum(np.square(r), 1 - 1e-15))
    place = int(np.argmax(np.where(usable, evidence, -1.0)))
    return place, float(r[place]), (math.sqrt(squares_a[place] or 1.0), math.sqrt(squares_b[place] or 1.0))
