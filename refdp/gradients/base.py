"""What may be done to a record's gradient before it is clipped, at no cost of privacy.

The clipping rule comes last, so a record contributes at most K whatever its gradient was made of, as long as that is
this record, public randomness and released weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from refdp.backend import Array
from refdp.errors import RefDPError
from refdp.validate import whole

MOST_VIEWS, MOST_ITERATES = 256, 64


@dataclass(frozen=True)
class Augmentation(ABC):
    """Several views of one record, whose gradients are averaged before clipping.

    Augmentation multiplicity: De et al. 2022 (arXiv 2204.13650, section 3). Views that were clipped one by one, as
    rows of the batch, would let a record contribute ``views`` times K.

    G1. A record's views depend on that record, the step and its index only: never on another record.
    """

    views: int

    def __post_init__(self) -> None:
        whole(1, views=self.views)
        if self.views > MOST_VIEWS:
            raise RefDPError(f"views = {self.views}: must be <= {MOST_VIEWS}")

    @abstractmethod
    def check(self, input_shape: tuple[int, ...]) -> None:
        """Refuse records of a shape that this cannot be done to, with RefDPError."""

    @abstractmethod
    def draw(self, generator: np.random.Generator, records: int) -> np.ndarray:
        """Integers [records, views, k], from which the views are made: one row for every record there is."""

    @abstractmethod
    def view(self, xp: Any, x: Array, drawn: Array) -> Array:
        """One view of each record: x [b, *shape] as stored, drawn [b, k] -> [b, *shape]."""


class Iterates(ABC):
    """Which released weights a record's gradient is taken at.

    Attributes:
        memory: how many, today's included.
    """

    memory: int

    @abstractmethod
    def weights(self, available: int) -> list[float]:
        """What each gradient counts, today's first: ``available`` numbers > 0 that sum to 1."""
