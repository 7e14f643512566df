"""Ghost norms of convolutions (Bu et al. 2022, arXiv 2205.10683): gradients that are sums over positions, not made.

With the patches X_b [P, K] and output gradients dY_b [P, O] of sample b, dW_b,o = Σ_p dY_b,po X_b,p and

    |dW_b,o|² = Σ_pq dY_po dY_qo <X_p, X_q>        <dW_b,o, v_o> = Σ_p dY_po <X_p, v_o>

All in float64: where positions cancel, float32 products would leave nothing right of a small norm, and what positions
contribute before they cancel may be many times a record's bound: its rounding would be another record's to see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from refdp.backend import Array, at_a_time

_GRAM = 2**20  # numbers of a Gram matrix at a time, on the host


class Products(NamedTuple):
    """Of every sample's and filter's gradient: squared norm [B, O], and inner products [B, O] with given vectors."""

    squares: Array
    inner: list[Array]


def products(xp: Any, cut: Array, rows: Array, along: Sequence[Array]) -> Products:
    """Norms of each filter's gradient, and its inner products with ``along``.

    The squares are rounded up by (K + P) 2^-50 (Σ_p |dY_po| |X_p|)², more than their own rounding, K + P sums deep, can
    take.

    Args:
        cut: X [B, P, K].
        rows: dY [B, P, O].
        along: float64 [O, K] each.
    """
    batch, positions, filters = rows.shape
    squares = xp.empty((batch, filters), dtype=xp.float64)
    inner = [xp.empty_like(squares) for _ in along]
    numbers = at_a_time(xp, _GRAM)
    height, wide = max(1, numbers // positions**2), max(1, numbers // positions)
    for start in range(0, batch, height):
        part = slice(start, start + height)
        x, y = cut[part].astype(xp.float64), rows[part].astype(xp.float64)
        lengths = xp.sqrt((x * x).sum(axis=2))
        terms = (xp.abs(y) * lengths[:, :, None]).sum(axis=1)
        squares[part] = (cut.shape[2] + positions) * 2.0**-50 * terms * terms
        for left in range(0, positions, wide):
            gram = x[:, left : left + wide] @ x.transpose(0, 2, 1)
            squares[part] += (y[:, left : left + wide] * (gram @ y)).sum(axis=1)
        for found, vectors in zip(inner, along, strict=True):
            found[part] = (y * (x @ vectors.T)).sum(axis=1)
    return Products(squares, inner)


def weighted_sum(xp: Any, cut: Array, rows: Array, weights: Array) -> Array:
    """Σ_b w_b dY_bᵀ X_b as one product over all patches: float64 [O, K]."""
    batch, positions, filters = rows.shape
    scaled = rows.astype(xp.float64) * weights[:, None, None]
    flat = cut.reshape(batch * positions, cut.shape[2]).astype(xp.float64)
    return scaled.reshape(batch * positions, filters).T @ flat
