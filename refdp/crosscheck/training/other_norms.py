"""What is taken for a gradient's norm where its Euclidean norm over all parameters is meant."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.view import Arrays


def without_bias(gradients: Arrays) -> np.ndarray | None:
    """Over weights alone [B]; None where that is all or nothing."""
    keep = np.array([not fits.is_bias(name) for name in gradients])
    if keep.all() or not keep.any():
        return None
    return np.asarray(np.sqrt(np.square(fits.tensor_norms(gradients)[:, keep]).sum(axis=1)))


def by_measure(gradients: Arrays) -> dict[str, np.ndarray]:
    """Other measures of size [B], in words."""
    by_tensor = fits.tensor_norms(gradients)
    entries = np.abs(fits.rows(gradients))
    squares = np.square(by_tensor).sum(axis=1)
    return {
        "the largest of the parameters' norms": by_tensor.max(axis=1),
        "the sum of the parameters' norms": by_tensor.sum(axis=1),
        "the sum of absolute entries (L1)": entries.sum(axis=1),
        "the largest absolute entry": entries.max(axis=1, initial=0.0),
        "the root of the mean square": np.sqrt(squares / entries.shape[1]),
    }


def of_parts(gradients: Arrays) -> dict[str, np.ndarray]:
    """Of one parameter, or of one layer, alone [B], by name; nothing where there is one only."""
    by_tensor = dict(zip(gradients, fits.tensor_norms(gradients).T, strict=True))
    by_layer = fits.layer_norms(gradients)
    parts = by_tensor if len(by_tensor) > 1 else {}
    return parts | (by_layer if len(by_layer) > 1 else {})
