"""s1's program, all its runs as one batch of models: the same 66 accuracies, from numpy alone.

for each epoch:  the loader's iterator uses up two outputs of the generator
    for each batch, in fixed order, the last of 16:
        sum    <- sum_b min(1, C / (n_b + 1e-12)) g_b                 (n_b over all parameters)
        noised <- sum / batch size + noise_multiplier C / batch size * N(0, I)
        theta  <- theta - 0.1 noised

One draw of noise a parameter tensor. The generator is seeded before the model is made and again, with the same seed,
before training. So runs of one seed have the same initial weights and the same standard normals, scaled differently.
A baseline is the same loop without clipping and noise, and without draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from refdp.data import load
from refdp.models import models
from refdp.models.memory import keep_freed_memory
from refdp.models.network import Network
from refdp.replay.published import CLIP_NORMS, NOISE_MULTIPLIERS, SEEDS
from refdp.replay.torch_generator import TorchGenerator
from refdp.sweep.grid import Grid
from refdp.sweep.mlps import Mlps

BATCH, EPOCHS, RATE = 64, 20, 0.1
TENSORS = ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")
"""In the order in which torch makes them and draws their noise."""


@dataclass(frozen=True)
class Run:
    """One run; clip norm None for a baseline."""

    noise_multiplier: float
    clip_norm: float | None
    seed: int


def all_runs() -> list[Run]:
    """s1's 66: three baselines, then the grid, seed by seed innermost."""
    grid = [Run(z, c, seed) for c in CLIP_NORMS for z in NOISE_MULTIPLIERS for seed in SEEDS]
    return [Run(0.0, None, seed) for seed in SEEDS] + grid


def s1_grid() -> Grid:
    """The same runs as a sweep of refdp's: what their true epsilons are computed from."""
    return Grid(
        dataset="gaussian-clusters",
        data_dir=None,
        model="mlp",
        sampling="fixed-order",
        neighboring="zero-out",
        delta=1e-5,
        batch_size=BATCH,
        epochs=EPOCHS,
        learning_rate=RATE,
        optimizer="sgd",
        lr_schedule="constant",
        noise_multipliers=list(NOISE_MULTIPLIERS),
        target_epsilons=None,
        clippings=["flat"],
        clip_norms=list(CLIP_NORMS),
        seeds=list(SEEDS),
        replay="s1",
    )


def initial_weights(network: Network, generator: TorchGenerator) -> np.ndarray:
    """Every tensor uniform in +-1 / sqrt(fan-in of its layer): float32 [D]."""
    drawn = []
    for name in TENSORS:
        bound = 1 / math.sqrt(network.parameters[f"{name.partition('.')[0]}.weight"].shape[1])
        drawn.append(generator.uniform(math.prod(network.parameters[name].shape), -bound, bound))
    return np.concatenate(drawn)


def step_noise(network: Network, generators: list[TorchGenerator]) -> np.ndarray:
    """One step's standard normals of each seed, a draw for each tensor: float32 [S, D]."""
    sizes = [math.prod(network.parameters[name].shape) for name in TENSORS]
    return np.stack([np.concatenate([own.normal(size) for size in sizes]) for own in generators])


def noised_mean(summed: np.ndarray, stds: np.ndarray, noise: np.ndarray, size: int) -> np.ndarray:
    """What is released of a batch of ``size`` records: float32 [R, D]; stds [R, 1] are those of the sum's noise."""
    return (summed / size).astype(np.float32) + (stds / size).astype(np.float32) * noise


def replay(
    runs: Iterable[Run] | None = None, *, epochs: int = EPOCHS, explicit: bool = False
) -> tuple[list[int], np.ndarray]:
    """Train all runs together; (test records of 100 predicted right, weights float32 [R, D]), in the order given.

    Args:
        explicit: by explicit per-sample gradients, the reference, instead of ghost norms.
    """
    keep_freed_memory()
    chosen = all_runs() if runs is None else list(runs)
    seeds = sorted({run.seed for run in chosen})
    place = np.array([seeds.index(run.seed) for run in chosen])
    data = [load("gaussian-clusters", None, seed) for seed in seeds]
    mlps = Mlps(models.create("mlp").build(data[0].input_shape, data[0].num_classes))
    train_x, train_y, test_x, test_y = (
        np.stack(arrays)
        for arrays in zip(*((d.train.x, d.train.y, d.test.x, d.test.y) for d in data), strict=True)
    )
    theta = np.stack([initial_weights(mlps.network, TorchGenerator(seed)) for seed in seeds])[place]
    generators = [TorchGenerator(seed) for seed in seeds]

    norms = np.array([[math.inf if run.clip_norm is None else run.clip_norm] for run in chosen])
    stds = np.array([[run.noise_multiplier * (run.clip_norm or 0.0)] for run in chosen])
    keep = np.zeros(len(chosen), dtype=bool)  # s1 has no rule for gradients that are not finite
    starts = range(0, train_x.shape[1], BATCH)
    batches = [(train_x[:, s : s + BATCH][place], train_y[:, s : s + BATCH][place]) for s in starts]
    sums: Callable[..., np.ndarray] = mlps.explicit_sums if explicit else mlps.sums
    for _ in range(epochs):
        for generator in generators:
            generator.data_loader()
        for x, y in batches:
            summed = sums(theta, x, y, lambda n: np.minimum(1.0, norms / (n + 1e-12)), keep)
            noise = step_noise(mlps.network, generators)[place]
            theta = theta - np.float32(RATE) * noised_mean(summed, stds, noise, x.shape[1])
    return mlps.hits(theta, test_x[place], test_y[place]).tolist(), theta
