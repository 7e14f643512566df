"""From per-sample gradients to the clipped sum: norms, scales, one weighted sum over the batch."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from refdp.backend import Array, Backend
from refdp.clippers.base import ClipContext, Clipper
from refdp.norms import rounded_down, squared_rows


@functools.cache
def rounding_margin(dtype: Any) -> float:
    """Relative room that keeps a scaled gradient's float64 norm at or below its bound.

    Rounding each scaled entry to ``dtype`` moves the norm by at most half an ulp (the scale itself is rounded
    down), and the float64 norm by a few 2^-52 however it is summed; 8 ulp of ``dtype`` and
    64 of float64 cover them all.
    """
    return 8.0 * float(np.finfo(dtype).eps) + 64.0 * 2.0**-52


def group_norms(backend: Backend, per_sample: Array, groups: Sequence[slice]) -> Array:
    """Euclidean norms, float64 [B, L], of the slices of per-sample gradients [B, D].

    Squares are taken and summed in float64 whatever the gradients' type: float32 squares overflow above 1.8e19
    and vanish below 1e-23.
    """
    xp = backend.xp
    # A norm that overflows is inf: that record is not usable.
    with np.errstate(over="ignore", invalid="ignore"):
        return xp.sqrt(xp.stack([squared_rows(xp, per_sample[:, g]) for g in groups], axis=1))


def clipped_sum(
    backend: Backend, clipper: Clipper, per_sample: Array, groups: Sequence[slice], context: ClipContext
) -> Array:
    """Sum over the batch of scaled per-sample gradients, [D] in the gradients' own type.

    Rows holding NaN or inf (or whose norm overflows float64) are set to zero in ``per_sample``: they contribute
    nothing. That is also the case for a batch of no rows.

    Args:
        per_sample: [B, D]; unusable rows are overwritten with zeros.
        groups: slices of the D columns that have a norm each; one slice of everything for flat rules.
    """
    norms, _ = usable_norms(backend, per_sample, groups)
    return weighted_sum(backend, clipper, per_sample, norms, groups, context)


def usable_norms(backend: Backend, per_sample: Array, groups: Sequence[slice]) -> tuple[Array, Array]:
    """(norms [B, L], usable [B]): rows holding NaN or inf are set to zero in ``per_sample``, and not usable."""
    xp = backend.xp
    norms, usable, dropped = checked_norms(
        backend, group_norms(backend, per_sample, groups), per_sample.dtype
    )
    if dropped is not None:
        xp.copyto(per_sample, xp.zeros_like(per_sample[:1]), where=~usable[:, None])
    return norms, usable


def checked_norms(backend: Backend, norms: Array, dtype: Any) -> tuple[Array, Array, Array | None]:
    """(norms [B, L] with those of unusable records 0, usable [B], ``usable`` again or, where all are, None).

    A record is usable whose norms are numbers that ``dtype`` can hold. One of its gradients may have left that range
    otherwise; and however gradients are summed, explicit or not, the same records are dropped.
    """
    xp = backend.xp
    usable = (norms <= float(np.finfo(dtype).max)).all(axis=1)
    if backend.reads_are_free and bool(usable.all()):
        return norms, usable, None
    return xp.where(usable[:, None], norms, 0.0), usable, usable


def weighted_sum(
    backend: Backend,
    clipper: Clipper,
    per_sample: Array,
    norms: Array,
    groups: Sequence[slice],
    context: ClipContext,
) -> Array:
    """Sum of the rows of ``per_sample``, scaled by the rule: [D], given their finite norms [B, L]."""
    xp = backend.xp
    scales = rounded_scales(backend, clipper, norms, context, per_sample.dtype)
    if len(groups) == 1:
        return scales[:, 0] @ per_sample
    total = xp.empty(per_sample.shape[1], dtype=per_sample.dtype)
    columns = xp.ascontiguousarray(scales.T)
    for i, group in enumerate(groups):
        xp.matmul(columns[i], per_sample[:, group], out=total[group])
    return total


def rounded_scales(
    backend: Backend, clipper: Clipper, norms: Array, context: ClipContext, dtype: Any
) -> Array:
    """The rule's scales [B, L] in ``dtype``, rounded down."""
    return rounded_down(backend.xp, clipper.scales(backend.xp, norms, context), dtype)
