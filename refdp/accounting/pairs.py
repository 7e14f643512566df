"""Pairs of Gaussian mixtures: what one sampled step can look like with and without a record.

With noise of standard deviation 1 in units of the noise (t), a step's output is, under the two neighbours,
    P = sum_i p_i N(mu_i / sigma, 1)      Q = sum_j q_j N(nu_j / sigma, 1),
so that, against phi = N(0, 1),  dP = phi A, dQ = phi B  with
    A(t) = 1 + sum_i p_i (e^{t mu_i / sigma - mu_i^2 / (2 sigma^2)} - 1),   B likewise:
a record that takes no part leaves mean 0, which carries the rest of the weight. The privacy loss is log(A / B).

G1. Every mean of P lies on one side of every mean of Q, so the loss is monotone in t; ``oriented`` reflects t
    where needed so that it rises.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from refdp.accounting.errors import AccountingError


@dataclass(frozen=True)
class Mixture:
    """A Gaussian mixture: the weight of each non-zero mean; mean 0 has the rest.

    Attributes:
        means: in units of the clip norm, none of them 0.
        weights: each in (0, 1], of sum at most 1.
        rest: the weight of mean 0, where 1 less the sum of the others would be rounded too far.
    """

    means: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    rest: float = -1.0

    def __post_init__(self) -> None:
        if self.rest < 0:
            object.__setattr__(self, "rest", max(0.0, 1 - math.fsum(self.weights)))

    @property
    def span(self) -> tuple[float, float]:
        """Least and greatest mean."""
        low, high = min(self.means, default=0.0), max(self.means, default=0.0)
        if self.rest == 0:
            return low, high
        return min(low, 0.0), max(high, 0.0)

    def mirrored(self) -> Mixture:
        """The mixture with every mean negated."""
        return Mixture(tuple(-m for m in self.means), self.weights, self.rest)

    def log(self, t: np.ndarray, sigma: np.ndarray | float) -> np.ndarray:
        """log(A(t)), real or complex as t is, accurate near A = 1 and without overflow; t and sigma broadcast."""
        if not self.means:
            return np.zeros(np.broadcast_shapes(np.shape(t), np.shape(sigma)), dtype=t.dtype)
        rises = [t * (m / sigma) - m * m / (2 * sigma * sigma) for m in self.means]
        if len(self.means) == 1 and self.weights[0] == 1:
            return rises[0]
        u = np.zeros((), dtype=t.dtype)
        for w, r in zip(self.weights, rises, strict=True):
            u = u + w * _expm1(np.where(r.real < 300, r, 0.0))
        near = _log1p(np.where(u.real < -0.25, -0.25, u))
        small = u.real < -0.25  # 1 + u would cancel
        if np.any(small):
            direct = np.zeros((), dtype=t.dtype)
            for w, r in zip(self.weights, rises, strict=True):
                direct = direct + w * np.exp(np.where(small, r, 0.0))
            near = np.where(small, np.log(self.rest + direct), near)
        high = rises[0].real
        for rise in rises[1:]:
            high = np.maximum(high, rise.real)
        if not np.any(high >= 300):
            return near
        safe = np.where(high >= 300, high, 0.0)
        parts = sum(
            w * np.exp(np.where(high >= 300, r, 0.0) - safe) for w, r in zip(self.weights, rises, strict=True)
        )
        return np.where(high >= 300, safe + np.log(parts + self.rest * np.exp(-safe)), near)

    def mean(self, t: np.ndarray, sigma: np.ndarray | float) -> np.ndarray:
        """The component means' average under their posterior weights at t (real); it rises with t."""
        shape = np.broadcast_shapes(np.shape(t), np.shape(sigma))
        if not self.means:
            return np.zeros(shape)
        logs = [
            t * (m / sigma) - m * m / (2 * sigma * sigma) + math.log(w)
            for m, w in zip(self.means, self.weights, strict=True)
        ]
        top = np.zeros(shape)
        for entry in logs:
            top = np.maximum(top, entry)
        parts = [np.exp(entry - top) for entry in logs]
        whole = sum(parts) + self.rest * np.exp(-top)
        value: np.ndarray = sum(m * part for m, part in zip(self.means, parts, strict=True)) / whole
        return value


@dataclass(frozen=True)
class Pair:
    """Two mixtures (in units of the clip norm): P, under which loss is paid, and Q; any noise multiplier."""

    p: Mixture
    q: Mixture

    def __post_init__(self) -> None:
        (low_p, high_p), (low_q, high_q) = self.p.span, self.q.span
        if low_p < high_q and high_p > low_q:
            raise AccountingError(f"pair {self!r}: the means of P and Q overlap, no monotone loss is known")

    def oriented(self) -> Pair:
        """The same pair with t reflected where needed, so that the loss rises with t."""
        if self.p.span[0] >= self.q.span[1]:
            return self
        return Pair(self.p.mirrored(), self.q.mirrored())


@dataclass(frozen=True)
class Kinked:
    """The pair of kinked.py: a mean (in units of the clip norm, > 0) taken with weight in (0, 1)."""

    mean: float
    weight: float

    @property
    def mixture(self) -> Mixture:
        """(1 - weight) N(0) + weight N(mean)."""
        return Mixture((self.mean,), (self.weight,))

    def oriented(self) -> Kinked:
        """Itself."""
        return self


def _expm1(x: np.ndarray) -> np.ndarray:
    """e^x - 1 for real or complex x, accurate for small |x|."""
    if not np.iscomplexobj(x):
        return np.expm1(x)
    decay = np.expm1(x.real)
    half = np.sin(x.imag / 2)
    return decay - 2 * (decay + 1) * half * half + 1j * (decay + 1) * np.sin(x.imag)


def _log1p(u: np.ndarray) -> np.ndarray:
    """log(1 + u) for real or complex u, accurate for small |u| (numpy's complex one is not)."""
    if not np.iscomplexobj(u):
        return np.log1p(u)
    square = u.real * (2 + u.real) + u.imag * u.imag
    return 0.5 * np.log1p(square) + 1j * np.arctan2(u.imag, 1 + u.real)


def poisson_pairs(sample_rate: float) -> tuple[Pair, ...]:
    """Add-remove and zero-out (arXiv 1908.10530): (1 - q) N(0) + q N(1) against N(0), and the reverse."""
    mixed, plain = Mixture((1.0,), (sample_rate,)), Mixture()
    return Pair(mixed, plain), Pair(plain, mixed)


def poisson_replace_pair(sample_rate: float) -> tuple[Pair, ...]:
    """Replace-one: (1 - q) N(0) + q N(-1) against (1 - q) N(0) + q N(1); its mirror image is its reverse."""
    return (Pair(Mixture((-1.0,), (sample_rate,)), Mixture((1.0,), (sample_rate,))),)
