"""Optimizers broken on purpose: each fault must be caught by the check that is named."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from optimizer_checks import check_equations, check_shared_weights, check_unbiased_on_noise

from refdp.engine import Trainer
from refdp.optimizers.adam import Adam
from refdp.optimizers.base import Optimizer
from refdp.optimizers.ema_momentum import EmaMomentum
from refdp.optimizers.second_moment import SecondMoment
from refdp.optimizers.sgd import Sgd

Patch = pytest.MonkeyPatch
_update, _adam_memory = Optimizer.update, Adam.memory


def nesterov_is_heavy_ball(patch: Patch) -> None:
    def step(self: Any, xp: Any, theta: Any, gradient: Any, state: Any, rate: float, noise_std: float) -> Any:
        state["velocity"] = self.momentum * state["velocity"] + gradient
        return theta - rate * state["velocity"]

    patch.setattr(Sgd, "step", step)


def nesterov_of_the_old_velocity(patch: Patch) -> None:
    def step(self: Any, xp: Any, theta: Any, gradient: Any, state: Any, rate: float, noise_std: float) -> Any:
        ahead = gradient + self.momentum * state["velocity"]
        state["velocity"] = self.momentum * state["velocity"] + gradient
        return theta - rate * ahead

    patch.setattr(Sgd, "step", step)


def dampening(patch: Patch) -> None:
    def step(self: Any, xp: Any, theta: Any, gradient: Any, state: Any, rate: float, noise_std: float) -> Any:
        state["velocity"] = self.momentum * state["velocity"] + (1 - self.momentum) * gradient
        return theta - rate * state["velocity"]

    patch.setattr(Sgd, "step", step)


def gamma_keeps_the_old(patch: Patch) -> None:
    def step(self: Any, xp: Any, theta: Any, gradient: Any, state: Any, rate: float, noise_std: float) -> Any:
        state["mean"] = self.gamma * state["mean"] + (1 - self.gamma) * gradient
        return theta - rate * state["mean"]

    patch.setattr(EmaMomentum, "step", step)


def eps_inside_the_root(patch: Patch) -> None:
    patch.setattr(SecondMoment, "denominator", lambda self, xp, v: xp.sqrt(v + self.eps))


def no_start_correction(patch: Patch) -> None:
    """As if 1 - beta^t were 1."""

    def memory(self: Any, xp: Any, theta: Any) -> Any:
        ones = {name: xp.ones_like(theta[:1]) for name in ("mean_weight", "square_weight")}
        return _adam_memory(self, xp, theta) | ones

    patch.setattr(Adam, "memory", memory)


def _square(patch: Patch, square: Callable[[Any, Any, float], Any]) -> None:
    patch.setattr(SecondMoment, "square", square)


def variance_added(patch: Patch) -> None:
    _square(patch, lambda self, g, std: g * g + std * std)


def deviation_subtracted(patch: Patch) -> None:
    _square(patch, lambda self, g, std: g * g - std)


def nothing_subtracted(patch: Patch) -> None:
    _square(patch, lambda self, g, std: g * g)


def no_floor(patch: Patch) -> None:
    patch.setattr(SecondMoment, "denominator", lambda self, xp, v: xp.sqrt(xp.maximum(v, 0.0)) + self.eps)


def floor_of_the_root(patch: Patch) -> None:
    def denominator(self: Any, xp: Any, v: Any) -> Any:
        return xp.maximum(xp.sqrt(xp.maximum(v, 0.0)), self.floor) + self.eps

    patch.setattr(SecondMoment, "denominator", denominator)


def _noise_told(patch: Patch, told: Callable[[Trainer, float], float]) -> None:
    """The engine hands the optimizer another number."""
    advance = Trainer.advance

    def take(self: Trainer) -> None:
        def update(optimizer: Any, xp: Any, theta: Any, g: Any, state: Any, rate: float, std: float) -> Any:
            return _update(optimizer, xp, theta, g, state, rate, told(self, std))

        patch.setattr(Optimizer, "update", update)
        advance(self)

    patch.setattr(Trainer, "advance", take)


def noise_told_without_the_divisor(patch: Patch) -> None:
    _noise_told(patch, lambda trainer, std: std * 13)


def noise_told_without_the_bound(patch: Patch) -> None:
    _noise_told(patch, lambda trainer, std: std / 0.3)


def noise_told_over_the_nominal_batch(patch: Patch) -> None:
    def told(trainer: Trainer, std: float) -> float:
        return std * trainer.plan.sampler.batch(trainer.step, trainer.streams).divisor / 13

    _noise_told(patch, told)


def noise_told_of_the_first_step(patch: Patch) -> None:
    _noise_told(
        patch,
        lambda trainer, std: std * trainer.noise_multipliers[0] / trainer.noise_multipliers[trainer.step],
    )


def average_without_warm_up(patch: Patch) -> None:
    def update(self: Any, xp: Any, theta: Any, g: Any, state: Any, rate: float, std: float = 0.0) -> Any:
        theta = self.step(xp, theta, g, state, rate, std)
        state["average"] = self.average * state["average"] + (1 - self.average) * theta
        return theta

    patch.setattr(Optimizer, "update", update)


def average_of_old_weights(patch: Patch) -> None:
    def update(self: Any, xp: Any, theta: Any, g: Any, state: Any, rate: float, std: float = 0.0) -> Any:
        new = self.step(xp, theta, g, state, rate, std)
        d = xp.minimum((1 + state["averaged_steps"]) / (10 + state["averaged_steps"]), self.average)
        state["average"] = d * state["average"] + (1 - d) * theta
        state["averaged_steps"] = state["averaged_steps"] + 1
        return new

    patch.setattr(Optimizer, "update", update)


def training_weights_shared(patch: Patch) -> None:
    patch.setattr(Optimizer, "weights", lambda self, theta, state: theta)


NESTEROV = partial(check_equations, "sgd:momentum=0.9,nesterov=true")
ADAM_BC = partial(check_equations, "adam:bias_correction=dp,floor=0.01,beta2=0.5,beta1=0")
RMSPROP_BC = partial(check_equations, "rmsprop:bias_correction=dp,floor=0.01,alpha=0.8")
ON_NOISE = partial(check_unbiased_on_noise, "adam")
FAULTS: list[tuple[Callable[[Patch], None], Callable[[], None]]] = [
    (nesterov_is_heavy_ball, NESTEROV),
    (nesterov_of_the_old_velocity, NESTEROV),
    (dampening, partial(check_equations, "sgd:momentum=0.9")),
    (gamma_keeps_the_old, partial(check_equations, "ema-momentum:gamma=0.2")),
    (eps_inside_the_root, partial(check_equations, "adam:beta1=0.5,beta2=0.9,eps=0.1")),
    (eps_inside_the_root, partial(check_equations, "rmsprop:alpha=0.5,eps=0.1")),
    (no_start_correction, partial(check_equations, "adam")),
    (variance_added, ADAM_BC),
    (deviation_subtracted, ADAM_BC),
    (nothing_subtracted, RMSPROP_BC),
    (no_floor, ADAM_BC),
    (no_floor, RMSPROP_BC),
    (floor_of_the_root, ADAM_BC),
    (variance_added, ON_NOISE),
    (deviation_subtracted, ON_NOISE),
    (nothing_subtracted, ON_NOISE),
    (noise_told_without_the_divisor, ON_NOISE),
    (noise_told_without_the_bound, ON_NOISE),
    (noise_told_over_the_nominal_batch, ON_NOISE),
    (noise_told_of_the_first_step, ON_NOISE),
    (average_without_warm_up, partial(check_equations, "sgd:average=0.3")),
    (average_of_old_weights, partial(check_equations, "sgd:average=0.3")),
    (training_weights_shared, check_shared_weights),
]


@pytest.mark.parametrize(("fault", "check"), FAULTS, ids=lambda x: getattr(x, "__name__", ""))
def test_fault_is_caught(
    fault: Callable[[Patch], None], check: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    check()
    fault(monkeypatch)
    with pytest.raises(AssertionError), np.errstate(all="ignore"):
        check()
