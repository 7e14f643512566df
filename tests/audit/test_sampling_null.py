"""What is true is not refuted: every bet is fair, and at 1 % at most 1 % of Poisson runs are called something else."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
import sampling_subjects as subjects

from refdp.audit.sampling import Batches, examine
from refdp.audit.sampling.evidence import log_mean
from refdp.audit.sampling.verdict import against, one_an_epoch

BAR = math.log(100)


def poisson(records: int, rate: float, steps: int, rng: np.random.Generator) -> Batches:
    return Batches.of([np.flatnonzero(rng.random(records) < rate) for _ in range(steps)], records)


def refuted(batches: Batches, rate: float | None) -> bool:
    return log_mean([each.log_e for each in against(batches, "poisson", rate)]) >= BAR


def false_alarms(runs: int) -> int:
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(runs):
        records, steps = int(rng.choice([1, 2, 5, 20, 100, 500])), int(rng.choice([1, 2, 5, 20, 100, 300]))
        rate = float(rng.choice([0.5, 1e-3, 1.0, 0.01, 0.1, 0.9]))
        run = poisson(records, rate, steps, rng)
        found += refuted(run, None) or refuted(run, rate)
    return found


def test_false_alarms() -> None:
    assert false_alarms(150) <= 1


@pytest.mark.slow
def test_at_most_one_percent_of_1000_poisson_runs_are_refuted() -> None:
    assert false_alarms(1000) <= 10


@pytest.mark.parametrize(("records", "rate", "steps"), [(30, 0.2, 5), (12, 0.5, 4)])
def test_every_bet_is_fair(records: int, rate: float, steps: int) -> None:
    """G1 of each statistic: the mean of exp(bet) is at most 1, up to five standard errors of 1,200 runs."""
    rng = np.random.default_rng(1)
    values = defaultdict(list)
    for _ in range(1200):
        run = poisson(records, rate, steps, rng)
        for known in (None, rate):
            for each in against(run, "poisson", known):
                for name, bet in each.bets.items():
                    values[each.name, name, known].append(math.exp(bet))
    assert {name for name, _, _ in values} == {"sizes", "repeats", "order", "places", "weights"}
    for bet, e in values.items():
        assert np.mean(e) <= 1 + 5 * np.std(e) / math.sqrt(len(e)) + 1e-9, bet


def test_batches_of_a_fixed_size_and_shuffles_are_fair_to_their_own_claims() -> None:
    high = 0
    for seed in range(150):
        run = subjects.recorded("without-replacement", 60, 7, 20, seed)
        high += examine(run, "without-replacement").verdict == "refuted"
        shuffled = subjects.recorded("shuffle", 60, 7, 40, seed).take(np.arange(seed % 9, 40))
        high += examine(shuffled, "shuffle").verdict == "refuted"
    assert high <= 3


def test_one_an_epoch_never_takes_two_of_one_epoch() -> None:
    run = subjects.recorded("shuffle", 60, 7, 90, 1)  # 9 steps an epoch
    for start in range(9):
        taken = np.arange(90)[start:]
        kept = one_an_epoch(run.take(taken))
        assert kept.steps == -(-len(taken) // 9)


@pytest.mark.parametrize("rate", [0.0, 1.0])
@pytest.mark.parametrize("known", [False, True])
def test_batches_of_nothing_and_of_everything_are_decided(rate: float, known: bool) -> None:
    run = poisson(40, rate, 30, np.random.default_rng(0))
    found = examine(run, sample_rate=rate if known else None)
    assert found.verdict == "consistent"
    assert found.power == ()
    assert examine(run, sample_rate=0.5).sampler == "fixed-order" if rate else True
    assert examine(run, sample_rate=1 - rate).log_e == math.inf


def test_a_data_set_that_is_larger_than_its_largest_index() -> None:
    """The last records were never drawn: N as given, not the largest index + 1, is what is tested."""
    run = subjects.played(subjects.poisson, 3000, 1, 40, 2)
    assert run.indices.max() + 1 < 3000
    assert examine(run).verdict == "consistent"
