"""Batches without replacement are uniform over all subsets of b, independent of each other, and charged as such."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import combinations, pairwise
from math import comb

import numpy as np
import pytest
from helpers import small_data, small_plan, small_trainer
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from refdp.accounting import GaussianEvent, Ledger, Sampling, Schedule, epsilon
from refdp.accounting.errors import AccountingError
from refdp.rng import Streams
from refdp.samplers import samplers

STREAMS = Streams.from_seed(5)
NAME = "without-replacement"


def make(n: int, b: int):  # type: ignore[no-untyped-def]
    return samplers.create(NAME, dataset_size=n, batch_size=b)


def check_uniform(draw, n: int, b: int, steps: int = 6000) -> None:  # type: ignore[no-untyped-def]
    """Every subset of b is as likely as another, and says nothing of the next."""
    every = list(combinations(range(n), b))
    drawn = [tuple(int(i) for i in draw(t)) for t in range(steps)]
    counts = Counter(drawn)
    assert set(counts) <= set(every), "not an ascending batch of b distinct records"
    assert stats.chisquare([counts[subset] for subset in every]).pvalue > 1e-3
    pairs = Counter((0 in one, 0 in two) for one, two in pairwise(drawn))
    table = [[pairs[one, two] for two in (True, False)] for one in (True, False)]
    assert stats.chi2_contingency(table).pvalue > 1e-3


@pytest.mark.parametrize(("n", "b"), [(6, 3), (5, 1), (5, 4), (8, 2)])
def test_every_subset_is_equally_likely(n: int, b: int) -> None:
    sampler = make(n, b)
    check_uniform(lambda t: sampler.batch(t, STREAMS).indices, n, b)


def test_large_batches_are_spread_evenly() -> None:
    """Sizes for which numpy takes another road: how many of the first half are drawn is hypergeometric."""
    n, b, steps = 10_100, 600, 1500
    sampler = make(n, b)
    drawn = np.array([sampler.batch(t, STREAMS).indices for t in range(steps)])
    assert (np.diff(drawn, axis=1) > 0).all()
    counts = np.bincount(drawn.ravel(), minlength=n)
    spread = steps * (b / n) * (1 - b / n)
    chi_square = float(np.sum((counts - steps * b / n) ** 2) / spread) * (n - 1) / n
    assert 1e-3 < stats.chi2.cdf(chi_square, n - 1) < 1 - 1e-3
    law = stats.hypergeom(n, n // 2, b)
    halves = law.cdf((drawn < n // 2).sum(axis=1) - np.random.default_rng(0).integers(2, size=steps))
    assert abs(np.mean(halves) - 0.5) < 5 / np.sqrt(12 * steps)
    assert stats.chisquare(np.bincount(np.searchsorted([0.25, 0.5, 0.75], halves), minlength=4)).pvalue > 1e-4


def test_faults_are_caught() -> None:
    """With replacement; consecutive; a shuffled epoch; one record favoured."""
    rng = np.random.default_rng(2)
    epochs = np.concatenate([rng.permutation(6).reshape(2, 3) for _ in range(3000)])
    weights = np.array([0.2, 0.16, 0.16, 0.16, 0.16, 0.16])
    for fault in (
        lambda t: np.sort(rng.integers(6, size=3)),
        lambda t: np.sort((rng.integers(6) + np.arange(3)) % 6),
        lambda t: np.sort(epochs[t]),
        lambda t: np.sort(rng.choice(6, 3, replace=False, p=weights)),
    ):
        with pytest.raises(AssertionError):
            check_uniform(fault, 6, 3)


@given(n=st.integers(1, 300), b=st.integers(1, 300), step=st.integers(0, 10**6))
def test_batches_are_distinct_records_and_the_divisor_is_b(n: int, b: int, step: int) -> None:
    sampler = make(n, min(b, n))
    batch = sampler.batch(step, STREAMS)
    assert batch.indices.dtype == np.int64
    assert len(np.unique(batch.indices)) == len(batch.indices) == sampler.batch_size
    assert batch.indices.min() >= 0
    assert batch.indices.max() < n
    assert batch.divisor == float(sampler.batch_size)
    np.testing.assert_array_equal(batch.indices, sampler.batch(step, STREAMS).indices)


def test_roots_and_steps_draw_afresh() -> None:
    sampler = make(1000, 100)
    drawn = [sampler.batch(t, Streams.from_seed(seed)).indices for seed in (1, 2) for t in (0, 1, 10)]
    assert len({tuple(batch) for batch in drawn}) == 6


def test_steps() -> None:
    assert make(400, 64).steps(20) == 125


@pytest.mark.parametrize("kind", ["constant", "cosine"])
def test_event_is_what_is_drawn(kind: str) -> None:
    schedule = Schedule(kind, 9, 2.0, {"amplitude": 0.5} if kind == "cosine" else {})
    (event,) = make(40, 10).events(schedule, 5)
    assert event == GaussianEvent(schedule.noise(), Sampling(NAME, dataset_size=40, batch_size=10), 5)
    sizes = {len(make(40, 10).batch(t, STREAMS).indices) for t in range(50)}
    assert sizes == {event.sampling.batch_size}


def test_replace_one_is_the_default_and_the_others_are_refused() -> None:
    assert make(40, 10).default_neighboring == "replace-one"
    plan = small_plan(small_data(), sampling=NAME)
    assert plan.ledger().neighboring == "replace-one"
    for relation in ("add-remove", "zero-out"):
        with pytest.raises(AccountingError, match="without-replacement"):
            dataclasses.replace(plan, neighboring=relation)


def test_whole_data_set_is_an_unsampled_step_at_twice_the_sensitivity() -> None:
    schedule = Schedule("constant", 5, 4.0)
    whole = epsilon(Ledger("replace-one", make(7, 7).events(schedule, 5)), 1e-5)
    full = GaussianEvent(2.0, Sampling("full-batch"), 5)
    expected = epsilon(Ledger("add-remove", (full,)), 1e-5)
    assert whole.upper == pytest.approx(expected.upper, rel=1e-6)


def test_costs_more_than_poisson_and_less_than_no_sampling() -> None:
    schedule = Schedule("constant", 20, 3.0)
    cost = {
        name: epsilon(
            Ledger(relation, samplers.create(name, dataset_size=400, batch_size=20).events(schedule, 20)),
            1e-5,
        ).upper
        for name, relation in (("poisson", "add-remove"), (NAME, "replace-one"))
    }
    unsampled = epsilon(Ledger("replace-one", (GaussianEvent(3.0, Sampling("full-batch"), 20),)), 1e-5).upper
    assert cost["poisson"] < cost[NAME] < unsampled


def test_a_run_keeps_its_target() -> None:
    plan = small_plan(small_data(), sampling=NAME, steps=10).calibrated(3.0)
    assert 2.9 < plan.epsilon().upper <= 3.0
    trainer = small_trainer(sampling=NAME, steps=4)
    for _ in range(4):
        trainer.advance()
    assert trainer.step == 4
    assert comb(60, 12) > 2**40  # so no two batches of this run are alike
    assert len({tuple(trainer.plan.sampler.batch(t, trainer.streams).indices) for t in range(4)}) == 4
