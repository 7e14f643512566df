"""What every kind of step must be able to say about itself.

A kernel is one step's sampling and neighbouring relation, without its noise multiplier: a frozen, hashable
dataclass, so that equal steps group under one key. Noise multipliers are standard deviations of the noise on
the sum, divided by C, the bound on one record's contribution (for every relation).

Guarantees, for each kernel:
G1. ``rdp`` is never below the Renyi divergence of any two neighbouring outputs of the step, in either direction.
G2. ``upper_pairs``: each output pair of neighbours is a post-processing of the named pair, in its direction.
G3. ``lower_pairs``: some neighbouring data sets' outputs, or a post-processing of them, are exactly these pairs.
G4. ``chance``: with probability at least 1 - chance, by a coin that both share, the outputs have one law.
G5. ``unsampled_mu``: N(mu, 1) against N(0, 1) dominates the step, in both directions.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from refdp.accounting.pairs import Kinked, Pair


class Kernel(Protocol):
    """One kind of step; see the module's guarantees."""

    @property
    def name(self) -> str:
        """For notes: the sampler, its parameters, the relation."""

    @property
    def sampled(self) -> bool:
        """False where the step is a plain Gaussian mechanism of ratio ``unsampled_mu`` and nothing is amplified."""

    @property
    def attained(self) -> bool:
        """Whether ``unsampled_mu`` (not sampled) or ``lower_pairs`` (sampled) is attained by real neighbours."""

    @property
    def distance(self) -> float:
        """How far apart two neighbours' clipped sums can be, in units of C: unsampled_mu = distance / multiplier."""

    @property
    def chance(self) -> float:
        """Upper value of the probability that the step's output law depends on what neighbours differ in."""

    def rdp(self, multipliers: np.ndarray, order: float) -> np.ndarray:
        """Upper RDP (nats) of one step at one order > 1 for each noise multiplier > 0, float64 [M]."""

    def upper_pairs(self) -> tuple[Pair, Pair] | tuple[Kinked, Kinked] | None:
        """(remove, add) pairs that dominate the step; None where none is proven."""

    def lower_pairs(self) -> tuple[Pair, Pair] | None:
        """(remove, add) pairs that neighbours attain; None where none is known."""

    def unsampled_mu(self, multiplier: float) -> float:
        """Signal-to-noise ratio of an unsampled Gaussian mechanism that dominates the step."""
