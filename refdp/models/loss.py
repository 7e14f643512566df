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
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = xp.exp(shifted)
    total = exponentials.sum(axis=1, keepdims=True)
    chosen = xp.take_along_axis(shifted, labels[:, None], axis=1)
    losses = (xp.log(total) - chosen)[:, 0]

    one_hot = labels[:, None] == xp.arange(logits.shape[1])
    dlogits = exponentials / total - one_hot
    return losses, xp.where(xp.abs(dlogits) < SMALLEST, 0.0, dlogits)
