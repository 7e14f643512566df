"""What every contender is given: the same records, labels and weights. Needs numpy only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LEARNING_RATE = 1e-6  # the weights stay where they are, as in refdp.bench.step
_WEIGHT = "weight of "


@dataclass(frozen=True)
class Inputs:
    """One batch.

    Attributes:
        model: name.
        x: [B, *shape] float32, images channels-last.
        y: [B] labels.
        clip: clip norm.
        weights: by torch's names, in torch's layouts.
    """

    model: str
    x: np.ndarray
    y: np.ndarray
    clip: float
    weights: dict[str, np.ndarray]

    @property
    def channels_first(self) -> np.ndarray:
        """x as torch holds it.

        A copy: with one channel numpy calls the moved axes contiguous as they are, torch takes them for channels-last,
        and of such activations Opacus 1.6.0 makes wrong gradients (its unfold2d takes contiguous strides for granted).
        """
        return np.moveaxis(self.x, -1, 1).copy() if self.x.ndim > 2 else self.x

    def save(self, path: Path) -> None:
        """Write all to an .npz file."""
        weights = {_WEIGHT + name: values for name, values in self.weights.items()}
        np.savez(path, model=self.model, x=self.x, y=self.y, clip=self.clip, **weights)


def load(path: str | os.PathLike[str]) -> Inputs:
    """What ``save`` wrote."""
    with np.load(path) as file:
        weights = {name.removeprefix(_WEIGHT): file[name] for name in file.files if name.startswith(_WEIGHT)}
        return Inputs(str(file["model"]), file["x"], file["y"], float(file["clip"]), weights)
