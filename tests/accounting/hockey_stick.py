"""Hockey-stick divergence of one to three Poisson-sampled Gaussian steps, directly from the definition.

One step is a closed form; further steps by the trapezoidal rule over the first steps' noise (analytic but for
kinks that the closed form of the last step smooths out). Independent of refdp; float64, with an error estimated
from two resolutions.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

Step = tuple[float, float]  # rate, noise multiplier


def one_step_delta(step: Step, log_ratio: np.ndarray, direction: int) -> np.ndarray:
    """E_Q[(L - e^log_ratio)_+] for each entry (any sign); direction 1: P the mixture, -1: Q the mixture."""
    q, sigma = step
    e = np.exp(np.minimum(log_ratio, 700.0))
    if direction == 1:
        inside = np.expm1(np.minimum(log_ratio, 700.0)) + q  # L > e  <=>  q e^x > e - 1 + q
        x = np.log(np.maximum(inside, 1e-300)) - math.log(q)
        t = sigma * x + 1 / (2 * sigma)
        far = (1 - q) * ndtr(-t) + q * ndtr(1 / sigma - t) - e * ndtr(-t)
        return np.where(inside <= 0, 1 - e, np.maximum(far, 0.0))
    inverse = np.exp(-np.maximum(log_ratio, -700.0))
    inside = inverse - 1 + q  # L = 1 / (1 - q + q e^x) > e
    x = np.log(np.maximum(inside, 1e-300)) - math.log(q)
    t = sigma * x + 1 / (2 * sigma)
    near = ndtr(t) - e * ((1 - q) * ndtr(t) + q * ndtr(t - 1 / sigma))
    return np.where(inside <= 0, 0.0, np.maximum(near, 0.0))


def delta(steps: list[Step], epsilon: float, points: int = 1200) -> float:
    """The larger direction's delta at epsilon."""
    return max(_delta(steps, epsilon, direction, points) for direction in (1, -1))


def delta_with_error(steps: list[Step], epsilon: float, points: int) -> tuple[float, float]:
    """The same, and four times what it moves by when the rule is refined, besides rounding."""
    fine = delta(steps, epsilon, points * 8 // 5)
    return fine, 4 * abs(fine - delta(steps, epsilon, points)) + 1e-12 * fine + 1e-15


def _width(step: Step) -> float:
    """About the deviation of a step's loss."""
    q, sigma = step
    return q * math.sqrt(math.expm1(min(1 / sigma**2, 50.0)))


def _delta(steps: list[Step], epsilon: float, direction: int, points: int) -> float:
    # the step of the widest loss last: its closed form smooths the others' kinks best
    steps = sorted(steps, key=_width)
    ratios, weights = np.zeros(1), np.ones(1)
    for q, sigma in steps[:-1]:
        t = np.linspace(-9, 9 + 1 / sigma, points)
        log_ratio = np.logaddexp(math.log1p(-q), math.log(q) + t / sigma - 1 / (2 * sigma**2))
        density = np.exp(-0.5 * t * t) / math.sqrt(2 * math.pi) * (t[1] - t[0])
        if direction == 1:  # weight by P
            weights = np.outer(weights, density * np.exp(log_ratio)).ravel()
            ratios = np.add.outer(ratios, log_ratio).ravel()
        else:  # roles swapped: P is N(0)
            weights = np.outer(weights, density).ravel()
            ratios = np.add.outer(ratios, -log_ratio).ravel()
    return float(np.sum(weights * one_step_delta(steps[-1], epsilon - ratios, direction)))


def epsilon(steps: list[Step], target: float, points: int = 1200) -> float:
    """Least epsilon >= 0 with delta(epsilon) <= target, by bisection."""
    if delta(steps, 0.0, points) <= target:
        return 0.0
    low, high = 0.0, 1.0
    while delta(steps, high, points) > target:
        low, high = high, 2 * high
    for _ in range(45):
        middle = (low + high) / 2
        if delta(steps, middle, points) > target:
            low = middle
        else:
            high = middle
    return high
