"""Independent random streams for initialisation, sampling, noise, counts and augmentation.

Every stream of every step is derived from one root entropy by SeedSequence spawn keys, so that:

G1. streams of different purposes or steps never share a seed;
G2. step t's batch and noise depend on the root and t only, so a resumed run replays the very steps an
    interrupted one would have taken, and releases nothing twice with fresh noise;
G3. without a seed the root is 128 bits of the operating system's entropy.

The root is secret: whoever knows it can subtract the noise. A seed chosen by hand is a known root.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refdp.errors import RefDPError
from refdp.validate import whole

_INIT, _SAMPLING, _NOISE, _COUNTS, _ACCURACY, _VIEWS = range(6)

HostNormal = Callable[[int], np.ndarray]
"""size -> that many float64 standard normal draws, on the host; asked again, the same."""


@dataclass(frozen=True)
class Streams:
    """Random streams under one root. ``seed_is_known`` says that a person chose the root.

    ``root_name`` is the root's name in checkpoints, one a noise source: a step replayed under another source
    would be released twice with fresh noise.
    """

    root: int
    seed_is_known: bool
    root_name: ClassVar[str] = "root"

    @classmethod
    def from_seed(cls, seed: int | None) -> Streams:
        """Streams of a chosen seed (a whole number >= 0), or of fresh entropy where None."""
        if seed is None:
            return cls(secrets.randbits(128), seed_is_known=False)
        whole(seed=seed)
        if seed >= 2**128:
            raise RefDPError(f"seed = {seed}: must be < 2^128")
        return cls(int(seed), seed_is_known=True)

    def _sequence(self, *key: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(self.root, spawn_key=key)

    def init(self) -> np.random.Generator:
        """Initial weights."""
        return np.random.default_rng(self._sequence(_INIT))

    def sampling(self, step: int) -> np.random.Generator:
        """The batch of this step (or the permutation of this epoch)."""
        return np.random.default_rng(self._sequence(_SAMPLING, step))

    def noise(self, step: int) -> np.random.SeedSequence | HostNormal:
        """Seed of this step's noise, which the backend turns into draws; or, from some sources, the draws."""
        return self._sequence(_NOISE, step)

    def counts(self, step: int) -> HostNormal:
        """Noise on the counts that this step's clipping rule releases."""
        return lambda size: np.random.default_rng(self._sequence(_COUNTS, step)).standard_normal(size)

    def accuracy(self, step: int) -> HostNormal:
        """Noise on the count that a learning rate follows, released after this step."""
        return lambda size: np.random.default_rng(self._sequence(_ACCURACY, step)).standard_normal(size)

    def views(self, step: int) -> np.random.Generator:
        """How the records of this step are augmented."""
        return np.random.default_rng(self._sequence(_VIEWS, step))
