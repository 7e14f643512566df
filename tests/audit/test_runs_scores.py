"""A sound run's scores are distributed as theory says; a faulty run's are not, and by how much."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from runs_helpers import mu_of, scores_of, small
from scipy.stats import kstest

from refdp.audit.runs.initial import worst_case_weights
from refdp.data import Split

LEVEL = 1e-3  # of each test: seeds are fixed, and none was chosen


def standardised(scores: Any, mu: float, shift: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Scores as N(0, 1) draws, if they are N(+-mu^2 shift, mu^2)."""
    return (scores.planted - shift * mu * mu) / mu, (scores.outside + shift * mu * mu) / mu


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"clipping": "auto-s"},
        {"clipping": "dynamic"},
        {"clipping": "psasc", "learning_rate": 0.01},
        {"schedule": "linear:start=1,end=2"},
        {"optimizer": "adam", "learning_rate": 0.01},
        {"sampling": "without-replacement", "neighboring": "replace-one", "clip_norm": 0.1},
        {"sampling": "shuffle", "clip_norm": 30.0},
    ],
    ids=str,
)
def test_dirac_scores_of_full_participation_are_the_gaussian_pair(choices: dict[str, Any]) -> None:
    setup = small(**choices)
    mu = mu_of(setup)
    if setup.plan.neighboring == "replace-one":  # planted against its opposite: twice as far apart
        mu *= 2
    planted, outside = standardised(scores_of(setup, 4), mu)
    assert len(planted) > 700
    assert kstest(planted, "norm").pvalue > LEVEL
    assert kstest(outside, "norm").pvalue > LEVEL


def test_what_records_add_to_a_canarys_coordinate_is_taken_off() -> None:
    """Beside noise of 1 C, the sum of 400 records' gradients is many times C on some coordinates."""
    setup = small(records=400, canaries=300, noise_multiplier=1.0)
    planted, outside = standardised(scores_of(setup, 2), mu_of(setup))
    assert kstest(planted, "norm").pvalue > LEVEL
    assert kstest(outside, "norm").pvalue > LEVEL


def test_references_score_as_those_left_out() -> None:
    setup = small(canaries=100, references=900)
    scores = scores_of(setup)
    mu = mu_of(setup)
    assert len(scores.references) == 900
    assert kstest((scores.references + mu * mu / 2) / mu, "norm").pvalue > LEVEL


def test_per_layer_clipping_lets_a_dirac_canary_through_up_to_its_tensors_share() -> None:
    setup = small(clipping="per-layer")
    mu = mu_of(setup) / 2  # four tensors: C_l = C / 2
    planted, outside = standardised(scores_of(setup, 2), mu)
    assert kstest(planted, "norm").pvalue > LEVEL
    assert kstest(outside, "norm").pvalue > LEVEL


def test_half_noise_halves_the_spread_and_keeps_the_means() -> None:
    setup = small(fault="half-noise")
    mu = mu_of(setup)
    planted, outside = standardised(scores_of(setup, 4), mu)
    assert kstest(2 * planted, "norm").pvalue > LEVEL
    assert kstest(2 * outside, "norm").pvalue > LEVEL
    assert kstest(outside, "norm").pvalue < 1e-9


def test_a_record_used_twice_moves_planted_canaries_twice_as_far() -> None:
    setup = small(fault="record-twice")
    mu = mu_of(setup)
    scores = scores_of(setup, 4)
    assert kstest((scores.outside + mu * mu / 2) / mu, "norm").pvalue > LEVEL
    assert kstest((scores.planted - 1.5 * mu * mu) / mu, "norm").pvalue > LEVEL
    assert kstest((scores.planted - 0.5 * mu * mu) / mu, "norm").pvalue < 1e-9


@pytest.mark.parametrize(
    "choices",
    [
        {"sampling": "poisson"},
        {"sampling": "fixed-order"},
        {"sampling": "shuffle", "steps": 31},  # two epochs and a part of one
        {"sampling": "poisson", "neighboring": "replace-one"},
    ],
    ids=str,
)
def test_sampled_scores_are_log_likelihood_ratios(choices: dict[str, Any]) -> None:
    """Of a log-likelihood ratio s, E exp(s) = 1 where the canary was left out, and E exp(-s) = 1 where it was not."""
    scores = scores_of(small(batch_size=46, noise_multiplier=1.0, **choices), 6)
    assert scores.planted.mean() > 0 > scores.outside.mean()
    for values in (np.exp(scores.outside), np.exp(-scores.planted)):
        assert abs(values.mean() - 1) < 4 * values.std() / np.sqrt(len(values))


def test_sampled_scores_without_the_batches_tell_something() -> None:
    """Without replacement nothing is subtracted, so scores are no exact likelihoods; planted ones are still higher."""
    scores = scores_of(small(sampling="without-replacement", batch_size=230, noise_multiplier=1.0), 2)
    wins = (scores.planted[:, None] > scores.outside).mean()
    assert wins > 0.55


@pytest.mark.parametrize(
    "canary", ["mislabelled", "out-of-distribution", "out-of-distribution:pattern=constant"]
)
def test_the_white_box_score_of_one_record_is_a_log_likelihood_ratio(canary: str) -> None:
    setup = small(canary=canary, canaries=1, noise_multiplier=5.0, steps=20, runs=300)
    scores = scores_of(setup, 300)
    mu = mu_of(setup)
    for values in (np.exp(scores.outside), np.exp(-scores.planted)):
        assert abs(values.mean() - 1) < 4 * values.std() / np.sqrt(len(values))
    assert 0.2 * mu < scores.planted.std() < 1.25 * mu  # no contribution above K; canaries share their noise
    assert scores.planted.mean() > 0 > scores.outside.mean()


@pytest.mark.parametrize("batch_size", [None, 46])
def test_a_score_does_not_look_at_the_coins_of_others(batch_size: int | None) -> None:
    """Of canaries that are all the same record nothing can be told but how many were planted; with the others' coins
    known, each planted one would score a constant more, and the one-run bound of a sound run be 2.5 at epsilon 0.1."""
    setup = small(
        canary="mislabelled", canaries=80, steps=5, learning_rate=1e-3, noise_multiplier=None,
        target_epsilon=0.1, batch_size=batch_size,
    )  # fmt: skip
    same = np.zeros(80, dtype=np.int64)
    one = Split(setup.canary_records.x[same], setup.canary_records.y[same])
    train = setup.data.train
    x, y = np.concatenate([train.x[:60], one.x]), np.concatenate([train.y[:60], one.y])
    setup = replace(setup, canary_records=one, data=replace(setup.data, train=Split(x, y)))
    scores = scores_of(setup)
    spread = np.ptp(np.concatenate([scores.planted, scores.left_out]))
    assert spread < 1e-4 * abs(scores.planted[0])


def test_many_records_in_one_run_are_told_by_their_scores() -> None:
    setup = small(canary="mislabelled", canaries=80, noise_multiplier=1.0, steps=20)
    scores = scores_of(setup, 10)
    wins = (scores.planted[:, None] > scores.outside).mean()
    assert wins > 0.6


def test_worst_case_weights_and_final_weights_tell_mislabelled_records() -> None:
    """Without privacy to speak of, a small model learns them by heart; of one that learns nothing, nothing is told."""
    choices = {
        "canary": "mislabelled",
        "canaries": 60,
        "scores": "black-box",
        "steps": 200,
        "learning_rate": 1.0,
    }
    tell = small(**choices, noise_multiplier=0.5, initial="worst-case")
    tell = replace(tell, initial=worst_case_weights(tell))
    hide = small(**choices, noise_multiplier=1e4)
    wins = []
    for setup in (tell, hide):
        scores = scores_of(setup, 4)
        wins.append((scores.planted[:, None] > scores.outside).mean())
    assert wins[0] > 0.8
    assert 0.3 < wins[1] < 0.7


def test_companions_tell_shuffled_batches_and_not_poisson_ones() -> None:
    choices = {
        "dataset": "gaussian-clusters:n_samples=1250,n_features=1,n_classes=2",
        "model": "mlp:hidden=1",
        "canary": "companions",
        "canaries": 1,
        "runs": 400,
        "records": 99,
        "batch_size": 1,
        "steps": None,
        "neighboring": "zero-out",
        "noise_multiplier": 0.4,
    }
    wins = []
    for fault in ("shuffle-as-poisson", None):
        scores = scores_of(small(**choices, fault=fault), 200)
        wins.append((scores.planted[:, None] > scores.outside).mean())
    assert wins[0] > 0.8
    assert abs(wins[1] - 0.5) < 0.15


def test_companion_scores_are_likelihood_ratios_of_the_shuffled_pair() -> None:
    choices = {
        "dataset": "gaussian-clusters:n_samples=1250,n_features=1,n_classes=2",
        "model": "mlp:hidden=1",
        "canary": "companions",
        "canaries": 1,
        "runs": 400,
        "records": 59,
        "batch_size": 3,
        "steps": 40,  # two epochs
        "sampling": "shuffle",
        "noise_multiplier": 2.0,
    }
    scores = scores_of(small(**choices), 400)
    for values in (np.exp(scores.outside), np.exp(-scores.planted)):
        assert abs(values.mean() - 1) < 4 * values.std() / np.sqrt(len(values))
