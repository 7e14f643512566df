"""Numbers of a narrower type than float32, told by their zero bits; and rounding to one."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training.fits import Named

BITS = {"bfloat16": 8, "TF32 or float16": 11}
"""Bits of the significand, the leading one counted: unit roundoff 2^-bits. The narrowest first."""
MOST_ROUNDOFFS = 64.0
LEAST = 3
"""Numbers other than zero: of float32's 24 bits, one number has 13 zero by chance with probability 2^-13."""


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """To so many bits of significand, to nearest even."""
    significand, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.rint(np.ldexp(significand, bits)), exponent - bits))


def stored_in(found: Named, relative: float) -> tuple[str, int] | None:
    """The type, and its bits, that holds every number, where ``relative`` is what its rounding can come to."""
    if sum(int(np.count_nonzero(values)) for values in found.values()) < LEAST:
        return None
    for type_, bits in BITS.items():
        if relative <= MOST_ROUNDOFFS * 2.0**-bits and all(
            np.array_equal(values, rounded(values, bits)) for values in found.values()
        ):
            return type_, bits
    return None
