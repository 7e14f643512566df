"""The noise on the sum: normal, of the declared scale, fresh at every step and coordinate, repeated when asked again.

z-values are standard normal where the noise is right: one above 6 comes by chance once in 5e8 times.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from refdp.backend import Backend
from refdp.noise import add_gaussian_noise
from refdp.rng import Streams
from refdp.selftest.case import Case, largest

_SIZE, _Z = 200_000, 6.0
_NOISE_MULTIPLIER, _BOUND = 1.5, 0.25


def cases(backend: Backend, seed: int) -> Iterator[Case]:
    """Of float32 draws, the type that training uses."""
    found = _Noise(backend, seed)
    yield Case("noise", "normal (KS)", "p-value", 1e-6, found.p_value, at_least=True)
    yield Case("noise", "mean 0", "z-value", _Z, found.mean)
    yield Case("noise", "scale is noise multiplier x K", "z-value", _Z, found.scale)
    yield Case("noise", "no tail is cut", "z-value", _Z, found.tail)
    yield Case("noise", "steps are independent", "z-value", _Z, found.between_steps)
    yield Case("noise", "coordinates are independent", "z-value", _Z, found.between_coordinates)
    yield Case("noise", "a step asked again is the same", "largest difference", 0.0, found.again)
    yield Case("noise", "added to the sum", "largest error / scale", 1e-12, found.added)


class _Noise:
    """The noise of a step in units of what it should be."""

    def __init__(self, backend: Backend, seed: int) -> None:
        self.backend, self.streams = backend, Streams.from_seed(seed)

    def _released(self, step: int, start: float = 0.0) -> np.ndarray:
        total = self.backend.xp.full(_SIZE, start, dtype=np.float64)
        noise = self.streams.noise(step)
        noised = add_gaussian_noise(self.backend, total, _NOISE_MULTIPLIER, _BOUND, noise, np.float32)
        return self.backend.to_host(noised)

    def _of(self, step: int) -> np.ndarray:
        return self._released(step) / (_NOISE_MULTIPLIER * _BOUND)

    def p_value(self) -> float:
        return float(stats.kstest(self._of(0), "norm").pvalue)

    def mean(self) -> float:
        return abs(float(self._of(0).mean())) * _SIZE**0.5

    def scale(self) -> float:
        return abs(float((self._of(0) ** 2).mean()) - 1) * (_SIZE / 2) ** 0.5

    def tail(self) -> float:
        """Of the number beyond 3."""
        p = 2 * stats.norm.sf(3)
        count = int((np.abs(self._of(0)) > 3).sum())
        return abs(count - _SIZE * p) / float(_SIZE * p * (1 - p)) ** 0.5

    def between_steps(self) -> float:
        first, second, third = (self._of(step) for step in (0, 1, 2))
        pairs = ((first, second), (second, third), (first, third))
        return largest([_correlation(*pair) for pair in pairs])

    def between_coordinates(self) -> float:
        noise = self._of(0)
        half = _SIZE // 2
        lags = [_correlation(noise[:-lag], noise[lag:]) for lag in (1, 2, 4, 64, 256, half)]
        return largest(lags)

    def again(self) -> float:
        return float(np.abs(self._of(3) - self._of(3)).max())

    def added(self) -> float:
        return float(np.abs(self._released(0, 1.0) - 1.0 - self._released(0)).max())


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """|correlation| in its own standard deviations."""
    return abs(float(a @ b)) / float(np.sqrt((a @ a) * (b @ b))) * len(a) ** 0.5
