"""How a clip norm C is divided among parameter tensors, and the noise among them.

C_l = C a_l / |a|, so that sum_l C_l^2 = C^2        std_l = b_l sqrt(sum_k C_k^2 / b_k^2)   (times noise multiplier)

Any positive b cost the same privacy: divide group l by b_l, add isotropic noise for the sensitivity
sqrt(sum_k C_k^2 / b_k^2), multiply back. He et al. 2022 (arXiv 2212.01539, section 4) choose among b = 1 ("global"),
b_l = C_l ("equal": std_l = sqrt(L) C_l, every tensor has the same noise relative to its threshold) and
b_l = C_l / sqrt(d_l) ("dimension": the noise vector of tensor l is as long as any other, relative to C_l).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from refdp.errors import RefDPError

ALLOCATIONS = ("global", "equal", "dimension")


def parse_shares(text: str) -> tuple[float, ...] | str:
    """``uniform``, ``dimension``, or one number > 0 for each tensor, as ``1/2/0.5``."""
    if text in ("uniform", "dimension"):
        return text
    rule = "must be uniform, dimension, or a number > 0 for each parameter tensor, as 1/2/0.5"
    try:
        numbers = tuple(float(part) for part in text.split("/"))
    except ValueError:
        raise RefDPError(f"bounds = {text!r}: {rule}") from None
    if not all(1e-30 <= number <= 1e30 for number in numbers):
        raise RefDPError(f"bounds = {text!r}: {rule}, in [1e-30, 1e+30]")
    return numbers


def thresholds(clip_norm: float, bounds: str, sizes: Sequence[int]) -> np.ndarray:
    """C_l, float64 [L]: equal, in proportion to sqrt(d_l), or to the numbers given. Their squares sum to <= C^2."""
    shares = parse_shares(bounds)
    if shares == "uniform":
        wanted = np.ones(len(sizes))
    elif shares == "dimension":
        wanted = np.sqrt(np.array(sizes, dtype=np.float64))
    else:
        wanted = np.array(shares, dtype=np.float64)
        if len(wanted) != len(sizes):
            raise RefDPError(
                f"bounds = {bounds!r}: {len(wanted)} numbers for {len(sizes)} parameter tensors; give one for each"
            )
    wanted = wanted / wanted.max()
    return wanted * (clip_norm / float(np.sqrt((wanted**2).sum())) * (1 - 2.0**-50))


def noise_scales(allocation: str, bounds: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """std_l at noise multiplier 1, float64 [L], rounded up."""
    ones = np.ones(len(bounds))
    weights = {
        "global": ones,
        "equal": bounds / bounds.max(),
        "dimension": bounds / bounds.max() / np.sqrt(np.array(sizes, dtype=np.float64)),
    }[allocation]
    top = bounds.max()
    total = top * np.sqrt(((bounds / top / weights) ** 2).sum())
    return np.asarray(weights * total * (1 + 2.0**-49), dtype=np.float64)
