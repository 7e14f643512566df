"""PyTorch's documented equations, one coordinate and one step at a time, as checks for any implementation.

The tests run them on refdp; the seeded faults run them on refdp broken on purpose, where they must fail.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from helpers import small_trainer

from refdp.accounting import Schedule
from refdp.optimizers import optimizers

GRADIENTS = (1.0, -2.0, 0.5, 0.25, -0.125, 3.0, 1e-3, -1.0)
NOISE = (0.5, 0.4, 0.6, 0.1, 3.0, 0.2, 0.7, 0.0)  # from step 4 on more than what was seen: the floor bites
RATE = 0.3


def sgd(momentum: float = 0.0, nesterov: bool = False) -> Iterator[float]:
    theta, v = 2.0, None
    for g in GRADIENTS:
        v = g if v is None else momentum * v + g
        theta -= RATE * (g + momentum * v if nesterov else v)
        yield theta


def ema_momentum(gamma: float) -> Iterator[float]:
    for t in range(len(GRADIENTS)):
        total = 0.0
        for s in range(t + 1):  # written out as a sum: m_s = gamma sum_i (1 - gamma)^(s - i) g_i
            total += math.fsum(gamma * (1 - gamma) ** (s - i) * GRADIENTS[i] for i in range(s + 1))
        yield 2.0 - RATE * total


def adam(
    beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8, floor: float | None = None
) -> Iterator[float]:
    theta, m, v, noise = 2.0, 0.0, 0.0, 0.0
    for t, (g, std) in enumerate(zip(GRADIENTS, NOISE, strict=True), start=1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        noise = beta2 * noise + (1 - beta2) * std**2
        v_hat = v / (1 - beta2**t)
        if floor is not None:
            v_hat = max(v_hat - noise / (1 - beta2**t), floor)
        theta -= RATE * (m / (1 - beta1**t)) / (math.sqrt(v_hat) + eps)
        yield theta


def rmsprop(alpha: float = 0.99, eps: float = 1e-8, floor: float | None = None) -> Iterator[float]:
    theta, v, noise = 2.0, 0.0, 0.0
    for g, std in zip(GRADIENTS, NOISE, strict=True):
        v, noise = alpha * v + (1 - alpha) * g**2, alpha * noise + (1 - alpha) * std**2
        theta -= RATE * g / (math.sqrt(v if floor is None else max(v - noise, floor)) + eps)
        yield theta


def average(inner: Iterator[float], decay: float) -> Iterator[float]:
    mean = 2.0
    for t, theta in enumerate(inner):
        d = min(decay, (1 + t) / (10 + t))
        mean = d * mean + (1 - d) * theta
        yield mean


ORACLES: dict[str, Any] = {
    "sgd": lambda: sgd(),
    "sgd:momentum=0.9": lambda: sgd(0.9),
    "sgd:momentum=0.9,nesterov=true": lambda: sgd(0.9, nesterov=True),
    "sgd:average=0.3": lambda: average(sgd(), 0.3),
    "sgd:momentum=0.9,nesterov=true,average=0.999": lambda: average(sgd(0.9, nesterov=True), 0.999),
    "ema-momentum:gamma=0.2": lambda: ema_momentum(0.2),
    "ema-momentum:gamma=1": lambda: sgd(),
    "adam": lambda: adam(),
    "adam:beta1=0.5,beta2=0.9,eps=0.1": lambda: adam(0.5, 0.9, 0.1),
    "adam:bias_correction=dp": lambda: adam(floor=1e-8),
    "adam:bias_correction=dp,floor=0.01,beta2=0.5,beta1=0": lambda: adam(0.0, 0.5, floor=0.01),
    "adam:average=0.9": lambda: average(adam(), 0.9),
    "rmsprop": lambda: rmsprop(),
    "rmsprop:alpha=0.5,eps=0.1": lambda: rmsprop(0.5, 0.1),
    "rmsprop:bias_correction=dp": lambda: rmsprop(floor=1e-8),
    "rmsprop:bias_correction=dp,floor=0.01,alpha=0.8": lambda: rmsprop(0.8, floor=0.01),
}


def check_equations(spec: str, dtype: type = np.float64) -> None:
    """The weights to share follow the scalar equations, in each of several equal coordinates."""
    optimizer = optimizers.create(spec)
    theta = np.full(3, 2.0, dtype)
    state = optimizer.initial_state(np, theta)
    tolerance = 1e-11 if dtype == np.float64 else 2e-4
    for t, expected in enumerate(ORACLES[spec]()):
        gradient = np.full(3, GRADIENTS[t], dtype)
        theta = optimizer.update(np, theta, gradient, state, RATE, NOISE[t])
        weights = optimizer.weights(theta, state)
        assert weights.dtype == dtype, f"{spec}: {weights.dtype}"
        np.testing.assert_allclose(weights, expected, rtol=tolerance, atol=tolerance, err_msg=f"{spec}, {t}")


def second_moment(trainer: Any) -> np.ndarray:
    """Estimate of E[g^2] per coordinate, with its weights divided out."""
    memory = trainer.memory
    return memory["square"] / memory.get("square_weight", 1.0)


def check_unbiased_on_noise(name: str, sampling: str = "shuffle") -> None:
    """Trained on noise alone, the corrected second moment is 0 on average, whatever the schedule and divisor."""
    steps = 60
    decay = "beta2=0.9" if name == "adam" else "alpha=0.9"
    trainer = small_trainer(
        optimizer=f"{name}:{decay},bias_correction=dp",
        sampling=sampling,
        schedule=Schedule("cosine", steps, 1.7, {"amplitude": 0.6}),
        batch_size=13,  # the last batch of an epoch is shorter
        clip_norm=0.3,
        learning_rate=1e-12,
        hidden=300,
    )
    trainer.summed = lambda indices: (np.zeros(trainer.plan.network.size), np.zeros(1))
    for t in range(steps):
        trainer.advance()
        if t % 6:
            continue
        estimate = second_moment(trainer)
        size = estimate.size
        spread = estimate.std() / math.sqrt(size)
        assert abs(estimate.mean()) < 5 * spread, f"step {t}: {estimate.mean() / spread:.1f} standard errors"


def check_shared_weights() -> None:
    """What is evaluated is the average, not the weights under training."""
    trainer = small_trainer(optimizer="sgd:average=0.9", steps=12)
    for _ in range(12):
        trainer.advance()
    shared, accuracy = trainer.weights.copy(), trainer.accuracy()
    assert not np.allclose(shared, trainer.theta)
    trainer.memory["average"] = np.zeros_like(shared)  # a model that answers the first label to everything
    constant = trainer.accuracy()
    trainer.theta = np.full_like(shared, np.nan)
    assert trainer.accuracy() == constant
    trainer.memory["average"] = shared
    assert trainer.accuracy() == accuracy != constant
