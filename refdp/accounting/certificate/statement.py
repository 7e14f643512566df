"""What a ledger says, exactly: the statement that a certificate is about, and that its checker reads anew.

Each kind of sampled step is a pair of Gaussian mixtures (kernels/, pairs.py) with rational weights; noise
multipliers are the ledger's float64 values; unsampled steps add to mu^2. Pairs are oriented: means of P are > 0
and those of Q < 0, both beside a component at 0, so that the loss log(dP / dQ) rises with the noise t.

G1. ``dominating`` and ``attained`` hold the pairs that kernels/ proves to dominate, and to be attained. Where a
    weight is itself rounded, the attained pair's is lowered by 2^-40, and where releases are joined into one noise
    multiplier, rounded down, the attained pair's is raised by 2^-46 (delta only falls with either).
G2. A kind of step without such a pair is named in ``missing``, never left out of a bound above.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from refdp.accounting import kernels
from refdp.accounting.certificate.balls import exact
from refdp.accounting.events import GaussianEvent
from refdp.accounting.ledger import Ledger
from refdp.accounting.pairs import Mixture, Pair

_UP = 1 + 2.0**-46

Weights = tuple[tuple[Fraction, Fraction], ...]  # (mean, weight), mean != 0


@dataclass(frozen=True)
class Sides:
    """An oriented pair; ``p``: means > 0 of P with their weights, ``q``: means < 0 of Q; mean 0 has the rest."""

    p: Weights
    q: Weights

    @property
    def width_p(self) -> Fraction:
        return max((mean for mean, _ in self.p), default=Fraction(0))

    @property
    def width_q(self) -> Fraction:
        return max((-mean for mean, _ in self.q), default=Fraction(0))

    def floats(self) -> Pair:
        """The same pair in floats, to plan with."""
        sides = [
            Mixture(tuple(float(m) for m, _ in w), tuple(float(x) for _, x in w)) for w in (self.p, self.q)
        ]
        return Pair(sides[0], sides[1])


@dataclass(frozen=True)
class Steps:
    """Sampled steps of one kind: both directions, the ascending distinct multipliers and how often each."""

    name: str
    remove: Sides
    add: Sides
    multipliers: tuple[float, ...]
    counts: tuple[int, ...]

    def direction(self, name: str) -> Sides:
        return self.remove if name == "remove" else self.add


@dataclass
class Statement:
    """A ledger, as bounds see it.

    Attributes:
        dominating, attained: the sampled steps, for bounds from above and from below.
        unsampled: (distance / C, multiplier, count) of plain Gaussian steps; unsampled_attained: those attained.
        plain: every step as if nothing were sampled.
        missing: kinds of sampled steps without a dominating pair, or without noise.
    """

    dominating: list[Steps] = field(default_factory=list)
    attained: list[Steps] = field(default_factory=list)
    unsampled: list[tuple[float, float, int]] = field(default_factory=list)
    unsampled_attained: list[tuple[float, float, int]] = field(default_factory=list)
    plain: list[tuple[float, float, int]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    sampled: bool = False

    @property
    def symmetric(self) -> bool:
        """Whether both directions are one."""
        return all(steps.remove == steps.add for steps in self.dominating)


def alone(steps: list[Steps], unsampled: list[tuple[float, float, int]]) -> Steps | None:
    """The one sampled step that all of it is, or None."""
    if unsampled or len(steps) != 1 or steps[0].counts != (1,):
        return None
    return steps[0]


def mu_squared(steps: Iterable[tuple[float, float, int]]) -> Any:
    """sum n (distance / multiplier)^2, a ball."""
    total = exact(0)
    for distance, multiplier, count in steps:
        total += count * (exact(distance) / exact(multiplier)) ** 2
    return total


def read(ledger: Ledger) -> Statement:
    """The statement of a ledger."""
    groups: dict[Any, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    for kernel, values, counts in ledger.charges():
        known = groups.setdefault(kernel, ([], []))
        known[0].append(values)
        known[1].append(counts)
    whole = Statement()
    rounded = any(not isinstance(event, GaussianEvent) for event in ledger.events)
    for kernel, (each, often) in groups.items():
        distinct, index = np.unique(np.concatenate(each), return_inverse=True)
        repeats = [round(x) for x in np.bincount(index, np.concatenate(often))]
        _add(whole, kernel, [float(x) for x in distinct], repeats, rounded=rounded)
    return whole


def _add(whole: Statement, kernel: Any, values: list[float], counts: list[int], *, rounded: bool) -> None:
    noise = (
        [v * _UP for v in values] if rounded else values
    )  # from below: joined multipliers are rounded down
    steps = [(float(kernel.distance), v, n) for v, n in zip(values, counts, strict=True)]
    whole.plain += steps
    if not kernel.sampled:
        whole.unsampled += steps
        if kernel.attained:
            attained = [(float(kernel.distance), v, n) for v, n in zip(noise, counts, strict=True)]
            whole.unsampled_attained += [step for step in attained if step[1] > 0]
        return
    whole.sampled = True
    if values[0] == 0:
        whole.missing.append(f"{kernel.name}: a step without noise")
        return
    pairs = _exact_pairs(kernel)
    below = pairs if kernel.attained else None
    if pairs is None:
        whole.missing.append(f"{kernel.name}: no dominating pair of Gaussian mixtures")
        below = _lowered(kernel.lower_pairs())
    if pairs is not None:
        whole.dominating.append(Steps(kernel.name, *pairs, tuple(values), tuple(counts)))
    if below is not None:
        whole.attained.append(Steps(kernel.name, *below, tuple(noise), tuple(counts)))


def _exact_pairs(kernel: Any) -> tuple[Sides, Sides] | None:
    """The dominating pair of a kernel with exact weights; None where none is known here."""
    if isinstance(kernel, kernels.Poisson):
        return _one_sided(((Fraction(1), Fraction(kernel.rate)),))
    if isinstance(kernel, kernels.PoissonReplace):
        rate = Fraction(kernel.rate)
        sides = Sides(((Fraction(1), rate),), ((Fraction(-1), rate),))
        return sides, sides
    if isinstance(kernel, kernels.PoissonGroup):
        k, q = kernel.size, Fraction(kernel.rate)
        return _one_sided(
            tuple((Fraction(j), math.comb(k, j) * q**j * (1 - q) ** (k - j)) for j in range(1, k + 1))
        )
    return None


def _one_sided(weights: Weights) -> tuple[Sides, Sides]:
    """A mixture against N(0), and N(0) against it."""
    return Sides(weights, ()), Sides((), tuple((-mean, weight) for mean, weight in weights))


def _lowered(pairs: tuple[Pair, Pair] | None) -> tuple[Sides, Sides] | None:
    """An attained pair, its one weight lowered, for its float is rounded."""
    if pairs is None:
        return None
    sides = []
    for pair in pairs:
        own = pair.oriented()
        if max(len(own.p.means), len(own.q.means)) > 1:
            return None
        p, q = (
            tuple(
                (Fraction(m), Fraction(w) * (1 - Fraction(1, 2**40)))
                for m, w in zip(x.means, x.weights, strict=True)
            )
            for x in (own.p, own.q)
        )
        if any(m < 0 for m, _ in p) or any(m > 0 for m, _ in q):
            return None
        sides.append(Sides(p, q))
    return sides[0], sides[1]
