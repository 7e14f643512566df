"""Ceiling, expected bound and smallest refutable epsilon of one estimator on an experiment of given size."""

from __future__ import annotations

from dataclasses import dataclass

from refdp.accounting.gaussian import gaussian_epsilon
from refdp.audit.estimators import Design, Estimator, estimators
from refdp.audit.estimators._leak import mu_of
from refdp.audit.power.experiment import Sizes
from refdp.validate import non_negative

CHANCE = 0.8
EXPERIMENTS = 40
FINENESS = 0.01  # of mu, relative
LARGEST_MU = 64.0


@dataclass(frozen=True)
class Power:
    """What this experiment can show; the true leak is taken to be Gaussian, with ideal scores.

    Attributes:
        estimator: its name.
        canaries: m, planted or left out.
        runs: training runs.
        claim: the epsilon to be refuted.
        ceiling: the largest bound there can be, however much leaks; None where there can be none (see ``refused``).
        leak: the true epsilon that ``expected`` is for.
        expected: the median bound where the true epsilon is ``leak``; None without a leak or a bound.
        smallest_refutable: the smallest true epsilon at which the bound exceeds the claim in ``chance`` of
            simulated experiments (to about 2 %); None where no leak gets there: as a rule the ceiling is not above the
            claim.
        chance: that chance.
        refused: why there can be no bound; None where there can.
    """

    estimator: str
    canaries: int
    runs: int
    claim: float
    ceiling: float | None
    leak: float | None
    expected: float | None
    smallest_refutable: float | None
    chance: float = CHANCE
    refused: str | None = None


def power(
    estimator: str, sizes: Sizes, design: Design, claim: float = 0.0, leak: float | None = None
) -> Power:
    """The power of the estimator of this name (see Power); seconds at thousands of canaries.

    G1. The same draws serve every leak, so a larger leak never counts as harder to see by chance.
    """
    non_negative(claim=claim)
    if leak is not None:
        non_negative(leak=leak)
    tool = quick(estimator)
    most = tool.estimate(sizes.perfect(), design)
    if most.ceiling is None:
        return Power(
            estimator, sizes.canaries, sizes.runs, claim, None, leak, None, None, refused=most.refused
        )
    expected = None
    if leak is not None:
        mu = mu_of(leak, design.delta)
        expected = tool.typical([sizes.gaussian(mu, seed) for seed in range(EXPERIMENTS)], design)
    least = _smallest(tool, sizes, design, claim) if most.ceiling > claim else None
    return Power(estimator, sizes.canaries, sizes.runs, claim, most.ceiling, leak, expected, least)


def larger(
    estimator: str,
    sizes: Sizes,
    design: Design,
    claim: float = 0.0,
    leak: float | None = None,
    factors: tuple[int, ...] = (4, 16),
) -> tuple[Power, ...]:
    """The power with so many times the canaries and references."""
    return tuple(power(estimator, sizes.times(factor), design, claim, leak) for factor in factors)


def quick(estimator: str) -> Estimator:
    """The estimator, with fewer replicates where it draws any."""
    return estimators.create(estimator, **({"replicates": 199} if estimator == "gdp" else {}))


def _smallest(tool: Estimator, sizes: Sizes, design: Design, claim: float) -> float | None:
    """The smallest leak seen in CHANCE of the experiments."""
    needed = round(CHANCE * EXPERIMENTS)

    def seen(mu: float) -> bool:
        hits = 0
        for seed in range(EXPERIMENTS):
            hits += tool.exceeds(sizes.gaussian(mu, seed), design, claim)
            if hits == needed or hits + EXPERIMENTS - seed - 1 < needed:
                break
        return hits == needed

    low, high = 0.0, 1.0
    while not seen(high):
        low, high = high, 2 * high
        if high > LARGEST_MU:
            return None
    while high - low > FINENESS * high:
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return gaussian_epsilon(high, design.delta)[1]
