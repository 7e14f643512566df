"""What a DP-SGD step must be, as checks that hold any implementation to it.

The tests run them on refdp; the seeded-fault tests run them on refdp broken on purpose, where they must fail.
Expected values are written out here from the papers' formulas, not taken from the code under test.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import cache

import numpy as np
from helpers import small_data, small_trainer
from scipy import stats

from refdp.accounting import Schedule, calibrate_noise_multiplier, calibrate_scale
from refdp.backend import numpy_backend
from refdp.clippers import ClipContext, clipped_sum, clippers, rounding_margin
from refdp.engine import Trainer
from refdp.samplers import Batch


@cache
def sound(check: Callable[..., None], *arguments: object) -> None:
    """The check passes on the code as it stands: tried once a process, so call it before the code is broken."""
    check(*arguments)


def released_sums(trainer: Trainer, steps: int) -> tuple[list[np.ndarray], list[np.ndarray], list[Batch]]:
    """Run steps of plain SGD at learning rate 1; recover (released sum, clean sum, batch) of each step."""
    released, clean, batches = [], [], []
    for _ in range(steps):
        batch = trainer.plan.sampler.batch(trainer.step, trainer.streams)
        clean.append(reference_clipped_sum(trainer, batch.indices))
        before = trainer.theta.copy()
        trainer.advance()
        expected_batch = trainer.plan.sampler.batch_size
        released.append((before - trainer.theta) * expected_batch)
        batches.append(batch)
    return released, clean, batches


def reference_clipped_sum(trainer: Trainer, indices: np.ndarray) -> np.ndarray:
    """One record at a time: gradient, norm, min(1, C / norm)."""
    network, clip_norm = trainer.plan.network, trainer.plan.clipper.clip_norm
    total = np.zeros(network.size)
    row = np.empty((1, network.size))
    for i in indices:
        x = trainer.data.prepare(np, trainer.data.train.x[i : i + 1])
        network.per_sample_gradients(np, trainer.theta, x, trainer.data.train.y[i : i + 1], row)
        norm = math.sqrt(math.fsum(float(v) ** 2 for v in row[0]))
        total += row[0] * (min(1.0, clip_norm / norm) if norm > 0 else 0.0)
    return total


def check_noise() -> None:
    """Released minus clean sum is N(0, (noise_multiplier_t * C)^2), fresh in every coordinate and step."""
    steps, amplitude, scale, clip_norm = 24, 0.5, 1.3, 0.5
    schedule = Schedule("cosine", steps, scale, {"amplitude": amplitude})
    trainer = small_trainer(schedule=schedule, clip_norm=clip_norm, chunk=3)
    released, clean, _ = released_sums(trainer, steps)
    standardised = []
    for t, (noisy, exact) in enumerate(zip(released, clean, strict=True)):
        noise_multiplier = scale * (1 + amplitude * math.cos(math.pi * (t + 0.5) / steps))
        standardised.append((noisy - exact) / (noise_multiplier * clip_norm))
    by_step = np.array(standardised)
    assert stats.kstest(by_step.ravel(), "norm").pvalue > 1e-3, "noise is not N(0, 1) after standardising"
    for one, other in itertools.combinations(range(steps), 2):
        assert abs(np.corrcoef(by_step[one], by_step[other])[0, 1]) < 0.9, "noise is reused between steps"
    shared = by_step.sum(axis=1) / np.sqrt(
        by_step.shape[1]
    )  # N(0, 1) a step unless coordinates depend on each other
    chi_square = stats.chi2.cdf(float(np.sum(shared**2)), steps)
    assert 1e-4 < chi_square < 1 - 1e-4, "noise is shared between coordinates"
    for half in (by_step[: steps // 2], by_step[steps // 2 :]):
        spread = half.std() / 1.0
        assert abs(spread - 1) < 5 / math.sqrt(2 * half.size), f"noise scale is off by a factor {spread:.3f}"
    for shift in (1, 2):
        a, b = by_step[shift:].ravel(), by_step[:-shift].ravel()
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / math.sqrt(a.size), "noise is reused between steps"
        a, b = by_step[:, shift:].ravel(), by_step[:, :-shift].ravel()
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / math.sqrt(a.size), "noise is shared between coordinates"


def check_neighbouring_sums() -> None:
    """Removing a record moves the clipped sum by at most C; replacing one by at most 2C (P11). In every mode."""
    for mode in ("explicit", "ghost", "hybrid"):
        _neighbouring_sums(small_trainer(clip_norm=0.05, noise_multiplier=1.0, per_sample=mode))


def _neighbouring_sums(trainer: Trainer) -> None:
    bound = trainer.plan.clipper.bound(trainer.context)
    everyone = np.arange(12)
    whole = trainer.summed_gradient(everyone)
    for left_out in everyone:
        fewer = trainer.summed_gradient(np.delete(everyone, left_out))
        moved = float(np.linalg.norm(whole - fewer))
        assert moved <= bound * (1 + 1e-9), f"removing a record moved the sum by {moved / bound:.3f} C"
        swapped = trainer.summed_gradient(np.where(everyone == left_out, 30 + left_out, everyone))
        assert np.linalg.norm(whole - swapped) <= 2 * bound * (1 + 1e-9)
    reference = reference_clipped_sum(trainer, everyone)
    np.testing.assert_allclose(whole, reference, rtol=1e-9, atol=1e-12)


def check_contributions(norm: float, clip_norm: float, dtype: type, shape: int = 7) -> None:
    """The float64 norm of a scaled contribution is at most C, exactly (P1)."""
    rng = np.random.default_rng(5)
    direction = rng.standard_normal(shape)
    gradient = (direction / np.linalg.norm(direction) * norm).astype(dtype)
    clipper = clippers.create("flat", clip_norm=clip_norm)
    context = ClipContext(0, 1, rounding_margin(dtype))
    rows = gradient[None].copy()
    contribution = clipped_sum(numpy_backend(), clipper, rows, [slice(0, shape)], context)
    assert contribution.dtype == dtype
    exact = math.hypot(*(float(v) for v in contribution))
    assert exact <= clip_norm, f"a record of norm {norm:g} contributes {exact / clip_norm!r} C"
    given = math.hypot(*(float(v) for v in gradient))
    if given <= clip_norm * (1 - 1e-5):
        np.testing.assert_array_equal(contribution, gradient)  # untouched below C
    elif (
        dtype == np.float64 or clip_norm / given > 1e-37
    ):  # below, the scale is no normal float32: rounded down
        assert exact >= min(given, clip_norm) * (1 - 1e-5), "clipped far more than asked"


def check_empty_batches() -> None:
    """An empty batch is a step of pure noise: counted, charged, and moving the weights."""
    trainer = small_trainer(batch_size=1, steps=60, noise_multiplier=2.0)
    sizes = [len(trainer.plan.sampler.batch(t, trainer.streams).indices) for t in range(60)]
    assert 0 in sizes
    for t in range(60):
        before = trainer.theta.copy()
        trainer.advance()
        assert trainer.step == t + 1, "a step was not counted"
        moved = float(np.linalg.norm(trainer.theta - before))
        expected = 2.0 * 0.5 * math.sqrt(trainer.theta.size)
        assert moved > 0.3 * expected, f"step {t} (batch of {sizes[t]}) added no noise"
    charged = sum(event.count for event in trainer.plan.ledger(trainer.step).events)
    assert charged == 60, f"{charged} of 60 steps are charged"


def check_divisor() -> None:
    """Under Poisson sampling the sum is divided by the expected batch size, whatever was drawn."""
    trainer = small_trainer(batch_size=5, steps=30, noise_multiplier=1e-9)
    released, clean, batches = released_sums(trainer, 30)
    assert len({len(batch.indices) for batch in batches}) > 3
    for noisy, exact in zip(released, clean, strict=True):
        np.testing.assert_allclose(noisy, exact, rtol=1e-6, atol=1e-6)


def check_calibration() -> None:
    """The calibrated multiplier's UPPER epsilon is at most the target, in many settings."""
    from refdp.accounting import GaussianEvent, Ledger, Sampling, epsilon

    for rate, steps, target in itertools.product((0.01, 0.3), (20, 400), (0.3, 3.0)):
        found = calibrate_noise_multiplier(target, 1e-5, rate, steps)
        ledger = Ledger(
            "add-remove", (GaussianEvent(found.noise_multiplier, Sampling("poisson", rate), steps),)
        )
        upper = epsilon(ledger, 1e-5).upper
        assert upper <= target, f"calibrated to {upper!r} > {target}"
        closer = Ledger(
            "add-remove",
            (GaussianEvent(found.noise_multiplier * (1 - 1e-5), Sampling("poisson", rate), steps),),
        )
        assert epsilon(closer, 1e-5).upper > target, "more noise than needed"


def check_cosine_budget(
    amplitude: float, steps: int, rate: float, target: float, delta: float = 1e-5
) -> None:
    """A cosine schedule solved for a target, as the trainer then runs it, never costs more than the target.

    The multipliers are written out from the formula and accounted one by one.
    """
    from refdp.accounting import GaussianEvent, Ledger, Sampling, epsilon

    def ledger(scale: float) -> Ledger:
        noise = Schedule("cosine", steps, scale, {"amplitude": amplitude})
        return Ledger("add-remove", (GaussianEvent(noise, Sampling("poisson", rate), steps),))

    scale = calibrate_scale(ledger, target, delta).noise_multiplier
    one_by_one = [
        GaussianEvent(
            scale * (1 + amplitude * math.cos(math.pi * (t + 0.5) / steps)), Sampling("poisson", rate)
        )
        for t in range(steps)
    ]
    upper = epsilon(Ledger("add-remove", tuple(one_by_one)), delta).upper
    assert upper <= target * (1 + 1e-9), f"accounted epsilon {upper!r} exceeds the target {target}"


def check_delivered_schedule() -> None:
    """The noise the trainer adds follows the very multipliers that its ledger declares."""
    steps = 12
    schedule = Schedule("cosine", steps, 2.0, {"amplitude": 0.6})
    trainer = small_trainer(schedule=schedule, hidden=40)
    released, clean, _ = released_sums(trainer, steps)
    (event,) = trainer.plan.ledger().events
    declared = event.noise.noise_multipliers()
    for t in range(steps):
        delivered = float(np.std(released[t] - clean[t])) / trainer.plan.clipper.bound(trainer.context)
        assert abs(delivered / declared[t] - 1) < 6 / math.sqrt(2 * trainer.theta.size), f"step {t}"


def check_nan_records() -> None:
    """A record with NaN or inf contributes nothing and changes nothing else."""
    clipper = clippers.create("flat", clip_norm=1.0)
    rng = np.random.default_rng(0)
    clean = rng.standard_normal((5, 9))
    context = ClipContext(0, 1, rounding_margin(np.float64))
    expected = clipped_sum(
        numpy_backend(), clipper, np.delete(clean, 2, axis=0).copy(), [slice(0, 9)], context
    )
    for poison in (math.nan, math.inf, -math.inf, 1e200):
        rows = clean.copy()
        rows[2, 4] = poison
        got = clipped_sum(numpy_backend(), clipper, rows, [slice(0, 9)], context)
        np.testing.assert_allclose(got, expected, rtol=1e-13, atol=0)


def data_size() -> int:
    return len(small_data().train.y)
