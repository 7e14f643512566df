"""What the noised sum holds besides, found along directions the noise should know nothing of; and rows beyond 512."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refdp.crosscheck.training.check import check_trace
from refdp.crosscheck.training.noise import statistics
from refdp.crosscheck.training.noise.correlation import ROWS, between_rows
from refdp.crosscheck.training.noise.directions import along
from refdp.crosscheck.training.noise.sample import Sample, sample
from refdp.crosscheck.training.result import AGREES, DIFFERS
from refdp.crosscheck.training.view import StepView
from refdp.traces import Trace, TracedStep

SIZE, BATCH, C = 30_000, 32, 1.0


def step(seed: int, noised: Any = lambda g, total, z: total + z, size: int = SIZE, **more: Any) -> TracedStep:
    """Gradients of norms 1.5 to 6, clipped to 1, noise of standard deviation 1; float32."""
    rng = np.random.default_rng(seed)
    g = rng.standard_normal((BATCH, size))
    norms = 3.0 * rng.uniform(0.5, 2.0, BATCH)
    g *= (norms / np.linalg.norm(g, axis=1))[:, None]
    total = (C / norms) @ g
    made = noised(g, total, rng.standard_normal(size))
    as_float32 = {"grad_sample": g, "clipped_sum": total, "noised_sum": made}
    arrays: dict[str, Any] = {kind: {"w": values.astype(np.float32)} for kind, values in as_float32.items()}
    return TracedStep(clip_norm=C, noise_multiplier=1.0, **arrays, **more)


def judged(one: TracedStep) -> Any:
    found = {stage.name: stage for stage in check_trace(Trace((one,))).steps[0].stages}
    assert found["clipped sum"].status == AGREES
    return found["noise"]


@pytest.mark.parametrize(
    ("noised", "words"),
    [
        (lambda g, total, z: g.sum(axis=0) + z, "what clipping takes off"),
        (lambda g, total, z: total + 4 * g[7] + z, "the gradient of record 7 of the batch"),
        (lambda g, total, z: -2 * total + z, "the clipped sum"),
    ],
)
def test_a_sum_that_is_not_the_recorded_one_is_found_under_its_noise(noised: Any, words: str) -> None:
    stage = judged(step(0, noised))
    assert stage.status == DIFFERS
    assert stage.figures["failed"] == ["known directions"]  # over all coordinates it is far too small
    assert stage.figures["oddest_direction"][0] == words


def test_weight_decay_and_a_stale_sum_are_found() -> None:
    theta = np.random.default_rng(5).standard_normal(SIZE)
    decayed = step(1, lambda g, total, z: total + z + 0.1 * theta, params={"w": theta})
    assert judged(decayed).figures["oddest_direction"][0] == "the weights"
    before = step(2, step=0)
    stale = step(3, lambda g, total, z: total + z + 2 * before.clipped_sum["w"], step=1)
    noise = check_trace(Trace((before, stale))).steps[1].stages[4]
    assert noise.figures["oddest_direction"][0] == "the clipped sum of the step before"
    assert noise.status == DIFFERS


def test_an_unclipped_record_is_not_taken_for_more_noise() -> None:
    stage = judged(step(0, lambda g, total, z: total + 12 * g[0] + z, size=1000))
    assert {"scale", "known directions"} <= set(stage.figures["failed"])
    assert not stage.causes  # noise-per-micro-batch (safe) before


def test_noise_of_another_scale_has_no_direction() -> None:
    stage = judged(step(0, lambda g, total, z: total + 10 * z))
    assert "known directions" not in stage.figures["failed"]


def test_sound_noise_fails_no_more_often_than_stated() -> None:
    """p <= 0.1 in at most one of ten; the rate itself is Bonferroni's over exact tests."""
    below = 0
    for seed in range(200):
        view = StepView(step(seed, size=60, params={"w": np.ones(60)}))
        found = sample(view, 1e-5)
        assert isinstance(found, Sample)
        known = along(view, found)
        assert known is not None
        below += known[0] <= 0.1
    assert below <= 45  # mean 20, standard deviation 4.2


def test_directions_count_among_the_tests() -> None:
    figures = judged(step(4)).figures
    assert figures["tests"] == 12
    assert figures["threshold"] == statistics.RATE / 12


@pytest.mark.parametrize(
    ("a", "b", "sign"), [(3, ROWS + 40, 1), (ROWS + 20, ROWS + 21, -1), (0, 2 * ROWS + 1, 1)]
)
def test_the_same_draws_are_found_in_any_two_rows(a: int, b: int, sign: int) -> None:
    rows = np.random.default_rng(6).standard_normal((2 * ROWS + 5, 50))
    assert between_rows(rows, np.zeros(len(rows)))[0] > 1e-6
    rows[b] = sign * rows[a]
    p, closest = between_rows(rows, np.full(len(rows), 1e-6))
    assert p < 1e-20
    assert closest is not None
    assert closest[:2] == (a, b)


@pytest.mark.parametrize(
    ("change", "test"),
    [
        (lambda z: np.where(np.arange(len(z)) < 10, 0.0, z), "zeros"),
        (lambda z: (z + np.roll(z, 1)) / np.sqrt(2), "between neighbours"),
        (lambda z: (z - np.roll(z, 7)) / np.sqrt(2), "between neighbours"),
    ],
)
def test_few_bare_entries_and_correlated_neighbours_are_found(change: Any, test: str) -> None:
    stage = judged(step(0, lambda g, total, z: total + change(z)))
    assert stage.status == DIFFERS
    assert test in stage.figures["failed"]
