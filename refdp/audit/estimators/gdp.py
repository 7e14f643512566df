"""Gaussian differential privacy from the order of all scores.

Auditing by mu-GDP (Dong, Roth, Su 2019, arXiv 1905.02383) is Nasr et al. 2023 (arXiv 2302.07956); they count errors at
one threshold, here every pair of scores counts, by Mann-Whitney's U = #{(i, j): planted_i > outside_j}.

Why it holds. Let outside scores have distribution function F, and T(x) = inf {t: F(t) >= Phi(x)}, nondecreasing: an
outside score is T(z), z ~ N(0, 1), atoms of F included. T(x) > t exactly where Phi(x) > F(t), so
    P[T(z + mu) > t] = 1 - Phi(Phi^-1(F(t)) - mu),
the most that mu-GDP allows a planted score to exceed t with, as an outside one does with chance 1 - F(t). So a
planted score is stochastically at most T(z + mu); couple them. T(a) > T(b) only if a > b, so U, which counts a tie as
no win, is at most #{z1_i + mu > z0_j} = U*(mu), whatever F is. Let N replicates of it be drawn, mu_r the least mu with
U_r(mu) >= U, and mu_lower the k-th smallest mu_r, k = floor((1 - confidence) (N + 1)). Where mu_lower > mu,
U_r(mu) < U <= U*(mu) for at least N - k + 1 of the N; as U* and the U_r are exchangeable at the true mu, the chance of
that is at most k / (N + 1) <= 1 - confidence (Dwass 1957; Barnard 1963). No asymptotics enter.

G1. If the run's trade-off curve is mu-GDP and scores are independent, epsilon exceeds the truth with a chance of at
    most 1 - confidence, over scores and replicates together. Given one seed's replicates the chance is a draw from
    Beta(k, N + 1 - k): .05 +- .007 at N = 999.
G2. A tie is no win: no lot is drawn that could be lucky. Scores of few values (right or wrong) show little here; losses
    show more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from refdp.accounting.gaussian import gaussian_epsilon
from refdp.audit.estimators import estimators
from refdp.audit.estimators._answer import GAUSSIAN, assumptions, empty_class, refuse, too_few
from refdp.audit.estimators._leak import mu_of
from refdp.audit.estimators._mann_whitney import Replicates, wins
from refdp.audit.estimators.base import Design, Estimate, Estimator
from refdp.audit.scores import Scores
from refdp.validate import whole

MOST = 100_000


@estimators.register("gdp")
@dataclass(frozen=True)
class Gdp(Estimator):
    """mu from Mann-Whitney's U, inverted exactly by Monte Carlo.

    Attributes:
        replicates: N, at least; more are drawn where the confidence asks for them.
    """

    replicates: int = 999

    name: ClassVar[str] = "gdp"
    source: ClassVar[str] = "Nasr et al. 2023, arXiv 2302.07956, with every threshold (Mann-Whitney)"

    def __post_init__(self) -> None:
        whole(19, replicates=self.replicates)

    def estimate(self, scores: Scores, design: Design) -> Estimate:
        """The bound; both classes are needed."""
        reason = empty_class(scores)
        if reason:
            return refuse(self.name, reason)
        replicates, k = self._replicates(len(scores.planted), len(scores.outside), design)
        if replicates.number > MOST:
            reason = f"confidence = {design.confidence}: takes more than {MOST:,} replicates; ask for at most 0.99999"
            return refuse(self.name, reason)
        ceiling = _epsilon(float(replicates.gaps()[k - 1]), design)
        if ceiling <= 0:

            def best(times: int) -> float:
                more, _ = self._replicates(len(scores.planted) * times, len(scores.outside) * times, design)
                return _epsilon(float(more.gaps()[k - 1]), design)

            return refuse(self.name, too_few(best, design.confidence))
        observed = wins(scores.planted, scores.outside)
        mu = replicates.least(observed, k) if observed > replicates.at(0.0)[-k] else 0.0
        pairs = replicates.planted * replicates.outside
        details = {"auc": observed / pairs, "mu": max(mu, 0.0), "replicates": replicates.number}
        return Estimate(
            self.name, _epsilon(mu, design), ceiling, None, assumptions(scores, GAUSSIAN), details
        )

    def exceeds(self, scores: Scores, design: Design, claim: float) -> bool:
        """Whether fewer than k replicates at the claim's mu win as often: then mu_lower is above it."""
        replicates, k = self._replicates(len(scores.planted), len(scores.outside), design)
        if empty_class(scores) or replicates.number > MOST:
            return False
        return wins(scores.planted, scores.outside) > replicates.at(mu_of(claim, design.delta))[-k]

    def typical(self, experiments: Sequence[Scores], design: Design) -> float:
        """The bound of the experiment whose U is the median."""
        ordered = sorted(experiments, key=lambda scores: wins(scores.planted, scores.outside))
        return self.estimate(ordered[len(ordered) // 2], design).epsilon or 0.0

    def _replicates(self, planted: int, outside: int, design: Design) -> tuple[Replicates, int]:
        """The replicates and k >= 1."""
        number = max(self.replicates, math.ceil(1 / design.miss - 1e-9) - 1)
        return Replicates(planted, outside, number, design.seed), math.floor(
            design.miss * (number + 1) + 1e-9
        )


def _epsilon(mu: float, design: Design) -> float:
    return gaussian_epsilon(mu, design.delta)[0] if mu > 0 else 0.0
