"""How a record's gradient is built before it is clipped, as checks that hold any implementation to it.

The tests run them on refdp; the seeded faults run them on refdp broken on purpose, where they must fail.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from refdp.accounting import Schedule
from refdp.backend import Backend, numpy_backend
from refdp.clippers import clippers
from refdp.data import Dataset, Split
from refdp.engine import Trainer
from refdp.gradients import augmentations, iterates
from refdp.models import models
from refdp.optimizers import lr_schedules, optimizers
from refdp.plan import Plan
from refdp.rng import Streams
from refdp.samplers import samplers

RECORDS = 30


def images() -> Dataset:
    """30 random images of 6 x 5 pixels, 3 classes."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (RECORDS + 10, 6, 5, 2), dtype=np.uint8)
    y = rng.integers(0, 3, RECORDS + 10)
    train, test = Split(x[:RECORDS], y[:RECORDS]), Split(x[RECORDS:], y[RECORDS:])
    return Dataset("images", train, test, 3, (0.5, 0.4), (0.2, 0.3))


def trainer(
    augmentation: str | None = None,
    past: str | None = None,
    *,
    clip_norm: float = 0.3,
    noise_multiplier: float = 0.8,
    chunk: int = 7,
    steps: int = 6,
    lr_schedule: str = "constant",
    backend: Backend | None = None,
    workers: int = 1,
    private: bool = True,
) -> Trainer:
    """A run on the images: 12 records a batch expected, float64."""
    data = images()
    plan = Plan(
        network=models.create("mlp:hidden=7").build(data.input_shape, data.num_classes),
        sampler=samplers.create("poisson", dataset_size=RECORDS, batch_size=12),
        clipper=clippers.create("flat", clip_norm=clip_norm) if private else None,
        schedule=Schedule("constant", steps, noise_multiplier),
        optimizer=optimizers.create("sgd"),
        learning_rate=1.0,
        lr_schedule=lr_schedules.create(lr_schedule),
        delta=1e-5,
        neighboring="add-remove",
        augmentation=None if augmentation is None else augmentations.create(augmentation),
        iterates=None if past is None else iterates.create(past),
    )
    streams = Streams.from_seed(7)
    backend = backend or numpy_backend()
    return Trainer(plan, data, backend, streams, physical_batch_size=chunk, dtype=np.float64, workers=workers)


def seen(image: np.ndarray, down: int, right: int, flip: bool) -> np.ndarray:
    """One view by numpy's own padding: the image moved by (down, right) pixels, mirrored at the edges."""
    room = max(abs(down), abs(right))
    padded = np.pad(image, ((room, room), (room, room), (0, 0)), mode="reflect")
    height, width = image.shape[:2]
    moved = padded[room + down : room + down + height, room + right : room + right + width]
    return moved[:, ::-1] if flip else moved


def gradient(run: Trainer, image: np.ndarray, label: int, theta: np.ndarray) -> np.ndarray:
    """Of one image, alone."""
    row = np.empty((1, run.plan.network.size))
    x = run.data.prepare(np, image[None])
    run.plan.network.per_sample_gradients(np, theta, x, np.array([label]), row)
    return row[0]


def reference_sum(run: Trainer, indices: np.ndarray, thetas: list[np.ndarray], decay: float) -> np.ndarray:
    """One record, one view, one iterate at a time: averages first, then min(1, C / norm)."""
    augmentation, total = run.plan.augmentation, np.zeros(run.plan.network.size)
    views = 1 if augmentation is None else augmentation.views
    drawn = np.zeros((RECORDS, 1, 3), dtype=int)
    pixels = 0
    if augmentation is not None:
        drawn = augmentation.draw(run.streams.views(run.step), RECORDS).astype(int)
        pixels = augmentation.pixels
    shares = [decay**k for k in range(len(thetas))]
    for i in indices:
        mean = np.zeros_like(total)
        for share, theta in zip(shares, thetas, strict=True):
            for down, right, flip in drawn[i]:
                image = seen(run.data.train.x[i], down - pixels, right - pixels, bool(flip))
                mean += gradient(run, image, run.data.train.y[i], theta) * share / sum(shares) / views
        total += mean * min(1.0, run.plan.clipper.clip_norm / np.linalg.norm(mean))
    return total


def check_sums(augmentation: str | None, past: str | None, memory: int = 1, decay: float = 1.0) -> None:
    """The engine's clipped sum is the reference's, at every step of a run."""
    run, thetas = trainer(augmentation, past), []
    for _ in range(5):
        thetas = [run.theta.copy(), *thetas][:memory]
        indices = run.plan.sampler.batch(run.step, run.streams).indices
        expected = reference_sum(run, indices, thetas, decay)
        np.testing.assert_allclose(run.summed_gradient(indices), expected, rtol=1e-9, atol=1e-12)
        run.advance()


def check_sensitivity(augmentation: str | None, past: str | None) -> None:
    """Removing a record moves the sum by at most C, and replacing one by at most 2C, after several steps."""
    run = trainer(augmentation, past, clip_norm=0.02)
    for _ in range(3):
        run.advance()
    everyone, bound = np.arange(12), run.plan.clipper.bound(run.context)
    whole = run.summed_gradient(everyone)
    for i in everyone:
        moved = float(np.linalg.norm(whole - run.summed_gradient(np.delete(everyone, i))))
        assert moved <= bound * (1 + 1e-12), f"removing a record moved the sum by {moved / bound:.3g} C"
        assert moved > 0.5 * bound, "a record contributes next to nothing"
        swapped = run.summed_gradient(np.where(everyone == i, 15 + i, everyone))
        assert np.linalg.norm(whole - swapped) <= 2 * bound * (1 + 1e-12)


def check_views_are_own(augmentation: str) -> None:
    """Changing one record, or leaving it out, changes no other record's views."""
    run = trainer(augmentation, clip_norm=1e6)
    everyone = np.arange(12)
    each = [run.summed_gradient(np.array([i])) for i in everyone]
    np.testing.assert_allclose(run.summed_gradient(everyone), sum(each), rtol=1e-9, atol=1e-12)
    x = run.data.train.x.copy()
    x[3] = 255 - x[3]
    other = trainer(augmentation, clip_norm=1e6)
    other.data = replace(run.data, train=Split(x, run.data.train.y))
    other._train_x = x
    for i in everyone:
        same = np.array_equal(other.summed_gradient(np.array([i])), each[i])
        assert same == (i != 3), f"record {i}"


def check_plateau_counts() -> None:
    """What the learning rate sees is the noised, centred count, with the noise that the ledger charges, ever fresh."""
    std = 40.0
    run = trainer(lr_schedule=f"plateau:count_noise={std},every=1,patience=1000", steps=400, clip_norm=1e-9)
    observed: list[float] = []
    right: list[int] = []
    schedule = run.plan.lr_schedule
    original = type(schedule).observed

    def watch(self, state, accuracy):  # type: ignore[no-untyped-def]
        observed.append(accuracy)
        return original(self, state, accuracy)

    type(schedule).observed = watch  # type: ignore[method-assign]
    try:
        for _ in range(400):
            run.advance()
            right.append(run.hits(run.data.train))
    finally:
        del type(schedule).observed
    noise = (np.array(observed) - 0.5) * RECORDS - (np.array(right) - RECORDS / 2)
    assert abs(noise.std() / std - 1) < 5 / math.sqrt(2 * len(noise)), f"noise {noise.std():.3g}, not {std}"
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.25, "noise is reused"
    charged = run.plan.ledger().events[-1]
    assert (charged.count_noise, charged.sensitivity, charged.count) == (std, 0.5, 400), "not what is charged"
    assert charged.sampling.scheme == "full-batch"
