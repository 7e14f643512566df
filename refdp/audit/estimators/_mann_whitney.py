"""Mann-Whitney's count of wins, and its law where the leak is Gaussian, by replicates drawn once.

Replicate r draws z0 [n0] and z1 [n1] from N(0, 1); at leak mu its wins are U_r(mu) = #{z1_i + mu > z0_j}, which grow
with mu. The draws depend on the sizes and the seed only.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

STEP = 1e-7


def wins(planted: np.ndarray, outside: np.ndarray) -> int:
    """U = #{planted_i > outside_j}; a tie is no win."""
    return int(np.searchsorted(np.sort(outside), np.sort(planted)).sum())


@dataclass(frozen=True)
class Replicates:
    """N experiments of these sizes."""

    planted: int
    outside: int
    number: int
    seed: int

    def draw(self, r: int) -> tuple[np.ndarray, np.ndarray]:
        """Replicate r: z1 and z0, each sorted."""
        rng = np.random.default_rng([self.seed, 2, r])
        return np.sort(rng.standard_normal(self.planted)), np.sort(rng.standard_normal(self.outside))

    def at(self, mu: float) -> np.ndarray:
        """U_r(mu), sorted [N]."""
        return _at(self, mu)

    def gaps(self) -> np.ndarray:
        """The leak from which a replicate wins every time: max z0 - min z1, sorted [N]."""
        return _gaps(self)

    def least(self, observed: int, k: int) -> float:
        """The k-th smallest of mu_r = inf {mu: U_r(mu) >= observed}, rounded down by less than STEP."""
        found: list[float] = []  # the k smallest so far, negated: a heap with the largest of them on top
        for r in range(self.number):
            z1, z0 = self.draw(r)
            if len(found) < k:
                heapq.heappush(found, -_least(z1, z0, observed))
            elif np.searchsorted(z0, z1 - found[0]).sum() >= observed:
                heapq.heapreplace(found, -_least(z1, z0, observed))
        return -found[0]


@lru_cache(maxsize=512)
def _at(replicates: Replicates, mu: float) -> np.ndarray:
    counts = np.empty(replicates.number, dtype=np.int64)
    for r in range(replicates.number):
        z1, z0 = replicates.draw(r)
        counts[r] = np.searchsorted(z0, z1 + mu).sum()
    return np.sort(counts)


@lru_cache(maxsize=512)
def _gaps(replicates: Replicates) -> np.ndarray:
    draws = (replicates.draw(r) for r in range(replicates.number))
    return np.sort([z0[-1] - z1[0] for z1, z0 in draws])


def _least(z1: np.ndarray, z0: np.ndarray, observed: int) -> float:
    """A mu with fewer wins than observed, less than STEP below where there are as many."""
    low, high = float(z0[0] - z1[-1]) - 1.0, float(z0[-1] - z1[0]) + 1.0  # no wins, all wins
    while high - low > STEP:
        middle = (low + high) / 2
        low, high = (low, middle) if np.searchsorted(z0, z1 + middle).sum() >= observed else (middle, high)
    return low
