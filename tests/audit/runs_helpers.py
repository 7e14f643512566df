"""Small audits for tests: gaussian-clusters and its two-layer model, trained in milliseconds."""

from __future__ import annotations

from typing import Any

import numpy as np

from refdp.audit.runs import AuditConfig, Setup, pooled, prepare, run_one
from refdp.audit.scores import Scores

SMALL: dict[str, Any] = {
    "dataset": "gaussian-clusters",
    "data_dir": None,
    "data_seed": 0,
    "model": "mlp",
    "records": 60,
    "sampling": "poisson",
    "neighboring": None,
    "clipping": "flat",
    "clip_norm": 1.0,
    "schedule": "constant",
    "noise_multiplier": 10.0,
    "target_epsilon": None,
    "delta": 1e-5,
    "batch_size": None,
    "steps": 30,
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "canary": "dirac",
    "canaries": 400,
    "references": 0,
    "scores": "white-box",
    "initial": "random",
    "runs": 1,
    "fault": None,
    "estimator": None,
    "confidence": 0.95,
    "claimed_epsilon": None,
    "expected_epsilon": None,
    "seed": 1,
}


def small(**changes: Any) -> Setup:
    """A prepared audit."""
    return prepare(AuditConfig(**{**SMALL, **changes}))


def scores_of(setup: Setup, runs: int = 1) -> Scores:
    """Of that many runs."""
    return pooled([run_one(setup, number) for number in range(runs)])


def mu_of(setup: Setup) -> float:
    """Of the Gaussian pair that the plan's steps compose to, where every record is in every batch."""
    return float(np.sqrt((setup.plan.schedule.noise_multipliers() ** -2.0).sum()))
