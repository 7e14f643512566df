"""The Gaussian mechanism on a sum of clipped gradients.

    G~ = sum_i clip(g_i) + N(0, (noise_multiplier * K)^2 I)

The noise goes on the SUM, once for a logical batch however many physical chunks it came in, and scales with
the clipping rule's bound K. Dividing by the public batch size comes after.
"""

from __future__ import annotations

import numpy as np

from refdp.backend import Array, Backend
from refdp.rng import HostNormal


def add_gaussian_noise(
    backend: Backend,
    clipped_sum: Array,
    noise_multiplier: float,
    bound: float | Array,
    seed: np.random.SeedSequence | HostNormal,
    dtype: type,
) -> Array:
    """The released sum, float64 [D]; noise is scaled in float64, whatever type it was drawn in.

    Args:
        clipped_sum: [D].
        noise_multiplier: noise standard deviation / bound, >= 0.
        bound: K, the largest norm of one record's contribution; or a standard deviation for each coordinate [D], as a
            rule's ``noise_scales`` allocate it.
        seed: this step's own seed, or its own draws; never used for anything else.
        dtype: type the draws from a seed are made in (float32 draws have 24-bit resolution).
    """
    size = clipped_sum.size
    draws = backend.asarray(seed(size)) if callable(seed) else backend.normal(seed, size, dtype)
    return clipped_sum + (noise_multiplier * bound) * draws.astype(backend.xp.float64)
