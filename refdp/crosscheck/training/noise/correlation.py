"""The same draws in two places: correlations that independent normal vectors do not have.

With r = a.b / (|a| |b|) of independent standard normal vectors in m dimensions, r^2 ~ Beta(1/2, (m - 1)/2), exactly:
the direction of either is uniform on the sphere. Errors of Euclidean length e_a and e_b move r by at most
2 e_a / |a| + 2 e_b / |b|.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from scipy import fft, special

from refdp.crosscheck.training.noise.moments import smallest
from refdp.crosscheck.training.noise.sample import Sample

ROWS = 512
"""Draws are compared in blocks of so many: all pairs of blocks while that takes ``PRODUCTS``, else those closest."""
PRODUCTS = 2e11
"""The most products of entries that comparing draws may take (some seconds)."""
LAGS = 32
"""Places apart at which entries of one step are compared."""
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
        rows: [R, D]; of very many, each is compared with those of its own block and of the next ones only.
        errors: the most by which each is unknown, in Euclidean length [R].
        groups: rows of one group are not compared [R].
    """
    if len(rows) < 2 or rows.shape[1] < 2:
        return 1.0, None
    lengths = np.linalg.norm(rows, axis=1)
    usable = lengths > 0
    inverse = 1.0 / np.where(usable, lengths, 1.0)
    off = np.where(usable, 2 * errors * inverse, np.inf)
    kinds = np.arange(len(rows)) if groups is None else groups
    tried, oddest = 0, (-np.inf, (0, 0, 0.0))
    for first, second in _blocks(len(rows), rows.shape[1]):
        r = (rows[first] @ rows[second].T) * inverse[first, None] * inverse[None, second]
        apart = kinds[first, None] != kinds[None, second]
        if first == second:
            apart &= np.triu(np.ones(r.shape, dtype=bool), 1)
        known = np.where(apart, np.abs(r) - off[first, None] - off[None, second], -np.inf)
        tried += int(apart.sum())
        i, j = divmod(int(np.argmax(known)), known.shape[1])
        if apart[i, j] and known[i, j] > oddest[0]:
            oddest = float(known[i, j]), (i + first.start, j + second.start, float(r[i, j]))
    if not tried:
        return 1.0, None
    a, b, closest = oddest[1]
    one = p_value(closest, rows.shape[1], float(off[a] + off[b]))
    return min(1.0, tried * one), oddest[1]


def _blocks(count: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Pairs of blocks of rows, those closest to each other first: each with itself and the next one at least."""
    blocks = [slice(start, min(start + ROWS, count)) for start in range(0, count, ROWS)]
    left = PRODUCTS
    for distance in range(len(blocks)):
        for first, second in zip(blocks, blocks[distance:], strict=False):
            yield first, second
            left -= ROWS**2 * size
        if distance and left < 0:
            return


def along_lags(sample: Sample) -> tuple[float, tuple[int, float] | None]:
    """p-value of entries beside those 1 to ``LAGS`` places on, in the order recorded; the oddest lag, and r there.

    Entries in blocks of a lag's length: even blocks beside the odd ones that follow them, and odd beside even ones, are
    pairs of independent vectors.
    """
    rows, found = sample.rows, []
    size, error = rows.shape[1], 2 * sample.pool.error
    for lag in range(1, min(LAGS, size // 2) + 1):
        odd = np.arange(size - lag) // lag % 2 == 1
        for chosen in (~odd, odd):
            places = np.flatnonzero(chosen)
            a, b = rows[:, places].ravel(), rows[:, places + lag].ravel()
            lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
            if a.size > 1 and 0 not in lengths:
                r = float(a @ b) / (lengths[0] * lengths[1])
                found.append((p_value(r, a.size, error / lengths[0] + error / lengths[1]), (lag, r)))
    if not found:
        return 1.0, None
    return smallest([p for p, _ in found]), min(found)[1]


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
