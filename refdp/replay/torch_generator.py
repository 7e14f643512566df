"""PyTorch's CPU generator in numpy: the same seed gives the same weights, noise and loader seeds.

One stream of 32-bit outputs w_1, w_2, ... of mt19937 (Matsumoto & Nishimura 1998, seeded the classic way), used up
in this order:

uniform, float32        u = (w mod 2^24) 2^-24 in [0, 1), then low + u (high - low)
normal, 16 or more      fill with uniforms; each block of 16 holds u_1..u_8, v_1..v_8 and becomes
                        r_i cos(2 pi v_i), i = 1..8, then r_i sin(2 pi v_i), r_i = sqrt(-2 ln(1 - u_i)), in float32;
                        if the size is no multiple of 16, the last 16 values are drawn afresh
normal, fewer           in float64, one by one: two uniforms of 53 bits, the angle's first; the cosine is the value,
                        the sine is kept for the next value asked for this way
loader's iterator       two outputs

Source: PyTorch's aten/src/ATen/native/cpu/DistributionTemplates.h, core/DistributionsHelper.h and
core/TransformationHelper.h; held against torch 2.15.0 by tests/replay.
"""

from __future__ import annotations

import math

import numpy as np

from refdp.errors import RefDPError
from refdp.validate import whole

_BLOCK = 16


class TorchGenerator:
    """What ``torch.manual_seed(seed)`` starts.

    Guarantees, tested: uniforms are torch's to the bit; normals differ by at most 1e-6 (torch's own logarithm, sine
    and cosine are approximations); the number of outputs used up is the same, so nothing later is shifted.
    """

    def __init__(self, seed: int) -> None:
        whole(seed=seed)
        if seed >= 2**64:
            raise RefDPError(f"seed = {seed}: must be < 2^64, as torch's is")
        self._outputs = np.random.RandomState(seed % 2**32)
        self._kept: float | None = None

    def raw(self, count: int) -> np.ndarray:
        """The next outputs of mt19937: uint32 [count]."""
        return self._outputs.randint(0, 2**32, size=count, dtype=np.uint32)

    def uniform(self, count: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """``empty(count).uniform_(low, high)``: float32 [count]."""
        start, width = float(np.float32(low)), float(np.float32(high) - np.float32(low))
        unit = (self.raw(count) & np.uint32(2**24 - 1)) * 2.0**-24  # float64
        return (unit * width + start).astype(np.float32)

    def normal(self, count: int) -> np.ndarray:
        """``empty(count).normal_()``: float32 [count], mean 0, standard deviation 1."""
        if count < _BLOCK:
            return np.array([self._one() for _ in range(count)], dtype=np.float32)
        values = self.uniform(count)
        whole_blocks = count - count % _BLOCK
        values[:whole_blocks] = _box_muller(values[:whole_blocks])
        if whole_blocks < count:
            values[-_BLOCK:] = _box_muller(self.uniform(_BLOCK))
        return values

    def pass_over(self, count: int) -> None:
        """What ``normal(count)`` uses up, without its values where there are many."""
        if count < _BLOCK:
            self.normal(count)
        else:
            self.raw(count + (_BLOCK if count % _BLOCK else 0))

    def data_loader(self) -> None:
        """What making one iterator of a DataLoader uses up: the seed for its workers."""
        self.raw(2)

    def _one(self) -> float:
        if self._kept is not None:
            value, self._kept = self._kept, None
            return value
        high, low, high2, low2 = self.raw(4).tolist()
        turn, u = ((h << 32 | w) % 2**53 * 2.0**-53 for h, w in ((high, low), (high2, low2)))
        radius, angle = math.sqrt(-2.0 * math.log1p(-u)), 2.0 * math.pi * turn
        self._kept = radius * math.sin(angle)
        return radius * math.cos(angle)


def _box_muller(uniform: np.ndarray) -> np.ndarray:
    """float32 uniforms [16 k] -> normals [16 k], block by block."""
    blocks = uniform.reshape(-1, 2, _BLOCK // 2)
    radius = np.sqrt(np.float32(-2) * np.log(np.float32(1) - blocks[:, 0]))
    angle = np.float32(2 * math.pi) * blocks[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()
