"""s0's mechanisms broken on purpose: each fault must be caught by the check named for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import test_dpmechanism as checks
from test_clippers_faults import c_for_every_layer, midpoint_water_filling
from test_dpmechanism_budget import check_budget, check_multiplier_is_a_floor

from refdp.accounting import GaussianEvent, Ledger, Sampling
from refdp.clippers import clippers
from refdp.dpmechanism import Mechanism, NoisePlan, WaterFillingMechanism
from refdp.dpmechanism import base as base_module
from refdp.dpmechanism import plan as plan_module

Patch = pytest.MonkeyPatch
Cls = type[Mechanism]

_add, _check_step, _call = base_module.add_gaussian_noise, Mechanism._check_step, Mechanism.clip_and_noise
_ledger = NoisePlan.ledger


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    """What a fault has solved must not outlive it."""
    for cached in (plan_module._needed, plan_module._epsilon):
        cached.cache_clear()
    yield
    for cached in (plan_module._needed, plan_module._epsilon):
        cached.cache_clear()


def _noise(change: Callable[[float, float], tuple[float, float]]) -> Callable[[Patch], None]:
    def fault(patch: Patch) -> None:
        def add(backend: Any, total: Any, sigma: float, bound: float, draw: Any, dtype: Any) -> Any:
            return _add(backend, total, *change(sigma, bound), draw, dtype)

        patch.setattr(base_module, "add_gaussian_noise", add)

    return fault


noise_without_c = _noise(lambda sigma, bound: (sigma, 1.0))
noise_over_the_batch_size = _noise(lambda sigma, bound: (sigma / checks.BATCH, bound))
noise_a_tenth_too_little = _noise(lambda sigma, bound: (0.9 * sigma, bound))


def noise_of_the_last_step(patch: Patch) -> None:
    """Constant noise where the cosine is declared."""

    def add(backend: Any, total: Any, sigma: float, bound: float, draw: Any, dtype: Any) -> Any:
        m = checks.make()
        return _add(backend, total, m.get_effective_sigma(checks.STEPS - 1, 2), bound, draw, dtype)

    patch.setattr(base_module, "add_gaussian_noise", add)


def noise_reused_by_steps(patch: Patch) -> None:
    def clip_and_noise(self: Any, grads: Any, step: int, epoch: int) -> Any:
        if step == 0:
            self.first = self._rng.bit_generator.state
        self._rng.bit_generator.state = self.first
        return _call(self, grads, step, epoch)

    patch.setattr(Mechanism, "clip_and_noise", clip_and_noise)


def noise_reused_by_tensors(patch: Patch) -> None:
    def add(backend: Any, total: Any, sigma: float, bound: float, draw: Any, dtype: Any) -> Any:
        return _add(backend, total, sigma, bound, lambda size: np.resize(draw(6), size), dtype)

    patch.setattr(base_module, "add_gaussian_noise", add)


def a_fixed_seed(patch: Patch) -> None:
    default = np.random.default_rng
    patch.setattr(base_module.np.random, "default_rng", lambda seed=None: default(seed or 1))


def an_empty_batch_without_noise(patch: Patch) -> None:
    def clip_and_noise(self: Any, grads: Any, step: int, epoch: int) -> Any:
        return _call(self, grads, step, epoch) if len(grads[0]) else [np.zeros(g.shape[1:]) for g in grads]

    patch.setattr(Mechanism, "clip_and_noise", clip_and_noise)


def unusable_records_pass(patch: Patch) -> None:
    def plain(backend: Any, rule: Any, rows: Any, groups: Any, context: Any) -> Any:
        norms = np.stack([np.linalg.norm(rows[:, g], axis=1) for g in groups], axis=1)
        scales = rule.scales(np, norms, context)
        return np.concatenate([scales[:, i] @ rows[:, g] for i, g in enumerate(groups)])

    patch.setattr(base_module, "clipped_sum", plain)


def the_realised_divisor(patch: Patch) -> None:
    def clip_and_noise(self: Any, grads: Any, step: int, epoch: int) -> Any:
        return [g * self.plan.batch_size / max(len(grads[0]), 1) for g in _call(self, grads, step, epoch)]

    patch.setattr(Mechanism, "clip_and_noise", clip_and_noise)


def a_mix_beyond_one(patch: Patch) -> None:
    patch.setattr(clippers.get("radial-mix"), "mix", lambda self, context: 1.2)


def no_room_for_rounding(patch: Patch) -> None:
    patch.setattr(base_module, "rounding_margin", lambda dtype: 0.0)


def one_step_too_many(patch: Patch) -> None:
    def check(self: Any, step: int, epoch: int) -> None:
        if step != self.plan.steps:
            _check_step(self, step, epoch)

    patch.setattr(Mechanism, "_check_step", check)


def steps_released_again(patch: Patch) -> None:
    def check(self: Any, step: int, epoch: int) -> None:
        self._next = 0
        _check_step(self, step, epoch)

    patch.setattr(Mechanism, "_check_step", check)


def a_refusal_after_the_noise(patch: Patch) -> None:
    def check(self: Any, step: int, epoch: int) -> None:
        self._rng.standard_normal(3)
        _check_step(self, step, epoch)

    patch.setattr(Mechanism, "_check_step", check)


def the_multiplier_is_trusted(patch: Patch) -> None:
    patch.setattr(base_module, "max", lambda given, needed: given, raising=False)


def one_step_is_not_charged(patch: Patch) -> None:
    def ledger(self: Any, scale: float) -> Ledger:
        (event,) = _ledger(self, scale).events
        multipliers = self.schedule(scale).noise_multipliers()[:-1]
        return Ledger("add-remove", tuple(GaussianEvent(float(x), event.sampling) for x in multipliers))

    patch.setattr(NoisePlan, "ledger", ledger)


def one_epoch_is_not_charged(patch: Patch) -> None:
    def ledger(self: Any, scale: float) -> Ledger:
        whole = _ledger(self, scale)
        return Ledger(whole.neighboring, whole.events[1:])

    patch.setattr(NoisePlan, "ledger", ledger)


def the_harmonic_mean_is_charged(patch: Patch) -> None:
    """As s0 does."""

    def ledger(self: Any, scale: float) -> Ledger:
        (event,) = _ledger(self, scale).events
        return Ledger("add-remove", (GaussianEvent(scale, event.sampling, self.steps),))

    patch.setattr(NoisePlan, "ledger", ledger)


def shuffled_batches_are_charged_as_poisson(patch: Patch) -> None:
    """As s0 does."""

    def ledger(self: Any, scale: float) -> Ledger:
        rate = Sampling("poisson", rate=self.batch_size / self.dataset_size)
        return Ledger("add-remove", (GaussianEvent(self.schedule(scale), rate, self.steps),))

    patch.setattr(NoisePlan, "ledger", ledger)


def _budget(sampling: str) -> Callable[[Cls], None]:
    def check(cls: Cls) -> None:
        check_budget(cls, sampling=sampling, dataset_size=40)

    return check


def _floor(cls: Cls) -> None:
    check_multiplier_is_a_floor()


def _empty(cls: Cls) -> None:
    checks.check_noise(cls, records=0)


FAULTS: list[tuple[Callable[[Patch], None], Callable[..., None], str]] = [
    (noise_without_c, checks.check_noise, "noise is"),
    (noise_over_the_batch_size, checks.check_noise, "noise is"),
    (noise_a_tenth_too_little, checks.check_noise, "noise is"),
    (noise_of_the_last_step, checks.check_noise, "noise is"),
    (noise_reused_by_steps, checks.check_independence, "correlated"),
    (noise_reused_by_tensors, checks.check_independence, "correlated"),
    (a_fixed_seed, checks.check_independence, "in common"),
    (an_empty_batch_without_noise, _empty, "noise is"),
    (unusable_records_pass, checks.check_unusable, "not finite"),
    (the_realised_divisor, checks.check_divisor, "divisor"),
    (midpoint_water_filling, checks.check_contribution, "contributes"),
    (midpoint_water_filling, checks.check_neighbours, "moves the sum"),
    (no_room_for_rounding, checks.check_contribution, "contributes"),
    (one_step_too_many, checks.check_steps, "DID NOT RAISE"),
    (steps_released_again, checks.check_steps, "DID NOT RAISE"),
    (a_refusal_after_the_noise, checks.check_steps, "draws noise"),
    (the_multiplier_is_trusted, _floor, "is trusted"),
    (the_multiplier_is_trusted, _budget("shuffle"), "promised"),
    (one_step_is_not_charged, _budget("poisson"), "promised"),
    (the_harmonic_mean_is_charged, _budget("poisson"), "promised"),
    (one_epoch_is_not_charged, _budget("shuffle"), "promised"),
    (shuffled_batches_are_charged_as_poisson, _budget("shuffle"), "promised"),
]


@pytest.mark.parametrize(("fault", "check", "text"), FAULTS)
def test_a_fault_is_caught(
    fault: Callable[[Patch], None], check: Callable[[Cls], None], text: str, monkeypatch: Patch
) -> None:
    with monkeypatch.context() as patch:
        fault(patch)
        caught = pytest.raises((AssertionError, pytest.fail.Exception), match=text)
        with np.errstate(all="ignore"), caught:
            check(WaterFillingMechanism)


@pytest.mark.parametrize("fault", [a_mix_beyond_one, c_for_every_layer])
def test_a_fault_of_other_rules_is_caught(fault: Callable[[Patch], None], monkeypatch: Patch) -> None:
    from refdp.dpmechanism import RadialMix0bMechanism

    cls: Cls = RadialMix0bMechanism
    with monkeypatch.context() as patch:
        fault(patch)
        if fault is c_for_every_layer:
            cls = WaterFillingMechanism
            patch.setattr(clippers.get("water-filling"), "scales", clippers.get("per-layer").scales)
        with pytest.raises(AssertionError, match="contributes"):
            checks.check_contribution(cls)
