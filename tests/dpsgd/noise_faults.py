"""Wrong noise of many kinds, put into the engine or its streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import noise_checks as checks
import numpy as np
import pytest

import refdp.engine as engine_module
from refdp.accounting import Schedule
from refdp.backend import numpy_backend
from refdp.rng import Streams

Patch = pytest.MonkeyPatch
Fault = Callable[[Patch], None]
_add = engine_module.add_gaussian_noise
_counts, _accuracy = Streams.counts, Streams.accuracy
_noise: Callable[[Streams, int], Any] = Streams.noise
_multipliers = Schedule.noise_multipliers
_normal: Callable[..., np.ndarray] = numpy_backend().normal
FIRST, MIDDLE, LAST = slice(0, 336), slice(336, 392), slice(952, 962)  # tensors of the model under test


def drawn(change: Callable[[int, np.ndarray], np.ndarray]) -> Fault:
    """The step's draws z [D] become change(step, z); the sum and the scales are as they were."""

    def fault(patch: Patch) -> None:
        calls = [0]

        def add(backend: Any, total: Any, multiplier: float, bound: Any, seed: Any, dtype: Any) -> Any:
            z = backend.normal(seed, total.size, dtype)
            calls[0] += 1
            return total + multiplier * bound * change((calls[0] - 1) % checks.STEPS, z)

        patch.setattr(engine_module, "add_gaussian_noise", add)

    return fault


def noise_times(ratio: float) -> Fault:
    """The gradient's noise off by a factor; the ledger does not know."""

    def fault(patch: Patch) -> None:
        def add(backend: Any, total: Any, multiplier: float, bound: Any, seed: Any, dtype: Any) -> Any:
            return _add(backend, total, multiplier * ratio, bound, seed, dtype)

        patch.setattr(engine_module, "add_gaussian_noise", add)

    return fault


def counts_times(ratio: float) -> Fault:
    """The counts' noise off by a factor; the ledger does not know."""
    return lambda patch: patch.setattr(
        Streams, "counts", lambda self, step: lambda size: ratio * _counts(self, step)(size)
    )


def replaced(z: np.ndarray, where: slice, by: Any) -> np.ndarray:
    """The same draws with other ones in one place."""
    changed = z.copy()
    changed[where] = by
    return changed


def tensor_by_a_third(step: int, z: np.ndarray) -> np.ndarray:
    return replaced(z, LAST, 2 / 3 * z[LAST])


def last_step_by_a_third(step: int, z: np.ndarray) -> np.ndarray:
    return 4 / 3 * z if step == checks.STEPS - 1 else z


def same_for_two_tensors(step: int, z: np.ndarray) -> np.ndarray:
    return replaced(z, LAST, z[FIRST][:10])


def partly_for_two_tensors(step: int, z: np.ndarray) -> np.ndarray:
    return replaced(z, MIDDLE, 0.8 * z[MIDDLE] + 0.6 * z[FIRST][-56:])


def centred(step: int, z: np.ndarray) -> np.ndarray:
    return z - z.mean()


def alternating(step: int, z: np.ndarray) -> np.ndarray:
    pairs = np.repeat(z[::2], 2)[: z.size]
    return pairs * np.where(np.arange(z.size) % 2, -1.0, 1.0)


def smoothed(step: int, z: np.ndarray) -> np.ndarray:
    return np.sqrt(0.5) * (z + np.roll(z, 1))


def uniform(step: int, z: np.ndarray) -> np.ndarray:
    """Of variance 1, but not normal."""
    return np.sqrt(12) * (np.random.default_rng(np.abs(z[:4] * 2**30).astype(np.int64)).random(z.size) - 0.5)


def biased(step: int, z: np.ndarray) -> np.ndarray:
    """Some coordinates are moved the same way at every step."""
    return z + np.where(np.arange(z.size) % 3 == 0, 0.2, 0.0) * np.where(np.arange(z.size) % 2, 1, -1)


def same_steps(patch: Patch) -> None:
    patch.setattr(Streams, "noise", lambda self, step: _noise(self, step % 39))


def same_seeds(patch: Patch) -> None:
    patch.setattr(Streams, "noise", lambda self, step: np.random.SeedSequence([7, step]))


def last_steps_draws_partly(patch: Patch) -> None:
    """A third of each step's noise was there before: correlated noise that nobody declared."""

    def add(backend: Any, total: Any, multiplier: float, bound: Any, seed: Any, dtype: Any) -> Any:
        z = backend.normal(seed, total.size, dtype)
        *rest, step = seed.spawn_key
        before = np.random.SeedSequence(seed.entropy, spawn_key=(*rest, max(step - 1, 0)))
        old = backend.normal(before, total.size, dtype) if step else 0.0
        return total + multiplier * bound * (np.sqrt(8) / 3 * z + old / 3)

    patch.setattr(engine_module, "add_gaussian_noise", add)


def schedule_a_step_late(patch: Patch) -> None:
    patch.setattr(Schedule, "noise_multipliers", lambda self: np.roll(_multipliers(self), 1))


def counts_from_the_gradients_stream(patch: Patch) -> None:
    def counts(self: Streams, step: int) -> Any:
        return lambda size: _normal(_noise(self, step), size, np.float64)

    patch.setattr(Streams, "counts", counts)


def counts_reused(patch: Patch) -> None:
    patch.setattr(Streams, "counts", lambda self, step: _counts(self, step // 2))


def counts_alike(patch: Patch) -> None:
    """One draw for all the counts of a step."""
    patch.setattr(Streams, "counts", lambda self, step: lambda size: np.repeat(_counts(self, step)(1), size))


def counts_of_known_seeds(patch: Patch) -> None:
    patch.setattr(Streams, "counts", lambda self, step: _counts(Streams(5, True), step))


def accuracy_by_a_third(patch: Patch) -> None:
    patch.setattr(Streams, "accuracy", lambda self, step: lambda size: 2 / 3 * _accuracy(self, step)(size))


def accuracy_from_the_gradients_stream(patch: Patch) -> None:
    def accuracy(self: Streams, step: int) -> Any:
        return lambda size: _normal(_noise(self, step - 1), size, np.float64)

    patch.setattr(Streams, "accuracy", accuracy)


def accuracy_reused(patch: Patch) -> None:
    patch.setattr(Streams, "accuracy", lambda self, step: _accuracy(self, step // 3))
