"""What the declared estimator can show at best with so many canaries: asked before any run, not after all of them."""

from __future__ import annotations

import numpy as np

from refdp.audit.estimators import Design, estimators
from refdp.audit.runs.config import AuditConfig
from refdp.audit.scores import Scores
from refdp.errors import RefDPError


def design_of(config: AuditConfig) -> Design:
    """What is fixed before any score is seen."""
    return Design(config.delta, config.confidence, config.expected_epsilon, config.seed % 2**32)


def best_bound(config: AuditConfig) -> float:
    """The declared estimator's ceiling, were half of the canaries planted and every one told right.

    Raises:
        RefDPError: an unknown estimator, or one that would allow no bound on any such scores.
    """
    estimator = estimators.get(config.estimator or "")()
    canaries = config.canaries * config.runs
    planted = np.arange((canaries + 1) // 2) + 1.0
    left_out, references = (
        -np.arange(canaries // 2) - 1.0,
        -0.5 - np.arange((config.references or 0) * config.runs),
    )
    scores = Scores(planted, left_out, references, fair_coins=True, runs=config.runs)
    found = estimator.estimate(scores, design_of(config))
    if found.epsilon is None or found.ceiling is None:
        raise RefDPError(
            f"--estimator {config.estimator}: {canaries} canaries would allow no bound: {found.refused}; give more "
            "--canaries or --runs"
        )
    return float(found.ceiling)
