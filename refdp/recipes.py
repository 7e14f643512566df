"""Defaults of a training run for each data set, all overridable on the command line.

None of them is tuned on the run they are used in; choosing among recipes by test accuracy is selection, which
no epsilon here covers (the privacy statement says so).
"""

from __future__ import annotations

from dataclasses import dataclass

from refdp.errors import RefDPError


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters of a run: logical (expected) batch size, clip norm C, and so on."""

    model: str
    batch_size: int
    clip_norm: float
    learning_rate: float
    optimizer: str
    lr_schedule: str
    epochs: int


_IMAGES = Recipe("mnistnet:activation=tanh", 1024, 0.1, 1.0, "sgd:momentum=0.9", "constant", 40)

RECIPES = {
    # after Tramer & Boneh 2021 (arXiv 2011.11660): small clip norm, tanh, large learning rate
    "mnist": _IMAGES,
    "fashion-mnist": _IMAGES,
    "cifar10": Recipe("mlp:hidden=64,activation=tanh", 1024, 0.1, 1.0, "sgd:momentum=0.9", "cosine", 20),
    # s1's sweep: 20 epochs of plain SGD
    "gaussian-clusters": Recipe("mlp", 64, 1.0, 0.1, "sgd", "constant", 20),
}


def recipe_for(dataset: str) -> Recipe:
    """The recipe of a data set, by its registered name."""
    if dataset not in RECIPES:
        raise RefDPError(f"unknown dataset {dataset!r}: choose one of {', '.join(sorted(RECIPES))}")
    return RECIPES[dataset]
