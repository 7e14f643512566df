"""What the adaptive optimizers share: the root of a running mean of squared gradients, without the noise's share.

The noise of DP-SGD adds its variance noise_std^2 = (noise_multiplier_t K / divisor)^2, a public number, to each
squared gradient: E[g~^2] = E[g^2] + noise_std^2. With ``bias_correction=dp`` it is subtracted (DP-AdamBC: Tang,
Shpilevskiy, Lecuyer, AAAI 2024, arXiv 2312.14334):

v <- decay v + (1 - decay) (g~^2 - noise_std^2)        denominator = sqrt(max(v, floor)) + eps

At constant noise this is the paper's v_hat - noise_std^2; under a noise schedule each step's own variance goes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from refdp.backend import Array
from refdp.errors import RefDPError
from refdp.optimizers.base import Optimizer
from refdp.validate import one_of, positive

_FLOOR = 1e-8


@dataclass(frozen=True)
class SecondMoment(Optimizer):
    """eps > 0; bias_correction none or dp; floor > 0 of the corrected second moment, with dp only [1e-8]."""

    eps: float = field(default=1e-8, kw_only=True)
    bias_correction: str = field(default="none", kw_only=True)
    floor: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(eps=self.eps)
        one_of(("none", "dp"), bias_correction=self.bias_correction)
        if self.floor is None:
            return
        positive(floor=self.floor)
        if self.bias_correction != "dp":
            raise RefDPError(f"floor = {self.floor!r}: needs bias_correction=dp; add it or leave floor out")

    def square(self, gradient: Array, noise_std: float) -> Array:
        """g~^2, less the noise's variance where asked for: [D], may be negative."""
        squared = gradient * gradient
        return squared - noise_std * noise_std if self.bias_correction == "dp" else squared

    def denominator(self, xp: Any, second_moment: Array) -> Array:
        """sqrt(v) + eps, v floored where noise was subtracted."""
        if self.bias_correction == "dp":
            second_moment = xp.maximum(second_moment, _FLOOR if self.floor is None else self.floor)
        return xp.sqrt(second_moment) + self.eps
