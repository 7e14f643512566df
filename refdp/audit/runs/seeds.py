"""Random numbers of an audit: one root, and from it a root of its own for the training of every run.

G1. Coins, choices of records and choices of canaries come from streams that no training stream shares: who is planted
    does not depend on initial weights, batches or noise, nor they on it.
G2. What run k draws depends on the root and k only: not on the other runs, nor on the process that runs it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refdp.rng import Streams

_TRAINING, _COINS, _CANARIES, _RECORDS, _POOL, _WEIGHTS = (0x41554449 + k for k in range(6))


@dataclass(frozen=True)
class Seeds:
    """Streams under one root. An audit is no release, so its root may be known, and is in its configuration."""

    root: int

    def _sequence(self, *key: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(self.root, spawn_key=key)

    def _streams(self, *key: int) -> Streams:
        words = self._sequence(*key).generate_state(4, np.uint32)
        return Streams(int.from_bytes(words.tobytes(), "little"), seed_is_known=True)

    def training(self, run: int) -> Streams:
        """Initial weights, batches and noise of a run."""
        return self._streams(_TRAINING, run)

    def weights(self) -> Streams:
        """Of the training, without privacy, that makes worst-case initial weights."""
        return self._streams(_WEIGHTS)

    def planted(self, run: int, canaries: int) -> np.ndarray:
        """The fair coins of a run, bool [canaries]."""
        return self.coins(run).random(canaries) < 0.5

    def coins(self, run: int) -> np.random.Generator:
        """Which canaries a run plants."""
        return np.random.default_rng(self._sequence(_COINS, run))

    def canaries(self, run: int) -> np.random.Generator:
        """Canaries that are drawn for each run afresh."""
        return np.random.default_rng(self._sequence(_CANARIES, run))

    def pool(self) -> np.random.Generator:
        """Canaries that are the same in all runs."""
        return np.random.default_rng(self._sequence(_POOL))

    def records(self) -> np.random.Generator:
        """Which records are trained on; the same in all runs."""
        return np.random.default_rng(self._sequence(_RECORDS))
