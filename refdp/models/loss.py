"""Softmax cross-entropy, one value and one gradient per sample. There is no mean over the batch anywhere."""

from __future__ import annotations

from typing import Any

from refdp.backend import Array

SMALLEST = 1e-30
"""Gradients of the logits below this are set to zero: they soon become denormal numbers, with which a matrix
product is some 60 times slower, and they are far below the rounding error of the gradients they add to."""


def cross_entropy(xp: Any, logits: Array, labels: Array) -> tuple[Array, Array]:
    """loss_b = log Σ_k exp(z_bk) - z_b,label and d loss_b / d z_bk = softmax(z_b)_k - [k = label_b].

    Shapes: logits [B, K], labels [B] int64 -> losses [B], dlogits [B, K]. The largest logit is subtracted
    first, so nothing overflows. Labels must be in [0, K); the data layer has checked that.
    """
    shifted = logits - _over_classes(xp, logits).max(axis=0)[:, None]
    exponentials = xp.exp(shifted)
    total = _over_classes(xp, exponentials).sum(axis=0)[:, None]
    own = xp.arange(logits.shape[0]), labels
    losses = xp.log(total[:, 0]) - shifted[own]
    dlogits = exponentials / total
    dlogits[own] -= 1
    return losses, xp.where(xp.abs(dlogits) < SMALLEST, 0.0, dlogits)


def _over_classes(xp: Any, values: Array) -> Array:
    """values [B, K] as [K, B]: numpy reduces a long first axis several times faster than a short last one."""
    return xp.ascontiguousarray(values.T)
