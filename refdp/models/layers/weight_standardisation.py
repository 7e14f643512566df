"""Weight standardisation: a filter is used with its mean taken off and its length fixed.

For one filter W of N weights (N = kernel² · channels in), u = W - mean(W):

    unbiased  V = u / (s + 1e-5),  s = sqrt(|u|² / (N - 1))          Qiao et al. 2019, arXiv 1903.10520, as in
              dW = (dV - mean(dV)) / (s + 1e-5)                      PyTorch's std: the 1e-5 is outside the root
                   - u <dV, u> / ((s + 1e-5)² s (N - 1))
    scaled    V = gain · r u,  r = 1 / sqrt(max(|u|², 1e-4))         De et al. 2022, arXiv 2204.13650: |u|² is
              dW = gain r (dV - mean(dV)) - gain r³ u <dV, u>        N times the biased variance; the last term
              dgain = r <dV, u>                                      only where |u|² > 1e-4

Both are dW = scale (dV - mean(dV)) - slope <dV, u>: linear in dV, with the same scale and slope for every
sample, because W does not depend on the data. So a sample's dW is this map of its dV, and standardisation
costs no privacy. A constant filter (u = 0) gives V = 0 and dW = scale (dV - mean(dV)), as in PyTorch.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from refdp.backend import Array, at_a_time

EPS = 1e-5
FLOOR = 1e-4
BLOCK = 2**18  # gradients mapped back at a time, so that they stay in the cache between the passes
MOST_TAKEN = 16  # |a| / |dW| up to which rows before the projection are summed in single precision
VARIANTS = ("unbiased", "scaled")


class Standardised(NamedTuple):
    """The filters V [O, N] as used, and what maps their gradients back; see above."""

    weight: Array  # V [O, N]
    centred: Array  # u [O, N]
    scale: Array  # [O]
    slope: Array  # [O, N]
    reciprocal: Array  # r [O], for the gain


def unbiased(xp: Any, weight: Array) -> Standardised:
    """W [O, N], N >= 2."""
    centred = weight - weight.mean(axis=1, keepdims=True)
    freedom = weight.shape[1] - 1
    std = xp.sqrt((centred * centred).sum(axis=1, keepdims=True) / freedom)
    scale = 1 / (std + EPS)
    positive = xp.where(std > 0, std, 1.0)  # where std = 0, so is the slope: the limit, and PyTorch's choice
    slope = centred * (scale * scale / (freedom * positive))
    return Standardised(centred * scale, centred, scale[:, 0], slope, scale[:, 0])


def scaled(xp: Any, weight: Array, gain: Array) -> Standardised:
    """W [O, N], gain [O]."""
    centred = weight - weight.mean(axis=1, keepdims=True)
    square = (centred * centred).sum(axis=1, keepdims=True)
    reciprocal = 1 / xp.sqrt(xp.maximum(square, FLOOR))
    scale = gain[:, None] * reciprocal
    slope = xp.where(square > FLOOR, scale * reciprocal * reciprocal * centred, 0.0)
    return Standardised(centred * scale, centred, scale[:, 0], slope, reciprocal[:, 0])


def pull_back(xp: Any, used: Standardised, gradients: Array) -> Array:
    """Turn dV [B, O, N] into dW in place; returns <dV, u> [B, O]."""
    batch, number, size = gradients.shape
    basis = xp.empty((number, 2, size), dtype=gradients.dtype)
    basis[:, 0] = (used.scale / size)[:, None]
    basis[:, 1] = used.centred
    rows = xp.ones_like(basis)
    rows[:, 1] = used.slope
    along = xp.empty((number, batch, 1), dtype=gradients.dtype)
    step = max(1, at_a_time(xp, BLOCK) // max(1, batch * size))
    for start in range(0, number, step):
        filters = slice(start, start + step)
        block = gradients[:, filters]
        # Both inner products in one pass: [O, B, N] times [O, N, 2]. Both corrections: [O, B, 2] times [O, 2, N].
        products = xp.matmul(block.transpose(1, 0, 2), basis[filters].transpose(0, 2, 1))
        corrections = xp.matmul(products, rows[filters])
        block *= used.scale[filters, None]
        block -= corrections.transpose(1, 0, 2)
        along[filters] = products[:, :, 1:]
    return along[:, :, 0].T


def squared_norms(used: Standardised, squares: Array, sums: Array, along: Array, sloped: Array) -> Array:
    """|dW_b,o|² [B, O] from |dV|², Σ dV, <dV, u> and <dV, slope>, all float64 and ``used`` too; rounded up.

    With N weights in a filter, m = Σ dV / N and t = <dV, u>:

        |dW|² = scale² (|dV|² - N m²) - 2 scale t (<dV, slope> - m Σ slope) + t² |slope|²

    Every term is at most a few times scale² |dV|²; N 2^-50 of that is more than their rounding can take.
    """
    number = used.centred.shape[1]
    mean = sums / number
    cross = along * (sloped - mean * used.slope.sum(axis=1))
    curved = along * along * (used.slope * used.slope).sum(axis=1)
    largest = used.scale * used.scale * squares
    exact = used.scale * used.scale * (squares - number * mean * mean) - 2.0 * used.scale * cross + curved
    return exact + number * 2.0**-50 * (largest + curved)


class Projection:
    """The map of ``unbiased`` after its scale: with a = scale dV, dW = a - mean(a) - kappa u <a, u>, for each filter.

    In float64, from the numbers that scaled dV: so what the norm is taken of, and what the sum is mapped by, are the
    same map to the last bit, and nearly a projection: |dW| <= |a|.
    """

    def __init__(self, xp: Any, used: Standardised) -> None:
        self.centred = used.centred.astype(xp.float64)
        self.square = (self.centred * self.centred).sum(axis=1)
        self.total = self.centred.sum(axis=1)  # but for rounding, 0
        freedom = self.centred.shape[1] - 1
        std = xp.sqrt(self.square / freedom)
        self.kappa = xp.where(std > 0, used.scale / (freedom * xp.where(std > 0, std, 1.0)), 0.0)

    def squared_norms(self, xp: Any, rows: Array, order: Array, lengths: Array) -> Array:
        """|dW_b|², float64 [B], rounded up.

        With m = mean(a) and t = <a, u>, a filter's |dW|² is |a|² - N m² - kappa t (2 (t - m Σu) - kappa t |u|²). Two
        kinds of rounding are made up for. Sums and t are added up in the type of the rows over n values, then in
        float64: off by at most gamma sqrt(N) |a| and gamma |u| |a|, gamma = (n + 3) eps / 2, which moves |dW|² by less
        than 4 gamma |a| times ``slopes`` and 4 gamma² |a|². And a record that is scaled before it is mapped rounds in
        proportion to |a|, not to |dW|: 4 eps |a| are added to the root.

        Args:
            rows: a [B, A, O, M, n], in any order that can be written so.
            order: u in that order, [A, O, M, n].
            lengths: |a|² over all filters, float64 [B].
        """
        number, eps = self.centred.shape[1], float(xp.finfo(rows.dtype).eps)
        sums, along = (values.sum(axis=(1, 3), dtype=xp.float64) for values in _inner(xp, rows, order))
        mean = sums / number
        off, bent = along * self.kappa, 2.0 - self.kappa * self.square
        removed = number * mean * mean + off * (along * bent - 2.0 * mean * self.total)
        off_centre = xp.abs(off * self.total) / number**0.5  # 0, but for the rounding of u
        steep = xp.abs(off * bent) * xp.sqrt(self.square) + number**0.5 * xp.abs(mean) + off_centre
        slopes = xp.sqrt((steep * steep).sum(axis=1))
        gamma = (rows.shape[4] + 3) * eps / 2.0
        length = xp.sqrt(lengths)
        room = 4.0 * gamma * slopes * length + (4.0 * gamma * gamma + number * 2.0**-50) * lengths
        return (xp.sqrt(lengths - removed.sum(axis=1) + room) + 4.0 * eps * length) ** 2

    def apply(self, sums: Array) -> None:
        """Turn a sum of a [O, N] into the sum of dW, in place."""
        off = (sums * self.centred).sum(axis=1) * self.kappa
        sums -= sums.mean(axis=1)[:, None] + off[:, None] * self.centred


def _inner(xp: Any, rows: Array, order: Array) -> tuple[Array, Array]:
    """Sums over n of rows [B, A, O, M, n], and of rows times order [A, O, M, n]: [B, A, O, M] each, by pieces that stay
    in the cache."""
    batch, each = rows.shape[0], rows.shape[4]
    number, ones = math.prod(order.shape[:3]), xp.ones(each, dtype=rows.dtype)
    flat, vectors = rows.reshape(batch, number, each), order.reshape(number, each)
    height, length = max(1, BLOCK // 4 // vectors.size), max(1, BLOCK // 4 // each)
    sums, along = (xp.empty((batch, number), dtype=rows.dtype) for _ in range(2))
    for top in range(0, batch, height):
        for left in range(0, number, length):
            place = slice(top, top + height), slice(left, left + length)
            sums[place] = flat[place] @ ones
            along[place] = (flat[place] * vectors[place[1]]) @ ones
    shape = rows.shape[:4]
    return sums.reshape(shape), along.reshape(shape)
