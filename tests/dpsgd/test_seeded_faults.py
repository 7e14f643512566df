"""Checks that cannot fail prove nothing: each fault here is put into the code and must be caught by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import checks
import numpy as np
import pytest

import refdp.accounting.calibrate as calibrate_module
import refdp.accounting.schedules as schedules_module
import refdp.clippers.flat as flat_module
import refdp.engine as engine_module
from refdp.accounting import GaussianEvent, Sampling, Schedule, epsilon
from refdp.clippers import clipped_sum
from refdp.rng import Streams
from refdp.samplers import Batch
from refdp.samplers.poisson import Poisson

Patch = pytest.MonkeyPatch

_add_noise, _chunk_sum = engine_module.add_gaussian_noise, engine_module.Trainer._chunk_sum
_advance, _batch = engine_module.Trainer.advance, Poisson.batch


def noise_on_the_mean(patch: Patch) -> None:
    """Noise of the sum's scale divided once more: as if it were added after averaging."""

    def add(backend: Any, total: Any, noise_multiplier: float, bound: float, seed: Any, dtype: Any) -> Any:
        return _add_noise(backend, total, noise_multiplier / 12, bound, seed, dtype)

    patch.setattr(engine_module, "add_gaussian_noise", add)


def noise_without_c(patch: Patch) -> None:
    """Noise of standard deviation noise_multiplier, whatever C is."""

    def add(backend: Any, total: Any, noise_multiplier: float, bound: float, seed: Any, dtype: Any) -> Any:
        return _add_noise(backend, total, noise_multiplier, 1.0, seed, dtype)

    patch.setattr(engine_module, "add_gaussian_noise", add)


def noise_wrong_by_a_third(patch: Patch) -> None:
    """Two thirds of the noise."""

    def add(backend: Any, total: Any, noise_multiplier: float, bound: float, seed: Any, dtype: Any) -> Any:
        return _add_noise(backend, total, noise_multiplier * 2 / 3, bound, seed, dtype)

    patch.setattr(engine_module, "add_gaussian_noise", add)


def noise_reused(patch: Patch) -> None:
    """Every step has the same noise."""

    def add(backend: Any, total: Any, noise_multiplier: float, bound: float, seed: Any, dtype: Any) -> Any:
        return _add_noise(backend, total, noise_multiplier, bound, np.random.SeedSequence(1), dtype)

    patch.setattr(engine_module, "add_gaussian_noise", add)


def noise_reused_now_and_then(patch: Patch) -> None:
    """The noise of seven steps, over and over."""
    noise = Streams.noise
    patch.setattr(Streams, "noise", lambda self, step: noise(self, step % 7))


def noise_centred(patch: Patch) -> None:
    """Draws minus their mean: the coordinates are no longer independent."""

    def add(backend: Any, total: Any, noise_multiplier: float, bound: float, seed: Any, dtype: Any) -> Any:
        noisy = _add_noise(backend, total, noise_multiplier, bound, seed, dtype)
        return noisy - (noisy - total).mean()

    patch.setattr(engine_module, "add_gaussian_noise", add)


def noise_per_chunk(patch: Patch) -> None:
    """Each physical micro-batch is noised."""

    def chunk_sum(self: Any, indices: np.ndarray) -> Any:
        clean, losses, counts = _chunk_sum(self, indices)
        seed = np.random.SeedSequence(int(abs(clean[0]) * 2**40))
        bound = self.plan.clipper.bound(self.context)
        return _add_noise(self.backend, clean, 1.3, bound, seed, float), losses, counts

    patch.setattr(engine_module.Trainer, "_chunk_sum", chunk_sum)


def clipped_batch_mean(patch: Patch) -> None:
    """The mean gradient of the batch is clipped, and taken times its size for a sum."""

    def chunk_sum(self: Any, indices: np.ndarray) -> Any:
        rows, x = np.empty((len(indices), self.plan.network.size)), self._views(indices, indices)[0]
        losses = self.plan.network.per_sample_gradients(np, self.theta, x, self._train_y[indices], rows)
        mean = rows.mean(axis=0, keepdims=True)
        clipped = clipped_sum(self.backend, self.plan.clipper, mean, self.plan.groups, self.context)
        return len(rows) * clipped, losses, 0.0

    patch.setattr(engine_module.Trainer, "_chunk_sum", chunk_sum)


def sensitivity_two_c(patch: Patch) -> None:
    """Records are clipped to 2 C."""
    original = flat_module.Flat.scales
    patch.setattr(flat_module.Flat, "scales", lambda self, xp, n, c: 2 * original(self, xp, n / 2, c))


def naive_rounding(patch: Patch) -> None:
    """min(1, C / n) in the gradients' own precision, without room for rounding."""
    import refdp.clippers.aggregate as aggregate

    def naive(self: Any, xp: Any, n: Any, c: Any) -> Any:
        return self.clip_norm / xp.maximum(n, self.clip_norm)

    patch.setattr(flat_module.Flat, "scales", naive)
    patch.setattr(aggregate, "rounded_down", lambda xp, scales, dtype: scales.astype(dtype))


def nan_pass_through(patch: Patch) -> None:
    """A NaN norm gives a NaN scale and a NaN sum."""
    import refdp.clippers.aggregate as aggregate

    def keep(backend: Any, clipper: Any, rows: Any, groups: Any, context: Any) -> Any:
        norms = aggregate.group_norms(backend, rows, groups)
        return clipper.scales(np, norms, context)[:, 0] @ rows

    patch.setattr(checks, "clipped_sum", keep)


def skipped_empty_batch(patch: Patch) -> None:
    """A step without records adds no noise and leaves the weights alone."""

    def advance(self: Any) -> None:
        if len(self.plan.sampler.batch(self.step, self.streams).indices):
            _advance(self)
        else:
            self.step += 1

    patch.setattr(engine_module.Trainer, "advance", advance)


def empty_batch_not_charged(patch: Patch) -> None:
    """Some steps, as if their batches were empty, are not in the ledger."""
    events = Poisson.events

    def fewer(self: Any, schedule: Schedule, steps: int, beside: float = 0.0) -> Any:
        return events(self, schedule, max(0, steps - 5))

    patch.setattr(Poisson, "events", fewer)


def realised_divisor(patch: Patch) -> None:
    """The noisy sum is divided by how many records were drawn, which is private."""

    def batch(self: Any, step: int, streams: Any) -> Batch:
        drawn = _batch(self, step, streams)
        return Batch(drawn.indices, float(max(1, len(drawn.indices))))

    patch.setattr(Poisson, "batch", batch)


def one_over_the_loader_length(patch: Patch) -> None:
    """Charged at q = 1 / ceil(n / B), as a data loader's length gives it, and drawn at B / n, which is more."""

    def events(self: Any, schedule: Schedule, steps: int, beside: float = 0.0) -> Any:
        rate = 1 / math.ceil(self.dataset_size / self.batch_size)
        return (GaussianEvent(schedule.noise(), Sampling("poisson", rate=rate), steps),)

    patch.setattr(Poisson, "events", events)


def wrong_schedule_sign(patch: Patch) -> None:
    """The cosine schedule starts low and ends high."""
    shapes = {**schedules_module._SHAPES, "cosine": _flipped}
    patch.setattr(schedules_module, "_SHAPES", shapes)


def _flipped(p: np.ndarray, *, amplitude: float) -> np.ndarray:
    flipped: np.ndarray = 1 - amplitude * np.cos(np.pi * p)
    return flipped


def trainer_ignores_the_schedule(patch: Patch) -> None:
    """The noise is constant, the ledger holds the schedule."""
    initialise = engine_module.Trainer.__init__

    def constant(self: Any, *arguments: Any, **options: Any) -> None:
        initialise(self, *arguments, **options)
        self.noise_multipliers = np.full(self.plan.steps, self.plan.schedule.scale)

    patch.setattr(engine_module.Trainer, "__init__", constant)


def interval_midpoint(patch: Patch) -> None:
    """The middle of the last bracket instead of its safe end, and no post-condition."""

    def midpoint(ledger_of: Any, target: float, delta: float, accountant: str = "all", **options: Any) -> Any:
        low, high = 1e-3, 1e3
        for _ in range(14):
            middle = (low * high) ** 0.5
            if calibrate_module.epsilon_upper(ledger_of(middle), delta) <= target:
                high = middle
            else:
                low = middle
        middle = (low * high) ** 0.5
        return calibrate_module.Calibration(middle, epsilon(ledger_of(middle), delta), target, 0.0)

    patch.setattr(calibrate_module, "calibrate_scale", midpoint)


def harmonic_mean_schedule(patch: Patch) -> None:
    """s0's rule: solve a constant multiplier, keep its harmonic mean."""

    def harmonic(ledger_of: Any, target: float, delta: float, accountant: str = "all") -> Any:
        (event,) = ledger_of(1.0).events
        ratios = event.noise.ratios()
        constant = calibrate_module.calibrate_noise_multiplier(
            target, delta, event.sampling.rate, len(ratios)
        )
        scale = constant.noise_multiplier * float(np.sqrt(np.mean(1 / ratios**2)))
        return calibrate_module.Calibration(scale, constant.epsilon, target, 0.0)

    patch.setattr(checks, "calibrate_scale", harmonic)


def _small_contribution() -> None:
    for seed_norm in np.linspace(1.0, 2.0, 40):
        checks.check_contributions(float(seed_norm), 1.0, np.float32)


def _subnormal_scales() -> None:
    for norm in np.geomspace(1e29, 1e30, 60):
        checks.check_contributions(float(norm), 1e-10, np.float32)


def scales_rounded_to_nearest(patch: Patch) -> None:
    """A scale is rounded to the nearest float32, which may be above it."""
    import refdp.clippers.aggregate as aggregate

    patch.setattr(aggregate, "rounded_down", lambda xp, scales, dtype: scales.astype(dtype))


def _cosine_budget() -> None:
    checks.check_cosine_budget(amplitude=0.25, steps=200, rate=0.005, target=3.0)


def check_drawn_rate() -> None:
    """Each record is drawn as often as the ledger's rate says, and the divisor is that rate times their number."""
    streams, draws = Streams.from_seed(7), 3000
    for records, size in ((60, 25), (60, 12), (10, 9)):
        sampler = Poisson(records, size)
        (event,) = sampler.events(Schedule("constant", draws, 1.0), draws)
        rate = event.sampling.rate
        assert rate is not None
        batches = [sampler.batch(t, streams) for t in range(draws)]
        drawn = sum(len(batch.indices) for batch in batches) / (draws * records)
        room = 5 * math.sqrt(rate * (1 - rate) / (draws * records))
        assert abs(drawn - rate) < room, f"drawn at {drawn:.4f}, charged at {rate:.4f}"
        assert {batch.divisor for batch in batches} == {float(size)}
        assert rate * records == pytest.approx(size)


FAULTS: list[tuple[Callable[[Patch], None], Callable[[], None], str]] = [
    (noise_on_the_mean, checks.check_noise, "noise"),
    (noise_without_c, checks.check_noise, "noise"),
    (noise_wrong_by_a_third, checks.check_noise, "noise"),
    (noise_reused, checks.check_noise, "noise"),
    (noise_reused_now_and_then, checks.check_noise, "reused"),
    (noise_centred, checks.check_noise, "shared"),
    (noise_per_chunk, checks.check_noise, "noise"),
    (scales_rounded_to_nearest, _subnormal_scales, "contributes"),
    (wrong_schedule_sign, checks.check_noise, "noise"),
    (clipped_batch_mean, checks.check_neighbouring_sums, "moved|Not equal"),
    (sensitivity_two_c, checks.check_neighbouring_sums, "moved|Not equal"),
    (sensitivity_two_c, _small_contribution, "contributes"),
    (naive_rounding, _small_contribution, "contributes"),
    (nan_pass_through, checks.check_nan_records, "Not equal"),
    (skipped_empty_batch, checks.check_empty_batches, "no noise"),
    (empty_batch_not_charged, checks.check_empty_batches, "are charged"),
    (realised_divisor, checks.check_divisor, "Not equal"),
    (one_over_the_loader_length, check_drawn_rate, "charged at"),
    (trainer_ignores_the_schedule, checks.check_delivered_schedule, "step"),
    (interval_midpoint, checks.check_calibration, "calibrated to|more noise"),
    (harmonic_mean_schedule, _cosine_budget, "exceeds the target"),
]


@pytest.mark.parametrize(
    ("fault", "check", "says"), FAULTS, ids=[f"{f.__name__}-{c.__name__}" for f, c, _ in FAULTS]
)
def test_the_fault_is_caught(
    fault: Callable[[Patch], None], check: Callable[[], None], says: str, monkeypatch: Patch
) -> None:
    checks.sound(check)
    fault(monkeypatch)
    with pytest.raises(AssertionError, match=says):
        check()
