"""Rules whose thresholds follow a noised count: the second kind of rule, with state that was released.

Andrew, Thakkar, McMahan, Ramaswamy 2021 (arXiv 1905.03871), Algorithm 1 and Theorem 1. Beside the sum of scaled
gradients, each step releases for each of the L thresholds

    sum over the batch of (b - 1/2) + N(0, count_noise^2),  b = 1[n_l <= C_l]

with n_l the norm of the record's gradient (of tensor l). Then, B the public batch size and gamma the quantile,

    b~ = clip(released / B + 1/2, 0, 1)        C_l <- clip(C_l exp(-eta (b~ - gamma)), min_clip_norm, max_clip_norm)

b counts records BELOW the threshold. With the fraction above it in its place the threshold runs away from the quantile.

Guarantees, beside those of every rule:

Q1. A record moves the L counts by at most sqrt(L) / 2 (L2) when it comes or goes, because each is centred; a record
    that is absent, whose gradient is NaN or infinite, or whose gradient is 0 (as a record that was zeroed out has),
    contributes 0.
Q2. Gradients and counts of a step are one Gaussian release on one batch, and charged as such: noise multiplier
    (z^-2 + (sqrt(L) / (2 count_noise))^2)^(-1/2), where z is the gradient's own.
Q3. A step is clipped with thresholds that were released before its batch was drawn.
Q4. |log(C_{t+1} / C_t)| <= eta, but where thresholds are renormalised.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from refdp.backend import Array
from refdp.clippers.base import LARGEST_CLIP_NORM, SMALLEST_CLIP_NORM, ClipContext, Clipper
from refdp.errors import RefDPError
from refdp.validate import in_range

THRESHOLDS = "clip_norms"
MOST_BY_DEFAULT = 0.05


@dataclass(frozen=True)
class AdaptiveClipper(Clipper):
    """Clips to thresholds that follow the ``quantile`` of the norms, from ``clip_norm`` on.

    Attributes:
        quantile: gamma, the share of norms that should be below the threshold.
        rate: eta of the geometric update.
        count_noise: standard deviation of the noise on each count. If neither it nor ``share`` is given: B / 20, or
            more where the counts would take above 5 % of 1 / (joint multiplier)^2.
        share: instead of count_noise, the part of 1 / (joint multiplier)^2 that goes to the counts, where r_t = 1.
        min_clip_norm, max_clip_norm: ends of the range that thresholds stay in.
    """

    clip_norm: float
    quantile: float = field(default=0.5, kw_only=True)
    rate: float = field(default=0.2, kw_only=True)
    count_noise: float | None = field(default=None, kw_only=True)
    share: float | None = field(default=None, kw_only=True)
    min_clip_norm: float = field(default=SMALLEST_CLIP_NORM, kw_only=True)
    max_clip_norm: float = field(default=LARGEST_CLIP_NORM, kw_only=True)
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {
        "quantile": (0.0, 1.0),
        "rate": (0.0, 10.0),
        "count_noise": (1e-30, 1e30),
        "share": (1e-12, 0.999),
        "min_clip_norm": (SMALLEST_CLIP_NORM, LARGEST_CLIP_NORM),
        "max_clip_norm": (SMALLEST_CLIP_NORM, LARGEST_CLIP_NORM),
    }
    idempotent: ClassVar[bool] = True
    contribution_monotone: ClassVar[bool] = True
    weight_monotone: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count_noise is not None and self.share is not None:
            raise RefDPError(
                f"count_noise = {self.count_noise!r}, share = {self.share!r}: give one of them at most"
            )
        in_range(self.min_clip_norm, LARGEST_CLIP_NORM, max_clip_norm=self.max_clip_norm)
        in_range(self.min_clip_norm, self.max_clip_norm, clip_norm=self.clip_norm)

    @abstractmethod
    def initial(self, sizes: tuple[int, ...]) -> dict[str, np.ndarray]:
        """What is public before the first step, float64 on the host; ``THRESHOLDS`` [L] among it."""

    def thresholds(self, context: ClipContext) -> np.ndarray:
        """C_l of this step, float64 [L]."""
        return context.released[THRESHOLDS]

    def threshold(self, context: ClipContext) -> float:
        """K: the root of the sum of the squares of the C_l, rounded up."""
        return math.hypot(*self.thresholds(context)) * (1 + 2.0**-51)

    def counts(self, xp: Any, norms: Array, usable: Array, context: ClipContext) -> Array:
        """Sums over the batch of b - 1/2, float64 [L], exact: norms [B, L], usable [B] (False: contributes 0)."""
        below = norms <= xp.asarray(self.thresholds(context).tolist())[None, :]
        counted = usable & (norms > 0).any(axis=1)
        return xp.where(counted[:, None], xp.where(below, 0.5, -0.5), 0.0).sum(axis=0)

    def count_sensitivity(self, groups: int) -> float:
        """L2 norm of one record's contribution to the counts."""
        return math.sqrt(groups) / 2

    def count_noise_std(self, noise_multiplier: float, batch_size: float, groups: int) -> float:
        """Standard deviation of the noise on each count; noise_multiplier is the gradient's (a schedule's scale)."""
        if self.count_noise is not None:
            return self.count_noise
        share = MOST_BY_DEFAULT if self.share is None else self.share
        of_share = self.count_sensitivity(groups) * noise_multiplier * math.sqrt((1 - share) / share)
        return max(of_share, batch_size / 20) if self.share is None else of_share

    def advanced(self, context: ClipContext, released: np.ndarray, divisor: float) -> dict[str, np.ndarray]:
        """What is public after a step: released [L] are its noised counts, divisor its public batch size."""
        below = np.clip(released / divisor + 0.5, 0.0, 1.0)
        moved = self.thresholds(context) * np.exp(-self.rate * (below - self.quantile))
        return {THRESHOLDS: np.clip(moved, self.min_clip_norm, self.max_clip_norm)}

    def bound_text(self) -> str:
        """What the norm follows, and from where."""
        return f"a norm that follows the {self.quantile:g}-quantile from {self.clip_norm:g}, by a noised count a step"


def gradient_noise_multiplier(joint: float, count_noise: float, groups: int = 1) -> float:
    """The gradient's noise multiplier that makes the joint release one of multiplier ``joint`` (Theorem 1).

    (joint^-2 - (sqrt(L) / (2 count_noise))^2)^(-1/2)

    Raises:
        RefDPError: the counts alone cost as much: 2 count_noise / sqrt(L) <= joint.
    """
    in_range(1e-30, 1e30, joint=joint, count_noise=count_noise)
    left = (
        4 * Fraction(count_noise) ** 2 - groups * Fraction(joint) ** 2
    )  # exact: it may be a small difference
    if left <= 0:
        raise RefDPError(
            f"count_noise = {count_noise!r}: the counts alone have noise multiplier "
            f"{2 * count_noise / math.sqrt(groups):g}, not above the joint {joint!r}; use more count_noise"
        )
    return joint / math.sqrt(left / (4 * Fraction(count_noise) ** 2)) * (1 + 4 * 2.0**-52)
