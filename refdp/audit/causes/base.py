"""What a cause is, and the case it is looked for in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from refdp.accounting import GaussianEvent, Schedule
from refdp.audit.claim import Claim
from refdp.audit.reading import Reading
from refdp.figures import lower_figure, upper_figure


@dataclass(frozen=True)
class Cause:
    """Why a claimed epsilon and the true one differ.

    Attributes:
        id: kebab-case, stable.
        text: one or two sentences with the numbers.
    """

    id: str
    text: str


@dataclass(frozen=True)
class Case:
    """A claim with its readings.

    Attributes:
        verdict: "refuted", "holds" or "undecided".
        if_rounded: (reading's name, lower, upper) at the ends of the inputs' rounding, where that was looked at.
        steps: readings at the step counts that tools differ in.
    """

    claim: Claim
    readings: tuple[Reading, ...]
    verdict: str
    if_rounded: tuple[tuple[str, float | None, float | None], ...] = ()
    steps: tuple[Reading, ...] = ()

    @property
    def accounted(self) -> Reading:
        """The first reading."""
        return self.readings[0]

    @property
    def run(self) -> Reading | None:
        """The reading of what was really run, where something differs."""
        return next((reading for reading in self.readings if reading.name == "as run"), None)

    def refutes(self, reading: Reading) -> bool:
        """Whether this reading alone refutes the claim."""
        return reading.refutes and reading.lower is not None and reading.lower > self.claim.epsilon

    def figure(self) -> str:
        """The claimed epsilon as it was written."""
        return figure(self.claim.epsilon)


def figure(value: float) -> str:
    """A number as it was written, or its shortest text."""
    text = getattr(value, "text", None)
    return text if isinstance(text, str) else f"{value:.10g}"


def interval(reading: Reading) -> str:
    """Both bounds in words."""
    low, high = reading.lower, reading.upper
    if low == math.inf:
        return "infinite"
    bounded = high is not None and math.isfinite(high)
    if not bounded:
        return f"at least {lower_figure(low)}" if low else "not bounded"
    if low is None or low == 0:
        return f"at most {upper_figure(high)}"
    return f"{lower_figure(low)} to {upper_figure(high)}"


@dataclass(frozen=True)
class Steps:
    """Accounted Poisson steps of one rate: what published formulas take."""

    sample_rate: float
    steps: int
    multipliers: np.ndarray  # distinct
    counts: np.ndarray

    @property
    def constant(self) -> bool:
        """One multiplier throughout."""
        return len(self.multipliers) == 1

    @property
    def harmonic(self) -> float:
        """The multiplier with the mean of 1 / multiplier^2."""
        total = float(np.sum(self.counts / self.multipliers**2) / self.counts.sum())
        return 1 / math.sqrt(total)


def poisson_steps(case: Case) -> Steps | None:
    """The accounted steps where they are Poisson (or full) batches of one rate with noise; else None."""
    rates, values, counts = set(), [], []
    for event in case.claim.ledger.events:
        if event.is_no_op():
            continue
        if type(event) is not GaussianEvent or event.sampling.scheme not in ("poisson", "full-batch"):
            return None
        rates.add(1.0 if event.sampling.rate is None else event.sampling.rate)
        value, count = event.multipliers()
        values.append(value)
        counts.append(count)
    if len(rates) != 1 or min(float(v.min()) for v in values) <= 0:
        return None
    distinct, index = np.unique(np.concatenate(values), return_inverse=True)
    weights = np.bincount(index, np.concatenate(counts))
    return Steps(rates.pop(), int(weights.sum()), distinct, weights)


def schedule_kind(case: Case) -> str | None:
    """The name of the accounted schedule, where there is one."""
    for event in case.claim.ledger.events:
        if isinstance(event.noise, Schedule):
            return event.noise.kind
    return None
