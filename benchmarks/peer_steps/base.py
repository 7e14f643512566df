"""What a peer's module makes."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np


class Absent(Exception):
    """This contender does not exist here; says why."""


class Step(ABC):
    """A model and its batch, ready for training steps.

    Attributes:
        versions: name -> version of what computes.
    """

    versions: dict[str, str]

    @abstractmethod
    def step(self) -> None:
        """One training step; returns when it is done."""

    @abstractmethod
    def parameters(self) -> int:
        """How many numbers are trained."""

    def tune(self) -> str:
        """Find this contender's fastest setting here by some steps, keep it, and say which; "" where none is open."""
        return ""

    def clipped_sum(self) -> dict[str, np.ndarray] | None:
        """The sum of the batch's clipped gradients by torch's names and layouts; None where nothing is clipped."""
        return None
