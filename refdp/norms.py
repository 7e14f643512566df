"""Norms and scales that stay on the safe side of rounding, whatever float32 holds."""

from __future__ import annotations

from typing import Any

from refdp.backend import Array, fused, on_host

_CACHED = 2**16
"""Numbers cast to float64 at a time: half a megabyte. Twice and four times that took 1.03 and 1.6 times as long, half
of it 1.25 times (mnistnet's 80 x 26,010, OpenBLAS)."""


def squared_rows(xp: Any, rows: Array) -> Array:
    """|rows_b|^2, float64 [B], of rows [B, n]: on the host cast in pieces that stay in cache, then dotted; on a device
    by one kernel that reads the rows once.

    Squares are taken and summed in float64 whatever the type of the rows: float32 squares overflow above 1.8e19 and
    vanish below 1e-23.
    """
    if not on_host(xp):
        return _sums_of_squares(xp, rows)
    count, width = rows.shape
    if count * width <= _CACHED:
        small = rows.astype(xp.float64)
        return (small[:, None, :] @ small[:, :, None])[:, 0, 0]
    total = xp.zeros(count, dtype=xp.float64)
    columns = max(1, min(width, _CACHED))
    height = max(1, min(count, _CACHED // max(width, 1)))
    space = xp.empty((height, columns), dtype=xp.float64)
    for top in range(0, count, height):
        for left in range(0, width, columns):
            piece = rows[top : top + height, left : left + columns]
            cast = space[: piece.shape[0], : piece.shape[1]]
            xp.copyto(cast, piece)
            total[top : top + height] += (cast[:, None, :] @ cast[:, :, None])[:, 0, 0]
    return total


@fused
def _sums_of_squares(xp: Any, rows: Array) -> Array:
    wide = rows.astype(xp.float64)
    return xp.sum(wide * wide, axis=1)


def rounded_down(xp: Any, values: Array, dtype: Any) -> Array:
    """Values >= 0 in ``dtype``, never larger than given: one below the smallest normal number may be off by a lot."""
    rounded = values.astype(dtype)
    return xp.where(rounded > values, xp.nextafter(rounded, 0.0), rounded)
