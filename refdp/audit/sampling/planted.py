"""From a black-box run: was each planted canary drawn equally often (shuffling), or by coins of its own (Poisson)?

All that is seen is one score a canary. Where a score is its noise plus g times the number of steps K that the canary
took part in, the spread of planted scores tells: over T steps at rate q, K is binomial(T, q) under Poisson sampling and
T q under shuffling (its floor or its ceiling where the last epoch is cut). So in units of the noise's variance

    variance of planted scores / variance of the others'  =  1 + r,   r = D^2 (1 - q) / (T q)  under Poisson sampling,
                                                             1                                 under shuffling,

D being how far planted scores stand above the others on average, in standard deviations of the noise. Both
hypotheses are simulated as they are, K and all. D is not known: it is taken at that end of a confidence interval which
favours the hypothesis, and the interval's own error is charged (Berger and Boos 1994).

G1. Where scores are as assumed, a run of Poisson sampling is called shuffled, and a shuffled one Poisson, with
    probability at most ``level`` each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from refdp.audit.scores import Scores
from refdp.errors import RefDPError
from refdp.validate import in_range, strictly_between, whole

POISSON, EQUALLY, NEITHER, CANNOT_TELL = "poisson", "equally-often", "neither", "cannot-tell"
ASSUMES = (
    "a canary's score grows by the same amount with every step that the canary takes part in",
    "noise on scores is Gaussian, and the same for planted canaries and others",
    "under shuffling no batch is dropped",
)
_DRAWS, _SHARE = 10**7, 0.1
"""Of a simulation; and the part of the level that is spent on not knowing D."""
_LARGEST = 1e75
_ODD = 4.0  # standard errors of skewness or kurtosis that a Gaussian does not reach


@dataclass(frozen=True)
class PlantedTest:
    """The answer.

    Attributes:
        verdict: ``POISSON``, ``EQUALLY``, ``NEITHER`` (both are refuted: an assumption fails) or ``CANNOT_TELL``.
        ratio: variance of planted scores over that of the others; None where the others do not vary.
        signal: D as measured, in standard deviations of the noise.
        expected_ratio: 1 + r at that D.
        signal_needed: the least D at which so many canaries would as a rule be enough.
        canaries_needed: planted, and as many left out, that would as a rule be enough at this D; None where D <= 0.
        p_poisson, p_equally: p-values of both hypotheses; 1 where one was not tested.
        why: reasons, a line each.
    """

    verdict: str
    ratio: float | None
    signal: float
    expected_ratio: float
    signal_needed: float
    canaries_needed: int | None
    p_poisson: float
    p_equally: float
    why: tuple[str, ...]


def examine_planted(
    scores: Scores, sample_rate: float, steps: int, level: float = 0.01, seed: int = 0
) -> PlantedTest:
    """Tell Poisson sampling from shuffling.

    Args:
        scores: of one run.
        level: chance of either error; 1e-3 or more, for it is simulated.

    Raises:
        RefDPError: fewer than 3 scores of either kind, infinite ones, several runs, or an argument out of range.
    """
    strictly_between(0, 1, sample_rate=sample_rate)
    whole(1, steps=steps)
    in_range(1e-3, 0.5, level=level)
    if scores.runs != 1:
        raise RefDPError(f"runs = {scores.runs}: canaries of one run are needed")
    planted, outside = scores.planted, scores.outside
    for kind, values in (("planted", planted), ("left-out", outside)):
        if len(values) < 3:
            raise RefDPError(f"{len(values)} {kind} scores: at least 3 are needed for a variance")
        if not np.isfinite(values).all():
            raise RefDPError(f"{kind} scores: an infinite one has no variance; bound the scores")
        if np.abs(values).max() > _LARGEST:
            raise RefDPError(
                f"{kind} scores: up to {np.abs(values).max():g}, whose square is no float64; scale them"
            )
    noise = float(outside.std(ddof=1))
    mean_count = sample_rate * steps
    needed = math.sqrt(_ratio_needed(len(planted), len(outside), level) * mean_count / (1 - sample_rate))
    if noise == 0:
        same = "scores of canaries left out are all the same: without noise nothing can be compared; add some"
        return PlantedTest(CANNOT_TELL, None, 0.0, 1.0, needed, None, 1.0, 1.0, (same,))
    signal = float(planted.mean() - outside.mean()) / noise
    ratio = float(planted.var(ddof=1)) / noise**2
    excess = signal**2 * (1 - sample_rate) / mean_count
    enough = _canaries_needed(excess, level) if signal > 0 and excess > 1e-9 else None
    odd = _not_gaussian(outside)
    if odd is not None:
        return PlantedTest(CANNOT_TELL, ratio, signal, 1 + excess, needed, enough, 1.0, 1.0, (odd,))
    model = _Model(len(planted), len(outside), sample_rate, steps, seed)
    p_poisson = model.p_poisson(signal, ratio, _SHARE * level)
    p_equally = model.p_equally(signal, ratio, _SHARE * level)
    verdict = {
        (True, True): NEITHER,
        (True, False): EQUALLY,
        (False, True): POISSON,
        (False, False): CANNOT_TELL,
    }[p_poisson <= level, p_equally <= level]
    why = (
        f"planted scores vary {ratio:.4g} times as much as others; {1 + excess:.4g} times is expected of Poisson "
        f"sampling, {model.cut_ratio(signal):.4g} times of shuffling",
    )
    return PlantedTest(verdict, ratio, signal, 1 + excess, needed, enough, p_poisson, p_equally, why)


@dataclass(frozen=True)
class _Model:
    """Scores in standard deviations of the noise, under either hypothesis."""

    planted: int
    outside: int
    rate: float
    steps: int
    seed: int

    @property
    def mean_count(self) -> float:
        return self.rate * self.steps

    @property
    def cut(self) -> float:
        """The chance to be drawn in the last epoch, where that is cut; 0 where the epochs are whole."""
        rest = self.mean_count - math.floor(self.mean_count)
        return 0.0 if min(rest, 1 - rest) < 1e-9 * self.mean_count else rest

    def cut_ratio(self, signal: float) -> float:
        """Ratio of variances under shuffling."""
        return 1 + (signal / self.mean_count) ** 2 * self.cut * (1 - self.cut)

    def p_poisson(self, signal: float, ratio: float, spent: float) -> float:
        """Twice the chance of a ratio as small, or as large, under Poisson sampling, at the least and the greatest D
        not excluded, plus ``spent``."""
        rng = np.random.default_rng([self.seed, 0])
        total = rng.binomial(self.planted * self.steps, self.rate, self._repetitions) / self.planted
        low = self._end(signal, total / self.mean_count, spent / 2, rng)
        high = -self._end(-signal, -total / self.mean_count, spent / 2, rng)
        counts = partial(rng.binomial, self.steps, self.rate)
        small, large = (
            None if math.isinf(end) else self._ratios(max(end, 0.0), counts, rng) for end in (low, high)
        )
        below = 1.0 if small is None else _p(small <= ratio)
        above = 1.0 if large is None else _p(large >= ratio)
        return min(1.0, 2 * min(below, above) + spent)

    def p_equally(self, signal: float, ratio: float, spent: float) -> float:
        """The same under shuffling, where a D of 0 makes ratios smallest. A ratio too small for shuffling says that
        planted scores vary less than noise: they do not add up as assumed."""
        from scipy.special import fdtr

        rng = np.random.default_rng([self.seed, 1])
        high = 0.0
        if self.cut:
            total = (
                math.floor(self.mean_count)
                + rng.binomial(self.planted, self.cut, self._repetitions) / self.planted
            )
            high = -self._end(-signal, -total / self.mean_count, spent, rng)
        above = 1.0
        if not math.isinf(high):
            above = _p(self._ratios(max(high, 0.0), lambda shape: rng.random(shape) < self.cut, rng) >= ratio)
        small = float(fdtr(self.planted - 1, self.outside - 1, ratio))
        return min(1.0, 2 * min(small, above) + spent)

    @property
    def _repetitions(self) -> int:
        return int(min(6_000, max(3_000, _DRAWS // self.planted)))

    def _end(self, signal: float, growth: np.ndarray, spent: float, rng: np.random.Generator) -> float:
        """The D below which a signal as large as this has a chance of less than ``spent``: the simulated signal is
        (D * growth + noise of both means) / standard deviation, so each draw gives the D that would just reach it.
        Of a ``growth`` that is negative, -D is asked for. Infinite where a canary may well never have been drawn: no D
        is too large then, and nothing is known that is unlikely at all of them."""
        noise = rng.standard_normal(len(growth)) * math.sqrt(1 / self.planted + 1 / self.outside)
        std = np.sqrt(rng.chisquare(self.outside - 1, len(growth)) / (self.outside - 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            reached = (signal * std - noise) / np.abs(growth)
        reached = np.where(growth == 0, np.where(noise >= signal * std, -np.inf, np.inf), reached)
        return float(np.sort(reached)[int(spent * len(reached))])

    def _ratios(self, signal: float, counts: object, rng: np.random.Generator) -> np.ndarray:
        """Simulated ratios of variances."""
        assert callable(counts)
        found, rows = [], max(1, 10**6 // self.planted)
        for low in range(0, self._repetitions, rows):
            shape = (min(rows, self._repetitions - low), self.planted)
            values = rng.standard_normal(shape)
            if signal:
                values += signal / self.mean_count * counts(shape)
            found.append(values.var(axis=1, ddof=1))
        noise = rng.chisquare(self.outside - 1, self._repetitions) / (self.outside - 1)
        ratios: np.ndarray = np.concatenate(found) / noise
        return ratios


def _p(reached: np.ndarray) -> float:
    return (1 + int(reached.sum())) / (1 + len(reached))


def _ratio_needed(planted: int, outside: int, level: float) -> float:
    """r at which the laws of both ratios, Gaussian ones, part at this level."""
    from scipy.special import fdtri

    upper, lower = (float(fdtri(planted - 1, outside - 1, p)) for p in (1 - level, level))
    return upper / lower - 1


def _canaries_needed(excess: float, level: float) -> int | None:
    for size in np.unique(np.round(3 * 1.05 ** np.arange(260)).astype(int)):
        if _ratio_needed(int(size), int(size), level) <= excess:
            return int(size)
    return None


def _not_gaussian(values: np.ndarray) -> str | None:
    """What in these scores no Gaussian shows; None where nothing does."""
    z = (values - values.mean()) / values.std()
    for name, moment, variance in (
        ("skewness", float((z**3).mean()), 6),
        ("kurtosis", float((z**4).mean()) - 3, 24),
    ):
        if abs(moment) > _ODD * math.sqrt(variance / len(values)):
            return f"scores of canaries left out are not Gaussian ({name} {moment:.3g}); variances cannot be compared"
    return None
